"""What one run of a subcommand takes: processor time and memory of its process and of all that it starts.

Memory is counted twice. What the processes hold of their own is memory that the system cannot take back. Resident memory
also counts pages of mapped files, which the system drops where something else needs the room: it grows with the files.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from medattn.base.errors import InputError

PAUSE = 0.01  # seconds between two looks at the memory
FAMILY = 0.25  # seconds between two looks at who belongs to the process: that reads the table of all processes
SAID = 2000  # characters of a failed command's last words


@dataclass(frozen=True)
class Cost:
    """Processor seconds of the process and its descendants; wall seconds; the largest sums of their memory, in bytes."""

    seconds: float
    wall: float
    own: int  # of their own, so neither of a file nor shared
    resident: int  # with what they share and have mapped


def run_measured(root: Path, *arguments: str) -> Cost:
    """`python -m medattn ARGUMENTS` in `root`, on one thread and with the unit cache off.

    Raises InputError with its last words if it fails.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"OMP_NUM_THREADS": "1", "MEDATTN_CACHE": "off"}
    command = [sys.executable, "-m", "medattn", *arguments]
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=root, env=environment, stdout=said, stderr=subprocess.STDOUT)
        try:
            seconds, own, resident = _watch(process)
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode:
            said.seek(0)
            last = said.read().decode(errors="replace")[-SAID:]
            raise InputError(f"`medattn {' '.join(arguments)}` in {root} ended with {process.returncode}: {last}")
    return Cost(seconds, time.monotonic() - began, own, resident)


def _watch(process: subprocess.Popen) -> tuple[float, int, int]:
    """Processor seconds, own and resident bytes, once the process has ended; sets its return code."""
    family, known = [psutil.Process(process.pid)], time.monotonic()
    own = resident = 0
    while True:
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
        if ended:
            process.returncode = os.waitstatus_to_exitcode(status)
            return used.ru_utime + used.ru_stime, own, resident
        if time.monotonic() - known > FAMILY:
            family, known = _family(family[0]), time.monotonic()
        sums = _memory(family)
        own, resident = max(own, sums[0]), max(resident, sums[1])
        time.sleep(PAUSE)


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return [process]


def _memory(family: Sequence[psutil.Process]) -> tuple[int, int]:
    """(own, resident) bytes of those of the processes that are still there."""
    own = resident = 0
    for process in family:
        try:
            found = process.memory_info()
        except psutil.NoSuchProcess:
            continue
        own += found.rss - getattr(found, "shared", 0)  # not told outside Linux
        resident += found.rss
    return own, resident
