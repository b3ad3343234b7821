"""Every bar of a histogram stands for nobody or for 5 patients, and no edge tells the value of one of them."""

import numpy as np
import pytest

from medattn.disclosure.distributions import merged_bins, nice_step, steady_edges
from medattn.disclosure.suppression import LEAST
from medattn.metrics.tables import groups


@pytest.mark.parametrize("seed", range(20))
def test_every_bar_stands_for_five_patients_or_nobody_and_all_values_are_counted(seed):
    rng = np.random.default_rng(seed)
    values = np.round(rng.standard_cauchy(size=rng.integers(10, 200)), 3)
    patients = rng.integers(0, max(10, len(values) // 3), len(values)).astype(str)
    edges = steady_edges(values, 24)
    found = merged_bins(edges, [(values, patients)])
    assert sum(bar.counts[0] for bar in found) == len(values) or (found == [] and len(set(patients)) < 40)
    for index, bar in enumerate(found):
        low = -np.inf if index == 0 else bar.low
        high = np.inf if index == len(found) - 1 else bar.high
        inside = (values >= low) & (values < high)
        assert inside.sum() == bar.counts[0] and (inside.sum() == 0 or len(set(patients[inside])) >= LEAST)


def test_the_largest_value_moves_no_edge_and_no_bar():
    values, patients = np.arange(100) / 10, np.arange(100).astype(str)
    far = np.where(values == values.max(), 1e6, values)
    assert merged_bins(steady_edges(values, 24), [(values, patients)]) == merged_bins(steady_edges(far, 24), [(far, patients)])


@pytest.mark.parametrize("value, step", [(1, 1), (1.01, 2), (0.021, 0.025), (0.03, 0.05), (51, 100)])
def test_steps_are_round(value, step):
    assert nice_step(value) == pytest.approx(step)


def test_the_published_distribution_of_divergences_counts_every_image_of_five_patients_or_more():
    rng = np.random.default_rng(3)
    contrast = [
        {
            "subject_id": f"p{index % 40}",
            "js_other_finding": finding,
            "js_other_variant": variant,
            "difference": finding - variant,
        }
        for index, (finding, variant) in enumerate(np.round(rng.lognormal(-6, 1.5, (80, 2)), 7).tolist())
    ]
    table = groups.merged_js_distribution(contrast)
    for kind in ("js_other_finding", "js_other_variant"):
        shares = [row[kind] * 80 for row in table]
        assert sum(shares) == pytest.approx(80) and all(share == 0 or share > LEAST - 1e-9 for share in shares)
    assert groups.merged_js_distribution([]) == []
