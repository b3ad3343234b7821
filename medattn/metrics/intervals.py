"""Shares and means of evaluation rows with their 95 % interval by patient, as cells of a table that know their rows.

The random stream is named by seed, table, row and column, so adding a row elsewhere changes no interval.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from medattn.base.params.metrics import Metrics
from medattn.base.seeding import generator
from medattn.base.tables import AnyRow, Row
from medattn.measures import contrasts, statistics
from medattn.metrics.values import NOBODY, Selection, Value, average, patients, present, selection_of

# Columns whose random streams have another name: under their own they would draw other bounds than ever published.
STREAMS = {
    "reliance_all_variants": "reliance_all_wordings",
    "same_strategy_difference": "same_wording_difference",
}
TOO_FEW = "no interval"  # patients too few or too alike
LEAST_FOR_RANKS = 10  # below this many patients a BCa interval of a rank measure depends on single patients
Cells = Row  # some of a row's cells


class Estimate(NamedTuple):
    """A number with its 95 % interval, and how that was made; None where there is none."""

    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    method: str | None = None


@dataclass(frozen=True)
class PatientMeans:
    """Means by patient, float [patient, column], and what they were computed from."""

    means: np.ndarray
    selection: Selection

    def gap(self) -> "PatientMeans":
        """Column 0 − column 1: [patient, 1]."""
        return PatientMeans(self.means[:, :1] - self.means[:, 1:], self.selection)


@dataclass(frozen=True)
class Intervals:
    """Interval maker of one table."""

    params: Metrics
    table: str

    def _rng(self, key: str, name: str) -> np.random.Generator:
        return generator(self.params.seed, "bootstrap", self.table, key, STREAMS.get(name, name))

    def share(self, rows: Sequence[AnyRow], of: str, key: str, name: str, short: str = "") -> Cells:
        """{name}, {short}_low, {short}_high, {short}_method: share of rows whose boolean `of` is true, None left out."""
        rows, short = present(rows, of), short or name
        if not rows:
            return _cells(name, short, NOBODY, Estimate())
        correct = np.array([bool(row[of]) for row in rows], dtype=np.int64)
        found = statistics.proportion_interval(correct, patients(rows), self.params.bootstrap_draws, self._rng(key, name))
        return _cells(name, short, selection_of(rows), Estimate(found.estimate, found.low, found.high, found.method))

    def mean(self, rows: Sequence[AnyRow], of: str, key: str, name: str, short: str = "") -> Cells:
        """{name}, {short}_low, {short}_high, {short}_method: mean of the numbers `of`, None left out.

        Bounds are None, and the method says so, where the patients are too few or too alike for an interval.
        """
        rows, short = present(rows, of), short or name
        if not rows:
            return _cells(name, short, NOBODY, Estimate())
        values = np.array([float(row[of]) for row in rows])
        try:
            found = statistics.mean_interval(values, patients(rows), self.params.bootstrap_draws, self._rng(key, name))
        except ValueError:  # its documented answer to data that give no interval; the values themselves are finite
            return _cells(name, short, selection_of(rows), Estimate(average(values), method=TOO_FEW))
        return _cells(name, short, selection_of(rows), Estimate(found.estimate, found.low, found.high, found.method))

    def of_patients(self, of: PatientMeans, key: str, name: str, short: str = "") -> Cells:
        """{name}, {short}_low, _high, _method: the mean over patients [patient, 1], or the ratio of means [patient, 2]."""
        rng = self._rng(key, name)
        found = contrasts.studentised(of.means, self.params.bootstrap_draws, rng) if len(of.means) else None
        return _found(of, contrasts.mean_or_ratio(of.means), found, "bootstrap-t", name, short or name)

    def ranks_of_patients(
        self, of: PatientMeans, statistic: contrasts.Statistic, key: str, name: str, short: str = ""
    ) -> Cells:
        """Likewise of a rank measure of patients [patient, 2]; from LEAST_FOR_RANKS patients on."""
        enough = len(of.means) >= LEAST_FOR_RANKS
        found = contrasts.bca(of.means, statistic, self.params.bootstrap_draws, self._rng(key, name)) if enough else None
        return _found(of, statistic, found, "bca", name, short or name)

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
    of: PatientMeans, statistic: contrasts.Statistic, found: contrasts.Bounds | None, method: str, name: str, short: str
) -> Cells:
    if found is not None:
        return _cells(name, short, of.selection, Estimate(*found, method))
    estimate = float(statistic(of.means)) if len(of.means) else math.nan
    there = math.isfinite(estimate)
    return _cells(name, short, of.selection, Estimate(estimate, method=TOO_FEW) if there else Estimate())


def _cells(name: str, short: str, selection: Selection, found: Estimate) -> Cells:
    names = (name, f"{short}_low", f"{short}_high", f"{short}_method")
    return {name: Value(number, selection) for name, number in zip(names, found, strict=True)}


def by_patient(rows: Sequence[AnyRow], *names: str) -> PatientMeans:
    """Each patient's mean of columns `names`, over the rows that have them all."""
    used = [row for row in rows if all(row[name] is not None for name in names)]
    groups: dict[str, list[list[float]]] = {}
    for row in used:
        groups.setdefault(row["subject_id"], []).append([float(row[name]) for name in names])
    means = [[average(values) for values in zip(*groups[patient], strict=True)] for patient in sorted(groups)]
    return PatientMeans(np.array(means).reshape(-1, len(names)), selection_of(used))


def within_patients(rows: Sequence[AnyRow], name: str, group: str, strata: Sequence[str]) -> PatientMeans:
    """Means of column `name` of the rows in the group (column `group` is true) and out of it, of patients that hold both.

    Each of a patient's strata (one per row) counts apart: `contrasts.within_patients`.
    """
    names, pairs = contrasts.within_patients(
        np.array([row[name] for row in rows], dtype=np.float64),
        np.array([bool(row[group]) for row in rows], dtype=bool),
        np.array(strata),
        patients(rows),
    )
    holding = set(names.tolist())
    return PatientMeans(pairs, selection_of(row for row in rows if row["subject_id"] in holding))
