"""Tables and numbers as they are written: rounded, so that the same study gives the same bytes on any processor."""

import csv
import io
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from medattn.base.errors import InputError
from medattn.base.rounding import round_number

Row = dict[str, Any]  # column -> cell: text, number or truth, as its column says; None where there is none


def text_of(value: Any) -> str:
    """A table cell: None is empty, truth is true/false, whole numbers are whole, decimals are rounded."""
    if value is None:
        return ""
    if value is True or value is False or type(value).__name__ == "bool":
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or hasattr(value, "__index__"):
        return str(int(value))
    return repr(round_number(value))


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """CSV with these columns, in the order given. A row with a missing or an extra key is an error."""
    buffer = io.StringIO()
    _write_rows(buffer, columns, rows)
    return buffer.getvalue()


def _write_rows(file: TextIO, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        if row.keys() != set(columns):
            raise ValueError(f"row has keys {sorted(row)}, expected {sorted(columns)}")
        writer.writerow([text_of(row[name]) for name in columns])


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """csv_text in UTF-8 at `path`, all or nothing; `rows` may be as many as the disk holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            _write_rows(file, columns, rows)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` at `path`, all or nothing; makes the parent directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(content)
    temporary.replace(path)


@contextmanager
def fresh_directory(path: Path) -> Iterator[Path]:
    """Yields an empty sibling of `path` that takes its place when the block ends without an error: no stale file stays."""
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
    except BaseException:
        shutil.rmtree(part)
        raise
    if path.exists():
        shutil.rmtree(path)
    part.replace(path)


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Yields an empty sibling of `path` that becomes `path` when the block ends without an error.

    Nothing stays of a failed one. Raises InputError if `path` is there already and holds something.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"{path} is there already and not empty: remove it, or choose another directory")
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        part.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
