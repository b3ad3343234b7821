"""A number of an aggregate table with what it was computed from: disclosure control reads there whom it stands for.

The unit is a sample about the clean image. A row about a changed image stands for the same question and variant about
the clean one, a row about a question or an image for all of its clean samples: so groups compare across tables.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medattn.base.tables import Row
from medattn.measures.statistics import FEW_PATIENTS

Unit = tuple[str, str] | tuple[str, int]  # ("question", its id), ("image", its id), or (a question's id, variant)
Selection = frozenset[Unit]
NOBODY: Selection = frozenset()  # of what is about the model


def unit_of(row: Mapping[str, Any]) -> Unit:
    """What a row is about, as its columns say; KeyError for a row that names neither question nor image."""
    if "variant_index" in row:
        return row["question_id"], row["variant_index"]
    return ("question", row["question_id"]) if "question_id" in row else ("image", row["image_id"])


def selection_of(rows: Iterable[Mapping[str, Any]]) -> Selection:
    """What these rows are about."""
    return frozenset(map(unit_of, rows))


def questions_of(rows: Iterable[Mapping[str, Any]]) -> Selection:
    """The questions of these samples, where each counts as its question: a reader knows how many variants were asked."""
    return frozenset(("question", row["question_id"]) for row in rows)


@dataclass(frozen=True)
class Value:
    """A table's number, truth or text (None: there is none), and what it was computed from."""

    number: Any
    selection: Selection

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], number: Any) -> "Value":
        """`number`, computed from all of `rows`."""
        return cls(number, selection_of(rows))

    def minus(self, other: "Value") -> "Value":
        """The difference, computed from what both were; None where either is."""
        known = self.number is not None and other.number is not None
        return Value(self.number - other.number if known else None, self.selection | other.selection)


def numbers(row: Row) -> Row:
    """The row without what its values were computed from."""
    return {name: cell.number if isinstance(cell, Value) else cell for name, cell in row.items()}


def present(rows: Sequence[Row], name: str) -> list[Row]:
    """Rows that have a value in column `name`."""
    return [row for row in rows if row[name] is not None]


def patients(rows: Sequence[Row]) -> np.ndarray:
    """The patient of every row: str [n]."""
    return np.array([row["subject_id"] for row in rows])


def average(some: Sequence[float] | np.ndarray) -> float:
    """Mean, exactly rounded: neither the order of the rows nor the processor matters."""
    return math.fsum(some) / len(some)


def average_of(rows: Sequence[Row], name: str) -> float | None:
    """Mean of column `name` over the rows that have a value (true counts 1); None if none has."""
    found = [float(row[name]) for row in rows if row[name] is not None]
    return average(found) if found else None


def mean_of(rows: Sequence[Row], name: str) -> Value:
    """average_of, computed from the rows that have a value."""
    return Value.of(present(rows, name), average_of(rows, name))


def share(rows: Sequence[Row], true: int) -> Value:
    """The share of the rows that `true` of them are."""
    return Value.of(rows, true / len(rows) if rows else None)


def count(rows: Sequence[Row]) -> Value:
    """How many rows there are."""
    return Value.of(rows, len(rows))


def patient_count(rows: Sequence[Row]) -> Value:
    """How many patients have one of the rows."""
    return Value.of(rows, len({row["subject_id"] for row in rows}))


def count_of_patients(rows: Sequence[Row]) -> Row:
    """n and patients of a table's row, and whether the patients are few (< 20): report with care."""
    found = patient_count(rows)
    return {"n": count(rows), "patients": found, "few_patients": Value(found.number < FEW_PATIENTS, found.selection)}
