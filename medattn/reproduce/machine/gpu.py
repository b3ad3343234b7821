"""NVIDIA's own word on the graphics cards and their driver: nvidia-smi, which is there wherever the driver is."""

import subprocess
from typing import NamedTuple

MEBIBYTE = 1 << 20
_ASKED = ("name", "driver_version", "memory.total", "memory.free")


class Card(NamedTuple):
    """A card. Memory in bytes, None where the tool does not tell."""

    name: str
    driver: str
    memory: int | None
    free: int | None


def cards() -> list[Card] | None:
    """The cards that nvidia-smi lists; None if it is not on this machine or fails."""
    command = ["nvidia-smi", f"--query-gpu={','.join(_ASKED)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines() if line.strip()]
    return [Card(row[0], row[1], _bytes(row[2]), _bytes(row[3])) for row in rows if len(row) == len(_ASKED)]


def _bytes(cell: str) -> int | None:
    return int(cell) * MEBIBYTE if cell.isdigit() else None  # "[N/A]" on cards that share the machine's memory
