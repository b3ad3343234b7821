"""The small image of ranks in which a body is looked for. Whole numbers throughout: the same on every processor."""

import numpy as np
from scipy import sparse

WORKING_SIDE = 256  # longer images are reduced to it by area means before the body is looked for
SMOOTHING = 5  # side of the box filter, working pixels
RANKS = 4096  # of grey values, in an equalised image
SCALE = 16  # grey values are kept in sixteenths


def _weights(pixels: int, cells: int) -> sparse.csr_matrix:
    """Overlap of each cell with each pixel, in units of 1/cells pixel: whole numbers, int32 [cells, pixels]."""
    pixel = np.arange(pixels)
    first, last = pixel * cells // pixels, ((pixel + 1) * cells - 1) // pixels
    in_first = np.where(first == last, cells, (first + 1) * pixels - pixel * cells)
    values = np.concatenate([in_first, cells - in_first]).astype(np.int32)
    place = (np.concatenate([first, last]), np.concatenate([pixel, pixel]))
    return sparse.csr_matrix((values, place), shape=(cells, pixels))


def reduced(image: np.ndarray, side: int = WORKING_SIDE) -> np.ndarray:
    """Area means of whole numbers [H, W], rounded down to sixteenths: int64, at most so many on the longer side."""
    longest = max(image.shape)
    if longest <= side:
        return image.astype(np.int64) * SCALE
    height, width = (max(1, (2 * pixels * side + longest) // (2 * longest)) for pixels in image.shape)
    rows = _weights(image.shape[0], height) @ image.astype(np.int32)
    sums = (_weights(image.shape[1], width).astype(np.int64) @ rows.T.astype(np.int64)).T
    return sums * SCALE // image.size


def enlarged(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The working mask at full size, bool [H, W]: a pixel whose centre is on the line between two cells counts with either."""
    for axis in (0, 1):
        cells, pixels = mask.shape[axis], shape[axis]
        centre = (2 * np.arange(pixels) + 1) * cells
        before, after = np.maximum(-(-centre // (2 * pixels)) - 1, 0), np.minimum(centre // (2 * pixels), cells - 1)
        mask = mask.take(before, axis) | mask.take(after, axis)
    return mask


def smoothed(image: np.ndarray) -> np.ndarray:
    """Box means, rounded down, of int [H, W]; the edge is repeated."""
    side = SMOOTHING
    sums = np.pad(np.pad(image, side // 2, mode="edge").cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    return (sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]) // side**2


def equalised(image: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """int16 [H, W], 0 … RANKS − 1: the share of the shown pixels (bool [H, W]) that are darker; equal ones share the middle."""
    counts = np.bincount(image[shown], minlength=256)
    middle = 2 * counts.cumsum() - counts
    return (middle * RANKS // (2 * counts.sum() + 1)).astype(np.int16)[image]


def extent(values: np.ndarray) -> tuple[int, int]:
    """1st and 99th percentile of whole numbers int [n], or of any shape."""
    low, high = np.sort(values.ravel())[[values.size // 100, -1 - values.size // 100]]
    return int(low), int(high)
