"""Finished units -> the stage's outputs. Streams: nothing grows with the study but a shard's names."""

import heapq
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from medattn.attention import captures
from medattn.base import sample_tables
from medattn.base.errors import InputError
from medattn.base.tables import write_csv
from medattn.extract.fill import FAILED
from medattn.extract.keys import Keys
from medattn.extract.unit_cache import UnitCache
from medattn.extract.units import Unit

Row = dict[str, object]


def pack(
    dealt: Mapping[int, Sequence[Sequence[Unit]]], keys: Keys, cache: UnitCache, about_model: dict, part: Path, patience: float
) -> list[Row]:
    """Write captures, answers.csv and failures.csv of all finished batches into `part`; returns the rows of the failures.

    patience: seconds within which a file that another machine has written must be seen here.
    Raises InputError if a unit is not there whole.
    """
    failed: list[Row] = []
    runs = []
    for shard, batches in dealt.items():
        found = [
            (unit, _entry(cache, key, patience)) for batch in batches for unit, key in zip(batch, keys(batch), strict=True)
        ]
        answers: list[Row] = []
        heads = _heads(found, cache, answers, failed)
        path = captures.shard_path(part / "captures", shard)
        captures.write_shard(path, about_model, heads, (_whole(cache, key) for _, key in found))
        runs.append(_sorted_run(part / f"answers-{shard}.jsonl", answers))
    with ExitStack() as opened:
        rows = [map(json.loads, opened.enter_context(run.open(encoding="utf-8"))) for run in runs]
        write_csv(part / "answers.csv", sample_tables.ANSWERS, heapq.merge(*rows, key=_by_id))
    failed.sort(key=_by_id)
    write_csv(part / "failures.csv", sample_tables.FAILURES, failed)
    return failed


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


def _heads(
    found: Iterable[tuple[Unit, str]], cache: UnitCache, answers: list[Row], failed: list[Row]
) -> Iterator[captures.CaptureHeader]:
    """Every unit's head; its rows of answers.csv and failures.csv go to the lists."""
    for unit, key in found:
        head = cache.head(key)
        answers += head.shared["answers"]
        for sample_id, reason in head.shared["failed"].items():
            answers.append(dict.fromkeys(sample_tables.ANSWERS) | {"sample_id": sample_id, "status": "failed"})
            failed.append({"sample_id": sample_id, "image_id": unit.image_id, "condition": unit.condition, "reason": reason})
        yield head


def _whole(cache: UnitCache, key: str) -> bytes:
    content = cache.read(key)
    if content is None:
        raise InputError(f"{cache.directory / key} is gone or damaged: was the unit cache changed? Run again")
    return content


def _by_id(row: Mapping[str, object]) -> str:
    return str(row["sample_id"])


def _sorted_run(path: Path, answers: list[Row]) -> Path:
    """One shard's answers in order of sample_id, a JSON object a line."""
    with path.open("w", encoding="utf-8") as file:
        for row in sorted(answers, key=_by_id):
            file.write(json.dumps(row) + "\n")
    return path


def put_in_place(part: Path, out: Path, answers: Path, failures_path: Path) -> None:
    """Let what `pack` made take the places of the outputs."""
    shutil.rmtree(out, ignore_errors=True)
    (part / "captures").replace(out)
    (part / "answers.csv").replace(answers)
    (part / "failures.csv").replace(failures_path)
    shutil.rmtree(part)
