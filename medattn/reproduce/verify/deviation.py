"""How far apart two files are, and where: what every comparison collects, and the verdict it comes to."""

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from medattn.reproduce.verify.tolerance import Tolerance

SHOWN = 20  # differences of one file that are told in full


class Verdict(IntEnum):
    """From best to worst; of several files the worst counts."""

    IDENTICAL = 0  # the same bytes
    EQUIVALENT = 1  # other bytes, all within the tolerance
    INCOMPARABLE = 2  # other bytes, and the recorded content is not here
    DIFFERENT = 3

    def __str__(self) -> str:
        return "not comparable" if self is Verdict.INCOMPARABLE else self.name.lower()


class Deviation(NamedTuple):
    """The largest of many. place: file, row and column or cell, and both values; "" if nothing deviates."""

    value: float
    place: str


NONE = Deviation(0.0, "")


class Comparison(NamedTuple):
    """What was found out about a file or an output. why: what is different or cannot be compared, one line each."""

    verdict: Verdict
    absolute: Deviation = NONE
    relative: Deviation = NONE
    pixels: Deviation = NONE  # largest difference of a channel, 0 to 255
    why: tuple[str, ...] = ()
    more: int = 0  # differences beyond SHOWN

    @property
    def marks(self) -> tuple[Deviation, Deviation, Deviation]:
        return self.absolute, self.relative, self.pixels

    def inside(self, name: str) -> "Comparison":
        """The same, said of the file `name` of a directory."""
        absolute, relative, pixels = (Deviation(one.value, f"{name}: {one.place}" if one.place else "") for one in self.marks)
        return Comparison(self.verdict, absolute, relative, pixels, tuple(f"{name}: {line}" for line in self.why), self.more)


def worst(comparisons: Iterable[Comparison]) -> Comparison:
    """A directory's comparison: the worst verdict and the largest deviations of its files."""
    verdict, absolute, relative, pixels = Verdict.IDENTICAL, NONE, NONE, NONE
    why: list[str] = []
    more = 0
    for one in comparisons:
        verdict = max(verdict, one.verdict)
        absolute, relative, pixels = max(absolute, one.absolute), max(relative, one.relative), max(pixels, one.pixels)
        room = max(0, SHOWN - len(why))
        why += one.why[:room]
        more += one.more + len(one.why[room:])
    return Comparison(verdict, absolute, relative, pixels, tuple(why), more)


class Differences:
    """Collects the differences of two files whose bytes differ."""

    def __init__(self, tolerance: Tolerance) -> None:
        self.tolerance = tolerance
        self.compared = 0  # numbers and cells that the file holds
        self._absolute = self._relative = self._pixels = NONE
        self._why: list[str] = []
        self._more = 0
        self._beyond: list[str] = []
        self._beyond_count = 0

    def different(self, what: str) -> None:
        """Something that no tolerance covers."""
        if len(self._why) < SHOWN:
            self._why.append(what)
        else:
            self._more += 1

    def beyond(self, what: str, count: int = 1) -> None:
        """Numbers beyond the tolerance."""
        self._beyond_count += count
        if len(self._beyond) < SHOWN:
            self._beyond.append(what)

    def number(self, place: str, recorded: float, found: float, slack: float = 0.0) -> None:
        """Two numbers of a table or a text. slack: what rounding for show explains on top of the tolerance."""
        deviation = abs(found - recorded)
        said = f"{place}: {found!r}, recorded {recorded!r}"
        self._note(said, deviation, deviation / max(abs(found), abs(recorded)) if deviation else 0.0)
        if deviation > self.tolerance.absolute + slack + self.tolerance.relative * abs(recorded):
            self.beyond(said)

    def _note(self, said: str, absolute: float, relative: float) -> None:
        if absolute > self._absolute.value:
            self._absolute = Deviation(absolute, said)
        if relative > self._relative.value:
            self._relative = Deviation(relative, said)

    def array(self, name: str, recorded: np.ndarray, found: np.ndarray, labels: tuple[str, ...] = ()) -> None:
        """Two arrays. labels: what the entries of the first axis are called."""
        self.compared += recorded.size
        if recorded.dtype != found.dtype or recorded.shape != found.shape:
            self.different(f"{name}: {found.dtype} {list(found.shape)}, recorded {recorded.dtype} {list(recorded.shape)}")
            return
        at = np.flatnonzero(~((recorded == found) | ((recorded != recorded) & (found != found))))
        if not at.size:
            return
        before, after = recorded.ravel()[at], found.ravel()[at]

        def said(index: int) -> str:
            cell = [int(one) for one in np.unravel_index(int(at[index]), recorded.shape)]
            first = [labels[cell[0]]] if cell and len(labels) == recorded.shape[0] else cell[:1]
            return (
                f"{name} [{', '.join(map(str, first + cell[1:]))}]: {after[index].item()!r}, recorded {before[index].item()!r}"
            )

        if recorded.dtype.kind != "f":
            self.different(f"{said(0)} ({at.size} of {recorded.size} values differ)")
            return
        if not (finite := np.isfinite(before) & np.isfinite(after)).all():
            self.different(said(int(np.flatnonzero(~finite)[0])))
            return
        before, size = before.astype(np.float64), np.abs(before.astype(np.float64))
        deviation = np.abs(after.astype(np.float64) - before)
        relative = deviation / np.maximum(size, np.abs(after))
        for index in (int(deviation.argmax()), int(relative.argmax())):
            self._note(said(index), float(deviation[index]), float(relative[index]))
        excess = deviation - (self.tolerance.floor + self.tolerance.relative * size)
        if (count := int((excess > 0).sum())) > 0:
            self.beyond(f"{said(int(excess.argmax()))} ({count} of {recorded.size} values beyond the tolerance)", count)

    def image(self, place: str, recorded: np.ndarray, found: np.ndarray) -> None:
        """Two images, uint8 [row, column, channel]."""
        if recorded.shape != found.shape:
            (height, width), (high, wide) = found.shape[:2], recorded.shape[:2]
            self.different(f"{place}{width} x {height} pixels, recorded {wide} x {high}")
            return
        levels = np.abs(found.astype(np.int16) - recorded.astype(np.int16)).max(axis=2)
        largest = int(levels.argmax())
        row, column = (int(one) for one in np.unravel_index(largest, levels.shape))
        share = float((levels > self.tolerance.levels).mean())
        bound = self.tolerance.levels
        beyond = f"{share:.2%} of the pixels differ by more than {bound}"
        said = f"{place}pixel {column}, {row}: {levels.max()} of 255 levels; {beyond}"
        if levels.any():
            self._pixels = max(self._pixels, Deviation(float(levels.max()), said))
        if share > self.tolerance.share:
            self.different(said)

    def comparison(self) -> Comparison:
        """What was collected. Numbers beyond the tolerance are differences if they are more than its share of all."""
        why, more = tuple(self._why), self._more
        if self._beyond_count > self.tolerance.beyond * self.compared:
            told = (*why, *self._beyond)
            why, more = told[:SHOWN], more + len(told[SHOWN:]) + self._beyond_count - len(self._beyond)
        verdict = Verdict.DIFFERENT if why else Verdict.EQUIVALENT
        return Comparison(verdict, self._absolute, self._relative, self._pixels, why, more)
