"""Intervals and p-values with the patient as the unit.

Questions, variants and conditions of one patient are not independent: intervals resample patients, tests flip the
signs of patients. Every random number comes from the generator the caller passes, as integers; comparisons allow for
the last bits, so that ties are ties on every processor.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

CONFIDENCE = 0.95
FEW_EVENTS = 10  # below this many independent events or non-events a proportion gets a Clopper–Pearson interval
FEW_PATIENTS = 20  # below this many patients an interval is flagged
EXACT_PATIENTS = 20  # up to this many non-zero patients all sign patterns are counted
TIE = 1e-12  # relative to the largest possible value: nearer numbers are equal
BLOCK = 2**17  # random integers held at once: they stay in a cache, and more patients need no more memory


class Interval(NamedTuple):
    """A 95 % interval with the patient as the unit: low <= estimate <= high, never of zero width."""

    estimate: float
    low: float
    high: float
    patients: int
    method: str  # "bootstrap-t" or "clopper-pearson"


def clopper_pearson(k: float, n: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Exact interval (low, high) for a proportion with k events in n, both possibly fractional.

    Beta quantiles; Clopper and Pearson 1934, fractional as in Korn and Graubard 1998. In [0, 1]. Raises
    ValueError unless 0 <= k <= n, n > 0 and 0 < confidence < 1.
    """
    if not (math.isfinite(n) and n > 0 and 0 <= k <= n):
        raise ValueError(f"k is {k!r} and n is {n!r}, expected 0 <= k <= n and n > 0")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence!r}, expected a value between 0 and 1")
    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else float(stats.beta.ppf(tail, k, n - k + 1))
    high = 1.0 if k == n else float(stats.beta.isf(tail, k + 1, n - k))
    return low, high


class _Clusters(NamedTuple):
    sums: np.ndarray  # float [patients]
    sizes: np.ndarray  # float [patients]


def _checked(values: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, clusters = np.asarray(values), np.asarray(clusters)
    if values.dtype == object:
        raise ValueError("values are Python objects, expected numbers: an empty entry has to be left out before")
    values = values.astype(np.float64)
    if values.ndim != 1 or values.shape != clusters.shape or values.size == 0:
        raise ValueError(f"values have shape {values.shape} and patients {clusters.shape}, expected the same [n], n >= 1")
    if not np.isfinite(values).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(values))} values are not finite, expected none")
    return values, clusters


def _by_cluster(values: np.ndarray, clusters: np.ndarray) -> _Clusters:
    """Sums and sizes of the clusters, in the order of their ids: the order of the rows does not matter."""
    names, index = np.unique(clusters, return_inverse=True)
    order = np.lexsort([values, index])
    sums = np.bincount(index[order], weights=values[order], minlength=names.size)
    return _Clusters(sums, np.bincount(index, minlength=names.size).astype(np.float64))


def design_effect(values: np.ndarray, clusters: np.ndarray) -> float:
    """How many times larger clustering makes the variance of the mean of values [n]; at least 1.

    Variance of the cluster-robust ratio estimator ÷ variance under simple random sampling (Kish 1965; Korn and
    Graubard 1998). Where that says nothing, because all values are equal or there is one cluster, the largest it can
    be: Σ size² ÷ Σ size, as if each cluster were one observation.
    """
    values, clusters = _checked(values, clusters)
    by = _by_cluster(values, clusters)
    n, count, mean = values.size, by.sizes.size, math.fsum(values) / values.size
    simple = math.fsum((values - mean) ** 2) / (n - 1) / n if n > 1 else 0.0
    if count == 1 or (values == values[0]).all():
        return math.fsum(by.sizes**2) / n
    robust = count / (count - 1) * math.fsum((by.sums - mean * by.sizes) ** 2) / n**2
    return max(1.0, robust / simple)


def _ratio_and_error(sums: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean Σ sums ÷ Σ sizes over the last axis and its cluster-robust standard error (linearised)."""
    count, total = sums.shape[-1], sizes.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):  # a draw may hold nothing but zeros below the line
        mean = sums.sum(axis=-1) / total
        residual = sums - mean[..., None] * sizes
        return mean, np.sqrt(count / (count - 1) * (residual**2).sum(axis=-1)) / total


def _bootstrap_t(by: _Clusters, draws: int, rng: np.random.Generator) -> tuple[float, float] | None:
    """Studentised bootstrap interval by patient; None where a quantile is not finite or the interval has no width.

    Efron and Tibshirani 1993, chapter 12; the standard error is that of the ratio estimator.
    """
    count = by.sizes.size
    mean, error = _ratio_and_error(by.sums, by.sizes)
    scale = np.abs(by.sums).max() / by.sizes.mean()
    if not error > TIE * scale:
        return None
    rows = max(1, BLOCK // count)
    means, errors = [], []
    for start in range(0, draws, rows):
        drawn = rng.integers(0, count, size=(min(rows, draws - start), count))
        some_means, some_errors = _ratio_and_error(by.sums[drawn], by.sizes[drawn])
        means.append(some_means)
        errors.append(some_errors)
    gap, spread = np.concatenate(means) - mean, np.concatenate(errors)
    if not np.isfinite(gap).all():
        return None
    gap[np.abs(gap) <= TIE * scale] = 0.0
    flat = spread <= TIE * scale  # a draw of patients all alike: infinitely many errors away, or none
    studentised = gap / np.where(flat, 1.0, spread)
    studentised[flat & (gap > 0)], studentised[flat & (gap < 0)] = np.inf, -np.inf
    studentised.sort()
    tail = (1 - CONFIDENCE) / 2
    lower = studentised[max(0, math.floor(tail * (draws + 1)) - 1)]
    upper = studentised[min(draws - 1, math.ceil((1 - tail) * (draws + 1)) - 1)]
    if not (np.isfinite(lower) and np.isfinite(upper) and lower < 0 < upper):
        return None
    return float(mean - upper * error), float(mean - lower * error)


def _check_draws(draws: int, least: int) -> int:
    if draws != int(draws) or draws < least:
        raise ValueError(f"draws is {draws!r}, expected a whole number of at least {least}")
    return int(draws)


def proportion_interval(correct: np.ndarray, patients: np.ndarray, draws: int, rng: np.random.Generator) -> Interval:
    """Interval for the share of true entries in correct [n] (0 or 1) when rows of one of the patients [n] are not independent.

    Studentised bootstrap by patient, cut to [0, 1]. With fewer than 10 events or non-events, counted as independent
    ones (÷ design effect), fewer than two patients, or where the bootstrap has no finite quantile: Clopper–Pearson
    with n ÷ design effect. Twenty wrong answers of three patients are three events: draws without these patients
    have next to no standard error, and the studentised interval of them would be nearly all of [0, 1]. Raises ValueError
    for other numbers than 0 and 1, or none.
    """
    draws = _check_draws(draws, 200)
    correct, patients = _checked(correct, patients)
    if not np.isin(correct, (0, 1)).all():
        raise ValueError(f"correct holds {np.setdiff1d(correct, (0, 1))[0]!r}, expected only 0 and 1")
    by = _by_cluster(correct, patients)
    events, n, count = int(correct.sum()), correct.size, by.sizes.size
    estimate = events / n
    effect = design_effect(correct, patients)
    if count >= 2 and min(events, n - events) / effect >= FEW_EVENTS:
        bounds = _bootstrap_t(by, draws, rng)
        if bounds is not None:
            low, high = max(0.0, bounds[0]), min(1.0, bounds[1])
            return Interval(estimate, low, high, count, "bootstrap-t")
    effective = n / effect
    low, high = clopper_pearson(estimate * effective, effective)
    return Interval(estimate, low, high, count, "clopper-pearson")


def mean_interval(values: np.ndarray, patients: np.ndarray, draws: int, rng: np.random.Generator) -> Interval:
    """Interval for the mean of values [n] when rows of one of the patients [n] are not independent: studentised bootstrap.

    Raises ValueError where the data cannot give an interval of a width above zero: fewer than two patients, all
    patients alike, or so few that the bootstrap has no finite quantile.
    """
    draws = _check_draws(draws, 200)
    values, patients = _checked(values, patients)
    by = _by_cluster(values, patients)
    count = by.sizes.size
    bounds = _bootstrap_t(by, draws, rng) if count >= 2 else None
    if bounds is None:
        raise ValueError(
            f"{values.size} values between {values.min()!r} and {values.max()!r} of {count} patients give no interval, "
            "expected more patients whose means differ"
        )
    return Interval(math.fsum(values) / values.size, *bounds, count, "bootstrap-t")


def ratio_interval(patients: np.ndarray, draws: int, rng: np.random.Generator) -> tuple[float, float] | None:
    """95 % interval for mean of column 0 ÷ mean of column 1 over patients [patient, 2]: studentised bootstrap.

    Column 1 is not negative and not 0 everywhere; all ones give the interval of a mean. None for fewer than two
    patients, patients all alike, or where the bootstrap has no finite quantile. Raises ValueError for numbers that are
    not finite, or a negative one in column 1.
    """
    patients = np.asarray(patients, dtype=np.float64)
    if patients.ndim != 2 or patients.shape[1] != 2 or not np.isfinite(patients).all() or (patients[:, 1] < 0).any():
        raise ValueError(f"patients have shape {patients.shape}, expected finite [patient, 2], column 1 not negative")
    if len(patients) < 2 or not patients[:, 1].any():
        return None
    return _bootstrap_t(_Clusters(patients[:, 0], patients[:, 1]), _check_draws(draws, 200), rng)


def _at_least(totals: np.ndarray, observed: float, scale: float) -> int:
    return int(np.count_nonzero(np.abs(totals) >= observed - TIE * scale))


def sign_flip(sums: np.ndarray, rng: np.random.Generator, draws: int = 10_000) -> float:
    """Two-sided p-value that the sum of one number per patient, sums [patients], is 0 up to chance.

    Under the null the sign of each patient's sum is a coin flip (Fisher 1935). All 2^k sign patterns of the k
    non-zero patients are counted if k <= 20; otherwise p = (b + 1)/(draws + 1), b the random patterns at least as
    extreme (Phipson and Smyth 2010). 1 when every sum is zero. Raises ValueError for sums that are not finite, or none.
    """
    draws = _check_draws(draws, 1)
    sums = np.asarray(sums, dtype=np.float64)
    if sums.ndim != 1 or sums.size == 0 or not np.isfinite(sums).all():
        raise ValueError(f"sums are {sums!r}, expected finite numbers [patients], at least one")
    largest = np.abs(sums).max()
    sums = np.round(sums / largest, 12) if largest > 0 else sums
    sums = np.sort(sums[sums != 0])  # so that the order of the patients cannot change the p-value
    if sums.size == 0:
        return 1.0
    observed, scale = abs(math.fsum(sums)), math.fsum(np.abs(sums))
    if sums.size <= EXACT_PATIENTS:
        totals = sums[:1]  # the first sign may stay: the other half of the patterns mirrors this one
        for value in sums[1:]:
            totals = np.concatenate([totals + value, totals - value])
        return _at_least(totals, observed, scale) / totals.size
    extreme, rows = 0, max(1, BLOCK // sums.size)
    for start in range(0, draws, rows):
        signs = rng.integers(0, 2, size=(min(rows, draws - start), sums.size)) * 2 - 1
        extreme += _at_least(signs @ sums, observed, scale)
    return (extreme + 1) / (draws + 1)


def holm(pvalues: ArrayLike) -> np.ndarray:
    """Holm-adjusted p-values of one family, float [n] in the order given. Holm 1979.

    Raises ValueError for one outside [0, 1].
    """
    pvalues = np.asarray(pvalues, dtype=np.float64)
    if pvalues.ndim != 1 or not ((pvalues >= 0) & (pvalues <= 1)).all():
        raise ValueError(f"pvalues are {pvalues!r}, expected [n] values between 0 and 1")
    order = np.argsort(pvalues, kind="stable")
    adjusted = np.empty_like(pvalues)
    factors = np.arange(pvalues.size, 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * pvalues[order]))
    return adjusted
