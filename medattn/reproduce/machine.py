"""The machine that computes: its processor, its graphics cards, and the slowest code paths of every numerical library.

The processor decides which code paths the libraries take. The cards are told by nvidia-smi, which is there wherever NVIDIA's
driver is.
"""

import os
import platform
import subprocess
from pathlib import Path
from typing import NamedTuple

CPUINFO = Path("/proc/cpuinfo")
MEBIBYTE = 1 << 20
_ASKED = ("name", "driver_version", "memory.total", "memory.free")
# Each of these was seen to change raw float64 bits.
SLOWEST = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F",
}


class Processor(NamedTuple):
    """model: as the system names it. flags: instruction sets, sorted; none where the system does not list them."""

    model: str | None
    flags: tuple[str, ...]


def processor(cpuinfo: Path = CPUINFO) -> Processor:
    """The first processor that the system lists."""
    try:
        lines = [line.partition(":") for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        lines = []
    found = {name.strip(): value.strip() for name, _, value in reversed(lines)}  # reversed: the first one counts
    flags = found.get("flags") or found.get("Features") or ""  # Features: on Arm
    return Processor(found.get("model name") or platform.processor() or None, tuple(sorted(flags.split())))


def usable() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
