"""What every query head looks at, as far as tables ask: its mean map, and its mass in a region.

Sums are of whole numbers, so that neither the order of the samples nor the processor changes a digit.
"""

import numpy as np

from medattn.attention.captures import Capture
from medattn.base.rounding import DIGITS, round_significant

UNIT = 2.0**60  # parts of 1: the sum of a map's parts is below 2⁶³, and what is lost is below a float64's last digit


def head_maps(capture: Capture) -> np.ndarray:
    """float32 [layer, head, 256], each summing to 1: where every head looks from the last prompt token.

    Raises ValueError for a head that gives the image no attention.
    """
    weights = capture.on_image[:, :, 0].astype(np.float64)
    sums = weights.sum(axis=-1, keepdims=True)
    if not np.all(sums > 0):
        raise ValueError("a head gives the image no attention at all")
    return round_significant(weights / sums, DIGITS)


def region_mass(maps: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    """float64 [layer, head]: share of every map [layer, head, 256] that lies in a region.

    coverage: float [16, 16], the area fraction of each cell that the region takes.
    """
    maps, covered = maps.astype(np.float64), coverage.ravel()
    cells = np.flatnonzero(covered)
    return _parts(maps[..., cells] * covered[cells]).sum(axis=-1) / _parts(maps).sum(axis=-1)


def _parts(values: np.ndarray) -> np.ndarray:
    """Values of at most 1 as whole numbers of 1/UNIT: int64 [...]."""
    return np.rint(values * UNIT).astype(np.int64)


class PatientMean:
    """The mean over `patients` of each patient's mean map, float64 of `shape`, from maps that come in any order."""

    def __init__(self, shape: tuple[int, ...], patients: int) -> None:
        self._sum = np.zeros(shape, np.int64)
        self._patients = patients
        self._unit = UNIT / 2.0 ** patients.bit_length()  # so that their sum has room

    def add(self, maps: np.ndarray, samples: int) -> None:
        """One sample's maps [...], values from 0 to 1; its patient has so many samples."""
        self._sum += np.rint(maps.astype(np.float64) * (self._unit / samples)).astype(np.int64)

    def value(self) -> np.ndarray:
        """The mean of what was added, float64 [...]."""
        return self._sum / (self._unit * self._patients)
