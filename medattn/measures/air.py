"""The air around a patient, parted from lungs that are as dark by the chest wall between them.

To leave the lungs, a path must climb over the wall: air is what is dark, reaches the left or right border, and is parted from
the chest by brighter pixels.
"""

import numpy as np
from scipy import ndimage

from medattn.measures.chest import CHEST, chest_ellipse

THIN = 5  # working pixels: brighter lines thinner than this (ribs, wires) are no chest wall
LEVELS = 64  # of rank, once noise is averaged out: 0 for the darkest pixels
LEAST_WALL = 5  # levels from the air's floor up to the lowest pass over the chest wall
AIR, SIDE_AIR = 22, 9  # levels: a region whose floor is brighter is no air; stricter where it meets only a side (a cut lung)
SIDE_REACH = 8  # air that meets neither the top nor a lower corner reaches at most one in so many of the width into the image
CROSS = ndimage.generate_binary_structure(2, 1)
SQUARE = np.ones((3, 3), dtype=bool)


def working_mask(ranks: np.ndarray, shown: np.ndarray, bands: list[np.ndarray]) -> np.ndarray:
    """The body in the working image int [H, W], 0 … LEVELS − 1: bool [H, W]. `shown`: what is no band.

    Twice: what the first pass takes for the body says where the chest is, and paths start in all of it.
    """
    borders = _borders(bands)
    chest = chest_ellipse(ranks.shape, CHEST) & shown
    opened = ndimage.grey_opening(ranks, size=(THIN, THIN))
    floods = [ndimage.label((opened <= level) & shown) for level in range(LEVELS)]
    mask = _tidied(shown & ~_air(ranks, _passes(floods, chest), shown, borders))
    if mask.any():
        rows, columns = (slice(at[0], at[-1] + 1) for at in map(np.flatnonzero, (mask.any(axis=1), mask.any(axis=0))))
        chest[rows, columns] |= chest_ellipse(mask[rows, columns].shape) & mask[rows, columns]
        mask = _tidied(shown & ~_air(ranks, _passes(floods, chest), shown, borders)) & shown
    return mask | (ndimage.binary_dilation(mask, SQUARE, iterations=3) & ~shown & ~np.logical_or.reduce(bands))


def _borders(bands: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels, bool [H, W] each, at the top; at the left or the right; in the lower corners.

    Air around a patient meets the left or the right, a windpipe or a lung that is cut at the top does not.
    """
    at = []
    for turn, band in enumerate(bands):
        side = np.zeros_like(band)
        np.rot90(side, turn)[0] = True
        at.append(side | ndimage.binary_dilation(band, iterations=4) if band.any() else side)
    corners = np.zeros_like(at[0])
    corners[-1, [0, -1]] = True
    return at[0], at[1] | at[3], corners


def _passes(floods: list[tuple[np.ndarray, int]], chest: np.ndarray) -> np.ndarray:
    """int [H, W]: the brightest level that a path from the chest must cross, the darkest path taken; LEVELS where none is.

    `floods`: for each level the components of what is no brighter, labelled from 1, int [H, W], and their number. This is
    grey-level reconstruction by erosion (Vincent 1993), level by level.
    """
    passes = np.full(chest.shape, LEVELS, dtype=np.int8)
    for labels, count in floods:
        kept = np.zeros(count + 1, dtype=np.int8)
        kept[labels[chest]] = 1
        kept[0] = 0
        passes -= kept[labels]
    return passes


def _connected(mask: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The 4-connected components of a mask bool [H, W] that hold a seed."""
    labels, count = ndimage.label(mask)
    kept = np.zeros(count + 1, dtype=bool)
    kept[labels[seeds]] = True
    kept[0] = False
    return kept[labels]


def _air(ranks: np.ndarray, passes: np.ndarray, shown: np.ndarray, borders: tuple[np.ndarray, ...]) -> np.ndarray:
    """Dark regions at the borders, parted from the chest by something brighter: bool [H, W]."""
    top, sides, corners = borders
    labels, _ = ndimage.label(shown & (passes > ranks), SQUARE)
    air = np.zeros(ranks.shape, dtype=bool)
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        region = labels[box] == number
        if not (region & sides[box]).any():
            continue
        levels = ranks[box][region]
        floor = int(np.sort(levels)[levels.size // 20])
        wall = int(passes[box][region].max())
        if wall - floor < LEAST_WALL:
            continue
        height, width = region.shape
        if (region & top[box]).any():
            is_air = floor <= AIR
        elif (region & corners[box]).any():
            is_air = floor <= AIR and 2 * width <= height  # beside a patient air is upright
        else:
            is_air = floor <= SIDE_AIR and width * SIDE_REACH <= ranks.shape[1]
        if is_air:
            air[box] |= _connected(region & (2 * ranks[box] <= floor + wall), (top | sides)[box])
    return air


def _tidied(mask: np.ndarray) -> np.ndarray:
    """The largest component, opened and closed: a marker at the edge does not hang on to it, a windpipe does not cut it.

    Padded, so that the border of the image does not eat into it.
    """
    mask = _largest(ndimage.binary_opening(np.pad(mask, 4, mode="edge"), CROSS, iterations=2)[4:-4, 4:-4])
    closed: np.ndarray = ndimage.binary_closing(np.pad(mask, 12, mode="edge"), CROSS, iterations=6)[12:-12, 12:-12]
    return ndimage.binary_fill_holes(closed)


def _largest(mask: np.ndarray) -> np.ndarray:
    """Largest 4-connected component; all of them if several are equally large, so that a flipped image has no other."""
    labels, count = ndimage.label(mask)
    if not count:
        return mask
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    return (sizes == sizes.max())[labels]
