"""What the answers say, by class, and what accuracy and flips would be if the first word of a contradictory one counted."""

from collections.abc import Callable, Sequence

from medattn.base.params.metrics import Metrics
from medattn.base.tables import Row
from medattn.language.answers import ANSWERS, Reading, read_answer
from medattn.measures.consistency import flip
from medattn.metrics.columnar import ColumnRow
from medattn.metrics.intervals import Intervals
from medattn.metrics.samples import answering, study_rows
from medattn.metrics.table import Table
from medattn.metrics.values import count_of_patients, share

READINGS: dict[str, Callable[[Reading], str]] = {
    "whole answer": lambda found: found.answer,
    "first word": lambda found: found.first,
}  # fmt: skip
ANSWER_CLASSES = (
    "reading", "n", "patients", *(f"{answer}_share" for answer in ANSWERS), "accuracy", "accuracy_low",
    "accuracy_high", "accuracy_method", "flip_rate", "flip_low", "flip_high", "flip_method", "few_patients",
)  # fmt: skip


def answer_classes(rows: Sequence[ColumnRow], params: Metrics) -> list[Row]:
    """ANSWER_CLASSES over clean study rows of all variants: the answers as they are, then by the first word."""
    intervals, table, clean = Intervals(params, "answer_classes"), [], study_rows(rows)
    for reading, of in READINGS.items() if clean else ():
        read = _read(clean, of)
        table.append(
            {
                "reading": reading,
                **count_of_patients(read),
                **{f"{answer}_share": share(read, len(answering(read, answer))) for answer in ANSWERS},
                **intervals.share(read, "correct", reading, "accuracy"),
                **intervals.share(read, "flip", reading, "flip_rate", "flip"),
            }
        )
    return table


def _read(some: Sequence[ColumnRow], of: Callable[[Reading], str]) -> list[ColumnRow]:
    """The rows with the answers that `of` takes from what was read, and `correct` and `flip` as these make them."""
    answers = [of(read_answer(row["answer"], row["finding"], row["question"])) for row in some]
    baseline = {row["question_id"]: answer for row, answer in zip(some, answers, strict=True) if row.is_baseline}
    return [
        row
        | {
            "parsed_answer": answer,
            "correct": None if row["ground_truth"] is None else answer == row["ground_truth"],
            "flip": None if row["flip"] is None else flip(baseline[row["question_id"]], answer),
        }
        for row, answer in zip(some, answers, strict=True)
    ]


TABLES = (
    Table(
        "answer_classes",
        ANSWER_CLASSES,
        lambda of: answer_classes(of.rows, of.settings),
        keys=("reading",),
    ),
)
