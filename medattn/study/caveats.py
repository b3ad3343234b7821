"""What every page, figure and table of a run must say of itself before anyone quotes it."""

from collections.abc import Iterable, Mapping, Sequence

from medattn.study.schema import Study

DRAWN = "drawn, not patients"
COLUMN = "caveat"  # the first one of a published table, where there is something to say


def caveat(study: Study, limit: int | None) -> str:
    """Whether the study was drawn to try the commands on, and whether `limit` left questions out; "" if neither."""
    parts = [DRAWN] if study.about.drawn else []
    if limit is not None and limit < len({row["question_id"] for row in study.questions() if row.is_study}):
        parts.append(f"first {limit} questions")
    return "; ".join(parts)


def noted(text: str, said: str) -> str:
    """A title or a caption with the run's caveat, if it has one."""
    return f"{text} ({said})" if said else text


def marked(
    columns: Sequence[str], rows: Iterable[Mapping[str, object]], said: str
) -> tuple[Sequence[str], Iterable[Mapping[str, object]]]:
    """A table's columns and rows, with the run's caveat before every row, if it has one: a CSV file has no title."""
    return ((COLUMN, *columns), [{COLUMN: said, **row} for row in rows]) if said else (columns, rows)
