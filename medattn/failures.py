"""results/failures.csv: the samples of the manifest that could not be computed, each with the reason.

It has a header only where nothing failed. Such a sample has a row of answers.csv that holds its status alone, and no
capture.
"""

import csv
from pathlib import Path

from medattn.errors import InputError

COLUMNS = ("sample_id", "image_id", "condition", "reason")
AGAIN = "run `dvc repro -f extract`"


def read(path: Path) -> dict[str, dict[str, str]]:
    """sample_id -> its row. Raises InputError for a file that is absent, has other columns or names a sample twice."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except FileNotFoundError:
        raise InputError(f"{path} not found: run `dvc repro extract` first") from None
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise InputError(f"{path}: columns are {reader.fieldnames}, expected {', '.join(COLUMNS)}: {AGAIN}")
    found: dict[str, dict[str, str]] = {}
    for number, row in enumerate(rows, start=2):
        if row["sample_id"] in found:
            raise InputError(f"{path}, row {number}: sample_id {row['sample_id']!r} stands twice: {AGAIN}")
        found[row["sample_id"]] = row
    return found
