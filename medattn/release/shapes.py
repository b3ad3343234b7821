"""The shapes of tables and numbers that may leave the machine: declared columns, and cells as their column has them.

A count is written as the stages write it (`3`, not `3.0`, `+3`, ` 3` or `three`), so that none of fewer patients passes in
other words.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.tables import csv_rows, csv_text, text_of
from medattn.disclosure.suppression import COUNTS, SUPPRESSED
from medattn.metrics import published
from medattn.metrics.export import json_bytes
from medattn.metrics.table import declared
from medattn.metrics.tables.headline import NUMBERS
from medattn.study.caveats import COLUMN

REMEDY = "run `dvc repro --force metrics figures`"
_WHOLE = re.compile(r"0|[1-9][0-9]*")
_TEXT = ("method", "verdict", "note")  # how columns of text end that no row is named by
_LONG_NUMBER = re.compile(r"(?<![.\d])\d{5,}")  # longer than any number that a text quotes


class Shape(NamedTuple):
    """What a table's columns are. texts: the columns that may hold text; every other one that is no count holds numbers."""

    columns: tuple[str, ...]
    texts: frozenset[str]


def shapes() -> dict[str, Shape]:
    """Path -> shape of every table that is published."""
    found = {"published": Shape(published.COLUMNS, frozenset(published.COLUMNS))}
    for table in declared():
        if table.output == paths.TABLES:
            texts = {*table.keys, *(name for name in table.columns if name.endswith(_TEXT))}
            found[table.name] = Shape(tuple(table.columns), frozenset(texts))
    return {(paths.TABLES / f"{name}.csv").as_posix(): shape for name, shape in found.items()}


def table_problems(content: bytes, shape: Shape, least: int) -> Iterator[str]:
    """What in an aggregate table is not of its shape; counts of 1 to `least` − 1."""
    try:
        text = content.decode("utf-8")
        columns, read = csv_rows(io.StringIO(text, newline=""), "the table", REMEDY)
        rows = list(read)
    except (InputError, UnicodeDecodeError) as error:
        yield str(error)
        return
    shape = _as_headed(columns, shape)
    if other := sorted(set(columns) - set(shape.columns)):
        yield f"has a column {other[0]!r}, which this table does not declare: {REMEDY}"
    elif columns != list(shape.columns):
        yield f"has not its columns {', '.join(shape.columns)}, in this order: {REMEDY}"
    elif csv_text(columns, rows) != text:
        yield f"is not written as the stages write tables (line ends, quotes or empty lines): {REMEDY}"
    else:
        for number, row in enumerate(rows, start=2):
            for name, cell in row.items():
                if said := _cell_problem(name, cell, shape, least):
                    yield f"row {number}: {name} is {cell!r}, {said}: {REMEDY}"


def texts(content: bytes, shape: Shape) -> Iterator[tuple[int, str]]:
    """(row, cell) of every cell of text, and of the header."""
    rows = csv.reader(io.StringIO(content.decode("utf-8", "replace"), newline=""))
    columns = next(rows, [])
    shape = _as_headed(columns, shape)
    yield from ((1, name) for name in columns)
    for number, row in enumerate(rows, start=2):
        yield from ((number, cell) for name, cell in zip(columns, row, strict=False) if name in shape.texts and cell)


def _as_headed(columns: Sequence[str], shape: Shape) -> Shape:
    """The shape with a column of caveats where the table has one: of a drawn study, or of a limited run."""
    return Shape((COLUMN, *shape.columns), shape.texts | {COLUMN}) if columns[:1] == [COLUMN] else shape


def _cell_problem(name: str, cell: str, shape: Shape, least: int) -> str | None:
    if name in COUNTS:
        if cell in ("", SUPPRESSED):
            return None
        return _count_problem(int(cell), least) if _WHOLE.fullmatch(cell) else "not a whole number as counts are written"
    if cell in ("", "true", "false") or _is_number(cell):
        return None
    if name not in shape.texts:
        return "not a number as the stages write it"
    if not cell.isprintable() or cell != cell.strip() or _LONG_NUMBER.search(cell):
        return "not a name or a sentence: it holds a long number, or what cannot be seen"
    return None


def _count_problem(count: int, least: int) -> str | None:
    return f"fewer than {least}" if count != 0 and count < least else None


def _is_number(cell: str) -> bool:
    try:
        return cell == text_of(float(cell)) or (len(cell) < 5 and cell == str(int(cell)))
    except (ValueError, OverflowError):
        return False


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def number_problems(content: bytes, least: int) -> Iterator[str]:
    """metrics.json is a handful of named numbers."""
    try:
        numbers = json.loads(content, parse_constant=_no_number)
    except ValueError as error:
        yield f"is not JSON: {error}"
        return
    if not isinstance(numbers, Mapping) or set(numbers) != set(NUMBERS):
        odd = sorted(set(numbers) ^ set(NUMBERS)) if isinstance(numbers, Mapping) else []
        yield f"does not hold the numbers {', '.join(NUMBERS)}" + (f" ({odd[0]!r})" if odd else "") + f": {REMEDY}"
        return
    for name, value in numbers.items():
        whole = name in COUNTS or name == "n_samples"
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            yield f"{name} is {value!r}, not a {'whole ' if whole else ''}number: {REMEDY}"
        elif whole and (said := _count_problem(value, least)):
            yield f"{name} is {value}, {said}: {REMEDY}"
        elif not whole and not _is_number(text_of(value)):
            yield f"{name} is {value}, not a number as the stages write it: {REMEDY}"
    if json_bytes(numbers) != content:
        yield f"is not written as the stages write it (a key twice, escapes or spaces): {REMEDY}"
