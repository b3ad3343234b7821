"""Killed, interrupted, or out of disk: what was finished is kept, and the next run gives an undisturbed run's bytes."""

import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medattn.base import paths
from tests.extract.conftest import UNITS, command, environment, outputs, set_run, units

KILLS = 20
pytestmark = pytest.mark.slow


def wait_for(process: subprocess.Popen, root: Path, count: int) -> bool:
    """Until `count` units are finished; False if the process ended before."""
    directory = root / paths.RUN / "units"
    while process.poll() is None:
        if directory.is_dir() and sum("." not in path.name for path in directory.iterdir()) >= count:
            return True
        time.sleep(0.005)
    return False


def test_killed_twenty_times_it_gives_the_bytes_of_an_undisturbed_run(checkout, started, undisturbed):
    chance, kills = random.Random(20), 0
    while kills < KILLS:
        finished = len(units(checkout)) if (checkout / paths.RUN / "units").is_dir() else 0
        process = started(checkout)
        if kills % 2 == 0:  # at any time, most of which is loading
            time.sleep(chance.uniform(0, 6))
        elif not wait_for(process, checkout, min(UNITS, finished + chance.randint(1, 3))):  # while units are written
            break
        process.kill()
        process.wait()
        kills += process.returncode == -signal.SIGKILL
        if finished == UNITS and chance.random() < 0.7:
            for unit in units(checkout):
                unit.unlink()
    assert kills == KILLS
    done = command(checkout)
    assert done.returncode == 0, done.stderr
    assert outputs(checkout / "results") == undisturbed


def test_a_killed_run_takes_its_other_processes_with_it(checkout, started):
    set_run(checkout, processes=2, image_workers=1)
    process = started(checkout)
    assert wait_for(process, checkout, 1)
    group = process.pid  # a session of its own
    process.kill()
    process.wait()
    for _ in range(600):
        if not members(group):
            return
        time.sleep(0.1)
    pytest.fail(f"still running: {members(group)}")


def members(group: int) -> list[str]:
    """Command lines of a process group's living processes."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
            if int(of) == group and state != "Z":
                found.append((stat.parent / "cmdline").read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_ctrl_c_ends_it_within_a_unit_and_says_what_is_kept(checkout, started, undisturbed):
    set_run(checkout, processes=2, image_workers=1)
    process = started(checkout)
    assert wait_for(process, checkout, 1)
    subprocess.run([sys.executable, "-c", f"import os; os.killpg({process.pid}, {signal.SIGINT})"], check=True)
    began = time.monotonic()
    _, output = process.communicate(timeout=120)
    assert time.monotonic() - began < 30
    assert process.returncode == 130
    assert "samples that are finished are kept: run again to go on" in output and "Traceback" not in output
    assert not list((checkout / paths.RUN / "units").glob("*.part"))
    set_run(checkout)
    assert command(checkout).returncode == 0
    assert outputs(checkout / "results") == undisturbed


@pytest.mark.parametrize("while_packing", [False, True])
def test_a_disk_that_takes_no_more_ends_the_run_with_the_remedy(checkout, undisturbed, while_packing):
    """The system's own limit on a file's size stands for a full disk: the write fails in the middle of a unit or shard."""
    largest_shard = max(len(content) for name, content in undisturbed.items() if name.endswith(".safetensors"))
    limit = largest_shard - 1 if while_packing else 200_000

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    run = [sys.executable, "-m", "medattn", "extract"]
    done = subprocess.run(run, cwd=checkout, env=environment(), capture_output=True, text=True, preexec_fn=limited)
    assert done.returncode == 2, done.stderr
    assert "cannot be written: File too large: make room (`medattn cache` shows" in done.stderr
    assert "Traceback" not in done.stderr
    assert (len(units(checkout)) == UNITS) == while_packing
    assert not list((checkout / paths.RUN / "units").glob("*.part"))
    assert not [*(checkout / "results").rglob("shard-*"), *(checkout / "results").rglob("answers*")]
    assert command(checkout).returncode == 0
    assert outputs(checkout / "results") == undisturbed
