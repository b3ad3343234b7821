"""Comparisons inside patients, ratios and rank measures, with intervals by patient, and the test of head groups.

What varies within a patient is compared within patients: one number per patient, whose sign is a coin flip under the
null (`statistics.sign_flip`). Means and ratios over patients have studentised intervals (`statistics.ratio_interval`),
which hold with few patients where BCa intervals are too narrow; rank measures have BCa intervals.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from medattn.measures import statistics
from medattn.measures.statistics import BLOCK, CONFIDENCE, TIE

Statistic = Callable[[np.ndarray], np.ndarray]  # [..., patient, column] -> [...]


class Bounds(NamedTuple):
    """A statistic of the patients and its 95 % interval."""

    estimate: float
    low: float
    high: float


def bca(patients: np.ndarray, statistic: Statistic, draws: int, rng: np.random.Generator) -> Bounds | None:
    """Bias-corrected and accelerated bootstrap interval of `statistic` over patients [patient, column].

    Efron 1987; the acceleration from the jackknife. None where the patients cannot give an interval of a width above
    zero: fewer than three, all draws alike, or a draw without a finite value. Raises ValueError for numbers that are not
    finite, or not [patient, column].
    """
    patients = np.asarray(patients, dtype=np.float64)
    if patients.ndim != 2 or not np.isfinite(patients).all():
        raise ValueError(f"patients have shape {patients.shape}, expected finite numbers [patient, column]")
    count = len(patients)
    if count < 3:
        return None
    estimate = float(statistic(patients))
    drawn, rows = [], max(1, BLOCK // patients.size)
    for start in range(0, draws, rows):
        index = rng.integers(0, count, size=(min(rows, draws - start), count))
        drawn.append(statistic(patients[index]))
    values = np.concatenate(drawn)
    left_out = np.array([statistic(np.delete(patients, index, axis=0)) for index in range(count)])
    if not (math.isfinite(estimate) and np.isfinite(values).all() and np.isfinite(left_out).all()):
        return None
    scale = TIE * max(np.abs(values).max(), 1e-300)
    below = np.count_nonzero(values < estimate - scale) + np.count_nonzero(np.abs(values - estimate) <= scale) / 2
    if not 0 < below < draws or np.ptp(values) <= scale:
        return None
    bias = special.ndtri(below / draws)
    gap = left_out.mean() - left_out
    spread = math.fsum(gap**2) ** 1.5
    acceleration = math.fsum(gap**3) / (6 * spread) if spread > 0 else 0.0
    values = np.sort(values)
    tail = (1 - CONFIDENCE) / 2
    bounds = []
    for share, to_whole in ((tail, math.floor), (1 - tail, math.ceil)):
        shifted = bias + special.ndtri(share)
        adjusted = special.ndtr(bias + shifted / (1 - acceleration * shifted))
        bounds.append(float(values[min(draws - 1, max(0, to_whole(adjusted * (draws + 1)) - 1))]))
    low, high = min(bounds[0], estimate), max(bounds[1], estimate)
    return Bounds(estimate, low, high) if low < high else None


def studentised(patients: np.ndarray, draws: int, rng: np.random.Generator) -> Bounds | None:
    """Interval of a mean [patient, 1] or of a ratio of means [patient, 2]; None where there is none."""
    pairs = patients if patients.shape[1] == 2 else np.column_stack([patients, np.ones(len(patients))])
    bounds = statistics.ratio_interval(pairs, draws, rng)
    return None if bounds is None else Bounds(float(mean_or_ratio(patients)(patients)), *bounds)


def mean_or_ratio(patients: np.ndarray) -> Statistic:
    """The statistic that `studentised` is about, of patients [patient, 1] or [patient, 2]."""
    return mean if patients.shape[1] == 1 else ratio_of_means


def mean(patients: np.ndarray) -> np.ndarray:
    """Mean of the only column over patients: [..., patient, 1] -> [...]."""
    return patients[..., 0].mean(axis=-1)


def ratio_of_means(patients: np.ndarray) -> np.ndarray:
    """Mean of column 0 ÷ mean of column 1, over patients: [..., patient, 2] -> [...]; not finite where the latter is 0."""
    means = patients.mean(axis=-2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return means[..., 0] / means[..., 1]


def cliffs_delta(patients: np.ndarray) -> np.ndarray:
    """Cliff's delta of column 0 against column 1, [..., patient, 2] -> [...]: P(a > b) − P(a < b), in [−1, 1].

    Every value of column 0 against every value of column 1; equal to 12 digits of the largest is equal. Cliff 1993.
    Counted along the sorted column 1, as there are as many pairs as the square of the patients.
    """
    scale = TIE * max(np.abs(patients).max(), 1e-300)
    count = patients.shape[-2]
    distinct, codes = np.unique(patients, return_inverse=True)
    level = np.concatenate([[0], np.cumsum(np.diff(distinct) > scale)])
    levels = level[codes].reshape(-1, count, 2)
    first = np.arange(len(levels))[:, None]
    levels += first[..., None] * (level[-1] + 1)  # so that one sorted list holds every set of patients, one after the other
    others = np.sort(levels[..., 1], axis=-1).ravel()
    below, not_above = (np.searchsorted(others, levels[..., 0].ravel(), side) for side in ("left", "right"))
    more = (below + not_above).reshape(-1, count).sum(axis=-1) - count * (2 * count * first[:, 0] + count)
    return (more / count**2).reshape(patients.shape[:-2])


def rank_correlation(patients: np.ndarray) -> np.ndarray:
    """Spearman's correlation of columns 0 and 1 over patients, [..., patient, 2] -> [...]; NaN where one is constant."""
    ranks = stats.rankdata(patients, axis=-2)
    ranks = ranks - ranks.mean(axis=-2, keepdims=True)
    products = (ranks[..., 0] * ranks[..., 1]).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return products / np.sqrt((ranks[..., 0] ** 2).sum(axis=-1) * (ranks[..., 1] ** 2).sum(axis=-1))


def within_patients(
    values: ArrayLike, group: ArrayLike, strata: ArrayLike, patients: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """(names, pairs): patients that hold both groups within one stratum, and their means, float [patient, 2].

    values [n]; group bool [n]; column 0 is the mean of the rows in the group, column 1 of the others. Each stratum
    of a patient that holds both groups counts the same, whatever its number of rows.
    """
    values, group = np.asarray(values), np.asarray(group)
    subjects, subject = np.unique(np.asarray(patients), return_inverse=True)
    _, stratum = np.unique(np.asarray(strata), return_inverse=True)
    order = np.lexsort([stratum, subject])  # so that each patient's strata are looked for among his own rows alone
    changes = (np.diff(subject[order]) != 0) | (np.diff(stratum[order]) != 0)
    means: dict[int, list[list[float]]] = {}
    for here in np.split(order, np.flatnonzero(changes) + 1):
        inside, outside = values[here[group[here]]], values[here[~group[here]]]
        if inside.size and outside.size:
            both = [math.fsum(inside) / inside.size, math.fsum(outside) / outside.size]
            means.setdefault(int(subject[here[0]]), []).append(both)
    pairs = [np.mean(some, axis=0) for some in means.values()]
    return subjects[list(means)].astype(str), np.array(pairs, dtype=np.float64).reshape(-1, 2)


class HeadGroupTest(NamedTuple):
    """Do heads that share keys and values look more alike than heads that do not?"""

    statistic: float  # Σ over layers of mean divergence between groups − within; > 0: groups look alike
    low: float
    high: float
    p: float


def head_groups(divergences: np.ndarray, groups: int, draws: int, rng: np.random.Generator) -> HeadGroupTest:
    """Permutation test of key/value groups; divergences [layer, head, head], symmetric; heads of a group are neighbours.

    The null deals each layer's heads into groups at random, independently: p = (b + 1)/(draws + 1), b the deals whose
    statistic is at least the observed one. The interval inverts the deals' spread about their centre. Raises
    ValueError if the heads do not divide into groups of at least two, or into a single group.
    """
    layers, heads, _ = divergences.shape
    size = heads // groups
    if heads % groups or size < 2 or groups < 2:
        raise ValueError(f"{heads} heads do not divide into at least two groups of at least two ({groups} groups)")
    same = np.kron(np.eye(groups, dtype=bool), np.ones((size, size), dtype=bool)) & ~np.eye(heads, dtype=bool)
    different = ~same & ~np.eye(heads, dtype=bool)

    def statistic(order: np.ndarray) -> np.ndarray:
        """order [..., layer, head] -> [...]."""
        dealt = divergences[np.arange(layers)[:, None, None], order[..., :, None], order[..., None, :]]
        return (dealt[..., different].mean(axis=-1) - dealt[..., same].mean(axis=-1)).sum(axis=-1)

    observed = float(statistic(np.broadcast_to(np.arange(heads), (layers, heads))))
    rows, values = max(1, BLOCK // divergences.size), []
    for start in range(0, draws, rows):
        order = np.broadcast_to(np.arange(heads), (min(rows, draws - start), layers, heads))
        values.append(statistic(rng.permuted(order, axis=-1)))
    null = np.concatenate(values)
    extreme = np.count_nonzero(null >= observed - TIE * max(np.abs(divergences).max(), 1e-300))
    low, high = np.quantile(null, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    p = (int(extreme) + 1) / (draws + 1)
    return HeadGroupTest(observed, observed - float(high), observed - float(low), p)
