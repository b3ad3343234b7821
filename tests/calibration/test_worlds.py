"""The synthetic patients are what the calibration takes them for."""

import numpy as np
import pytest

from medattn.measures import consistency, contrasts
from tests.calibration import worlds

pytestmark = pytest.mark.slow


def intraclass_correlation(rows: worlds.Rows) -> float:
    """Correlation of the first two rows of patients that have two."""
    both = rows.values[rows.present[..., 1]][:, :2].astype(float)
    return float(np.corrcoef(both.T)[0, 1])


@pytest.mark.parametrize("icc", worlds.CORRELATIONS)
@pytest.mark.parametrize("shape", worlds.MEAN)
def test_rows_have_their_mean_and_intraclass_correlation(shape, icc):
    rows = worlds.rows(shape, icc, 4_000, 60, worlds.seed("worlds", shape, icc))
    assert rows.values[rows.present].mean() == pytest.approx(worlds.MEAN[shape], abs=0.01)
    assert intraclass_correlation(rows) == pytest.approx(icc, abs=0.05)
    assert sorted(np.unique(rows.present.sum(axis=-1))) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("icc", worlds.CORRELATIONS)
@pytest.mark.parametrize("rate", [0.03, 0.25])
def test_events_have_their_rate_and_intraclass_correlation(rate, icc):
    rows = worlds.binary(rate, icc, 4_000, 60, worlds.seed("worlds", rate, icc))
    assert rows.values[rows.present].mean() == pytest.approx(rate, abs=0.005)
    assert intraclass_correlation(rows) == pytest.approx(icc, abs=0.02)


def test_changes_without_a_direction_cancel():
    rng = worlds.seed("worlds", "changes")
    for changes in (worlds.changes(0.25, 0.5, 0.5, 4_000, 60, rng), worlds.lopsided_changes(4_000, 60, rng)):
        assert changes.sums().mean() == pytest.approx(0, abs=0.01)


def test_right_against_wrong_is_what_the_product_computes():
    rng = worlds.seed("worlds", "right")
    values = worlds.rows("skewed", 0.5, 40, 30, rng)
    right, truth = (worlds.binary(rate, 0.5, 40, 30, rng).values for rate in (0.7, 0.4))
    pairs = worlds.right_and_wrong(values, right, truth)
    for draw in range(40):
        here = values.present[draw]
        numbers, patients = values.flat(draw)
        names, expected = contrasts.within_patients(numbers, right[draw][here], truth[draw][here], patients)
        informative = np.isfinite(pairs[draw]).all(axis=1)
        assert sorted(np.nonzero(informative)[0].astype(str)) == sorted(names)
        assert np.allclose(pairs[draw][names.astype(int)], expected, atol=1e-12)


def test_divergences_between_heads_are_the_products():
    grids = worlds.maps(1, 1, 8, 0.3, worlds.seed("worlds", "heads"))[0, 0]
    assert np.allclose(worlds.divergences(grids), consistency.pairwise_js(grids.reshape(8, 4, 4)), atol=1e-12)
