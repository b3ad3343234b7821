"""Tables: written rounded, so that one study gives the same bytes on any processor; read as text, so that nothing changes."""

import csv
import io
import json
import shutil
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from sys import intern
from typing import Any, TextIO

from medattn.base.errors import InputError
from medattn.base.pipes import refuse_pipe
from medattn.base.rounding import round_number

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}  # what other programs put for the comma
Row = dict[str, Any]  # column -> cell: text, number or truth, as its column says; None where there is none
AnyRow = Mapping[str, Any]  # a row that is only read: a Row, or one that is held in columns


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


def _write_rows(file: TextIO, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    names, count = set(columns), 0
    for row in rows:
        if row.keys() != names:
            raise ValueError(f"row has keys {sorted(row)}, expected {sorted(columns)}")
        writer.writerow([text_of(row[name]) for name in columns])
        count += 1
    return count


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> int:
    """csv_text in UTF-8 at `path`, all or nothing; `rows` may be as many as the disk holds. Returns how many there were."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            count = _write_rows(file, columns, rows)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


# --- reading ----------------------------------------------------------------------------------------------------------


def csv_lines(file: Iterable[str], where: object, remedy: str = "") -> Iterator[tuple[int, list[str]]]:
    """(row, cells) of CSV, empty rows included. Raises InputError for what is no CSV."""
    try:
        yield from enumerate(csv.reader(file, strict=True), start=1)
    except csv.Error as error:
        raise InputError(f"{where} is not valid CSV: {error}; {remedy or 'fix it'}") from None


def csv_header(text: str, delimiter: str = ",") -> list[str]:
    """The cells of the first line, whatever follows it; [] of an empty text."""
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])


def check_header(header: Sequence[str], where: object, remedy: str = "") -> None:
    """Raise InputError for a column given twice, or a header that is no text, or that commas do not separate."""
    if any(unicodedata.category(letter) == "Cc" for name in header for letter in name.replace("\t", "")):
        raise InputError(
            f"{where}: its first line holds control characters: {remedy or 'save it as CSV with commas, in UTF-8'}"
        )
    if len(header) == 1 and (found := next((name for mark, name in SEPARATORS.items() if mark in header[0]), None)):
        raise InputError(f"{where}: its columns are separated by {found}: save it as CSV with commas, in UTF-8")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise InputError(f"{where}: column {twice[0]!r} is duplicated: {remedy or 'remove one'}")


def missing_columns(header: Sequence[str], wanted: Iterable[str]) -> str:
    """ "column a, b is missing; it has …", or "" where none is. A name with white space around it is shown in quotes."""
    missing = [name for name in wanted if name not in header]
    has = ", ".join(name if name == name.strip() and name.isprintable() and name else repr(name) for name in header)
    return f"column {', '.join(missing)} is missing; it has {has or 'none'}" if missing else ""


def csv_rows(file: Iterable[str], where: object, remedy: str = "") -> tuple[list[str], Iterator[dict[str, str]]]:
    """The columns of a table ([] of an empty file), and its rows as they are read: column -> cell. Empty lines are skipped.

    where, remedy: for messages. Raises InputError for what is no CSV, a column given twice, or a row of another length,
    which is counted from 2: row 1 is the header.
    """
    lines = csv_lines(file, where, remedy)
    header = next(lines, (1, list[str]()))[1]
    check_header(header, where, remedy)

    def rows() -> Iterator[dict[str, str]]:
        for number, line in lines:
            if line and len(line) != len(header):
                said = f"{len(line)} cells under {len(header)} columns"
                raise InputError(f"{where}, row {number}: {said}: {remedy or 'fix the row'}")
            if line:
                yield dict(zip(header, line, strict=True))

    return header, rows()


def read_table(
    path: Path, columns: Sequence[str] | None, absent: str = "restore it", may_be_empty: bool = False
) -> list[dict[str, str]]:
    """The rows of a CSV file as text: `columns` only, as further ones are for the reader's own notes; None: every column.

    absent: what to do if the file is not there. Raises InputError for a missing file, column or cell, a column given twice,
    or no row at all.
    """
    refuse_pipe(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path} not found: {absent}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): {absent}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    header, rows = csv_rows(io.StringIO(text, newline=""), path)
    wanted = header if columns is None else columns
    if said := missing_columns(header, wanted):
        raise InputError(f"{path}: {said}: add it")
    found = [{name: intern(row[name]) for name in wanted} for row in rows]  # most cells stand in many rows
    if not found and not may_be_empty:
        raise InputError(f"{path} holds no row: add at least one")
    return found


# --- files and directories, all or nothing ----------------------------------------------------------------------------


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
def replaced_files(path: Path) -> Iterator[Path]:
    """Yields an empty sibling of `path` whose files take their places there when the block ends without an error.

    Each does at once, whoever reads the one before; files of other names are removed.
    """
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        path.mkdir(exist_ok=True)
        new = sorted(file.name for file in part.iterdir())
        for name in new:
            (part / name).replace(path / name)
        for other in path.iterdir():
            if other.name not in new:
                other.unlink()
    finally:
        shutil.rmtree(part, ignore_errors=True)


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


def read_numbers(path: Path, needed: Iterable[str]) -> dict[str, Any]:
    """The named numbers of metrics.json. Raises InputError if it is not there, or lacks one: results of an earlier version."""
    try:
        numbers = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} not found: run `dvc repro` first") from None
    if absent := sorted(set(needed) - set(numbers)):
        raise InputError(f"{path} has no {absent[0]}: these results are of another version of medattn: run `dvc repro`")
    return numbers
