"""A number of an aggregate table with what it was computed from: disclosure control reads there whom it stands for.

The unit is a sample about the clean image. A row about a changed image stands for the same question and variant about
the clean one, a row about a question or an image for all of its clean samples: so groups compare across tables.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from medattn.base.tables import AnyRow, Row
from medattn.measures.statistics import FEW_PATIENTS

OneRow = TypeVar("OneRow", bound=AnyRow)
Unit = tuple[str, str] | tuple[str, int]  # ("question", its id), ("image", its id), or (a question's id, variant)


@dataclass(frozen=True)
class Part:
    """Rows, and what each is about: two are equal if they are about the very same list."""

    rows: Sequence[AnyRow]
    unit: Callable[[AnyRow], Unit]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Part) and self.rows is other.rows and self.unit is other.unit

    def __hash__(self) -> int:
        return hash((id(self.rows), self.unit))


@dataclass(frozen=True)
class Selection:
    """What a value was computed from. Only the lists of rows are kept: disclosure control alone asks what these are about."""

    parts: frozenset[Part] = frozenset()

    def units(self) -> Iterator[Unit]:
        """What the rows are about; a unit may come again."""
        return (part.unit(row) for part in self.parts for row in part.rows)

    def __or__(self, other: "Selection") -> "Selection":
        return Selection(self.parts | other.parts)


NOBODY = Selection()  # of what is about the model


def unit_of(row: AnyRow) -> Unit:
    """What a row is about, as its columns say; KeyError for a row that names neither question nor image."""
    if "variant_index" in row:
        return row["question_id"], row["variant_index"]
    return ("question", row["question_id"]) if "question_id" in row else ("image", row["image_id"])


def selection_of(rows: Iterable[AnyRow], unit: Callable[[AnyRow], Unit] = unit_of) -> Selection:
    """What these rows are about; a list must not change any more."""
    rows = rows if isinstance(rows, Sequence) else list(rows)
    return Selection(frozenset([Part(rows, unit)])) if rows else NOBODY


def questions_of(rows: Iterable[AnyRow]) -> Selection:
    """The questions of these samples, where each counts as its question: a reader knows how many variants were asked."""
    return selection_of(rows, _question_of)


def _question_of(row: AnyRow) -> Unit:
    return "question", row["question_id"]


@dataclass(frozen=True)
class Value:
    """A table's number, truth or text (None: there is none), and what it was computed from."""

    number: Any
    selection: Selection

    @classmethod
    def of(cls, rows: Sequence[AnyRow], number: Any) -> "Value":
        """`number`, computed from all of `rows`."""
        return cls(number, selection_of(rows))

    def minus(self, other: "Value") -> "Value":
        """The difference, computed from what both were; None where either is."""
        known = self.number is not None and other.number is not None
        return Value(self.number - other.number if known else None, self.selection | other.selection)


def numbers(row: AnyRow) -> Row:
    """The row without what its values were computed from."""
    return {name: cell.number if isinstance(cell, Value) else cell for name, cell in row.items()}


def present(rows: Sequence[OneRow], name: str) -> Sequence[OneRow]:
    """Rows that have a value in column `name`; the very same list where all do."""
    found = [row for row in rows if row[name] is not None]
    return rows if len(found) == len(rows) else found


def patients(rows: Sequence[AnyRow]) -> np.ndarray:
    """The patient of every row: str [n]."""
    return np.array([row["subject_id"] for row in rows])


def average(some: Sequence[float] | np.ndarray) -> float:
    """Mean, exactly rounded: neither the order of the rows nor the processor matters."""
    return math.fsum(some) / len(some)


def average_of(rows: Sequence[AnyRow], name: str) -> float | None:
    """Mean of column `name` over the rows that have a value (true counts 1); None if none has."""
    found = [float(row[name]) for row in rows if row[name] is not None]
    return average(found) if found else None


def mean_of(rows: Sequence[AnyRow], name: str) -> Value:
    """average_of, computed from the rows that have a value."""
    return Value.of(present(rows, name), average_of(rows, name))


def share(rows: Sequence[AnyRow], true: int) -> Value:
    """The share of the rows that `true` of them are."""
    return Value.of(rows, true / len(rows) if rows else None)


def count(rows: Sequence[AnyRow]) -> Value:
    """How many rows there are."""
    return Value.of(rows, len(rows))


def patient_count(rows: Sequence[AnyRow]) -> Value:
    """How many patients have one of the rows."""
    return Value.of(rows, len({row["subject_id"] for row in rows}))


def count_of_patients(rows: Sequence[AnyRow]) -> Row:
    """n and patients of a table's row, and whether the patients are few (< 20): report with care."""
    found = patient_count(rows)
    return {"n": count(rows), "patients": found, "few_patients": Value(found.number < FEW_PATIENTS, found.selection)}
