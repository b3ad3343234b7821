"""Fresh clones of the last commit, and how commands run in them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.import_closure import ROOT


def run(clone: Path, *command: str | Path, check: bool = True) -> subprocess.CompletedProcess:
    """Run a command in the clone, with the tests' own Python first on PATH, as an activated environment has it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(command, cwd=clone, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    if check:
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


def hears_interrupts() -> None:
    """For preexec_fn: a shell's background job, and all that it starts, ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def dvc(clone: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
    return run(clone, sys.executable, "-m", "dvc", *arguments, check=check)


def medattn(clone: Path, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess:
    return run(clone, sys.executable, "-m", "medattn", *arguments, check=check)


def fresh_clone(place: Path) -> Path:
    """A clone of the last commit at `place`, its embedded study pulled."""
    run(ROOT, "git", "clone", "--quiet", str(ROOT), str(place))
    dvc(place, "pull", "--quiet", "data.dvc")
    return place
