"""Histograms of few patients: bars at round numbers, merged until each stands for nobody or for enough. Pure functions."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from medattn.disclosure.suppression import LEAST, LEAST_FOR_MEDIAN

DIVERGENCE_BINS = 24


class Bin(NamedTuple):
    """A bar of a histogram. steps: how many of the first edges' bins it is drawn across; counts: one per sample of values."""

    low: float
    high: float
    steps: int
    counts: tuple[int, ...]


def nice_step(value: float) -> float:
    """The smallest of 1, 2, 2.5, 5 · 10^k that is at least `value` > 0: it tells little about what it came from."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value * (1 - 1e-9))


def steady_edges(values: np.ndarray, bins: int) -> np.ndarray:
    """Edges [edge] of about `bins` equal bins at round numbers over the middle nine tenths of values [n], half as much beyond.

    Neither position nor number depends on the least or the largest value, which belong to single patients.
    """
    low, high = np.quantile(values, (0.05, 0.95))
    step = nice_step((high - low) / bins or abs(high) / bins or 1.0)
    margin = bins // 2
    first, last = math.floor(low / step) - margin, math.ceil(high / step) + margin
    return np.arange(first, last + 1) * step


def divergence_edges(variant: np.ndarray, finding: np.ndarray) -> np.ndarray:
    """Edges [edge] for the divergences of js_contrast, [image] each, logarithmic where none is 0.

    The table and the chart take the same: two histograms of the same images at different edges would give away how many
    lie between.
    """
    both = np.concatenate([variant, finding])
    if both.min() > 0:
        return 10 ** steady_edges(np.log10(both), DIVERGENCE_BINS)
    return steady_edges(both, DIVERGENCE_BINS)


def merged_bins(edges: np.ndarray, samples: Sequence[tuple[np.ndarray, Sequence[str]]], least: int = LEAST) -> list[Bin]:
    """Bars between some of edges [edge] whose every count, in each sample (values [n], patients), is nobody or `least` or more.

    Neighbours are merged until that holds. Values beyond the edges count in the outermost bars, which are drawn one
    step wide however far their values reach. Fewer than two bars are no distribution: [].
    """
    last = len(edges) - 1
    places = [np.clip(np.searchsorted(edges, values, side="right") - 1, 0, last - 1) for values, _ in samples]
    owners = [np.asarray(patients) for _, patients in samples]

    def safe(start: int, stop: int) -> bool:
        inside = [len(set(who[(at >= start) & (at < stop)])) for at, who in zip(places, owners, strict=True)]
        return all(count == 0 or count >= least for count in inside)

    spans, start = [], 0
    for stop in range(1, last + 1):
        if safe(start, stop):
            spans.append((start, stop))
            start = stop
    while start < last and spans:
        start = spans.pop()[0]
        if safe(start, last):
            spans.append((start, last))
            start = last
    if start < last:
        return []
    counted = [(a, b, tuple(int(((at >= a) & (at < b)).sum()) for at in places)) for a, b in spans]
    filled = [index for index, (*_, counts) in enumerate(counted) if any(counts)]
    if len(filled) < 2:
        return []
    counted = counted[filled[0] : filled[-1] + 1]
    (_, b, first), (a, _, final) = counted[0], counted[-1]
    counted[0], counted[-1] = (b - 1, b, first), (a, a + 1, final)
    return [Bin(float(edges[a]), float(edges[b]), b - a, counts) for a, b, counts in counted]


def safe_median(values: np.ndarray, patients: Sequence[str], least: int = LEAST) -> float | None:
    """The median of values [n], None where the patients are too few for one; an open study (`least` 1) shows every one."""
    return float(np.median(values)) if least == 1 or len(set(patients)) >= LEAST_FOR_MEDIAN else None


def may_be_told_apart(groups: Iterable[Sequence[str]], least: int = LEAST) -> bool:
    """Whether groups of patients may be drawn apart: each is nobody or enough, so that none follows from the total."""
    return all(not patients or len(patients) >= least for patients in map(set, groups))
