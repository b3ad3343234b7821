"""The patient's body in a radiograph, and areas of the image as coverage of grid cells.

A pixel (x, y) of an original image of W x H pixels belongs to the cell column floor(16·x/W) and row floor(16·y/H):
the processor stretches every image to one square model input. Coverage is float [cells, cells], the area fraction of each cell.
Masks are found and measured in integers, so the same image gives the same mask on every processor.
"""

import numpy as np
from scipy import ndimage

WORKING_SIDE = 512  # larger images are reduced by whole-number block means before the body is looked for
SMOOTHING = 5  # side of the box filter, working pixels
LEAST_CONTRAST = 16  # grey levels between the 1st and 99th percentile, below which an image shows nothing
DARK = 0.35  # of the 99th percentile: brighter than this is never taken for air, so a lung at the edge stays body
LEAST_SHARE = 0.05  # of the image: a smaller component is a marker, not a body


def _reduced(image: np.ndarray, factor: int) -> np.ndarray:
    """Block means, rounded down, of uint8 [H, W]; the last block may reach past the edge, which is then repeated."""
    height, width = image.shape
    padded = np.pad(image, ((0, -height % factor), (0, -width % factor)), mode="edge").astype(np.int64)
    blocks = padded.reshape(padded.shape[0] // factor, factor, padded.shape[1] // factor, factor)
    return blocks.sum(axis=(1, 3)) // factor**2


def _smoothed(image: np.ndarray, side: int) -> np.ndarray:
    """Box means, rounded down, of int [H, W]; the edge is repeated."""
    sums = np.pad(np.pad(image, side // 2, mode="edge").cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    return (sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]) // side**2


def _background_threshold(values: np.ndarray) -> int:
    """Lower of the two thresholds that split grey values 0–255 into three classes of least variance within.

    Otsu 1979, multi-level (Liao et al. 2001). Three classes, because two would part bone from everything else: the
    classes are air around the patient (and the darkest lung), lung and thin tissue, dense tissue. Ties go to the
    smaller thresholds.
    """
    counts = np.bincount(values.ravel(), minlength=256).astype(np.float64)
    weight = np.concatenate([[0], counts.cumsum()])
    first = np.concatenate([[0], (counts * np.arange(256)).cumsum()])
    low, high = np.arange(257)[:, None], np.arange(257)[None, :]
    class_weight, class_sum = weight[high] - weight[low], first[high] - first[low]
    between = np.where(class_weight > 0, class_sum**2 / np.maximum(class_weight, 1), 0.0)  # of the values low..high-1
    total = between[0, :, None] + between + between[:, 256][None, :]
    total = np.where(low < high, total, -1.0)
    total = np.round(total / total.max(), 12)  # the last bit decides nothing
    return int(np.unravel_index(np.argmax(total), total.shape)[0])


def _filled(mask: np.ndarray) -> np.ndarray:
    """Holes filled, also those that the image border cuts open (a lung that runs out of the image).

    For each border in turn the stretch between the first and the last body pixel on it counts as body.
    """
    filled = ndimage.binary_fill_holes(mask)
    for turn in range(4):
        turned = np.rot90(mask, turn)
        on_border = np.flatnonzero(turned[-1])
        if on_border.size:
            wall = np.zeros((1, turned.shape[1]), dtype=bool)
            wall[0, on_border[0] : on_border[-1] + 1] = True
            filled |= np.rot90(ndimage.binary_fill_holes(np.vstack([turned, wall]))[:-1], -turn)
    return filled


def _largest(mask: np.ndarray) -> np.ndarray:
    """Largest 4-connected component; the one met first in row-major order if two are equal."""
    labels, count = ndimage.label(mask)
    return labels == 1 + np.argmax(np.bincount(labels.ravel(), minlength=count + 1)[1:]) if count else mask


def body_mask(image: np.ndarray) -> np.ndarray:
    """Body of a radiograph uint8 [H, W] (bone bright, air dark) → bool [H, W].

    The largest component that is not background, with holes filled: the lungs, dark as air, belong to it, and a bright
    side marker in a corner does not. Raises ValueError if the image is not uint8 [H, W], shows nothing but background,
    or if the largest component covers less than 5 % of it.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 2 or image.size == 0:
        raise ValueError(f"image is {image.dtype} {list(image.shape)}, expected uint8 [height, width]")
    factor = -(-max(image.shape) // WORKING_SIDE)
    values = _smoothed(_reduced(image, factor), SMOOTHING)
    darkest, brightest = np.sort(values.ravel())[[values.size // 100, -1 - values.size // 100]]
    if brightest - darkest < LEAST_CONTRAST:
        raise ValueError(
            f"image shows only background: grey values {darkest} to {brightest} without the outer 1 %, expected "
            f"a range of at least {LEAST_CONTRAST}"
        )
    mask = values >= min(_background_threshold(np.minimum(values, brightest)), DARK * float(brightest))
    cross = ndimage.generate_binary_structure(2, 1)
    # Opened, so that a marker at the edge does not hang on to the body; closed over a padded frame, so that the
    # border of the image does not eat into it.
    mask = _largest(_filled(ndimage.binary_opening(np.pad(mask, 4, mode="edge"), cross, iterations=2)[4:-4, 4:-4]))
    mask = _filled(ndimage.binary_closing(np.pad(mask, 8, mode="edge"), cross, iterations=4)[8:-8, 8:-8])
    if mask.sum() < LEAST_SHARE * mask.size:
        raise ValueError(
            f"the largest component covers {mask.mean():.3f} of the image, expected a body of at least {LEAST_SHARE}"
        )
    return mask.repeat(factor, axis=0).repeat(factor, axis=1)[: image.shape[0], : image.shape[1]]


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
    mask, cells = _check_mask(mask), _check_cells(cells)
    height, width = mask.shape
    area = _pixel_weights(height, cells) @ mask.astype(np.float64) @ _pixel_weights(width, cells).T
    return area / (height * width)


def bounding_box(mask: np.ndarray) -> tuple[float, float, float, float]:
    """Smallest box (x0, y0, x1, y1) around a mask bool [H, W], in fractions of width and height.

    Raises ValueError if it is empty.
    """
    mask = _check_mask(mask)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        raise ValueError("the mask is empty, expected at least one pixel")
    height, width = mask.shape
    return (
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )
