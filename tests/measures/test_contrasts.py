"""Comparisons inside patients, and intervals of ratios and ranks, against SciPy and against counting by hand."""

import itertools

import numpy as np
import pytest
from scipy import stats

from medattn.base.seeding import generator
from medattn.measures import contrasts


def scipys_bca(patients: np.ndarray, statistic) -> tuple[float, float]:
    found = stats.bootstrap(
        tuple(patients.T), lambda *columns, axis: statistic(np.stack(columns, axis=-1)), paired=True, vectorized=True,
        n_resamples=20_000, method="BCa", rng=np.random.default_rng(0),
    )  # fmt: skip
    return found.confidence_interval


@pytest.mark.parametrize("columns, statistic", [(1, contrasts.mean), (2, contrasts.ratio_of_means)])
def test_the_interval_is_scipys(columns, statistic):
    patients = np.random.default_rng(1).gamma(2, 1, (50, columns)) + 0.2
    found = contrasts.bca(patients, statistic, 20_000, generator("bca"))
    low, high = scipys_bca(patients, statistic)
    assert found.estimate == statistic(patients)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.03 * (high - low))


def test_no_interval_where_the_patients_cannot_give_one():
    rng = generator("none")
    assert contrasts.bca(np.ones((10, 1)), contrasts.mean, 500, rng) is None
    assert contrasts.bca(np.array([[1.0], [2.0]]), contrasts.mean, 500, rng) is None
    assert (
        contrasts.bca(np.array([[1.0, 0], [2, 0], [3, 1]]), contrasts.ratio_of_means, 500, rng) is None
    )  # some draws divide by 0
    with pytest.raises(ValueError, match="finite"):
        contrasts.bca(np.array([[np.nan], [1], [2]]), contrasts.mean, 500, rng)


def test_the_order_of_the_draws_is_the_generators_alone():
    patients = np.random.default_rng(2).normal(size=(30, 2)) + 3
    first, second = (contrasts.bca(patients, contrasts.ratio_of_means, 500, generator("same")) for _ in range(2))
    assert first == second != contrasts.bca(patients, contrasts.ratio_of_means, 500, generator("other"))


def test_cliffs_delta_counts_pairs_and_ties():
    a, b = [1.0, 2.0, 2.0, 5.0], [2.0, 0.0, 3.0, 2.0]
    expected = sum((x > y) - (x < y) for x, y in itertools.product(a, b)) / 16
    assert contrasts.cliffs_delta(np.array([a, b]).T) == pytest.approx(expected)
    assert contrasts.cliffs_delta(np.array([[2.0, 1.0], [3.0, 0.5]])) == 1
    assert contrasts.cliffs_delta(np.array([[0.3, 0.1 + 0.2]] * 3)) == 0  # equal but for the last bit


def test_cliffs_delta_of_many_draws_is_that_of_each():
    rng = np.random.default_rng(5)
    many = rng.integers(0, 9, (3, 5, 12, 2)) / 7 + rng.integers(-1, 2, (3, 5, 12, 2)) * 1e-15  # ties but for the last bits
    expected = [
        [sum((x - y > 1e-12) - (x - y < -1e-12) for x, y in itertools.product(*one.T.tolist())) / 144 for one in some]
        for some in many
    ]
    assert contrasts.cliffs_delta(many).tolist() == expected


def test_the_measures_of_patients_take_time_and_memory_as_there_are_patients():
    """A table of all pairs of these would hold 10^10 of them."""
    count, rng = 100_000, np.random.default_rng(6)
    pairs = rng.normal((0.5, 0), size=(count, 2))
    assert contrasts.cliffs_delta(pairs) == pytest.approx(2 * stats.norm.cdf(0.5 / 2**0.5) - 1, abs=0.01)
    patients, values = np.repeat(np.arange(count // 2).astype(str), 2), np.tile([2.0, 1.0], count // 2)
    _, found = contrasts.within_patients(values, values > 1, np.zeros(count), patients)
    assert found.shape == (count // 2, 2) and (found == [2, 1]).all()


def test_rank_correlation_is_spearmans():
    pairs = np.random.default_rng(3).integers(0, 6, (25, 2)).astype(float)
    assert contrasts.rank_correlation(pairs) == pytest.approx(stats.spearmanr(*pairs.T).statistic)
    many = np.random.default_rng(4).normal(size=(7, 12, 2))
    assert contrasts.rank_correlation(many) == pytest.approx([stats.spearmanr(*one.T).statistic for one in many])
    assert np.isnan(contrasts.rank_correlation(np.array([[1.0, 1], [1, 2], [1, 3]])))


def test_patients_are_compared_within_strata_that_hold_both_groups():
    values = np.array([1.0, 3.0, 10.0, 5.0, 7.0, 2.0, 8.0, 4.0])
    group = np.array([True, False, False, True, False, True, True, False])
    strata = np.array(["yes", "yes", "yes", "no", "no", "yes", "yes", "no"])
    patients = np.array(["a", "a", "a", "a", "a", "b", "c", "c"])
    names, pairs = contrasts.within_patients(values, group, strata, patients)
    # a: yes 1 against (3 + 10)/2, no 5 against 7; b has one group; c has both, but in different strata
    assert names.tolist() == ["a"]
    assert pairs == pytest.approx(np.array([[(1 + 5) / 2, (6.5 + 7) / 2]]))
    names, pairs = contrasts.within_patients(values[:1], group[:1], strata[:1], patients[:1])
    assert names.size == 0 and pairs.shape == (0, 2)


def planted(groups: int = 4, heads: int = 8, layers: int = 3) -> np.ndarray:
    owner = np.arange(heads) // (heads // groups)
    one = np.where(owner[:, None] == owner, 0.1, 0.5) * ~np.eye(heads, dtype=bool)
    return np.stack([one] * layers)


def test_planted_groups_give_the_smallest_p_and_the_right_statistic():
    found = contrasts.head_groups(planted(), 4, 999, generator("p"))
    assert found.statistic == pytest.approx(3 * 0.4) and found.p == pytest.approx(1 / 1000, abs=2e-3)
    assert found.low < found.statistic < found.high
    against = contrasts.head_groups(0.6 - planted() * 1.0 - 0.6 * np.eye(8), 4, 999, generator("p"))
    assert against.statistic < 0 and against.p > 0.95


def test_p_equals_full_enumeration_on_a_case_that_can_be_counted():
    divergences = np.abs(np.subtract.outer([0.0, 1.0, 2.5, 7.0], [0.0, 1.0, 2.5, 7.0]))[None]

    def statistic(pairs):
        inside = [divergences[0, a, b] for a, b in pairs]
        every = [divergences[0, a, b] for a, b in itertools.combinations(range(4), 2)]
        return (sum(every) - sum(inside)) / 4 - sum(inside) / 2

    deals = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]  # equally likely
    share = np.mean([statistic(deal) >= statistic(deals[0]) for deal in deals])
    found = contrasts.head_groups(divergences, 2, 30_000, generator("e"))
    assert found.statistic == pytest.approx(statistic(deals[0]))
    assert found.p == pytest.approx(share, abs=0.01)


def test_neither_the_order_of_the_groups_nor_of_the_heads_inside_one_matters():
    random = np.random.default_rng(5).random((2, 8, 8))
    divergences = (random + random.transpose(0, 2, 1)) * ~np.eye(8, dtype=bool)
    order = np.array([5, 4, 0, 1, 7, 6, 2, 3])  # groups of two dealt anew, two of them turned round
    first, second = (
        contrasts.head_groups(one, 4, 4000, generator("o")) for one in (divergences, divergences[:, order][:, :, order])
    )
    assert first.statistic == pytest.approx(second.statistic) and first.p == pytest.approx(second.p, abs=0.03)
    mixed = divergences[:, [0, 2, 1, 3, 4, 5, 6, 7]][:, :, [0, 2, 1, 3, 4, 5, 6, 7]]
    assert contrasts.head_groups(mixed, 4, 200, generator("o")).statistic != pytest.approx(first.statistic)


def test_layers_are_dealt_independently():
    """Two layers with planted groups are rarer under the null than one: p is the product of their shares."""
    one = contrasts.head_groups(planted(2, 4, 1), 2, 20_000, generator("l"))
    two = contrasts.head_groups(planted(2, 4, 2), 2, 20_000, generator("l"))
    assert one.p == pytest.approx(1 / 3, abs=0.015) and two.p == pytest.approx(1 / 9, abs=0.015)


def test_constant_divergences_say_nothing_about_groups():
    flat = np.ones((3, 8, 8)) * ~np.eye(8, dtype=bool)
    found = contrasts.head_groups(flat, 4, 300, generator("c"))
    assert found.statistic == 0 and found.p == 1


@pytest.mark.parametrize("groups", [1, 3, 8])
def test_heads_must_divide_into_groups_that_can_be_compared(groups):
    with pytest.raises(ValueError, match="do not divide"):
        contrasts.head_groups(planted(), groups, 100, generator("x"))
