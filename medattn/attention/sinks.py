"""Attention sinks: image cells that draw attention whatever is asked (Xiao et al. 2023, arXiv:2309.17453).

A cell's score is the least mass it gets over questions about different findings of one image. It is a sink if the
score's robust z is high: (score − median) / (1.4826 · MAD), or, where MAD is 0, if it holds more than 10/256.
"""

from dataclasses import dataclass

import numpy as np

MINIMUM_FINDINGS = 3
CONSISTENT_MAD = 1.4826  # MAD · this estimates the standard deviation of a normal distribution
MASS_WITHOUT_MAD = 10 / 256


@dataclass(frozen=True)
class Sinks:
    """Flat cells (row-major, 16 per row) that are sinks; `computed` false with fewer than three findings."""

    computed: bool
    cells: tuple[int, ...]
    mass: float | None  # sum of the sinks' scores: what they draw at the least, whatever is asked


def find_sinks(grids: np.ndarray, findings: int, threshold: float) -> Sinks:
    """Sinks of one image from `grids` [question, 256], each summing to 1, about `findings` different findings."""
    if findings < MINIMUM_FINDINGS:
        return Sinks(computed=False, cells=(), mass=None)
    score = grids.min(axis=0)
    deviation = score - np.median(score)
    spread = CONSISTENT_MAD * np.median(np.abs(deviation))
    high = deviation / spread > threshold if spread > 0 else score > MASS_WITHOUT_MAD
    cells = np.flatnonzero(high)
    return Sinks(computed=True, cells=tuple(int(cell) for cell in cells), mass=float(score[cells].sum()))
