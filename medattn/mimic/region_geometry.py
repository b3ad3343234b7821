"""Where a finding lies in an image, in pixels of the original, whatever the source of the region.

A pixel with index i reaches from i to i + 1: a box x, w covers the columns from x to x + w. A source's box becomes every
pixel that it touches, as `medattn.radiographs.reader` reads a box; an ellipse every pixel whose centre it holds.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Literal, NamedTuple

import numpy as np

# Why something that a source says became no region, or not the one that it says. Counted, never silent.
OTHER_IMAGE = "image is not in the study"
OTHER_SIZE = "image has another size than its regions were drawn on"
OUTSIDE = "box is empty, or outside its image"
NO_CENTRE = "ellipse holds no pixel's centre"
CLIPPED = "kept, clipped to the image"
ABSENT = "labels say absent"
DUPLICATED = "duplicated"

Sizes = Mapping[str, tuple[int, int]]  # image_id -> (width, height) of the original, in pixels


@dataclass(frozen=True, order=True)
class Region:
    """A finding in an image. x, y, w, h in original pixels: the box, or the box whose sides the ellipse touches."""

    image_id: str  # the dicom_id
    finding: str  # a value of layout.LABELS
    side: str  # the patient's: left, right, or "" where the source does not say
    x: float
    y: float
    w: float
    h: float
    shape: Literal["box", "ellipse"] = "box"


class Drawn(NamedTuple):
    """A region as its source has it. size: (width, height) of the image it was drawn on; None where the source is silent."""

    region: Region
    size: tuple[float, ...] | None = None


def unknown(category: str) -> str:
    """The reason that counts a category of the source that is not one of this study's findings."""
    return f"category {category!r} is not a finding of this study"


def fit(region: Region, size: tuple[int, int], counts: Counter[str]) -> Region | None:
    """The region as its image can hold it, or None if nothing of it lies there; `size` is (width, height).

    A box is cut to whole pixels of the image. An ellipse keeps its box, which may reach outside: cutting it would change
    the ellipse.
    """
    x0, y0, x1, y1 = floor(region.x), floor(region.y), ceil(region.x + region.w), ceil(region.y + region.h)
    left, top, right, bottom = max(0, x0), max(0, y0), min(size[0], x1), min(size[1], y1)
    if region.w <= 0 or region.h <= 0 or left >= right or top >= bottom:
        counts[OUTSIDE] += 1
        return None
    if region.shape == "ellipse" and not _window(region, (left, top, right, bottom)).any():
        counts[NO_CENTRE] += 1
        return None
    if (left, top, right, bottom) != (x0, y0, x1, y1):
        counts[CLIPPED] += 1
    if region.shape == "ellipse":
        return region
    return replace(region, x=left, y=top, w=right - left, h=bottom - top)


def mask_of(region: Region, size: tuple[int, int]) -> np.ndarray:
    """The region's pixels in an image of `size` (width, height): bool [height, width]."""
    width, height = size
    left, right = max(0, floor(region.x)), min(width, ceil(region.x + region.w))
    top, bottom = max(0, floor(region.y)), min(height, ceil(region.y + region.h))
    mask = np.zeros((height, width), dtype=bool)
    if left < right and top < bottom:
        mask[top:bottom, left:right] = _window(region, (left, top, right, bottom)) if region.shape == "ellipse" else True
    return mask


def _window(region: Region, window: tuple[int, int, int, int]) -> np.ndarray:
    """Which pixels of a window (left, top, right, bottom) have their centre in the ellipse: bool [rows, columns]."""
    left, top, right, bottom = window
    across = (np.arange(left, right) + 0.5 - (region.x + region.w / 2)) / (region.w / 2)
    down = (np.arange(top, bottom) + 0.5 - (region.y + region.h / 2)) / (region.h / 2)
    return np.add.outer(down**2, across**2) <= 1
