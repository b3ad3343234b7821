"""Finished units -> the stage's outputs. Streams: nothing grows with the study but a shard's names.

A unit knows no sample. Here each of its captures and answers is given to all samples that are shown and asked it.
"""

import heapq
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from medattn.attention import captures
from medattn.base import sample_tables
from medattn.base.errors import InputError
from medattn.base.tables import csv_rows, write_csv
from medattn.extract.extractor import NOT_FINITE
from medattn.extract.fill import FAILED
from medattn.extract.keys import Keys
from medattn.extract.unit_cache import UnitCache
from medattn.extract.units import Unit
from medattn.radiographs.conditions import BLANK, CLEAN

Row = dict[str, object]


@dataclass(frozen=True)
class FinishedUnits:
    """Units, and where what was computed of them lies."""

    cache: UnitCache
    names: Mapping[int, Sequence[tuple[Unit, str]]]  # shard -> its units, each with the name under which it is stored

    def unreadable(self) -> dict[str, str]:
        """SHA-256 of every radiograph that cannot be shown -> why."""
        found: dict[str, str] = {}
        for unit, name in (one for units in self.names.values() for one in units):
            if unit.shown is not None and unit.shown.condition == CLEAN and name.endswith(FAILED):
                reason = next(iter(self.cache.head(name).shared["failed"].values()))
                if reason != NOT_FINITE:
                    found[unit.shown.image_sha256] = reason
        return found

    def whole(self, name: str) -> bytes:
        """An entry's content. Raises InputError if it is no longer there."""
        content = self.cache.read(name)
        if content is None:
            raise InputError(f"{self.cache.directory / name} is gone or damaged: was the unit cache changed? Run again")
        return content


def finished_units(work: Sequence[Sequence[Unit]], keys: Keys, cache: UnitCache, shards: int, patience: float) -> FinishedUnits:
    """All of `work`, dealt into shards.

    patience: seconds within which a file that another machine has written must be seen here. Raises InputError if a unit
    is not there.
    """
    names: dict[int, list[tuple[Unit, str]]] = {}
    for batch in work:
        for unit, key in zip(batch, keys(batch), strict=True):
            names.setdefault(unit.shard(shards), []).append((unit, _entry(cache, key, patience)))
    return FinishedUnits(cache, dict(sorted(names.items())))


def _entry(cache: UnitCache, key: str, patience: float) -> str:
    """The name under which a unit is stored."""
    until = time.monotonic() + patience
    while True:
        for name in (key, key + FAILED):
            if (cache.directory / name).exists():
                return name
        if time.monotonic() > until:
            raise InputError(f"{cache.directory / key} is gone: was the unit cache emptied? Run again")
        time.sleep(1)


@dataclass
class Packed:
    """What `pack` learnt of the units while it packed them."""

    failed: dict[str, str] = field(default_factory=dict)  # sample_id -> reason
    fewer_rows: int = 0  # units whose batch memory was too short for


def pack(units: FinishedUnits, about_model: dict, manifest: Path, part: Path) -> Packed:
    """Write captures, answers.csv and failures.csv of all finished units into `part`.

    A blank image is shown in place of one that must be readable, or its samples fail with it: later stages read it.
    """
    packed = Packed()
    unreadable = units.unreadable()
    if unreadable:
        blanks = (row for row in _rows(manifest) if row["condition"] == BLANK and row["image_sha256"] in unreadable)
        packed.failed |= {row["sample_id"]: unreadable[row["image_sha256"]] for row in blanks}
    runs = [_pack_shard(units, shard, about_model, packed, part) for shard in units.names]
    with ExitStack() as opened:
        rows = [map(json.loads, opened.enter_context(run.open(encoding="utf-8"))) for run in runs]
        lost = [_without_answer(sample_id) for sample_id in sorted(packed.failed)]
        write_csv(part / "answers.csv", sample_tables.ANSWERS, heapq.merge(lost, *rows, key=_by_id))
    write_csv(part / "failures.csv", sample_tables.FAILURES, _failures(manifest, packed.failed))
    return packed


def _failures(manifest: Path, failed: Mapping[str, str]) -> list[Row]:
    found: list[Row] = []
    for row in _rows(manifest):
        if (reason := failed.get(row["sample_id"])) is not None:
            named: Row = {name: row[name] for name in ("sample_id", "image_id", "condition")}
            found.append(named | {"reason": reason})
    return sorted(found, key=_by_id)


def _rows(manifest: Path) -> Iterator[Mapping[str, str]]:
    with manifest.open(newline="", encoding="utf-8") as file:
        yield from csv_rows(file, manifest, "run `dvc repro prepare`")[1]


def _pack_shard(units: FinishedUnits, shard: int, about_model: dict, packed: Packed, part: Path) -> Path:
    """One file of captures; returns the shard's answers in order of sample_id, a JSON object a line."""
    answers: list[Row] = []
    stored: list[str] = []
    entries = _entries(units, shard, packed, answers, stored)
    path = captures.shard_path(part / "captures", shard)
    captures.write_shard(path, about_model, entries, (units.whole(name) for name in stored))
    run = part / f"answers-{shard}.jsonl"
    with run.open("w", encoding="utf-8") as file:
        for row in sorted(answers, key=_by_id):
            file.write(json.dumps(row) + "\n")
    return run


def _entries(
    units: FinishedUnits, shard: int, packed: Packed, answers: list[Row], stored: list[str]
) -> Iterator[tuple[captures.CaptureHeader, captures.SampleIds]]:
    """Every unit's head, with the samples of its captures; their rows of answers.csv and the entries' names go to the lists."""
    for unit, name in units.names[shard]:
        head = units.cache.head(name)
        packed.fewer_rows += head.shared["fewer_rows"]
        asked = unit.question_samples
        for question, reason in head.shared["failed"].items():
            packed.failed |= {sample_id: reason for sample_id in asked[question] if sample_id not in packed.failed}
        answered = {
            question: [sample_id for sample_id in asked[question] if sample_id not in packed.failed]
            for question in head.shared["answers"]
        }
        for question, sample_ids in answered.items():
            answers += [{"sample_id": sample_id} | head.shared["answers"][question] for sample_id in sample_ids]
        if all(answered.values()):  # else of a blank image, which has one question, and all its radiographs unreadable
            stored.append(name)
            yield head, answered


def _without_answer(sample_id: str) -> Row:
    return dict.fromkeys(sample_tables.ANSWERS) | {"sample_id": sample_id, "status": "failed"}


def _by_id(row: Mapping[str, object]) -> str:
    return str(row["sample_id"])


def put_in_place(part: Path, out: Path, answers: Path, failures_path: Path) -> None:
    """Let what `pack` made take the places of the outputs."""
    shutil.rmtree(out, ignore_errors=True)
    (part / "captures").replace(out)
    (part / "answers.csv").replace(answers)
    (part / "failures.csv").replace(failures_path)
    shutil.rmtree(part)
