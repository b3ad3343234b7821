"""Similarity of grids and of answers, against SciPy and by enumeration."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance

from medattn.measures import consistency

UNIFORM = np.full((16, 16), 1 / 256)


def one_cell(row, column):
    grid = np.zeros((16, 16))
    grid[row, column] = 1.0
    return grid


def random_grid(seed):
    rng = np.random.default_rng(seed)
    grid = rng.random((16, 16)) * (rng.random((16, 16)) < 0.7)
    return grid / grid.sum()


PAIRS = [(random_grid(seed), random_grid(seed + 50)) for seed in range(5)]


def test_js_divergence_is_the_square_of_scipys_distance():
    for p, q in PAIRS:
        expected = distance.jensenshannon(p.ravel(), q.ravel(), base=2)
        assert consistency.js_divergence(p, q) == pytest.approx(expected**2, abs=1e-12)


def test_js_divergence_is_the_entropy_of_the_mean_less_the_mean_of_the_entropies():
    for p, q in PAIRS:
        h = [stats.entropy(grid.ravel(), base=2) for grid in ((p + q) / 2, p, q)]
        assert consistency.js_divergence(p, q) == pytest.approx(h[0] - (h[1] + h[2]) / 2, abs=1e-12)


def test_js_divergence_is_zero_for_equal_one_for_disjoint_and_symmetric():
    p, q = PAIRS[0]
    assert consistency.js_divergence(p, p) == 0
    assert consistency.js_divergence(one_cell(0, 0), one_cell(3, 3)) == 1
    assert consistency.js_divergence(p, q) == consistency.js_divergence(q, p)


def test_pairwise_divergences_are_those_of_the_pairs():
    grids = np.stack([random_grid(seed) for seed in range(6)])
    matrix = consistency.pairwise_js(grids)
    for i, j in itertools.product(range(6), repeat=2):
        assert matrix[i, j] == pytest.approx(consistency.js_divergence(grids[i], grids[j]), abs=1e-14)
    assert np.array_equal(matrix, matrix.T)
    assert np.array_equal(consistency.pairwise_js(grids[:1]), [[0.0]])
    with pytest.raises(ValueError, match="grids have shape"):
        consistency.pairwise_js(grids[0])
    with pytest.raises(ValueError, match="grid 3 sums to"):
        consistency.pairwise_js(grids * np.array([1, 1, 1, 0, 1, 1])[:, None, None])


def test_correlations_are_scipys():
    for p, q in PAIRS:
        assert consistency.pearson(p, q) == pytest.approx(stats.pearsonr(p.ravel(), q.ravel()).statistic, abs=1e-12)
        assert consistency.spearman(p, q) == pytest.approx(stats.spearmanr(p.ravel(), q.ravel()).statistic, abs=1e-12)
        assert consistency.cosine(p, q) == pytest.approx(1 - distance.cosine(p.ravel(), q.ravel()), abs=1e-12)
        assert consistency.l2(p, q) == pytest.approx(distance.euclidean(p.ravel(), q.ravel()), abs=1e-12)


def test_a_grid_is_wholly_like_itself():
    p = random_grid(1)
    for measure in (consistency.pearson, consistency.spearman, consistency.cosine):
        assert measure(p, p) == pytest.approx(1, abs=1e-14) and measure(p, p) <= 1
    assert consistency.l2(p, p) == 0
    assert consistency.l2(one_cell(0, 0), one_cell(1, 1)) == pytest.approx(math.sqrt(2))
    assert consistency.cosine(one_cell(0, 0), one_cell(1, 1)) == 0
    assert consistency.cosine(UNIFORM, UNIFORM) == pytest.approx(1)


def test_a_constant_grid_has_no_correlation():
    for measure in (consistency.pearson, consistency.spearman):
        with pytest.raises(ValueError, match="first grid is constant"):
            measure(UNIFORM, random_grid(1))
        with pytest.raises(ValueError, match="second grid is constant"):
            measure(random_grid(1), UNIFORM)


def test_grids_of_different_size_are_not_compared():
    with pytest.raises(ValueError, match="shapes"):
        consistency.l2(UNIFORM, np.full((8, 8), 1 / 64))


@pytest.mark.parametrize(
    "answers, expected",
    [
        (["yes"], 1),
        (["yes"] * 6, 1),
        (["no"] * 5 + ["yes"], 5 / 6),
        (["yes", "no"], 0.5),
        (["yes", "no", "uncertain"], 0.5),
        (["uncertain"] * 3 + ["no"], 0.75),
        (["yes", "yes", "unparsed", "unparsed"], 0.5),
        (["yes", "unparsed", "unparsed", "unparsed"], 0.25),
        (["yes", "no", "unparsed", "unparsed"], 0.25),
        (["unparsed"] * 4, 0),
        (["contradictory"] * 4, 0),
        (["yes", "yes", "contradictory", "unparsed"], 0.5),
    ],
)
def test_consistency_is_the_share_of_the_majority(answers, expected):
    assert consistency.consistency(answers) == pytest.approx(expected)
    assert consistency.consistency(answers[::-1]) == consistency.consistency(answers)


@pytest.mark.parametrize("counts", [
    {"yes": 3}, {"unparsed": 2}, {"yes": 3, "no": 7}, {"yes": 5, "no": 2, "uncertain": 2, "unparsed": 1},
    {"no": 0, "yes": 4, "uncertain": 4},
])  # fmt: skip
def test_expected_consistency_is_the_mean_over_every_outcome(counts):
    total = sum(counts.values())
    for n in (1, 2, 3, 5):
        expected = sum(
            math.prod(counts[answer] / total for answer in outcome) * consistency.consistency(outcome)
            for outcome in itertools.product(counts, repeat=n)
        )
        assert consistency.expected_consistency(counts, n) == pytest.approx(expected, abs=1e-12)


def test_expected_consistency_of_answers_that_are_all_alike_is_one_and_of_none_an_error():
    assert consistency.expected_consistency({"no": 9}, 6) == 1 and consistency.expected_consistency({"unparsed": 9}, 6) == 0
    assert consistency.expected_consistency({"yes": 1, "no": 1}, 6) == pytest.approx(
        (2 * 6 + 12 * 5 + 30 * 4 + 20 * 3) / 6 / 64
    )
    for counts in ({}, {"yes": 0}, {"yes": -1, "no": 3}, {"maybe": 2}):
        with pytest.raises(ValueError, match=r"^counts are "):
            consistency.expected_consistency(counts, 3)
    for n in (0, 2.5):
        with pytest.raises(ValueError, match=rf"^n is {n}, expected a whole number of variants >= 1$"):
            consistency.expected_consistency({"yes": 2}, n)


def test_only_yes_and_no_flip():
    answers = ("yes", "no", "uncertain", "contradictory", "unparsed")
    flips = {(a, b) for a, b in itertools.product(answers, repeat=2) if consistency.flip(a, b)}
    assert flips == {("yes", "no"), ("no", "yes")}


def test_only_uncertain_against_a_decision_is_a_hedge_shift():
    answers = ("yes", "no", "uncertain", "contradictory", "unparsed")
    shifts = {frozenset(pair) for pair in itertools.product(answers, repeat=2) if consistency.hedge_shift(*pair)}
    assert shifts == {frozenset(("uncertain", "yes")), frozenset(("uncertain", "no"))}


def test_flip_rates_count_every_variant():
    assert consistency.flip_to_baseline("yes", ["no", "yes", "uncertain", "no"]) == 0.5
    assert consistency.flip_to_baseline("unparsed", ["no", "yes"]) == 0
    assert consistency.flip_all_pairs(["yes", "no", "no", "unparsed"]) == pytest.approx(2 / 6)
    assert consistency.any_flip(["yes", "uncertain", "no"]) and not consistency.any_flip(["yes", "uncertain", "unparsed"])


def test_nothing_to_compare_is_refused():
    for call in (
        lambda: consistency.consistency([]),
        lambda: consistency.flip_to_baseline("yes", []),
        lambda: consistency.flip_all_pairs(["yes"]),
    ):
        with pytest.raises(ValueError, match="expected"):
            call()
    with pytest.raises(ValueError, match="'Yes' is not one of"):
        consistency.consistency(["Yes"])
    with pytest.raises(ValueError, match="sequence"):
        consistency.consistency("yes")
