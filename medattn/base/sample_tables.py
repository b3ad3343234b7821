"""The tables of one row a sample that one stage writes and later ones read: manifest.csv, answers.csv, failures.csv.

failures.csv lists the samples of the manifest that could not be computed, each with the reason: a header only where
nothing failed. Such a sample has a row of answers.csv that holds its status alone, and no capture.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from medattn.base.errors import InputError
from medattn.base.rows import SampleRow
from medattn.base.tables import csv_rows

MANIFEST = (
    "sample_id", "question_id", "role", "condition", "strength", "image_id", "shown_image_id", "image_path", "image_sha256",
    "width", "height", "study_id", "subject_id", "view", "split", "finding", "zone", "baseline_question", "question", "answer",
    "question_variant", "variant_index", "strategy", "strategies",
)  # fmt: skip
ANSWERS = (
    "sample_id", "status", "answer_text", "answer_ids", "answer_tokens", "prompt_tokens", "yes_logits", "no_logits",
    "forms_probability",
)  # fmt: skip
FAILURES = ("sample_id", "image_id", "condition", "reason")


def rows(path: Path, columns: Sequence[str], stage: str) -> Iterator[SampleRow]:
    """Its rows one by one, as text.

    Raises InputError, which says which stage makes the file, for one that is absent, has other columns, or is not a list of
    failures and yet empty.
    """
    again = f"run `dvc repro -f {stage}`"
    try:
        file = path.open(encoding="utf-8", newline="")
    except FileNotFoundError:
        raise InputError(f"{path} not found: run `dvc repro {stage}` first") from None
    with file:
        names, read_rows = csv_rows(file, path, again)
        if tuple(names) != tuple(columns):
            raise InputError(f"{path}: columns are {names or None}, expected {', '.join(columns)}: {again}")
        empty = columns != FAILURES
        for row in read_rows:
            empty = False
            yield SampleRow(row)
        if empty:
            raise InputError(f"{path} holds no row: {again}")


def read(path: Path, columns: Sequence[str], stage: str) -> dict[str, SampleRow]:
    """sample_id -> its row, as text, in order of sample_id. Raises InputError as `rows`, and for a sample named twice."""
    found: dict[str, SampleRow] = {}
    for number, row in enumerate(rows(path, columns, stage), start=2):
        if row["sample_id"] in found:
            raise InputError(f"{path}, row {number}: sample_id {row['sample_id']!r} is duplicated: run `dvc repro -f {stage}`")
        found[row["sample_id"]] = row
    return dict(sorted(found.items()))
