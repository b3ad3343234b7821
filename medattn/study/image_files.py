"""Image files as a study may hold them: inside their root, complete, with the pinned bytes, eight bits of grey or RGB."""

import hashlib
import io
import struct
import zlib
from pathlib import Path, PurePosixPath

from PIL import Image

CONVERT = "convert it (for example `magick IN -colorspace Gray -depth 8 -alpha off OUT.png`) and pin the new file's sha256"
RESTORE = "restore the file, or pin the new one"
# Whatever Pillow raises for a file that is damaged, depending on where the damage is.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error, Image.DecompressionBombError)


class BadFile(Exception):
    """A file that a study must not hold. The message says what is wrong and what to do."""


def locate(root: Path, relative: str) -> Path:
    """The file at `relative` below `root`. Raises BadFile if it lies outside, also by symlink, or is absent or empty."""
    inside = f"give a path below {root}, with / between its parts"
    if not relative:
        raise BadFile(f"path is empty: {inside}")
    if "\\" in relative or "\x00" in relative or PurePosixPath(relative).is_absolute() or ".." in relative.split("/"):
        raise BadFile(f"path {relative!r} leaves {root}, or is not relative: {inside}")
    path = root / relative
    if not path.resolve().is_relative_to(root.resolve()):
        raise BadFile(f"path {relative!r} leaves {root} by a symlink to {path.resolve()}: {inside}")
    if not path.is_file():
        raise BadFile(f"{path} is absent or no file: restore it, or remove the row")
    if path.stat().st_size == 0:
        raise BadFile(f"{path} holds zero bytes: {RESTORE}")
    return path


def open_image(root: Path, relative: str, sha256: str, modes: tuple[str, ...] = ("L", "RGB")) -> Image.Image:
    """The fully decoded image at `relative` below `root`.

    Raises BadFile if it is not there, if its bytes do not hash to `sha256`, if it cannot be decoded to its end, or if
    it is not 8-bit with one of `modes`.
    """
    path = locate(root, relative)
    content = path.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise BadFile(f"{path} has sha256 {found}, the table pins {sha256!r}: {RESTORE}")
    try:
        with Image.open(io.BytesIO(content)) as image:
            depth = _depth(image, content)
            image.load()
    except DAMAGE as error:
        raise BadFile(f"{path} cannot be decoded, it is truncated or no image ({error}): {RESTORE}") from None
    if depth != 8 or image.mode not in modes:
        wanted = "grey (mode L) or RGB" if "RGB" in modes else "grey (mode L)"
        raise BadFile(f"{path} has mode {image.mode}, {depth} bits, expected 8-bit {wanted}: {CONVERT}")
    return image


def _depth(image: Image.Image, content: bytes) -> int:
    """Bits per channel in the file: Pillow reads a 16-bit RGB file as an 8-bit image without a word."""
    if image.format == "PNG":
        return content[24]  # IHDR
    raw_mode = str(image.tile[0][3]) if image.tile else ""
    return 16 if ";16" in raw_mode or image.mode.startswith("I") else 32 if image.mode == "F" else 8
