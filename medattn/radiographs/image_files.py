"""Image files as a study may hold them: inside their root, complete, with the pinned bytes, eight bits of grey or RGB.

A DICOM file is shown as its own header says a display shows it, in eight bits of grey.
"""

import hashlib
import io
import struct
import zlib
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageFile

from medattn.base.errors import InputError
from medattn.radiographs.dicom_display import MisleadingHeaderError, displayed, padded, says_how

CONVERT = "convert it (for example `magick IN -colorspace Gray -depth 8 -alpha off OUT.png`) and pin the new file's sha256"
RESTORE = "restore the file, or pin the new one"
NOT_ON_DISK = "image file is not on disk: complete the copy"
LEAST_CONTRAST = 16  # grey levels, below which an image is as good as empty
LEAST_SPREAD = 51  # the same of a DICOM file whose darkest and brightest pixel alone say what is black and white
ORIENTATION = 0x0112  # EXIF tag; 1 is upright
PREAMBLE = 128  # bytes before the letters DICM
# Whatever Pillow raises for a file that is damaged, depending on where the damage is.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error, Image.DecompressionBombError)


class ImageFileError(Exception):
    """A file that a study must not hold. The message says what is wrong and what to do; `reason` names no file."""

    def __init__(self, message: str, reason: str = "image file cannot be decoded: fetch it again") -> None:
        super().__init__(message)
        self.reason = reason


class UnreadableFileError(ImageFileError):
    """A file that is not there, not the one that is pinned, or not to be decoded: the others may be well."""


def read_file(root: Path, relative: str) -> bytes:
    """What the file at `relative` below `root` holds, by whatever links: its hash says whether it is the right one.

    Raises ImageFileError for a path that is not below `root` as it is written, and UnreadableFileError for a file that is
    absent, empty or not to be read.
    """
    inside = f"give a path below {root}, with / between its parts"
    if not relative:
        raise ImageFileError(f"path is empty: {inside}")
    if "\\" in relative or "\x00" in relative or PurePosixPath(relative).is_absolute() or ".." in relative.split("/"):
        raise ImageFileError(f"path {relative!r} leaves {root}, or is not relative: {inside}")
    path = root / relative
    try:
        if link := dead_link(path):
            raise UnreadableFileError(
                f"{path} is absent: {link} is a link to {link.readlink()}, which is not there: mount it, or link it again",
                "image file is behind a link to nothing: mount the storage that it leads to, or link it again",
            )
        if not path.is_file():
            raise UnreadableFileError(f"{path} is absent or no file: restore it, or remove the row", NOT_ON_DISK)
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(
            f"{path} cannot be read ({error.strerror}): let this user read it, or restore the file",
            f"image file cannot be read ({error.strerror}): let this user read it, or restore it",
        ) from None
    if not content:
        raise UnreadableFileError(f"{path} holds zero bytes: {RESTORE}", "image file holds zero bytes: restore it")
    return content


def dead_link(path: Path) -> Path | None:
    """The link on the way to `path` that leads nowhere, or to itself; None if all is there, or absent without a link."""
    if path.exists():
        return None
    return next((place for place in (path, *path.parents) if place.is_symlink() and not place.exists()), None)


def read_pinned(root: Path, relative: str, sha256: str) -> bytes:
    """What the file at `relative` below `root` holds.

    Raises the errors of `read_file`, and UnreadableFileError if its bytes do not hash to `sha256`.
    """
    content = read_file(root, relative)
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise UnreadableFileError(
            f"{root / relative} has sha256 {found}, the table pins {sha256!r}: {RESTORE}",
            "image file is not the pinned one: restore it",
        )
    return content


def open_image(root: Path, relative: str, sha256: str, modes: tuple[str, ...] = ("L", "RGB")) -> Image.Image:
    """The fully decoded image at `relative` below `root`. Raises the errors of `read_pinned` and of `decoded`."""
    return decoded(root / relative, read_pinned(root, relative, sha256), modes)


def decoded(path: Path, content: bytes, modes: tuple[str, ...] = ("L", "RGB")) -> Image.Image:
    """The image that the file at `path` holds, decoded to its end.

    Raises UnreadableFileError if it cannot be, or if it is not 8-bit with one of `modes`; InputError where a package is
    missing, which no other file would mend. A DICOM file, by its name or by its first bytes, comes as grey (mode L).
    """
    if path.suffix.lower() == ".dcm" or content[PREAMBLE : PREAMBLE + 4] == b"DICM":
        return _open_dicom(path, content)
    try:
        with Image.open(io.BytesIO(content)) as image:
            depth = _depth(image, content)
            turned = image.getexif().get(ORIENTATION, 1)
            image.load()
    except Image.DecompressionBombError as error:
        raise UnreadableFileError(
            f"{path} is too large to be a radiograph, and a file that says so may be made to fill the memory ({error}):"
            f" {RESTORE}, or reduce it (for example `magick IN -resize 4096x4096 OUT.png`)",
            "image file is too large to be a radiograph: restore the published file",
        ) from None
    except DAMAGE as error:
        raise UnreadableFileError(f"{path} cannot be decoded, it is truncated or no image ({error}): {RESTORE}") from None
    if turned not in (0, 1):
        raise UnreadableFileError(
            f"{path} has EXIF orientation {turned}: its pixels are stored turned or mirrored, and models and viewers differ in"
            " whether they turn them; store them upright (for example `magick IN -auto-orient OUT.png`) and pin the new file",
            f"image file has EXIF orientation {turned}: store it upright",
        )
    shown = _without_opaque_alpha(image)
    if depth != 8 or shown.mode not in modes:
        wanted = "grey (mode L) or RGB" if "RGB" in modes else "grey (mode L)"
        raise UnreadableFileError(
            f"{path} has mode {shown.mode}, {depth} bits, expected 8-bit {wanted}: {CONVERT}",
            f"image file has mode {shown.mode}, {depth} bits, expected 8-bit {wanted}: restore the published file",
        )
    return shown


def open_radiograph(root: Path, relative: str, sha256: str) -> Image.Image:
    """The image as `open_image` gives it; raises its errors, and UnreadableFileError for one that shows next to nothing."""
    return decoded_radiograph(root / relative, read_pinned(root, relative, sha256))


def decoded_radiograph(path: Path, content: bytes) -> Image.Image:
    """The image as `decoded` gives it; raises its errors, and UnreadableFileError for one that shows next to nothing."""
    image = decoded(path, content)
    check_contrast(image, path)
    return image


def check_contrast(image: Image.Image, path: Path) -> None:
    """Raise UnreadableFileError for an image that takes up few grey levels: nothing would be seen in it."""
    low, high = extent(image)
    if high - low < LEAST_CONTRAST:
        raise UnreadableFileError(
            f"{path} shows grey values {low} to {high} only, but for a few pixels or a flat part, expected a range of at least"
            f" {LEAST_CONTRAST} of 255: a wrong VOI LUT or window, one hot pixel, padding, or an empty exposure; {CONVERT}",
            "image file is nearly one grey: leave it out, or convert it with another window",
        )


def extent(image: Image.Image) -> tuple[int, int]:
    """The grey levels, 0–255, between which an image shows something: without its outer 1 %, or on the wider side of the
    widest gap between its levels, whichever is less.

    The first leaves out a few hot or dead pixels, the second a flat part, as padding, far from all other values.
    """
    counts = np.array(image.convert("L").histogram())
    below, used = np.cumsum(counts), np.flatnonzero(counts)
    most = np.searchsorted(below, (0.005 * below[-1], 0.995 * below[-1]), side="right")
    sides = np.split(used, [1 + np.argmax(np.diff(used))]) if len(used) > 1 else [used]
    ends = [(int(part[0]), int(part[-1])) for part in (most, *sides)]
    wider = max(ends[1:], key=lambda pair: pair[1] - pair[0])
    return min(ends[0], wider, key=lambda pair: pair[1] - pair[0])


def _without_opaque_alpha(image: Image.Image) -> Image.Image:
    """Grey or RGB, where the image has an alpha channel that hides nothing; else the image itself."""
    opaque = image.mode in ("LA", "RGBA") and image.getchannel("A").getextrema() == (255, 255)
    return image.convert(image.mode.removesuffix("A")) if opaque else image


def _depth(image: ImageFile.ImageFile, content: bytes) -> int:
    """Bits per channel in the file: Pillow reads a 16-bit RGB file as an 8-bit image without a word."""
    if image.format == "PNG":
        return content[24]  # IHDR
    raw_mode = str(image.tile[0][3]) if image.tile else ""
    return 16 if ";16" in raw_mode or image.mode.startswith("I") else 32 if image.mode == "F" else 8


def _open_dicom(path: Path, content: bytes) -> Image.Image:
    """The one grey frame of a DICOM file, as a display shows it, 8-bit (mode L). Raises ImageFileError, InputError."""
    try:
        from pydicom import dcmread
    except ModuleNotFoundError:
        raise InputError("an image is a DICOM file, pydicom reads it: `pip install 'medattn[dicom]'`") from None
    try:
        dataset = dcmread(io.BytesIO(content))
        colour, frames = dataset.PhotometricInterpretation, int(dataset.get("NumberOfFrames") or 1)
        if colour not in ("MONOCHROME1", "MONOCHROME2") or dataset.SamplesPerPixel != 1 or frames != 1:
            raise UnreadableFileError(
                f"{path} holds {frames} frame(s) of {colour}, expected one of MONOCHROME1 or MONOCHROME2: {CONVERT}"
            )
        shown = displayed(dataset)
        if not np.isfinite(shown).all():
            raise ValueError("rescale or window is not a number")
        if colour == "MONOCHROME1":
            shown = 1 - shown
        shown = np.where(padded(dataset), 0.0, shown)  # what was not exposed is black, whatever the window makes of it
    except ImageFileError:
        raise
    except MisleadingHeaderError as error:
        raise _misleading(path, str(error)) from None
    except Exception as error:  # pydicom raises whatever a damaged element happens to break
        raise UnreadableFileError(
            f"{path} cannot be decoded, it is damaged, no DICOM image, or compressed in a way that pydicom does not read"
            f" here ({error}): {RESTORE}, if need be decompressed (`gdcmconv --raw IN OUT`)"
        ) from None
    image = Image.fromarray(np.rint(255 * shown).astype(np.uint8))
    low, high = extent(image)
    if not says_how(dataset) and high - low < LEAST_SPREAD and image.getextrema() == (0, 255):
        raise _misleading(
            path, "it has no window, its darkest value becomes black and its brightest white, and so nearly all others lie"
            f" within {high - low} of 255 grey levels: hot or dead pixels, or padding that PixelPaddingValue does not name",
        )  # fmt: skip
    return image


def _misleading(path: Path, said: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"{path} would be shown wrong: {said}; convert it with a window of your own and pin the new file's sha256, or leave the"
        " image out",
        "image file's DICOM header would show it nearly as one grey: leave it out, or convert it with a window of your own",
    )
