"""MIMIC-CXR's large tables, read row by row with a progress bar in bytes."""

import csv
import gzip
import io
import zlib
from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from medattn.base.errors import InputError
from medattn.base.pipes import refuse_pipe
from medattn.base.tables import check_header, missing_columns

ROWS_PER_TICK = 4096
LONGEST_LINE = 1 << 20  # characters; a compressed file may hold one that fills the memory
AGAIN = "download it again, or save it as CSV in UTF-8"


def header_of(path: Path) -> list[str]:
    """The column names of a .csv or .csv.gz file. Raises InputError if it is absent or no table."""
    with closing(_lines(path, None)) as lines:
        return _header(path, lines)


def _header(path: Path, lines: Iterator[tuple[int, list[str]]]) -> list[str]:
    header = [name.strip() for name in next(lines)[1]]
    check_header(header, path)
    return header


def rows_of(path: Path, columns: Collection[str], desc: str | None) -> Iterator[tuple[int, dict[str, str]]]:
    """(row, cells by column) of a .csv or .csv.gz file; rows count from 2, row 1 is the header.

    Raises InputError for a file that is absent or no table in UTF-8, a missing column, or a row of another length.
    """
    with closing(_lines(path, desc)) as lines:  # its bar must be gone before an error is shown
        header = _header(path, lines)
        if said := missing_columns(header, columns):
            raise InputError(f"{path}: {said}: is it the right file?")
        for number, line in lines:
            if len(line) != len(header):
                raise InputError(f"{path}, row {number}: {len(line)} cells under {len(header)} columns: {AGAIN}")
            if "\0" in "".join(line):
                raise InputError(f"{path}, row {number}: holds a NUL character: {AGAIN}")
            yield number, dict(zip(header, line, strict=True))


def filled_rows_of(path: Path, columns: Collection[str], desc: str | None) -> Iterator[tuple[int, dict[str, str]]]:
    """rows_of a file that must hold some. Raises InputError for one that holds none, too."""
    number = 0
    for number, row in rows_of(path, columns, desc):
        yield number, row
    if not number:
        raise InputError(f"{path} holds no row: {AGAIN}")


def _lines(path: Path, desc: str | None) -> Generator[tuple[int, list[str]]]:
    """(row, cells), the header first; empty lines are left out. A bar is shown if `desc` names it."""
    try:
        refuse_pipe(path)
        with (
            path.open("rb") as raw,
            tqdm(total=path.stat().st_size, desc=desc, unit="B", unit_scale=True, leave=False, disable=desc is None) as bar,
        ):
            stream = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
            found = False
            text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
            for number, line in enumerate(csv.reader(_bounded(text), strict=True), start=1):
                if line:
                    found = True
                    yield number, line
                if number % ROWS_PER_TICK == 0:
                    bar.update(raw.tell() - bar.n)
            if not found:
                raise InputError(f"{path} is empty: {AGAIN}")
    except FileNotFoundError:
        raise InputError(f"{path} not found: name the data as PhysioNet lays them out, or restore the file") from None
    except (UnicodeDecodeError, csv.Error, EOFError, zlib.error, OSError) as error:  # gzip's own is an OSError
        raise InputError(f"{path} cannot be read as CSV in UTF-8: {error}: {AGAIN}") from None


def _bounded(text: TextIO) -> Iterator[str]:
    """The lines of a text. Raises csv.Error for one that no table has."""
    while line := text.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise csv.Error(f"a line has more than {LONGEST_LINE} characters")
        yield line
