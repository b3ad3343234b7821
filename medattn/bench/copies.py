"""A study as many times larger as one likes: copies of a small one under new ids, every image a file of its own.

What costs time is the same in every copy, so that a stage whose cost is linear takes k times as long for k copies.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tqdm import tqdm

from medattn.base.tables import write_bytes, write_csv
from medattn.study.schema import IMAGE_COLUMNS, QUESTION_COLUMNS, REGION_COLUMNS, Study

IDS = ("image_id", "subject_id", "study_id", "question_id")
LAST_CHUNK = 12  # bytes of a PNG file's last chunk, IEND


def multiply(study: Study, images: int, out: Path) -> None:
    """Write to `out` the tables and images of as many copies of an open study of PNG images as have `images` images.

    The last copy may be a part. Masks and model are links to the study's own, so that a copy costs a small file an image.
    """
    rows = study.images()
    wanted = [divmod(number, len(rows)) for number in range(images)]
    copies = range(-(-images // len(rows)))
    last = {row["image_id"] for row in rows[: 1 + wanted[-1][1]]}  # of the last copy

    def of_copies(table: Iterable[Mapping[str, str]]) -> Iterator[dict[str, str]]:
        listed = list(table)
        for copy in copies:
            yield from (renamed(row, copy) for row in listed if copy < copies[-1] or row["image_id"] in last)

    def drawn() -> Iterator[dict[str, str]]:
        content = {row["path"]: (study.image_root / row["path"]).read_bytes() for row in rows}
        for copy, place in tqdm(wanted, desc="copy", unit="image", leave=False):
            row = rows[place]
            marked = with_comment(content[row["path"]], f"copy {copy}")
            path = f"{copy:05d}/{row['path']}"
            write_bytes(out / "images" / path, marked)
            yield renamed(row, copy) | {"path": path, "sha256": hashlib.sha256(marked).hexdigest()}

    write_csv(out / "images.csv", IMAGE_COLUMNS, drawn())
    write_csv(out / "questions.csv", QUESTION_COLUMNS, of_copies(study.questions()))
    write_csv(out / "regions.csv", REGION_COLUMNS, of_copies(study.regions()))
    for name in ("study.yaml", "model.json", "model", "masks"):
        if (study.directory / name).exists():
            (out / name).symlink_to((study.directory / name).resolve())


def renamed(row: Mapping[str, str], copy: int) -> dict[str, str]:
    """The row of a table as it stands in a copy: with ids that no other copy has."""
    return {name: f"c{copy:05d}-{value}" if name in IDS else value for name, value in row.items()}


def with_comment(png: bytes, comment: str) -> bytes:
    """The same PNG image as another file: a tEXt chunk before the last one (PNG specification, 11.3.4.3)."""
    body = b"tEXt" + b"Comment\0" + comment.encode("latin-1")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:-LAST_CHUNK] + chunk + png[-LAST_CHUNK:]
