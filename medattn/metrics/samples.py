"""Which evaluation rows a table is about."""

import re
from collections.abc import Iterator, Sequence

from medattn.metrics.columnar import ColumnRow
from medattn.metrics.values import OneRow, Value, mean_of

PROFILE = "decision"  # what the statistics use
LEVEL = 0.05  # of every test
LEAST_PATIENTS = 6  # with fewer no p-value can reach LEVEL


def study_rows(rows: Sequence[ColumnRow], condition: str = "clean") -> list[ColumnRow]:
    """Answered rows of study questions in one condition."""
    return [row for row in rows if row.is_study and row["condition"] == condition and row.answered]


def per_finding(rows: Sequence[OneRow]) -> Iterator[tuple[str, list[OneRow]]]:
    """Each finding with its rows, in alphabetical order, then "all" with all of them; nothing without a row."""
    for finding in sorted({row["finding"] for row in rows}):
        yield finding, [row for row in rows if row["finding"] == finding]
    if rows:
        yield "all", list(rows)


def baseline_rows(rows: Sequence[ColumnRow], condition: str = "clean") -> list[ColumnRow]:
    """The baseline variants among study_rows."""
    return [row for row in study_rows(rows, condition) if row.is_baseline]


class OtherFindings:
    """Clean questions in the baseline variant about another finding of the same image, asked in the same words.

    Controls are; of two study questions about one image only those whose texts differ in the finding alone.
    """

    def __init__(self, rows: Sequence[ColumnRow]) -> None:
        self._by_image: dict[str, list[ColumnRow]] = {}
        for row in rows:
            if row.is_clean and row.is_baseline and row.answered:
                self._by_image.setdefault(row["image_id"], []).append(row)

    def __call__(self, row: ColumnRow) -> list[ColumnRow]:
        return [
            other
            for other in self._by_image.get(row["image_id"], ())
            if other["finding"] != row["finding"] and (other.is_control or _template(other) == _template(row))
        ]


def _template(row: ColumnRow) -> str:
    """A question with its finding and the article before it left out."""
    return re.sub(rf"\b(?:an? )?{re.escape(row['finding'].lower())}\b", "…", row["baseline_question"].lower())


def answering(rows: Sequence[ColumnRow], *answers: str) -> list[ColumnRow]:
    """Rows whose parsed answer is one of these."""
    return [row for row in rows if row["parsed_answer"] in answers]


def mean_margin(rows: Sequence[ColumnRow]) -> Value:
    """Mean of the valid margins."""
    return mean_of([row for row in rows if row["margin_valid"]], "margin")
