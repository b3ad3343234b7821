"""Areas of an image as coverage of grid cells, and their boxes.

A pixel (x, y) of an original image of W x H pixels belongs to the cell column floor(16·x/W) and row floor(16·y/H):
the processor stretches every image to one square model input. Coverage is float [cells, cells], the area fraction of each cell.
Masks are measured in integers, so the same mask has the same coverage on every processor.
"""

import numpy as np


def _pixel_weights(pixels: int, cells: int) -> np.ndarray:
    """Overlap of each cell with each pixel, in units of 1/cells pixel: whole numbers, float [cells, pixels]."""
    cell, pixel = np.arange(cells)[:, None] * pixels, np.arange(pixels)[None, :] * cells
    shared = np.minimum(cell + pixels, pixel + cells) - np.maximum(cell, pixel)
    return np.maximum(shared, 0).astype(np.float64)


def _check_mask(mask: np.ndarray) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.ndim != 2 or mask.size == 0:
        raise ValueError(f"mask is {mask.dtype} {list(mask.shape)}, expected bool [height, width]")
    return mask


def _check_cells(cells: int) -> int:
    if cells != int(cells) or cells < 1:
        raise ValueError(f"cells is {cells!r}, expected a whole number >= 1")
    return int(cells)


def cell_coverage(mask: np.ndarray, cells: int = 16) -> np.ndarray:
    """Area fraction of a mask bool [H, W] in each cell → float [cells, cells] in [0, 1].

    Exact for any H and W: a pixel that two cells share counts for each with its part, in whole numbers until the
    last division.
    """
    return placed_coverage(mask, (0, 0), np.shape(mask), cells)


def placed_coverage(part: np.ndarray, corner: tuple[int, int], shape: tuple[int, ...], cells: int = 16) -> np.ndarray:
    """The same of a mask that is empty but for a `part` bool [h, w], whose first pixel lies at `corner` (row, column).

    shape: of the whole mask, [H, W].
    """
    part, cells = _check_mask(part), _check_cells(cells)
    inside = [slice(first, first + length) for first, length in zip(corner, part.shape, strict=True)]
    down, across = (_pixel_weights(side, cells)[:, at] for side, at in zip(shape, inside, strict=True))
    return down @ part.astype(np.float64) @ across.T / (shape[0] * shape[1])


def pixel_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Smallest box (x0, y0, x1, y1) around a mask bool [H, W], in pixels, x1 and y1 behind it.

    Raises ValueError if it is empty.
    """
    mask = _check_mask(mask)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        raise ValueError("the mask is empty, expected at least one pixel")
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def box_in_fractions(box: tuple[int, int, int, int], shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """A box (x0, y0, x1, y1) in pixels of an image of this shape [H, W], in fractions of width and height."""
    (x0, y0, x1, y1), (height, width) = box, shape
    return x0 / width, y0 / height, x1 / width, y1 / height
