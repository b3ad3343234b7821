"""Every answered study sample and every image it was shown, sorted on disk: memory holds one question at a time."""

import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from medattn.base.errors import InputError
from medattn.base.tables import csv_rows, missing_columns
from medattn.radiographs.conditions import REGIONAL
from medattn.report.gallery_page import Sample

COLUMNS = (
    "sample_id", "question_id", "role", "condition", "strength", "shown_image_id", "finding", "question", "variant_index",
    "strategy", "answer", "ground_truth", "parsed_answer", "correct", "status", "margin", "flip", "flip_to_clean",
)  # fmt: skip
REMEDY = "run `dvc repro metrics` first"
TRUTH = {"true": True, "false": False, "": None}
# Tables that are sorted by their keys, as text is in Python: a query in this order sorts nothing.
TABLES = """
CREATE TABLE samples (finding, question_id, condition, level, variant_index, sample_id, strength, strategy, asked, answer,
  parsed, truth, correct, flip, margin, image_id, perturbation, region,
  PRIMARY KEY (finding, question_id, condition, level, variant_index, sample_id)) WITHOUT ROWID;
CREATE TABLE shown (image_id, perturbation, strength, region,
  PRIMARY KEY (image_id, perturbation, strength, region)) WITHOUT ROWID;
CREATE TABLE places (image_id, perturbation, strength, region, shard, radiograph, number,
  PRIMARY KEY (image_id, perturbation, strength, region)) WITHOUT ROWID;
"""
QUESTIONS = """
SELECT sample_id, question_id, shard, radiograph, number, finding, condition, strength, strategy, variant_index, asked, answer,
  parsed, truth, correct, flip, margin
FROM samples LEFT JOIN places USING (image_id, perturbation, strength, region)
ORDER BY finding, question_id, condition, level, variant_index, sample_id
"""


class Perturbation(NamedTuple):
    """What was done to an image, for `radiographs.conditions.shown`."""

    condition: str
    strength: str
    finding: str  # "" where it does not depend on one


class SampleStore:
    """Answered study samples in a database; samples that were shown the same share an image."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def count_images(self) -> int:
        return self._database.execute("SELECT COUNT(DISTINCT image_id) FROM shown").fetchone()[0]

    def images(self) -> Iterator[tuple[str, list[Perturbation]]]:
        """image_id -> in which ways it was shown, each once; sorted."""
        rows = self._database.execute("SELECT * FROM shown ORDER BY image_id, perturbation, strength, region")
        for image_id, some in groupby(rows, lambda row: row[0]):
            yield image_id, [Perturbation(*row[1:]) for row in some]

    def place(self, image_id: str, perturbations: Sequence[Perturbation], where: tuple[int, int]) -> None:
        """Note in which shard, as which radiograph, the thumbnails of an image lie: in the order of `perturbations`."""
        rows = ((image_id, *one, *where, number) for number, one in enumerate(perturbations))
        self._database.executemany("INSERT INTO places VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def questions(self, grids: Mapping[str, np.ndarray]) -> Iterator[list[Sample]]:
        """Question by question, by finding and id; the samples of each by condition, strength and variant."""
        rows = self._database.execute(QUESTIONS)
        for _, some in groupby(rows, lambda row: (row[5], row[1])):
            yield [_sample(row, grids) for row in some]


@contextmanager
def sorted_samples(evaluation: Path, directory: Path) -> Iterator[SampleStore]:
    """The answered study samples of evaluation_results.csv. They lie in a file in `directory` until the block ends.

    Raises InputError if the table is not there, or lacks a column.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="gallery-", dir=directory) as temporary,  # for this user alone
        closing(sqlite3.connect(Path(temporary) / "samples.db", isolation_level=None)) as database,
    ):
        database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;" + TABLES)
        for row in _answered(evaluation):
            _insert(database, row)
        yield SampleStore(database)


def _answered(evaluation: Path) -> Iterator[dict[str, str]]:
    try:
        file = evaluation.open(encoding="utf-8", newline="")
    except FileNotFoundError:
        raise InputError(f"{evaluation} not found: {REMEDY}") from None
    with file:
        header, rows = csv_rows(file, evaluation, REMEDY)
        if said := missing_columns(header, COLUMNS):
            raise InputError(f"{evaluation}: {said}: {REMEDY}")
        yield from (row for row in rows if row["role"] == "study" and row["status"] != "failed")


def _insert(database: sqlite3.Connection, row: Mapping[str, str]) -> None:
    shown = ("", "", "", "")
    if image_id := row["shown_image_id"]:
        condition = row["condition"]
        region = row["finding"] if condition in REGIONAL else ""
        shown = (image_id, "clean" if condition == "shuffled_image" else condition, row["strength"], region)
        database.execute("INSERT OR IGNORE INTO shown VALUES (?, ?, ?, ?)", shown)
    cells = (
        row["finding"], row["question_id"], row["condition"].replace("_", " "), float(row["strength"] or 0),
        int(row["variant_index"]), row["sample_id"], row["strength"], row["strategy"], row["question"], row["answer"],
        row["parsed_answer"], row["ground_truth"], row["correct"], row["flip"] or row["flip_to_clean"], row["margin"],
        shown[0], shown[1], shown[3],
    )  # fmt: skip
    database.execute(f"INSERT INTO samples VALUES ({', '.join('?' * len(cells))})", cells)


def _sample(row: tuple, grids: Mapping[str, np.ndarray]) -> Sample:
    (sample_id, question_id, shard, radiograph, number, finding, condition, strength, strategy, variant_index, asked, answer,
     parsed, truth, correct, flip, margin) = row  # fmt: skip
    return Sample(
        sample_id=sample_id, question_id=question_id, shown=None if shard is None else (shard, radiograph, number),
        finding=finding, condition=condition, strength=strength, strategy=strategy, variant_index=variant_index, asked=asked,
        answer=answer, parsed=parsed, truth=truth, correct=TRUTH[correct], flip=TRUTH[flip],
        margin=float(margin) if margin else None, grid=grids.get(sample_id),
    )  # fmt: skip
