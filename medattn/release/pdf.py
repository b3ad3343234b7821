"""The words of a PDF: its metadata and strings, and what its pages show, through each font's own map of codes to characters.

Enough of ISO 32000-1 for charts: what it cannot unpack it says, so that nothing goes unread.
"""

import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_STREAM = re.compile(rb"(<<(?:(?!endobj|stream).)*>>)\s*stream\r?\n(.*?)\r?\n?endstream", re.DOTALL)
_OBJECT = re.compile(rb"\b(\d+) \d+ obj\b(.*?)\bendobj", re.DOTALL)
_LITERAL = rb"\((?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*\)"
_HEX = rb"<[0-9A-Fa-f\s]+>"
_STRING = re.compile(_LITERAL + rb"|" + _HEX, re.DOTALL)
# What a page shows, and what decides how it reads: shown strings, the font, moves, the ends of a text.
_OPERATOR = re.compile(
    rb"(?P<shown>\[(?:" + _LITERAL + rb"|" + _HEX + rb"|[-+.\d\s])*\]\s*TJ|(?:" + _LITERAL + rb"|" + _HEX + rb")\s*(?:Tj|'|\"))"
    rb"|/(?P<font>[^\s/<>\[\]()]+)\s+[-+.\d]+\s+Tf\b|[-+.\d]+\s+(?P<down>[-+.\d]+)\s+T[dD]\b|(?P<line>\bBT\b|\bET\b|\bTm\b|T\*)",
    re.DOTALL,
)  # fmt: skip
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|\r?\n|.)", re.DOTALL)
_SPECIAL = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_OTHER_PARTS = {b"/Encrypt": "is encrypted", b"/EmbeddedFile": "has a file inside", b"/JavaScript": "has a script inside"}


class Characters(NamedTuple):
    """A font's ToUnicode map. width: bytes of a code."""

    width: int
    text: dict[int, str]


def read(content: bytes) -> tuple[list[str], list[str]]:
    """Everything that can be read in a PDF, and what cannot be unpacked or should not be there."""
    problems = {what for mark, what in _OTHER_PARTS.items() if mark in content}
    parts = [_STREAM.sub(rb"\1", content)]
    for about, body in _STREAM.findall(content):
        try:
            parts.append(_unpacked(about, body))
        except ValueError as error:
            problems.add(str(error))
    fonts, all_maps = _fonts(content)
    texts = []
    for part in parts:
        texts.append(part.replace(b"\0", b"").decode("latin-1"))
        texts.append("\n".join(_string(match[0]) for match in _STRING.finditer(part)))
        texts += [_shown(part, fonts, all_maps, gap) for gap in ("", " ")]
    return [unicodedata.normalize("NFKC", text) for text in texts if text.strip()], sorted(problems)


def _unpacked(about: bytes, body: bytes) -> bytes:
    """A stream's bytes. Raises ValueError for what is packed in a way that no chart is."""
    found = re.search(rb"/Filter\s*(\[[^\]]*\]|/\w+)", about)
    filters = re.findall(rb"/(\w+)", found[1]) if found else []
    if other := {name.decode() for name in filters} - {"FlateDecode"}:
        raise ValueError(f"has a part packed as {', '.join(sorted(other))}, which no chart has (DCTDecode is a JPEG)")
    try:
        for _ in filters:
            body = zlib.decompressobj().decompress(body)
    except zlib.error:
        raise ValueError("has a part that cannot be unpacked") from None
    return body


# --- strings ----------------------------------------------------------------------------------------------------------


def _bytes(token: bytes) -> bytes:
    """The bytes of a literal or hexadecimal string."""
    if token.startswith(b"<"):
        digits = re.sub(rb"\s", b"", token[1:-1])
        return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())

    def plain(match: re.Match[bytes]) -> bytes:
        code = match[1]
        if code[:1] in b"01234567":
            return bytes([int(code, 8) & 255])
        return b"" if code.endswith(b"\n") else _SPECIAL.get(code, code)

    return _ESCAPE.sub(plain, token[1:-1])


def _string(token: bytes) -> str:
    """A string of the metadata: UTF-16 if it says so."""
    raw = _bytes(token)
    return raw[2:].decode("utf-16-be", "replace") if raw.startswith(b"\xfe\xff") else _plain(raw)


def _plain(codes: bytes) -> str:
    return codes.replace(b"\0", b"").decode("latin-1")


# --- what a page shows ------------------------------------------------------------------------------------------------


def _shown(part: bytes, fonts: dict[bytes, Characters], all_maps: Sequence[Characters], gap: str) -> str:
    """The text of a content stream, line by line. gap: between strings of one line, which may be pieces of a word or words."""
    said: list[str] = []
    maps: Sequence[Characters] = all_maps
    for operator in _OPERATOR.finditer(part):
        if operator["font"] is not None:
            maps = [fonts[operator["font"]]] if operator["font"] in fonts else all_maps
        elif operator["shown"] is not None:
            codes = b"".join(_bytes(piece[0]) for piece in _STRING.finditer(operator["shown"]))
            readings = dict.fromkeys(
                [*(_decoded(codes, characters) for characters in maps), *([] if len(maps) == 1 else [_plain(codes)])]
            )
            said += ["\n".join(readings), gap]
        elif operator["line"] is not None or float(operator["down"]) != 0:
            said.append("\n")
    return "".join(said)


def _decoded(codes: bytes, characters: Characters) -> str:
    width = characters.width
    pieces = (int.from_bytes(codes[at : at + width], "big") for at in range(0, len(codes), width))
    return "".join(characters.text.get(code, chr(code) if 31 < code < 256 else "\ufffd") for code in pieces)


# --- fonts ------------------------------------------------------------------------------------------------------------


def _fonts(content: bytes) -> tuple[dict[bytes, Characters], list[Characters]]:
    """Resource name -> map of the fonts that have one; and all maps, for fonts whose name cannot be followed."""
    maps: dict[bytes, Characters] = {}  # number of the map's object -> map
    for number, body in _OBJECT.findall(content):
        if (stream := _STREAM.search(body)) is not None:
            try:
                found = _characters(_unpacked(stream[1], stream[2]))
            except ValueError:  # said by read()
                continue
            if found is not None:
                maps[number] = found
    uses = {
        number: use[1]
        for number, body in _OBJECT.findall(content)
        if (use := re.search(rb"/ToUnicode\s+(\d+)", _STREAM.sub(b"", body)))
    }
    fonts: dict[bytes, Characters] = {}
    unclear = set()
    for name, number in re.findall(rb"/([^\s/<>\[\]()]+)\s+(\d+)\s+\d+\s+R\b", _STREAM.sub(rb"\1", content)):
        found = maps.get(uses.get(number, b""))
        if found is not None and fonts.setdefault(name, found) is not found:
            unclear.add(name)
    return {name: found for name, found in fonts.items() if name not in unclear}, list(maps.values())


def _characters(part: bytes) -> Characters | None:
    """The map that a stream holds; None if it is not a map."""
    pairs = dict(_single(part)) | dict(_ranges(part))
    if not pairs:
        return None
    width = re.search(rb"(?:beginbfchar|beginbfrange)\s*<([0-9A-Fa-f]+)>", part)
    return Characters(max(1, len(width[1]) // 2) if width else 2, pairs)


def _single(part: bytes) -> Iterator[tuple[int, str]]:
    for block in re.findall(rb"beginbfchar(.*?)endbfchar", part, re.DOTALL):
        for code, text in re.findall(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            yield int(code, 16), _utf16(text)


def _ranges(part: bytes) -> Iterator[tuple[int, str]]:
    for block in re.findall(rb"beginbfrange(.*?)endbfrange", part, re.DOTALL):
        for first, last, several, one in re.findall(
            rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*(?:\[([^\]]*)\]|<([0-9A-Fa-f]+)>)", block
        ):
            codes = range(int(first, 16), min(int(last, 16), int(first, 16) + 65535) + 1)
            if not one:
                yield from zip(codes, map(_utf16, re.findall(rb"<([0-9A-Fa-f]+)>", several)), strict=False)
            elif len(one) <= 4:
                yield from ((code, chr(min(int(one, 16) + code - codes.start, 0xFFFF))) for code in codes)
            else:
                yield codes.start, _utf16(one)


def _utf16(digits: bytes) -> str:
    return bytes.fromhex(digits.decode().zfill(len(digits) + -len(digits) % 4)).decode("utf-16-be", "replace")
