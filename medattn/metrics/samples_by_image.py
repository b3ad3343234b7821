"""Manifest and answers, checked against each other and read image by image; both files are in order of sample_id.

They are joined in a database beside the results, which is removed again: neither file is ever in memory as a whole.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path

from medattn.base import sample_tables
from medattn.base.errors import InputError
from medattn.base.rows import SampleRow
from medattn.metrics.inputs import STATUSES

ANSWERED = sample_tables.ANSWERS[1:]  # sample_id is in the manifest already


class SamplesByImage:
    """The manifest's samples with their answers."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __len__(self) -> int:
        ((count,),) = self._database.execute("SELECT count(*) FROM manifest")
        return int(count)

    def with_grid(self) -> Iterator[str]:
        """Ids of the samples whose status is ok, in order."""
        return (
            one for (one,) in self._database.execute("SELECT sample_id FROM answers WHERE status = 'ok' ORDER BY sample_id")
        )

    def __iter__(self) -> Iterator[tuple[list[SampleRow], dict[str, SampleRow]]]:
        """An image's rows of the manifest, in order of sample_id, and sample_id -> row of the answers; images in order."""
        names = ", ".join((*(f'manifest."{name}"' for name in sample_tables.MANIFEST), *ANSWERED))
        joined = self._database.execute(
            f"SELECT {names} FROM manifest CROSS JOIN answers USING (sample_id) ORDER BY image_id, manifest.sample_id"
        )
        at, width = sample_tables.MANIFEST.index("image_id"), len(sample_tables.MANIFEST)
        for _, some in groupby(joined, key=lambda cells: cells[at]):
            samples, answers = [], {}
            for cells in some:
                sample = SampleRow(zip(sample_tables.MANIFEST, cells[:width], strict=True))
                samples.append(sample)
                answers[sample["sample_id"]] = SampleRow(zip(ANSWERED, cells[width:], strict=True))
            yield samples, answers


@contextmanager
def samples_by_image(manifest: Path, answers: Path) -> Iterator[SamplesByImage]:
    """The samples of these files; there is exactly one answer for each.

    Raises InputError, which says which stage makes the file, for one that `sample_tables.rows` refuses, that names a sample
    twice, or that has a sample more or less than the other, and for a status that there is not.
    """
    scratch = answers.with_name(".samples.part")
    scratch.unlink(missing_ok=True)  # of a run that was killed
    try:
        with closing(sqlite3.connect(scratch, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            database.execute("BEGIN")
            _fill(database, "manifest", manifest, sample_tables.MANIFEST, "prepare")
            _fill(database, "answers", answers, sample_tables.ANSWERS, "extract")
            database.execute("COMMIT")
            _check(database, answers)
            yield SamplesByImage(database)
    finally:
        scratch.unlink(missing_ok=True)


def _fill(database: sqlite3.Connection, table: str, path: Path, columns: Sequence[str], stage: str) -> None:
    rows = sample_tables.rows(path, columns, stage)
    key = "PRIMARY KEY (image_id, sample_id), UNIQUE (sample_id)" if "image_id" in columns else "PRIMARY KEY (sample_id)"
    cells = ", ".join(f'"{name}" TEXT' for name in columns)
    database.execute(f"CREATE TABLE {table} ({cells}, {key}) WITHOUT ROWID")
    insert = f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})"
    for number, row in enumerate(rows, start=2):
        try:
            database.execute(insert, tuple(row.values()))
        except sqlite3.IntegrityError:
            raise InputError(
                f"{path}, row {number}: sample_id {row['sample_id']!r} is duplicated: run `dvc repro -f {stage}`"
            ) from None


def _check(database: sqlite3.Connection, answers: Path) -> None:
    again = "run `dvc repro extract`"
    only_one = [
        f"SELECT sample_id, '{said}' FROM {one} WHERE sample_id NOT IN (SELECT sample_id FROM {other})"
        for one, other, said in (("manifest", "answers", "has no answer"), ("answers", "manifest", "is not in the manifest"))
    ]
    differing = f"({' UNION ALL '.join(only_one)})"
    ((count,),) = database.execute(f"SELECT count(*) FROM {differing}")
    if count:
        ((first, said),) = database.execute(f"SELECT * FROM {differing} ORDER BY 1 LIMIT 1")
        raise InputError(f"{answers}: sample {first!r} {said} ({count} in all): {again}")
    known = ", ".join("?" * len(STATUSES))
    for sample_id, status in database.execute(
        f"SELECT sample_id, status FROM answers WHERE status NOT IN ({known}) ORDER BY sample_id LIMIT 1", STATUSES
    ):
        raise InputError(f"{answers}: sample {sample_id!r} has status {status!r}, expected {', '.join(STATUSES)}")
