"""Which evaluation rows a table is about."""

from collections.abc import Sequence

from medattn.metrics.intervals import mean_of

PROFILE = "decision"  # what the statistics use
Row = dict[str, object]


def study_rows(rows: Sequence[Row], condition: str = "clean", strength: str | None = None) -> list[Row]:
    """Answered rows of study questions in one condition (and strength, if one is given)."""
    return [
        row
        for row in rows
        if row["role"] == "study" and row["condition"] == condition and row["status"] != "failed"
        and (strength is None or (row["strength"] or "") == strength)
    ]  # fmt: skip


def baseline_rows(rows: Sequence[Row], condition: str = "clean") -> list[Row]:
    """The baseline wordings among them."""
    return [row for row in study_rows(rows, condition) if row["variant_index"] == 0]


def answered(rows: Sequence[Row], *answers: str) -> list[Row]:
    return [row for row in rows if row["parsed_answer"] in answers]


def share(rows: Sequence[object], true: int) -> float | None:
    return true / len(rows) if rows else None


def mean_margin(rows: Sequence[Row]) -> float | None:
    """Mean of the valid margins."""
    return mean_of([row for row in rows if row["margin_valid"]], "margin")
