"""Units of extraction: everything that is asked about one model input; and which are decoded in one batch.

What the model is shown and asked decides a unit, not who asks: samples that show it the very same input and ask the same
text are computed once. All is decided by the manifest alone, never by how many processes there are or how much memory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import intern

from medattn.attention.captures import shard_of
from medattn.base.errors import InputError
from medattn.base.tables import csv_rows
from medattn.radiographs.conditions import BLANK, CLEAN, PIXELS_ALONE, REGIONAL, SHUFFLED

SAMPLES_AT_ONCE = 48  # rows in one batch: a step costs little more for all of them than for one
FILLED_AT_ONCE = 2  # batches: what one has no room for goes into the next, and smaller units behind it fill the first
NO_IMAGE = "no_image"


@dataclass(frozen=True, slots=True)
class ShownImage:
    """An image as the model is shown it. Equal ones are equal inputs."""

    image_id: str  # of the radiograph, changed as the condition says; "" for a blank image
    condition: str  # clean, too, where it is shown in place of another
    strength: str
    occluded: str  # the finding whose region decides what is shown; "" under any other condition
    image_sha256: str  # of the radiograph's file; "" for a blank image


@dataclass(frozen=True, slots=True)
class Unit:
    """The distinct texts that are asked about one model input."""

    shown: ShownImage | None  # None: the model is asked without an image
    questions: tuple[str, ...]  # sorted
    samples: tuple[tuple[str, ...], ...]  # who asks each question: sample_ids, sorted

    @property
    def sample_count(self) -> int:
        return sum(map(len, self.samples))

    @property
    def question_samples(self) -> dict[str, tuple[str, ...]]:
        """question -> its sample_ids."""
        return dict(zip(self.questions, self.samples, strict=True))

    def shard(self, shards: int) -> int:
        """Decided by the radiograph, or by the text where none is shown."""
        if self.shown is None:
            return shard_of(f"{NO_IMAGE}|{self.questions[0]}", shards)
        return shard_of(self.shown.image_id or f"{self.shown.condition}|{self.questions[0]}", shards)


def units_of(manifest: Iterable[Mapping[str, str]]) -> list[Unit]:
    """Manifest rows grouped into units, sorted. What repeats from row to row is held once.

    Without a radiograph every text is a unit of its own: there are few texts, each with many samples.
    """
    groups: dict[tuple[str, ...], dict[str, list[str]]] = {}
    names: dict[tuple[str, ...], str] = {}  # the first of the image_ids that have the same file
    for row in manifest:
        question, image_id = intern(row["question"]), intern(row["shown_image_id"])
        content = _content(row)
        names[content] = min(names.get(content, image_id), image_id)
        groups.setdefault(content, {}).setdefault(question, []).append(row["sample_id"])
    return sorted((_unit(content, names[content], asked) for content, asked in groups.items()), key=_order)


def _content(row: Mapping[str, str]) -> tuple[str, ...]:
    """What decides a row's model input: condition, strength, radiograph's file and, unless its pixels are all, its name."""
    condition, question = row["condition"], intern(row["question"])
    if condition in (NO_IMAGE, BLANK):
        return condition, "", "", "", "", question
    shown = intern(CLEAN if condition == SHUFFLED else condition)
    image_id = "" if shown in PIXELS_ALONE else intern(row["shown_image_id"])
    occluded = intern(row["finding"]) if shown in REGIONAL else ""
    return shown, intern(row["strength"]), intern(row["image_sha256"]), image_id, occluded, ""


def _unit(content: Sequence[str], image_id: str, asked: Mapping[str, Sequence[str]]) -> Unit:
    condition, strength, sha256, _, occluded, text = content
    shown = None if condition == NO_IMAGE else ShownImage("" if text else image_id, condition, strength, occluded, sha256)
    questions = tuple(sorted(asked))
    return Unit(shown, questions, tuple(tuple(sorted(asked[question])) for question in questions))


def _order(unit: Unit) -> tuple[str, ...]:
    """An image's units side by side, so that its file is read once."""
    if unit.shown is None:
        return unit.questions
    return unit.shown.image_id, unit.shown.condition, unit.shown.strength, unit.shown.occluded, *unit.questions


def read_units(manifest: Path) -> list[Unit]:
    """The units of a manifest. Raises InputError for a manifest without a row."""
    with manifest.open(newline="", encoding="utf-8") as file:
        units = units_of(csv_rows(file, manifest, "run `dvc repro prepare`")[1])
    if not units:
        raise InputError(f"{manifest} has no row: run `dvc repro prepare`")
    return units


def shown_in(batch: Sequence[Unit]) -> tuple[ShownImage, ...]:
    """The distinct images of a batch, in order."""
    return tuple(dict.fromkeys(unit.shown for unit in batch if unit.shown is not None))


def batches(units: Sequence[Unit]) -> Iterator[tuple[Unit, ...]]:
    """Units up to SAMPLES_AT_ONCE texts at a time, all but in order, those with an image apart from those without.

    A unit that has more is a batch of its own.
    """
    for shows_image in (True, False):
        filling: list[list[Unit]] = []
        for unit in units:
            if (unit.shown is not None) != shows_image:
                continue
            room = (batch for batch in filling if _rows(batch) + len(unit.questions) <= SAMPLES_AT_ONCE)
            if (batch := next(room, None)) is not None:
                batch.append(unit)
                continue
            if len(filling) == FILLED_AT_ONCE:
                yield tuple(filling.pop(0))
            filling.append([unit])
        yield from map(tuple, filling)


def _rows(batch: Sequence[Unit]) -> int:
    return sum(len(unit.questions) for unit in batch)
