"""The true regions of a study's images, read from boxes and mask files."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path

import numpy as np

from medattn.base.errors import InputError
from medattn.measures.body import pixel_box
from medattn.radiographs.areas import Area, placed_area
from medattn.radiographs.image_files import ImageFileError, open_image

Part = tuple[int, int, np.ndarray]  # x and y of the first pixel, and bool [h, w]


@dataclass(frozen=True)
class RegionReader:
    """Reads the true regions of an image of the study in `directory`."""

    directory: Path

    def __call__(self, given: tuple[tuple[int, int], Sequence[Mapping[str, str]]]) -> list[tuple[str, Area]]:
        """(finding, union of its regions), of an image's (width, height) and its rows of regions.csv, which were checked.

        Raises InputError for a mask file that has changed since.
        """
        (width, height), rows = given
        parts: dict[str, list[Part]] = defaultdict(list)
        for row in rows:
            parts[row["finding"]].append(self._part(row))
        return [(finding, united(some, (height, width))) for finding, some in sorted(parts.items())]

    def _part(self, row: Mapping[str, str]) -> Part:
        """A region's mask, or every pixel that its box touches."""
        if not row["mask"]:
            x, y, w, h = (float(row[name]) for name in "xywh")
            return floor(x), floor(y), np.ones((ceil(y + h) - floor(y), ceil(x + w) - floor(x)), dtype=bool)
        try:
            return 0, 0, np.asarray(open_image(self.directory, row["mask"], row["mask_sha256"], ("L",))) > 0
        except ImageFileError as error:
            raise InputError(f"image {row['image_id']!r}: {error}") from None


def united(parts: Sequence[Part], shape: tuple[int, int]) -> Area:
    """The area of an image [H, W] that at least one of the parts covers."""
    left, top = min(x for x, _, _ in parts), min(y for _, y, _ in parts)
    right, bottom = max(x + part.shape[1] for x, _, part in parts), max(y + part.shape[0] for _, y, part in parts)
    mask = np.zeros((bottom - top, right - left), dtype=bool)
    for x, y, part in parts:
        mask[y - top : y - top + part.shape[0], x - left : x - left + part.shape[1]] |= part
    x0, y0, x1, y1 = pixel_box(mask)
    return placed_area(mask[y0:y1, x0:x1], (left + x0, top + y0), shape)
