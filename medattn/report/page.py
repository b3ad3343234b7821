"""The report: what a study found, as one page with its figures and tables, to be read, sorted, printed or sent."""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from medattn.report.rendering import base64_text, render

LONG = 30  # rows: a longer table is folded away
VERDICTS = {
    "supported": "supported",
    "not supported": "not-supported",
    "inconclusive": "inconclusive",
    "too few": "unknown",
    "not applicable": "unknown",
    "pass": "supported",
    "fail": "not-supported",
}  # cell -> class of its badge
PNG = b"\x89PNG\r\n\x1a\n"
_NUMBER = re.compile(r"(<\s*)?[+\-−]?(\d[\d,]*)?(\.?\d+)(e[+\-−]?\d+)?\s*%?(\s*[\[(].*[\])])?", re.IGNORECASE)


@dataclass(frozen=True)
class Figure:
    name: str
    title: str
    caption: str
    alt: str
    png: bytes  # shown at its size in pixels ÷ density, or as wide as the page if that is less
    files: tuple[str, ...]  # links relative to the page, e.g. "figures/example.pdf"
    density: int = 1  # pixels of the PNG per pixel of the page


@dataclass(frozen=True)
class Table:
    name: str
    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]  # cells as text
    file: str  # a link relative to the page


@dataclass(frozen=True)
class Number:
    value: str
    meaning: str


@dataclass(frozen=True)
class Section:
    title: str
    text: tuple[str, ...]  # paragraphs
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]


def html(title: str, about: Sequence[str], headline: Sequence[Number], sections: Sequence[Section]) -> str:
    """The report as one page. Raises ValueError for a figure that is no PNG or a row with a cell too many or too few."""
    return render(
        "page.html", title=title, about=about, headline=headline, verdicts=VERDICTS,
        sections=[
            {
                "title": section.title,
                "text": section.text,
                "figures": [_figure(figure) for figure in section.figures],
                "tables": [_table(table) for table in section.tables],
            }
            for section in sections
        ],
    )  # fmt: skip


def _figure(figure: Figure) -> dict:
    width, height = png_size(figure)
    return {
        "about": figure,
        "width": width // figure.density,
        "height": height // figure.density,
        "base64": base64_text(figure.png),
    }


def png_size(figure: Figure) -> tuple[int, int]:
    """Width and height in pixels, from the PNG's first chunk: the page keeps the place before it has decoded it."""
    if not figure.png.startswith(PNG):
        raise ValueError(f"figure {figure.name}: not a PNG file (it begins with {figure.png[:8]!r})")
    return struct.unpack(">II", figure.png[16:24])


def _table(table: Table) -> dict:
    for number, row in enumerate(table.rows, start=1):
        if len(row) != len(table.columns):
            raise ValueError(f"table {table.name}, row {number}: {len(row)} cells for {len(table.columns)} columns")
    columns = list(zip(*table.rows, strict=True)) if table.rows else [()] * len(table.columns)
    return {
        "about": table,
        "numeric": [is_numeric(column) for column in columns],
        "long": len(table.rows) > LONG,
    }


def is_numeric(cells: Sequence[str]) -> bool:
    """Whether every cell that is not empty is a number, perhaps with a % or an interval in brackets behind it."""
    filled = [cell.strip() for cell in cells if cell.strip() not in ("", "–", "—")]
    return bool(filled) and all(_NUMBER.fullmatch(cell) for cell in filled)
