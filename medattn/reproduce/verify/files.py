"""Compares two files whose bytes differ, each kind in its own way."""

import base64
import binascii
import io
import json
import re
import struct
import tokenize
import zlib
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image
from safetensors import SafetensorError, safe_open

from medattn.attention.captures import METADATA
from medattn.base.errors import InputError
from medattn.reproduce.verify import crate_hashes, texts
from medattn.reproduce.verify.deviation import Comparison, Differences, Verdict
from medattn.reproduce.verify.tolerance import Tolerance

# What the readers of the formats raise for a file that was cut off or changed by hand.
UNREADABLE = (
    ValueError, KeyError, IndexError, TypeError, EOFError, OSError, SyntaxError, InputError, struct.error, zlib.error,
    tokenize.TokenError, SafetensorError,
)  # fmt: skip
SAMPLES = "samples|id"  # the tensor of a grid store that names the rows of others
CELLS = 256  # of a grid that the gallery packs into bytes
# What stands for an image or a grid inside a page.
_PACKED = re.compile(r"(?:data:[\w/+.-]+;base64,)?[A-Za-z0-9+/]{64,}={0,2}")
# Where a PDF's parts lie: follows from their lengths.
_PLACES = re.compile(rb"\nxref\r?\n.*", re.DOTALL)
_LENGTHS = re.compile(rb"(\d+ \d+ obj\s)\d+(\sendobj)|(/Length\d? )\d+(?= /| >)")


def compare_files(name: str, recorded: Path, found: Path, tolerance: Tolerance) -> Comparison:
    """How `found` deviates from `recorded`; both have different bytes. name: the file's path, which tells its kind.

    A PDF is only looked at as a drawing: what it was drawn from decides (medattn/reproduce/verify/sources.py).
    """
    differences = Differences(tolerance)
    compare = _crate if name == crate_hashes.CRATE else KINDS.get(PurePosixPath(name).suffix, _bytes)
    try:
        compare(recorded, found, differences)
    except UNREADABLE as error:
        then, now = recorded.read_bytes(), found.read_bytes()
        said = f"{len(now):,} bytes, recorded {len(then):,}; the first that differs is byte {_first(then, now):,}"
        return Comparison(Verdict.DIFFERENT, why=(f"cannot be read ({said}): {error}",))
    return differences.comparison()


def _bytes(recorded: Path, found: Path, differences: Differences) -> None:
    """Any other file: the first line that differs; the first byte of what is not text."""
    then, now = recorded.read_bytes(), found.read_bytes()
    try:
        old, new = then.decode("utf-8").split("\n"), now.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        pass
    else:
        pairs = enumerate(zip_longest(old, new), start=1)
        number, (one, other) = next((number, pair) for number, pair in pairs if pair[0] != pair[1])
        said = ["is not there" if line is None else texts.short(line) for line in (other, one)]
        differences.different(f"line {number}: {said[0]}, recorded {said[1]}")
        return
    differences.different(f"byte {_first(then, now):,} differs ({len(now):,} bytes, recorded {len(then):,})")


def _first(recorded: bytes, found: bytes) -> int:
    """Where the first byte differs, from 0; the shorter length if one continues the other."""
    length = min(len(recorded), len(found))
    unequal = np.frombuffer(recorded[:length], np.uint8) != np.frombuffer(found[:length], np.uint8)
    return int(unequal.argmax()) if unequal.any() else length


# --- text -------------------------------------------------------------------------------------------------------------


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


def _table(recorded: Path, found: Path, differences: Differences) -> None:
    texts.tables(_text(recorded), _text(found), differences)


def _json(recorded: Path, found: Path, differences: Differences) -> None:
    texts.jsons(_text(recorded), _text(found), differences)


def _crate(recorded: Path, found: Path, differences: Differences) -> None:
    texts.jsons(crate_hashes.without_hashes(_text(recorded)), crate_hashes.without_hashes(_text(found)), differences)


def _tex(recorded: Path, found: Path, differences: Differences) -> None:
    texts.pages(_text(recorded), _text(found), differences)


def _html(recorded: Path, found: Path, differences: Differences) -> None:
    """The text with numbers as numbers, the images inside by pixels, the gallery's grids by their bytes."""
    then, now = _text(recorded), _text(found)
    texts.pages(_PACKED.sub("PACKED", then), _PACKED.sub("PACKED", now), differences)
    packed, others = _PACKED.findall(then), _PACKED.findall(now)
    if len(packed) != len(others):
        differences.different(f"{len(others)} images and grids, recorded {len(packed)}")
    for number, (one, other) in enumerate(zip(packed, others, strict=False), start=1):
        if one != other:
            _packed(f"image or grid {number}: ", one, other, differences)


def _packed(place: str, recorded: str, found: str, differences: Differences) -> None:
    try:
        then, now = (base64.b64decode(text.rpartition(",")[2], validate=True) for text in (recorded, found))
    except binascii.Error:
        differences.different(f"{place}cannot be read")
        return
    if len(then) == len(now) == CELLS:
        differences.image(place, *(np.frombuffer(one, np.uint8).reshape(16, 16, 1) for one in (then, now)))
        return
    try:
        images = [_channels(one) for one in (then, now)]
    except OSError:
        differences.different(f"{place}is not an image, and its bytes differ")
        return
    differences.image(place, *images)


# --- images ---------------------------------------------------------------------------------------------------------


def _channels(content: bytes) -> np.ndarray:
    """uint8 [row, column, 4]: red, green, blue, opacity."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGBA"))


def _image(recorded: Path, found: Path, differences: Differences) -> None:
    differences.image("", _channels(recorded.read_bytes()), _channels(found.read_bytes()))


def _drawing(recorded: Path, found: Path, differences: Differences) -> None:
    """A PDF's operators as text, numbers as numbers."""
    then, now = (_LENGTHS.sub(rb"\1\2\3", _PLACES.sub(b"", path.read_bytes())).decode("latin-1") for path in (recorded, found))
    texts.pages(then, now, differences)


# --- arrays -----------------------------------------------------------------------------------------------------------


def _array(recorded: Path, found: Path, differences: Differences) -> None:
    differences.array("grid", *(np.load(path, allow_pickle=False) for path in (recorded, found)))


def _tensors(recorded: Path, found: Path, differences: Differences) -> None:
    """Tensor by tensor, and the JSON in the metadata."""
    with safe_open(recorded, framework="np") as then, safe_open(found, framework="np") as now:
        texts.jsons(_about(then), _about(now), differences, "metadata")
        names, others = sorted(then.keys()), set(now.keys())
        for name in sorted(others - set(names)):
            differences.different(f"tensor {name} is extra")
        labels = _samples(then) if SAMPLES in names else ()
        for name in names:
            if name not in others:
                differences.different(f"tensor {name} is missing")
            else:
                differences.array(f"tensor {name}", then.get_tensor(name), now.get_tensor(name), labels)


def _about(file: Any) -> str:
    metadata = file.metadata() or {}
    return metadata.get(METADATA, json.dumps(metadata))


def _samples(file: Any) -> tuple[str, ...]:
    """What the rows of a grid store are called, in their order."""
    return tuple(row.tobytes().rstrip(b"\0").decode() for row in file.get_tensor(SAMPLES))


KINDS: dict[str, Callable[[Path, Path, Differences], None]] = {
    ".csv": _table, ".json": _json, ".tex": _tex, ".md": _tex, ".html": _html, ".png": _image, ".jpg": _image,
    ".pdf": _drawing, ".npy": _array, ".safetensors": _tensors,
}  # fmt: skip
