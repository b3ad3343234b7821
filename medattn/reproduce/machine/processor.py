"""The processor: what decides which code paths the numerical libraries take."""

import os
import platform
from pathlib import Path
from typing import NamedTuple

CPUINFO = Path("/proc/cpuinfo")


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
