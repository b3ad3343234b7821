"""The ways a text can be read: as it is, with its escapes undone, backwards, and what is packed into its words.

Identifiers hide in any of them: as fullwidth digits or with invisible characters between, as `&#49;`, `%31` or `\\u0031`, in
Base64, Base32 or hexadecimal, as UTF-16 or compressed inside of these, as number words.
"""

import base64
import binascii
import contextlib
import html
import re
import unicodedata
import zlib
from collections.abc import Iterator
from urllib.parse import unquote

_ESCAPE = re.compile(r"\\u\{?([0-9a-fA-F]{4,6})\}?|\\U([0-9a-fA-F]{8})|\\x([0-9a-fA-F]{2})|=([0-9A-F]{2})(?![0-9A-Za-z])")
_QUOTED = re.compile(r"(?:=[0-9A-F]{2}){3,}")  # quoted-printable
_SHORT_ESCAPE = re.compile(r"\\[nrtbfv/\"'_\\]")
_NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SPELLED = re.compile(rf"\b(?:{'|'.join(_NUMBER_WORDS)})\b", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_BASE32 = re.compile(r"[A-Z2-7]{13,}|[a-z2-7]{13,}")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:(?:0x|\\x|%|#)?[0-9a-fA-F]{2}[ :,;-]{0,2}){6,}")
_POWER = re.compile(r"(?<![\w.])(\d+(?:\.\d*)?|\.\d+)[eE]\+?(\d{1,2})\b")
_HEX_NUMBER = re.compile(r"\b0x([0-9a-fA-F]{5,})\b")
_TAG = re.compile(r"<[^<>]*>")
_DIGEST = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})")
_PRINTABLE = re.compile(rb"[\x20-\x7e\s]{6,}")
_UNPACKED = 1 << 20  # bytes that are looked at of something compressed
DEPTH = 3  # packed inside packed


def readings(text: str, depth: int = DEPTH) -> Iterator[tuple[int, str]]:
    """(line, from 1, at which it begins; a text as it can be read), the plain one first."""
    plain = _plain(text)
    unescaped = _unescaped(plain)
    backwards = _backwards(unescaped)
    for reading in dict.fromkeys((plain, unescaped, _TAG.sub(" ", unescaped), _spelled(unescaped), backwards)):
        yield 1, reading
    if depth:
        for source in dict.fromkeys((text, unescaped, backwards)):
            for at, content in _packed(source):
                line = source.count("\n", 0, at) + 1
                for decoded in _texts(content):
                    yield from ((line, inner) for _, inner in readings(decoded, depth - 1))


def _plain(text: str) -> str:
    """Compatible characters made plain (fullwidth and raised digits), invisible ones taken out, digits of any script ASCII."""
    visible = (letter for letter in unicodedata.normalize("NFKC", text) if unicodedata.category(letter) not in ("Cf", "Mn"))
    return "".join(str(unicodedata.digit(one)) if one.isdigit() and not one.isascii() else one for one in visible)


def _unescaped(text: str) -> str:
    """HTML's, URLs', JSON's and LaTeX's escapes, powers of ten and hexadecimal numbers undone, also inside each other."""
    for _ in range(DEPTH):
        before = text
        text = unquote(html.unescape(text), errors="replace")
        text = _QUOTED.sub(lambda match: bytes.fromhex(match[0].replace("=", "")).decode("latin-1"), text)
        text = _ESCAPE.sub(lambda match: _character(int(match[1] or match[2] or match[3] or match[4], 16)), text)
        text = _SHORT_ESCAPE.sub(lambda match: "_" if match[0] == "\\_" else " ", text)
        text = _POWER.sub(lambda match: f"{float(match[1]) * 10 ** int(match[2]):.0f}", text)
        text = _HEX_NUMBER.sub(lambda match: str(int(match[1], 16)), text)
        if text == before:
            break
    return _plain(text)


def _character(code: int) -> str:
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"


def _spelled(text: str) -> str:
    return _SPELLED.sub(lambda word: str(_NUMBER_WORDS.index(word[0].lower())), text)


def _backwards(text: str) -> str:
    return "\n".join(line[::-1] for line in text.split("\n"))


def _packed(text: str) -> Iterator[tuple[int, bytes]]:
    """Where something may be packed into letters and digits, and its bytes."""
    for match in _BASE64.finditer(text):
        for skip in range(0 if _DIGEST.fullmatch(match[0]) else 4):
            letters = match[0][skip:].replace("-", "+").replace("_", "/")
            yield match.start(), base64.b64decode(letters[: len(letters) - (len(letters) % 4 == 1)] + "==")
    for match in _BASE32.finditer(text):
        letters = match[0].upper()
        try:
            yield match.start(), base64.b32decode(letters + "=" * (-len(letters) % 8))
        except binascii.Error:
            continue
    for match in _HEX.finditer(text):
        digits = re.sub(r"0x|\\x|[^0-9a-fA-F]", "", match[0])
        yield match.start(), bytes.fromhex(digits[: len(digits) // 2 * 2])


def _texts(content: bytes) -> Iterator[str]:
    """Bytes as text; nothing for what is not text in any way."""
    if content[:1] in (b"\x1f", b"\x78"):  # gzip, zlib
        with contextlib.suppress(zlib.error):  # not compressed after all
            yield from _printable(zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(content, _UNPACKED))
    yield from _printable(content)


def _printable(content: bytes) -> Iterator[str]:
    """What of the bytes, NUL aside, is text."""
    if found := _PRINTABLE.findall(content.replace(b"\0", b"")):
        yield b"\n".join(found).decode("ascii")
