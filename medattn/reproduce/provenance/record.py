"""results/run/provenance.json: what made the results, one entry a stage. docs/provenance.md says what each field means.

Written by the command line around a stage, never by a stage: it holds times and machines, and no result depends on it. A stage
that is skipped keeps the entry of the run that made its results. Not being able to record is said and ends no run.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.params.whole import load as load_params
from medattn.base.tables import write_bytes
from medattn.disclosure.private_files import OWNER_ONLY
from medattn.reproduce.provenance.code import of_stage
from medattn.reproduce.provenance.extraction import Extraction
from medattn.study.schema import read_study

PROVENANCE = paths.RUN / "provenance.json"


@contextmanager
def recorded(stage: str, began: float) -> Iterator[None]:
    """Records the run of a stage in the working directory. began: time.monotonic() at its start.

    The entry is written twice: before the stage runs, as unfinished, which is what stays of a process that is killed; and
    after it, with the seconds and how it ended. Outside the repository's root nothing is written: the stage refuses to run.
    """
    try:
        root = paths.check_root()
    except InputError:
        yield
        return
    started = datetime.now(UTC) - timedelta(seconds=time.monotonic() - began)
    entry: dict[str, object] = {
        "started": started.isoformat(timespec="seconds"), "seconds": None, "exit": "unfinished", "error": None,
    }  # fmt: skip
    extraction = None
    with _said(stage):
        entry |= of_stage(root)
        extraction = Extraction(root) if stage == "extract" else None
        _write(root, stage, entry)
    try:
        yield
    except BaseException as error:
        entry |= _end_of(error)
        raise
    else:
        entry["exit"] = "ok"
    finally:
        entry["seconds"] = round(time.monotonic() - began, 1)
        with _said(stage):
            if extraction is not None:
                entry |= extraction.described(entry["exit"] == "ok")
        with _said(stage):
            _write(root, stage, entry)


@contextmanager
def _said(stage: str) -> Iterator[None]:
    """Whatever goes wrong inside is said and ends nothing: hours of extraction are worth more than the record of them."""
    try:
        yield
    except Exception as error:
        click.echo(f"medattn: the provenance of {stage} is not recorded in full: {type(error).__name__}: {error}", err=True)


def _end_of(error: BaseException) -> dict[str, object]:
    """How a stage ended that raised: the error's kind and not its text, which may name a patient's image."""
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return {"exit": "ok"}
    return {"exit": "interrupted" if isinstance(error, KeyboardInterrupt) else "failed", "error": type(error).__name__}


def read(root: Path) -> dict[str, dict]:
    """Stage -> entry; {} where no stage was recorded. Raises InputError for a file that is not ours."""
    path = root / PROVENANCE
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}: remove it") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} is not one object with an entry a stage: remove it")
    return found


def _write(root: Path, stage: str, entry: Mapping[str, object]) -> None:
    """Put the entry in place of the stage's former one, all or nothing; the owner's alone unless the study is open."""
    entries = read(root) | {stage: entry}
    with _owner_only(root):
        write_bytes(root / PROVENANCE, (json.dumps(entries, indent=1) + "\n").encode())


@contextmanager
def _owner_only(root: Path) -> Iterator[None]:
    """Files and directories made inside are nobody else's to read, unless the study is known to be open."""
    try:
        private = read_study(root / load_params(root / paths.PARAMS).study).licence != "open"
    except InputError:
        private = True
    before = os.umask(OWNER_ONLY) if private else None
    try:
        yield
    finally:
        if before is not None:
            os.umask(before)
