"""Rotation of images, masks and grids about the image's centre, by one and the same affine map.

Angles are in degrees, counter-clockwise as seen (90 equals ``np.rot90``). A grid's cells are rectangles of the
image's aspect ratio, so a grid is rotated in pixel units, not in cells.
"""

import math

import numpy as np
from scipy import ndimage

TILE = 64  # pixels: a mask is turned tile by tile, since most of them come from where it is all of one kind
DIGITS = 12  # of sine and cosine, so that the processor's last bit decides nothing and 90 degrees are exact


def _matrix(degrees: float) -> np.ndarray:
    """Output (row, column) relative to the centre → input (row, column): float [2, 2]."""
    angle = math.radians(degrees)
    cosine, sine = round(math.cos(angle), DIGITS), round(math.sin(angle), DIGITS)
    return np.array([[cosine, sine], [-sine, cosine]])


def rotate_image(image: np.ndarray, degrees: float) -> np.ndarray:
    """uint8 [H, W] or [H, W, channel] of the same shape: bilinear, the edge's values continued outwards.

    Raises ValueError for an array of another type or shape.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise ValueError(
            f"image is {image.dtype} {list(image.shape)}, expected uint8 [height, width] or [height, width, channel]"
        )
    if image.ndim == 3:
        return np.stack([rotate_image(image[..., channel], degrees) for channel in range(image.shape[2])], axis=-1)
    return np.rint(np.round(_sampled(image.astype(np.float64), degrees), 6)).astype(np.uint8)


def rotate_mask(mask: np.ndarray, degrees: float) -> np.ndarray:
    """bool [H, W] of the same shape: pixels whose rotated mask value is at least ½; the edge's values continue.

    Raises ValueError for an array of another type or shape.
    """
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.ndim != 2:
        raise ValueError(f"mask is {mask.dtype} {list(mask.shape)}, expected bool [height, width]")
    rotated = np.empty(mask.shape, dtype=bool)
    matrix, offset = _inverse(mask.shape, degrees)
    for top in range(0, mask.shape[0], TILE):
        for left in range(0, mask.shape[1], TILE):
            tile = rotated[top : top + TILE, left : left + TILE]
            start = matrix @ (top, left) + offset
            source = mask[_reach(matrix, start, tile.shape, mask.shape)]
            if source.all() or not source.any():
                tile[:] = source.flat[0]
            else:
                tile[:] = np.round(_at(mask.view(np.uint8), matrix, start, tile.shape), 6) >= 0.5
    return rotated


def _reach(matrix: np.ndarray, start: np.ndarray, tile: tuple[int, ...], shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Rows and columns of an image of this shape from which a tile is interpolated, and a few more."""
    corners = start[:, None] + matrix @ np.array([[0, 0, tile[0], tile[0]], [0, tile[1], 0, tile[1]]])
    first, last = np.floor(corners.min(axis=1)) - 1, np.ceil(corners.max(axis=1)) + 2
    ends = zip(first, last, shape, strict=True)
    return tuple(slice(int(min(max(low, 0), side - 1)), int(min(max(high, 1), side))) for low, high, side in ends)


def _sampled(values: np.ndarray, degrees: float) -> np.ndarray:
    return _at(values, *_inverse(values.shape, degrees), values.shape)


def _inverse(shape: tuple[int, ...], degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and offset that take a pixel of the rotated image to where it comes from."""
    matrix, centre = _matrix(degrees), (np.array(shape) - 1) / 2
    return matrix, centre - matrix @ centre


def _at(values: np.ndarray, matrix: np.ndarray, offset: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """float64 of this shape, interpolated where matrix and offset take each pixel; beyond the edge its values continue."""
    return ndimage.affine_transform(
        values, matrix, offset, order=1, mode="nearest", output_shape=tuple(shape), output=np.float64
    )


def _sources(cells: int, width: float, height: float, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Where a rotated grid's cell centres come from: (row, column), each float [cells, cells], in units of cells."""
    middle = (np.arange(cells) + 0.5) / cells - 0.5
    rows, columns = np.meshgrid(middle * height, middle * width, indexing="ij")
    matrix = _matrix(degrees)
    from_row = (matrix[0, 0] * rows + matrix[0, 1] * columns) / height
    from_column = (matrix[1, 0] * rows + matrix[1, 1] * columns) / width
    return (from_row + 0.5) * cells - 0.5, (from_column + 0.5) * cells - 0.5


def rotate_grid(grid: np.ndarray, width: float, height: float, degrees: float) -> np.ndarray:
    """Density [N, N] of an image width x height after its rotation: bilinear, the edge continued; the sum may change."""
    grid = np.asarray(grid, dtype=np.float64)
    return ndimage.map_coordinates(grid, _sources(grid.shape[0], width, height, degrees), order=1, mode="nearest")


def common_support(cells: int, width: float, height: float, degrees: float) -> np.ndarray:
    """Cells of the upright image that the rotated one still shows: bool [cells, cells]."""
    places = (np.round(axis, 6) for axis in _sources(cells, width, height, -degrees))
    return np.logical_and.reduce([(place >= -0.5) & (place <= cells - 0.5) for place in places])


def comparable_pair(
    rotated: np.ndarray, clean: np.ndarray, width: float, height: float, degrees: float
) -> tuple[np.ndarray, np.ndarray]:
    """Grids of a rotated and of the clean image on one footing, each float [N, N], sum 1 over the common support.

    The rotated image's grid is turned back; the clean one is turned forward and back, so that both have been
    interpolated alike. Cells outside the common support are 0. Raises ValueError if a grid has no mass there.
    """
    support = common_support(len(clean), width, height, degrees)
    forward = rotate_grid(clean, width, height, degrees)
    pair = []
    for grid in (rotated, forward):
        back = np.where(support, rotate_grid(grid, width, height, -degrees), 0.0)
        total = math.fsum(back.ravel())
        if total <= 0:
            raise ValueError("a grid has no mass on the part that both orientations show")
        pair.append(back / total)
    return pair[0], pair[1]
