"""The shape of a chart as Matplotlib writes it for this project, and of the page that shows charts.

A release compares bytes with those that the run makes again. A commit is looked at in a moment, so there the shape must do: a
radiograph has no white margin, and a file from elsewhere has other parts.
"""

import base64
import binascii
import io
import re
from collections.abc import Collection, Iterator

import numpy as np
from PIL import Image

from medattn.base.paths import REPORT
from medattn.release.file_kinds import PNG, kind

_CHUNKS = {b"IHDR", b"PLTE", b"pHYs", b"IDAT", b"IEND"}
_LEAST_WHITE = 0.3  # of a chart's pixels; those of the embedded study have 0.4 to 0.96
_LEAST_MARGIN = 0.9  # of the outermost pixels of each side
_WHITE = 250  # what the page's palettes make of it
_PDF_START, _PDF_END = b"%PDF-1.4\n%\xac\xdc \xab\xba\n", b"%%EOF\n"
_PDF_OTHER = re.compile(rb"/(Filter|EmbeddedFile|JavaScript|URI|Encrypt|Metadata|Title|Author|Subject|Keywords)\b")
_URI = re.compile(r"data:([^,\"'\s]*),([A-Za-z0-9+/=%]*)", re.IGNORECASE)
_FIGURE = re.compile(r'<figure id="([^"]*)">\s*<div class="plate"><img src="$')


def chart_problems(path: str, content: bytes, charts: Collection[str]) -> Iterator[str]:
    """What keeps a file of reports/figures/, or the page, from being a chart or showing charts. charts: their names."""
    if path == REPORT.as_posix():
        yield from _page(content.decode("utf-8", "replace"), charts)
    elif said := (_pdf if path.endswith(".pdf") else _png)(content):
        yield f"{said}: it may show a radiograph"


def _png(content: bytes) -> str | None:
    if not content.startswith(PNG):
        return f"is {kind(content)}, not a PNG of a chart"
    at = len(PNG)
    while at < len(content):
        name = content[at + 4 : at + 8]
        if name not in _CHUNKS:
            return f"has a part {name.decode('latin-1')!r}, which no chart has"
        at += 12 + int.from_bytes(content[at : at + 4], "big")
        if name == b"IEND" and at != len(content):
            return "has bytes behind the image"
    try:
        with Image.open(io.BytesIO(content)) as image:
            white = np.all(np.asarray(image.convert("RGB")) >= _WHITE, axis=2)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return "cannot be read as a PNG"
    margin = min(side.mean() for side in (white[0], white[-1], white[:, 0], white[:, -1]))  # a tick may reach it
    return None if margin >= _LEAST_MARGIN and white.mean() >= _LEAST_WHITE else "is not a chart on white"


def _pdf(content: bytes) -> str | None:
    if not content.startswith(_PDF_START) or not content.endswith(_PDF_END) or content.count(b"%%EOF") != 1:
        return f"is {kind(content)} that Matplotlib did not write as a chart"
    if (other := _PDF_OTHER.search(content)) is not None:
        return f"has a part /{other[1].decode()}, which no chart has"
    return None


def _page(text: str, charts: Collection[str]) -> Iterator[str]:
    last = 0
    for match in _URI.finditer(text):
        if match[0] == "data:,":  # the empty icon
            continue
        where = f"line {text.count(chr(10), 0, match.start()) + 1}"
        figure = _FIGURE.search(text[max(last, match.start() - 300) : match.start()])
        last = match.end()
        if match[1] != "image/png;base64" or figure is None or figure[1] not in charts:
            yield f"{where}: holds an image or a file that is not a chart of the study"
            continue
        try:
            image = base64.b64decode(match[2], validate=True)
        except binascii.Error:
            image = b""
        if said := _png(image):
            yield f"{where}: the image of figure {figure[1]} {said}: it may show a radiograph"
    rest = _URI.sub("", text)
    for tag in re.finditer(r"<(svg|canvas|object|embed|iframe|video|picture)\b|<img(?![^>]*src=\"\")", rest, re.IGNORECASE):
        yield f"line {text[: tag.start()].count(chr(10)) + 1}: holds {tag[0]}, which the page does not have"
