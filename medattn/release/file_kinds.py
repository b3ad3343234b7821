"""What can be read in a file, wherever it hides: text, a PNG's metadata, images inside a page; PDFs: medattn/release/pdf.py.

Every function returns the texts to look through, and what is wrong with the file as it is: a file that cannot be looked
into is not released.
"""

import base64
import binascii
import html
import re
import struct
import zlib
from collections.abc import Collection
from typing import NamedTuple

from medattn.release import pdf

PNG = b"\x89PNG\r\n\x1a\n"
PIXELS = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"pHYs", b"sRGB", b"gAMA", b"cHRM", b"sBIT", b"bKGD"}
KINDS = {
    PNG: "a PNG image", b"\xff\xd8\xff": "a JPEG image", b"\x93NUMPY": "a NumPy array (a grid)", b"%PDF": "a PDF",
    b"PK\3\4": "a zip archive",
    b"\x1f\x8b": "a gzip archive", b"GIF8": "a GIF image", b"II*\0": "a TIFF image", b"MM\0*": "a TIFF image",
}  # fmt: skip


class Inspection(NamedTuple):
    texts: list[str]
    problems: list[str]


def kind(content: bytes) -> str:
    """What a file is, told from its first bytes."""
    if content[128:132] == b"DICM":
        return "a DICOM image"
    if content[8:10] == b'{"' and int.from_bytes(content[:8], "little") < len(content):
        return "tensors (safetensors: captures, grids or weights)"
    return next((what for magic, what in KINDS.items() if content.startswith(magic)), "a file")


def look(name: str, content: bytes, charts: Collection[str]) -> Inspection:
    """Everything that can be read in a member. charts: names of the figures that a page may show."""
    if name.endswith(".png"):
        return png(content)
    if name.endswith(".pdf"):
        if not content.startswith(b"%PDF"):
            return Inspection([], [f"is {kind(content)}, not a PDF"])
        return Inspection(*pdf.read(content))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return Inspection([], [f"is {kind(content)}, not text"])
    if "\0" in text:
        return Inspection([], ["holds NUL bytes: it is not text"])
    if name.endswith(".html"):
        return page(text, charts)
    plain = text.replace("\\_", "_")  # LaTeX
    return Inspection([plain], _encoded(text))


def _encoded(text: str) -> list[str]:
    """Something that is packed into letters."""
    found = re.search(r";\s*base64\s*,|[A-Za-z0-9+/]{400}", text)
    return [f"line {line_of(text, found.start())}: holds base64: an image or a file inside the text"] if found else []


def line_of(text: str, offset: int) -> int:
    """The line, from 1."""
    return text.count("\n", 0, offset) + 1


# --- HTML -------------------------------------------------------------------------------------------------------------

_URI = re.compile(r"data:([\w.+/-]*)((?:;[\w.=+-]+)*),([A-Za-z0-9+/=%_-]*)", re.IGNORECASE)
_FIGURE = re.compile(r'<figure id="([^"]*)">\s*<div class="plate"><img src="$')


def page(text: str, charts: Collection[str]) -> Inspection:
    """A page may show PNGs of charts, each in the figure of its name. Text is read with and without tags."""
    texts, problems, last = [], [], 0
    for number, match in enumerate(re.finditer(_URI, text), start=1):
        if (match[1], match[2], match[3]) == ("", "", ""):  # the empty icon
            continue
        figure = _FIGURE.search(text[max(last, match.start() - 300) : match.start()])
        last, where = match.end(), f"line {line_of(text, match.start())}"
        if figure is None or figure[1] not in charts:
            problems.append(f"{where}: holds an image or a file (data URI {number}) that is not a chart of the study")
            continue
        try:
            image = base64.b64decode(match[3], validate=True)
        except binascii.Error:
            image = b""
        if (match[1], match[2]) != ("image/png", ";base64") or not image.startswith(PNG):
            problems.append(f"{where}: the image of figure {figure[1]} is {kind(image)}, not a PNG of the chart")
            continue
        inside = png(image)
        texts += inside.texts
        problems += [f"{where}: the image of figure {figure[1]} {problem}" for problem in inside.problems]
    shown = html.unescape(re.sub(_URI, "", text))
    untagged = re.sub(r"<[^>]*>", " ", shown)
    return Inspection([shown, untagged, *texts], problems + _encoded(shown))


# --- PNG --------------------------------------------------------------------------------------------------------------


def png(content: bytes) -> Inspection:
    """Texts of a PNG's text chunks. Chunks that no chart has, and bytes behind the image, are problems."""
    if not content.startswith(PNG):
        return Inspection([], [f"is {kind(content)}, not a PNG image"])
    texts, problems, at = [], [], len(PNG)
    while at + 12 <= len(content):
        (length,), name = struct.unpack(">I", content[at : at + 4]), content[at + 4 : at + 8]
        body, at = content[at + 8 : at + 8 + length], at + 12 + length
        if name in (b"tEXt", b"zTXt", b"iTXt"):
            try:
                texts.append(_png_text(name, body))
            except (zlib.error, ValueError):
                problems.append(f"has a damaged {name.decode()} chunk")
        elif name not in PIXELS:
            problems.append(f"has a chunk {name.decode('latin-1')!r}, which no chart has")
        if name == b"IEND":
            break
    if at != len(content):
        problems.append("has bytes behind the image, or is cut off")
    return Inspection(texts, problems)


def _png_text(name: bytes, body: bytes) -> str:
    keyword, rest = body.split(b"\0", 1)
    if name == b"tEXt":
        text = rest.decode("latin-1")
    elif name == b"zTXt":
        text = zlib.decompress(rest[1:]).decode("latin-1")
    else:
        packed, _, rest = rest[0], rest[1], rest[2:]
        _, _, raw = rest.split(b"\0", 2)
        text = (zlib.decompress(raw) if packed else raw).decode("utf-8")
    return f"{keyword.decode('latin-1')} {text}"
