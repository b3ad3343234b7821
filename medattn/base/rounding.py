"""Numbers as they are stored: rounded to significant decimal digits, so that any processor writes the same bytes.

Unrounded results differ in their last bits between instruction sets. Rounding hides that, unless a value lies so
close to a rounding boundary that the last bits decide: with the environment variable MEDATTN_ROUNDING=FILE every
process adds a line to FILE with the smallest relative distance that it met, for `medattn exact` to report. Values
that lie exactly on a boundary are counted apart: they come from exact arithmetic (1/256, say), which is the same
everywhere.
"""

import atexit
import math
import os
from pathlib import Path

import numpy as np

CAPTURE_DIGITS = 5  # significant decimal digits of attention rows
DIGITS = 6  # of grids and tables
FLOOR = 1e-9  # in tables, smaller magnitudes are noise and are written as 0
POWERS = np.array([float(f"1e{k}") for k in range(400)])  # of ten, each the nearest there is: exact up to 10²²
LOG = os.environ.get("MEDATTN_ROUNDING")


class _Nearest:
    """The smallest relative distance of a rounded value to a rounding boundary in this process."""

    def __init__(self, log: Path) -> None:
        self.log, self.distance, self.count, self.ties = log, math.inf, 0, 0

    def note(self, scaled: np.ndarray, rounded: np.ndarray) -> None:
        """`scaled`: values in units of their last kept digit; `rounded`: what they were rounded to."""
        there = scaled != 0
        if there.any():
            scaled, rounded = scaled[there], rounded[there]
            distances = np.abs(0.5 - np.abs(scaled - rounded)) / np.abs(scaled)
            self.distance = min(self.distance, float(distances.min(initial=math.inf, where=distances > 0)))
            self.count += scaled.size
            self.ties += int((distances == 0).sum())

    def write(self) -> None:
        if self.count:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(f"{self.distance!r} {self.count} {self.ties}\n")


_nearest = _Nearest(Path(LOG)) if LOG else None
if _nearest:
    atexit.register(_nearest.write)


def round_significant(values: np.ndarray, digits: int) -> np.ndarray:
    """float64 values [...] rounded to `digits` significant decimal digits (half to even on the decimal), as float32 [...]."""
    values = np.asarray(values, dtype=np.float64)
    size = np.abs(values, out=np.empty_like(values))
    size[size == 0] = 1.0  # zero has no magnitude; any will do
    exponent = digits - 1 - np.floor(np.log10(size, out=size), out=size).astype(np.intp)
    scale = POWERS[np.abs(exponent)]
    up = exponent >= 0
    every = bool(up.all())  # as of weights, which are no larger than 1: half of the work
    scaled = values * scale if every else np.where(up, values * scale, values / scale)
    rounded = np.rint(scaled)
    if _nearest:
        _nearest.note(scaled, rounded)
    return (rounded / scale if every else np.where(up, rounded / scale, rounded * scale)).astype(np.float32)


def round_number(value: float, digits: int = DIGITS) -> float:
    """`value` to `digits` significant digits; below FLOOR 0, never −0. Raises ValueError for NaN: empty is None."""
    value = float(value)
    if not math.isfinite(value):
        raise ValueError(f"value is {value!r}, expected a finite number (write None where there is none)")
    if abs(value) < FLOOR:
        return 0.0
    rounded = float(f"{value:.{digits - 1}e}")
    if _nearest and rounded != value:  # a number that has no more digits has no boundary near
        unit = 10.0 ** (digits - 1 - math.floor(math.log10(abs(value))))
        _nearest.note(np.array([value * unit]), np.array([rounded * unit]))
    return rounded
