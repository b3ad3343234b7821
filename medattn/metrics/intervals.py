"""Shares and means of evaluation rows with their 95 % interval by patient, as cells of a table.

The random stream is named by seed, table, row and column, so adding a row elsewhere changes no interval.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medattn.base.params.metrics import Metrics
from medattn.base.seeding import generator
from medattn.base.tables import Row
from medattn.measures import contrasts, statistics

TOO_FEW = "no interval"  # patients too few or too alike
LEAST_FOR_RANKS = 10  # below this many patients a BCa interval of a rank measure depends on single patients
Cells = Row  # some of a row's cells


@dataclass(frozen=True)
class Intervals:
    """Interval maker of one table."""

    params: Metrics
    table: str

    def _rng(self, key: str, name: str) -> np.random.Generator:
        return generator(self.params.seed, "bootstrap", self.table, key, name)

    def share(self, rows: Sequence[Row], of: str, key: str, name: str, short: str = "") -> Cells:
        """{name}, {short}_low, {short}_high, {short}_method: share of rows whose boolean `of` is true, None left out."""
        rows, short = present(rows, of), short or name
        if not rows:
            return _cells(name, short, None)
        correct = np.array([bool(row[of]) for row in rows], dtype=np.int64)
        found = statistics.proportion_interval(correct, patients(rows), self.params.bootstrap_draws, self._rng(key, name))
        return _cells(name, short, found.estimate, found.low, found.high, found.method)

    def mean(self, rows: Sequence[Row], of: str, key: str, name: str, short: str = "") -> Cells:
        """{name}, {short}_low, {short}_high, {short}_method: mean of the numbers `of`, None left out.

        Bounds are None, and the method says so, where the patients are too few or too alike for an interval.
        """
        rows, short = present(rows, of), short or name
        if not rows:
            return _cells(name, short, None)
        values = np.array([float(row[of]) for row in rows])
        try:
            found = statistics.mean_interval(values, patients(rows), self.params.bootstrap_draws, self._rng(key, name))
        except ValueError:  # its documented answer to data that give no interval; the values themselves are finite
            return _cells(name, short, average(values), method=TOO_FEW)
        return _cells(name, short, found.estimate, found.low, found.high, found.method)

    def of_patients(self, patients: np.ndarray, key: str, name: str, short: str = "") -> Cells:
        """{name}, {short}_low, _high, _method: the mean over patients [patient, 1], or the ratio of means [patient, 2]."""
        found = contrasts.studentised(patients, self.params.bootstrap_draws, self._rng(key, name)) if len(patients) else None
        return _found(patients, contrasts.mean_or_ratio(patients), found, "bootstrap-t", name, short or name)

    def ranks_of_patients(
        self, patients: np.ndarray, statistic: contrasts.Statistic, key: str, name: str, short: str = ""
    ) -> Cells:
        """Likewise of a rank measure of patients [patient, 2]; from LEAST_FOR_RANKS patients on."""
        enough = len(patients) >= LEAST_FOR_RANKS
        found = contrasts.bca(patients, statistic, self.params.bootstrap_draws, self._rng(key, name)) if enough else None
        return _found(patients, statistic, found, "bca", name, short or name)

    def smallest_p(self, patients: int) -> float:
        """The smallest two-sided p-value that this many non-zero patients allow."""
        return (
            min(1.0, 2.0 ** (1 - patients))
            if patients <= statistics.EXACT_PATIENTS
            else 1 / (self.params.permutation_draws + 1)
        )

    def sign_flip(self, numbers: np.ndarray, key: str) -> float | None:
        """p-value that one number per patient is 0 up to chance; None without a patient."""
        if not len(numbers):
            return None
        return statistics.sign_flip(
            numbers, generator(self.params.seed, "sign-flip", self.table, key), self.params.permutation_draws
        )


def _found(
    patients: np.ndarray, statistic: contrasts.Statistic, found: contrasts.Bounds | None, method: str, name: str, short: str
) -> Cells:
    if found is not None:
        return _cells(name, short, found.estimate, found.low, found.high, method)
    estimate = float(statistic(patients)) if len(patients) else math.nan
    there = math.isfinite(estimate)
    return _cells(name, short, estimate if there else None, method=TOO_FEW if there else None)


def _cells(
    name: str,
    short: str,
    estimate: float | None,
    low: float | None = None,
    high: float | None = None,
    method: str | None = None,
) -> Cells:
    return {name: estimate, f"{short}_low": low, f"{short}_high": high, f"{short}_method": method}


def present(rows: Sequence[Row], name: str) -> list[Row]:
    """Rows that have a value in column `name`."""
    return [row for row in rows if row[name] is not None]


def patients(rows: Sequence[Row]) -> np.ndarray:
    """The patient of every row: str [n]."""
    return np.array([row["subject_id"] for row in rows])


def count_of_patients(rows: Sequence[Row]) -> Cells:
    """n and patients of a table's row, and whether the patients are few (< 20): report with care."""
    count = len({row["subject_id"] for row in rows})
    return {"n": len(rows), "patients": count, "few_patients": count < statistics.FEW_PATIENTS}


def average(values: Sequence[float] | np.ndarray) -> float:
    """Mean, exactly rounded: neither the order of the rows nor the processor matters."""
    return math.fsum(values) / len(values)


def mean_of(rows: Sequence[Row], name: str) -> float | None:
    """Mean of column `name` over the rows that have a value (true counts 1); None if none has."""
    values = [float(row[name]) for row in rows if row[name] is not None]
    return average(values) if values else None


def by_patient(rows: Sequence[Row], *names: str) -> tuple[list[str], np.ndarray]:
    """(patients, means): each patient's mean of columns `names`, float [patient, name], over rows that have them all."""
    groups: dict[str, list[list[float]]] = {}
    for row in rows:
        if all(row[name] is not None for name in names):
            groups.setdefault(row["subject_id"], []).append([float(row[name]) for name in names])
    found = sorted(groups)
    means = [[average(values) for values in zip(*groups[patient], strict=True)] for patient in found]
    return found, np.array(means).reshape(-1, len(names))
