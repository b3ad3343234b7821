"""A mask as the places where it changes: lossless, in whole numbers alone, and small where its rows are much alike."""

import numpy as np


def encode(mask: np.ndarray) -> np.ndarray:
    """Of a mask bool [H, W] the pixels, counted row by row, at which it begins or ceases to differ from the row above.

    uint32 [change], rising. What is above the first row is empty.
    """
    differs = mask.copy()
    differs[1:] ^= mask[:-1]
    return np.flatnonzero(np.diff(differs.ravel(), prepend=False)).astype(np.uint32)


def decode(changes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The mask bool [H, W] of this shape that `encode` made `changes` of."""
    bounds = np.concatenate([[0], changes.astype(np.int64), [shape[0] * shape[1]]])
    differs = np.repeat(np.arange(len(changes) + 1) % 2 == 1, bounds[1:] - bounds[:-1]).reshape(shape)
    return np.logical_xor.accumulate(differs, axis=0)
