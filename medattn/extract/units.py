"""Units of extraction: everything asked about one image under one condition; and which are decoded in one batch.

Both are decided by the manifest alone, never by how many processes there are or how much memory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import intern

from medattn.attention.captures import shard_of
from medattn.base.errors import InputError
from medattn.base.tables import csv_rows
from medattn.radiographs.conditions import REGIONAL

SAMPLES_AT_ONCE = 48  # samples in one batch: a step costs little more for all of them than for one


@dataclass(frozen=True, slots=True)
class UnitSample:
    """One variant, as it is asked about the unit's image."""

    sample_id: str
    question: str


@dataclass(frozen=True, slots=True)
class Unit:
    """All samples of one image that are shown the same, in order of sample_id."""

    image_id: str
    condition: str
    strength: str
    shown: str  # image_id of the radiograph that is shown, changed as the condition says; "" for none
    occluded: str  # the finding whose region decides what is shown; "" under any other condition
    image_sha256: str  # of the radiograph that is shown
    samples: tuple[UnitSample, ...]


def units_of(manifest: Iterable[Mapping[str, str]]) -> list[Unit]:
    """Manifest rows grouped into units, sorted. What repeats from row to row is held once."""
    groups: dict[tuple[str, ...], list[UnitSample]] = {}
    for row in manifest:
        occluded = row["finding"] if row["condition"] in REGIONAL else ""
        named = (row["image_id"], row["condition"], row["strength"], row["shown_image_id"], occluded, row["image_sha256"])
        asked = UnitSample(row["sample_id"], intern(row["question"]))
        groups.setdefault(tuple(map(intern, named)), []).append(asked)
    made = []
    for (image_id, condition, strength, shown, occluded, sha256), samples in sorted(groups.items()):
        in_order = tuple(sorted(samples, key=lambda one: one.sample_id))
        made.append(Unit(image_id, condition, strength, shown, occluded, sha256, in_order))
    return made


def read_units(manifest: Path) -> list[Unit]:
    """The units of a manifest. Raises InputError for a manifest without a row."""
    with manifest.open(newline="", encoding="utf-8") as file:
        units = units_of(csv_rows(file, manifest, "run `dvc repro prepare`")[1])
    if not units:
        raise InputError(f"{manifest} has no row: run `dvc repro prepare`")
    return units


def by_shard(units: Sequence[Unit], shards: int) -> dict[int, list[Unit]]:
    """Shard -> its units, both in order."""
    dealt: dict[int, list[Unit]] = {}
    for unit in units:
        dealt.setdefault(shard_of(unit.image_id, shards), []).append(unit)
    return dict(sorted(dealt.items()))


def batches(units: Sequence[Unit]) -> Iterator[tuple[Unit, ...]]:
    """Units in order, up to SAMPLES_AT_ONCE samples at a time, those with an image apart from those without.

    A unit that has more is a batch of its own.
    """
    for shows_image in (True, False):
        batch: list[Unit] = []
        for unit in units:
            if (unit.shown != "") != shows_image:
                continue
            if batch and sum(len(one.samples) for one in batch) + len(unit.samples) > SAMPLES_AT_ONCE:
                yield tuple(batch)
                batch = []
            batch.append(unit)
        if batch:
            yield tuple(batch)
