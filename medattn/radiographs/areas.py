"""Parts of images as they are stored: where each lies, its outline without loss, and how much of each grid cell it covers.

A table of areas is a safetensors file of columns, in order of key; its header does not grow with the number of rows.

| column | what |
|---|---|
| key | uint8 [row, 32]: SHA-256 of the text by which a row is found; several rows may have one |
| size | int32 [row, 2]: width and height of the whole image, pixels |
| box | int32 [row, 4]: the smallest box around the area, x0, y0, x1, y1 in pixels; all 0 for an empty one |
| coverage | float64 [row, 16, 16]: area fraction of each cell |
| changes, end | uint32 [change], int64 [row]: measures.bit_runs of the mask inside the box; a row ends where the next begins |
| note, notes | int32 [row] and uint8 [byte]: number of a row's note, and all of them as a JSON list |
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load, save

from medattn.measures import bit_runs
from medattn.measures.body import box_in_fractions, pixel_box, placed_coverage

COLUMNS = ("key", "size", "box", "coverage", "changes", "end", "note", "notes")
CELLS = 16
NOWHERE = (0, 0, 0, 0)


@dataclass(frozen=True)
class Area:
    """Part of an image of `width` x `height` pixels."""

    width: int
    height: int
    pixels: tuple[int, int, int, int]  # the smallest box around it: x0, y0, x1, y1
    changes: np.ndarray  # uint32 [change], of the mask inside the box
    coverage: np.ndarray  # float64 [16, 16], area fraction of each cell

    @property
    def is_empty(self) -> bool:
        return self.pixels == NOWHERE

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The smallest box around it, in fractions of width and height."""
        return box_in_fractions(self.pixels, (self.height, self.width))

    @property
    def mask(self) -> np.ndarray:
        """bool [height, width], made anew each time."""
        x0, y0, x1, y1 = self.pixels
        mask = np.zeros((self.height, self.width), dtype=bool)
        mask[y0:y1, x0:x1] = bit_runs.decode(self.changes, (y1 - y0, x1 - x0))
        return mask


def area_of(mask: np.ndarray) -> Area:
    """A mask bool [H, W] with at least one pixel as it is stored."""
    x0, y0, x1, y1 = pixel_box(mask)
    return placed_area(mask[y0:y1, x0:x1], (x0, y0), mask.shape)


def placed_area(part: np.ndarray, corner: tuple[int, int], shape: tuple[int, ...]) -> Area:
    """The area of a `part` bool [h, w] with pixels along each side, whose first pixel lies at `corner` (x, y) of [H, W]."""
    (x, y), (height, width) = corner, shape
    box = (x, y, x + part.shape[1], y + part.shape[0])
    return Area(width, height, box, bit_runs.encode(part), placed_coverage(part, (y, x), shape, CELLS))


def no_area(width: int, height: int) -> Area:
    """Of an image in which there is nothing to be found."""
    return Area(width, height, NOWHERE, np.zeros(0, np.uint32), np.zeros((CELLS, CELLS)))


def key_of(text: str) -> bytes:
    """By what the rows of an image or a file are found."""
    return hashlib.sha256(text.encode()).digest()


def encode(rows: Iterable[tuple[bytes, str, Area]]) -> bytes:
    """A table of (key, note, area), in order of key and, among rows of one key, of their notes."""
    ordered = sorted(rows, key=lambda row: row[:2])
    notes = sorted({note for _, note, _ in ordered})
    number = {note: index for index, note in enumerate(notes)}
    areas = [area for _, _, area in ordered]
    columns: dict[str, np.ndarray] = {
        "key": np.frombuffer(b"".join(key for key, _, _ in ordered), np.uint8).reshape(-1, 32),
        "size": np.array([(area.width, area.height) for area in areas], np.int32),
        "box": np.array([area.pixels for area in areas], np.int32),
        "coverage": np.stack([area.coverage for area in areas]),
        "changes": np.concatenate([area.changes for area in areas]),
        "end": np.cumsum([len(area.changes) for area in areas]),
        "note": np.array([number[note] for _, note, _ in ordered], np.int32),
        "notes": np.frombuffer(json.dumps(notes).encode(), np.uint8),
    }
    return save(columns)


class AreaTable:
    """A table that `encode` has made. Of a file only the rows that are asked for are read."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        """columns: name -> array, or a slice of a file that gives one where it is indexed."""
        self._columns = columns
        self._keys = np.ascontiguousarray(columns["key"][:])
        self._first = self._keys[:, :8].copy().view(">u8").ravel()  # rising, as the keys are
        self._notes = json.loads(columns["notes"][:].tobytes())

    @classmethod
    def opened(cls, path: Path) -> "AreaTable":
        """The table in a file, which stays open. Raises FileNotFoundError."""
        file = safe_open(path, framework="np")
        return cls({name: file.get_slice(name) for name in COLUMNS})

    @classmethod
    def decoded(cls, content: bytes) -> "AreaTable":
        """The table that these bytes hold."""
        return cls(load(content))

    def rows(self, key: bytes) -> Iterator[tuple[str, Area]]:
        """(note, area) of every row with this key."""
        start = int.from_bytes(key[:8], "big")
        first, end = (int(np.searchsorted(self._first, np.uint64(start), side)) for side in ("left", "right"))
        for row in range(first, end):
            if self._keys[row].tobytes() == key:
                yield self._row(row)

    def _row(self, row: int) -> tuple[str, Area]:
        one = slice(row, row + 1)
        size, box, coverage, note = (self._columns[name][one][0] for name in ("size", "box", "coverage", "note"))
        ends = self._columns["end"][max(row - 1, 0) : row + 1]
        first, end = int(ends[0]) if row else 0, int(ends[-1])
        changes = self._columns["changes"][first:end] if first < end else np.zeros(0, np.uint32)
        width, height = size.tolist()
        x0, y0, x1, y1 = box.tolist()
        return self._notes[note], Area(width, height, (x0, y0, x1, y1), changes, coverage)
