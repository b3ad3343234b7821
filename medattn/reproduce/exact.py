"""Recompute everything without any cache, twice, and compare every output's bytes with dvc.lock.

The first pass runs as the machine is; the second on the slowest code paths of every numerical library, with one thread.
Exit code 0: every output has the recorded bytes in both passes. 1: some differ; dvc.lock then holds the new hashes.
"""

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import click

from medattn.base.content_cache import SWITCH
from medattn.base.dvc import Entry, hash_file, outputs, read_lock
from medattn.base.errors import InputError
from medattn.base.paths import LOCK, check_root
from medattn.base.yaml_files import content_of
from medattn.reproduce.machine import SLOWEST

PASSES = {"as is": {}, "slowest code paths, one thread": SLOWEST}


def recorded(lock: Path = LOCK) -> dict[str, Entry]:
    """path -> output of every stage. Raises InputError if the pipeline has never run here."""
    content = content_of(lock, "run `dvc repro` first, there is nothing to compare with", "restore it")
    return {path: entry for path, (_, entry) in outputs(read_lock(content, str(lock))).items()}


def file_hashes(made: Mapping[str, Entry]) -> dict[str, str]:
    """path -> md5 of every file that lies in one of the outputs now."""
    files = (file for path in made for file in ([Path(path)] if Path(path).is_file() else Path(path).rglob("*")))
    return {file.as_posix(): hash_file(file) for file in sorted(files) if file.is_file()}


def compare(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> tuple[list[str], list[str]]:
    """One line per output, and the outputs that differ."""
    lines, differing = [], []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        same = old is not None and new is not None and old.hash == new.hash
        now = before[path] if new is None else new
        lines.append(f"{'same     ' if same else 'DIFFERENT'}  {now.hash[:12]}  {now.size or 0:>12,} bytes  {path}")
        if not same:
            differing.append(path)
    return lines, differing


def differing_files(before: Mapping[str, str], after: Mapping[str, str], outputs: list[str]) -> list[str]:
    """Files below `outputs` whose bytes are not the same as before, or that are there only once."""
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return [name for name in changed if any(name == out or name.startswith(f"{out}/") for out in outputs)]


def closest(log: Path) -> tuple[float, int, int]:
    """Of all processes that wrote to `log`: smallest relative distance to a rounding boundary, values, exact ties."""
    lines = [line.split() for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    distance = min((float(line[0]) for line in lines), default=math.inf)
    return distance, sum(int(line[1]) for line in lines), sum(int(line[2]) for line in lines)


def recompute(environment: Mapping[str, str], log: Path) -> float:
    """Run all stages anew; seconds. Raises InputError if a stage fails."""
    start = time.monotonic()
    more = {SWITCH: "off", "MEDATTN_ROUNDING": str(log)}
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "--force"], env=os.environ | more | dict(environment), check=False
    )
    if done.returncode:
        raise InputError(f"`dvc repro --force` ended with exit code {done.returncode}: see its message above")
    return time.monotonic() - start


@click.command(name="exact")
def command() -> None:
    """Recompute everything twice without any cache and compare every output's bytes with dvc.lock."""
    check_root()
    before, failed = recorded(), False
    files = file_hashes(before)
    for name, environment in PASSES.items():
        with tempfile.TemporaryDirectory() as directory:
            log = Path(directory) / "rounding"
            seconds = recompute(environment, log)
            distance, count, ties = closest(log)
        lines, differing = compare(before, recorded())
        click.echo(f"\n{name}: {seconds:.0f} s")
        click.echo("\n".join(lines))
        click.echo(
            f"closest of {count:,} rounded values to a rounding boundary: {distance:.1e} of its size "
            f"({ties} lie exactly on one)"
        )
        for file in differing_files(files, file_hashes(before), differing) if files else ():
            click.echo(f"  differs: {file}")
        failed = failed or bool(differing)
    click.echo(f"\n{'Some outputs differ from dvc.lock.' if failed else 'Every output has the bytes that dvc.lock records.'}")
    sys.exit(1 if failed else 0)
