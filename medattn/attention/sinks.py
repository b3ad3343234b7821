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
    """Flat cells (row-major, 16 per row) that are sinks; `computed` false with fewer than three findings.

    `position` are those that are also high when the image is blank: they lie where they lie whatever is shown. The
    others are content sinks. None where no blank image was asked about.
    """

    computed: bool
    cells: tuple[int, ...]
    mass: float | None  # sum of the sinks' scores: what they draw at the least, whatever is asked
    position: tuple[int, ...] | None = None


def high_cells(score: np.ndarray, threshold: float) -> np.ndarray:
    """Which cells of `score` [256] stand out: robust z > threshold, or > 10/256 where the MAD is 0. bool [256]."""
    deviation = score - np.median(score)
    spread = CONSISTENT_MAD * np.median(np.abs(deviation))
    return deviation / spread > threshold if spread > 0 else score > MASS_WITHOUT_MAD


def find_sinks(grids: np.ndarray, findings: int, threshold: float, blank: np.ndarray | None = None) -> Sinks:
    """Sinks of one image from `grids` [question, 256], each summing to 1, about `findings` different findings.

    blank: grids [question, 256] of the same image's questions asked about a blank image.
    """
    if findings < MINIMUM_FINDINGS:
        return Sinks(computed=False, cells=(), mass=None)
    score = grids.min(axis=0)
    high = high_cells(score, threshold)
    position = None if blank is None else high & high_cells(blank.min(axis=0), threshold)
    return Sinks(
        computed=True,
        cells=_numbers(high),
        mass=float(score[high].sum()),
        position=None if position is None else _numbers(position),
    )


def _numbers(cells: np.ndarray) -> tuple[int, ...]:
    return tuple(int(cell) for cell in np.flatnonzero(cells))
