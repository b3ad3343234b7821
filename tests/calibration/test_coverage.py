"""How often each 95 % interval holds the truth: 1,000 or 2,000 studies of synthetic patients per cell, 500 bootstrap draws.

The product draws 2,000 times; that moves an interval's ends a little, and its coverage by 0.2 points. An interval is asked for
90 % wherever it reaches that. Where it does not, for the number of patients in question the worst coverage measured is
written down, with the reason, and asked for up to three simulation errors.
"""

import math
from collections.abc import Iterable

import numpy as np
import pytest
from scipy import special, stats

from medattn.measures import contrasts, statistics
from tests.calibration import tables, worlds
from tests.calibration.worlds import CORRELATIONS, MEAN, PATIENTS

pytestmark = pytest.mark.slow

DRAWS, FEWER_DRAWS = 2_000, 1_000  # fewer where one interval takes milliseconds
BOOTSTRAP = 500
LEAST = 0.90
FROM_SIX = (6, *PATIENTS)  # H1, H2 and right against wrong answers are tested from six patients on
FROM_TEN = (10, *PATIENTS)  # rank measures have intervals from ten patients on
BOUNDS = tuple[float, float] | None


class Cell:
    """Coverage of one interval in one world; None: the data gave no interval."""

    def __init__(self, name: tuple, truth: float, bounds: Iterable[BOUNDS]):
        bounds = list(bounds)
        found = np.array([pair for pair in bounds if pair is not None])
        self.name, self.draws = name, len(found)
        self.none = 1 - len(found) / len(bounds)
        self.below, self.above = float((found[:, 1] < truth).mean()), float((found[:, 0] > truth).mean())
        self.coverage = 1 - self.below - self.above

    def text(self) -> str:
        """Covered % / interval wholly below the truth / wholly above it (share of studies without an interval)."""
        text = " / ".join(tables.percent(share) for share in (self.coverage, self.below, self.above))
        return text + (f" (none {tables.percent(self.none)})" if self.none >= 0.0005 else "")


def check(title: str, names: tuple[str, ...], cells: list[Cell], worst: dict | None = None) -> None:
    """Each cell covers 90 %, or what was measured, up to chance, where `worst` has its patients, or its (world, patients)."""
    tables.by_patients(f"Coverage: {title}", names, [(cell.name, cell.text()) for cell in cells])
    for cell in cells:
        world, patients = cell.name[0], cell.name[-1]
        measured = (worst or {}).get(patients, (worst or {}).get((world, patients)))
        least = LEAST if measured is None else measured - tables.error(measured, cell.draws)
        assert cell.coverage >= least, (cell.name, cell.text())


def settings(*names: object, counts: tuple[int, ...] = PATIENTS, correlations: tuple[float, ...] = CORRELATIONS):
    """(name, icc, patients, generator) of every cell."""
    for name in names:
        for icc in correlations:
            for patients in counts:
                yield name, icc, patients, worlds.seed("coverage", *names, name, icc, patients)


def test_shares():
    """proportion_interval; apart: draws with fewer than ten independent events or non-events (Clopper–Pearson)."""
    cells, apart = [], []
    for rate, icc, patients, rng in settings(0.03, 0.15, 0.4):
        rows = worlds.binary(rate, icc, DRAWS, patients, rng)
        found = [statistics.proportion_interval(*rows.flat(draw), BOOTSTRAP, rng) for draw in range(DRAWS)]
        name = (f"{100 * rate:g} %", icc, patients)
        cells.append(Cell(name, rate, [(one.low, one.high) for one in found]))
        held = np.array([one.low <= rate <= one.high for one in found])
        few = np.array([one.method == "clopper-pearson" for one in found])
        shares = [float(held[some].mean()) if some.any() else math.nan for some in (few, ~few)]
        apart.append((name, " / ".join(tables.percent(share) for share in (few.mean(), *shares))))
    title = "Coverage: each method of a share: Clopper–Pearson used / covered where used / bootstrap-t covered where used, %"
    tables.by_patients(title, ("rate", "ICC"), apart)
    check("share (proportion_interval)", ("rate", "ICC"), cells)


def mean_bounds(rows: worlds.Rows, draw: int, rng: np.random.Generator) -> BOUNDS:
    try:
        found = statistics.mean_interval(*rows.flat(draw), BOOTSTRAP, rng)
    except ValueError as error:
        if "give no interval" not in str(error):  # patients too few or too alike
            raise
        return None
    return found.low, found.high


def test_means():
    cells = []
    for shape, icc, patients, rng in settings(*MEAN):
        rows = worlds.rows(shape, icc, DRAWS, patients, rng)
        cells.append(Cell((shape, icc, patients), MEAN[shape], [mean_bounds(rows, draw, rng) for draw in range(DRAWS)]))
    check("mean (mean_interval)", ("world", "ICC"), cells)


def test_differences_in_accuracy():
    """mean_interval of variant correct − baseline correct, mostly zeros. Rare changes often give no interval at all."""
    cells = []
    for name, icc, patients, rng in settings("25 % change", "3 % change"):
        rows = worlds.changes(0.25 if name == "25 % change" else 0.03, icc, 0.5, DRAWS, patients, rng)
        cells.append(Cell((name, icc, patients), 0.0, [mean_bounds(rows, draw, rng) for draw in range(DRAWS)]))
    # Few patients change at all: where the interval exists it rests on a handful of them, and often it does not exist.
    worst = {("25 % change", 15): 0.89, ("3 % change", 60): 0.90}
    check("mean of paired differences (mean_interval)", ("world", "ICC"), cells, worst)


def bca_bounds(studies: np.ndarray, statistic: contrasts.Statistic, rng: np.random.Generator) -> list[BOUNDS]:
    """studies [draw, patient, column]."""
    found = [contrasts.bca(patients, statistic, BOOTSTRAP, rng) for patients in studies]
    return [None if one is None else (one.low, one.high) for one in found]


def studentised_bounds(studies: np.ndarray, rng: np.random.Generator) -> list[BOUNDS]:
    """studies [draw, patient, column]."""
    found = [contrasts.studentised(patients, BOOTSTRAP, rng) for patients in studies]
    return [None if one is None else (one.low, one.high) for one in found]


def test_means_of_patients():
    cells = []
    for shape, icc, patients, rng in settings(*MEAN, counts=FROM_SIX):
        studies = worlds.rows(shape, icc, DRAWS, patients, rng).means()[..., None]
        cells.append(Cell((shape, icc, patients), MEAN[shape], studentised_bounds(studies, rng)))
    check("mean of patients (studentised)", ("world", "ICC"), cells)


def test_ratios_of_means():
    """Enrichment ratio 1.2 against the constant 1 (the uniform map) and against a map as variable as the model's."""
    cells, ratio = [], 1.2
    for (shape, against), icc, patients, rng in settings(
        *[(shape, against) for shape in ("skewed", "heavy") for against in ("uniform", "map")],
        counts=FROM_SIX,
        correlations=(0.5,),
    ):
        model, reference = (worlds.rows(shape, icc, DRAWS, patients, rng) for _ in range(2))
        below = np.ones((DRAWS, patients)) if against == "uniform" else worlds.Rows(reference.values, model.present).means()
        bounds = studentised_bounds(np.stack([ratio * model.means(), below], axis=-1), rng)
        cells.append(Cell((f"{shape}, against {against}", icc, patients), ratio, bounds))
    check("ratio of means (studentised)", ("world", "ICC"), cells)


def whole_numbers(shift: float = 0.0) -> np.ndarray:
    """Probabilities of −12 … 12 for a rounded normal number raised by shift."""
    return np.diff(special.ndtr(np.arange(-12.5, 13) - shift))


def delta_of(shape: str, shift: float) -> float:
    """Cliff's delta of two independent numbers, the first raised by shift."""
    if shape == "normal":
        return float(2 * special.ndtr(shift / math.sqrt(2)) - 1)
    both = np.outer(whole_numbers(shift), whole_numbers())
    return float(np.tril(both, -1).sum() - np.triu(both, 1).sum())


def test_cliffs_delta():
    cells = []
    for (shape, shift), icc, patients, rng in settings(
        *[(shape, shift) for shape in ("normal", "tied") for shift in (0.5, 1.5)], counts=FROM_TEN, correlations=(0.5,)
    ):
        truth = delta_of(shape, shift)
        bounds = bca_bounds(worlds.pairs(shape, shift, icc, FEWER_DRAWS, patients, rng), contrasts.cliffs_delta, rng)
        cells.append(Cell((shape, f"{truth:.2f}", patients), truth, bounds))
    check("Cliff's delta (bca)", ("world", "delta"), cells)


def spearman_of(shape: str, correlation: float) -> float:
    """Spearman's correlation of two normal numbers, or of the same rounded: that of their mid-distribution functions."""
    if shape == "normal":
        return 6 / math.pi * math.asin(correlation / 2)
    edges, normal = np.arange(-6.5, 7), stats.multivariate_normal(cov=[[1, correlation], [correlation, 1]])
    below = np.array([[normal.cdf([a, b]) for b in edges] for a in edges])
    both = np.diff(np.diff(below, axis=0), axis=1)
    one = both.sum(axis=1)
    place = np.cumsum(one) - one / 2
    place -= (place * one).sum()
    return float(place @ both @ place / (place**2 * one).sum())


def test_rank_correlation():
    cells = []
    for (shape, correlation), _, patients, rng in settings(
        ("normal", 0.5), ("normal", 0.9), ("tied", 0.5), correlations=(0.0,)
    ):
        truth = spearman_of(shape, correlation)
        bounds = bca_bounds(worlds.pairs(shape, 0.0, correlation, FEWER_DRAWS, patients, rng), contrasts.rank_correlation, rng)
        cells.append(Cell((shape, f"{truth:.2f}", patients), truth, bounds))
    check("rank correlation (bca)", ("world", "Spearman"), cells)


def test_head_groups():
    """The interval covers the mean statistic of models whose heads are drawn like these; not of other models."""
    groups = np.kron(np.eye(4, dtype=bool), np.ones((2, 2), dtype=bool))
    cells = []
    for shared in (0.0, 0.3, 0.7):
        rng = worlds.seed("coverage", "heads", shared)
        many = worlds.divergences(worlds.maps(20_000, 1, 8, shared, rng))[:, 0]
        truth = 6 * float(many[:, ~groups].mean() - many[:, groups & ~np.eye(8, dtype=bool)].mean())
        models = worlds.divergences(worlds.maps(FEWER_DRAWS, 6, 8, shared, rng))
        found = [contrasts.head_groups(one, 4, BOOTSTRAP, rng) for one in models]
        cells.append(Cell((f"groups share {100 * shared:g} %", f"{truth:.2f}"), truth, [(one.low, one.high) for one in found]))
    tables.show("Coverage: head groups, 8 heads, 6 layers (head_groups)", ("world", "truth, bits", "covered"),
                [(*cell.name, cell.text()) for cell in cells])  # fmt: skip
    assert all(cell.coverage >= LEAST for cell in cells)
