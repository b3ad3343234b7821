"""What every page, figure and table of a run must say of itself before anyone quotes it."""

from medattn.study.schema import Study

DRAWN = "drawn, not patients"


def caveat(study: Study, limit: int | None) -> str:
    """Whether the study was drawn to try the commands on, and whether `limit` left questions out; "" if neither."""
    parts = [DRAWN] if study.about.drawn else []
    if limit is not None and limit < len({row["question_id"] for row in study.questions() if row.is_study}):
        parts.append(f"first {limit} questions")
    return "; ".join(parts)


def noted(text: str, said: str) -> str:
    """A title or a caption with the run's caveat, if it has one."""
    return f"{text} ({said})" if said else text
