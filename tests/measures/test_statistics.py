"""Intervals and p-values against SciPy, by enumeration and at the extremes."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from medattn.measures import statistics as st


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("k, n", [(0, 10), (10, 10), (3, 10), (74, 100), (1, 1), (0, 1), (1, 600)])
def test_clopper_pearson_is_scipys_exact_interval(k, n):
    for confidence in (0.9, 0.95, 0.99):
        exact = stats.binomtest(k, n).proportion_ci(confidence, method="exact")
        assert st.clopper_pearson(k, n, confidence) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_clopper_pearson_grows_smoothly_between_whole_numbers():
    lows = [st.clopper_pearson(k, 20.5)[0] for k in np.linspace(0, 20.5, 60)]
    highs = [st.clopper_pearson(k, 20.5)[1] for k in np.linspace(0, 20.5, 60)]
    assert lows == sorted(lows) and highs == sorted(highs) and lows[0] == 0 and highs[-1] == 1
    for k, n in ((-1, 5), (6, 5), (0, 0), (math.nan, 5)):
        with pytest.raises(ValueError, match="expected 0 <= k <= n"):
            st.clopper_pearson(k, n)


def test_the_design_effect_of_one_row_per_patient_is_one():
    values = rng(1).random(40)
    assert st.design_effect(values, np.arange(40)) == pytest.approx(1, abs=1e-12)


def test_the_design_effect_of_copied_rows_is_their_number():
    values = rng(2).random(500)
    effect = st.design_effect(np.repeat(values, 4), np.repeat(np.arange(500), 4))
    assert effect == pytest.approx(4 * (4 * 500 - 1) / (4 * 500) * 500 / 499, rel=1e-9)


def test_the_design_effect_is_the_largest_possible_when_the_values_say_nothing():
    sizes = np.array([1, 2, 5])
    patients = np.repeat(np.arange(3), sizes)
    assert st.design_effect(np.ones(8), patients) == 30 / 8
    assert st.design_effect(rng(3).random(6), np.zeros(6)) == 6
    assert st.design_effect(np.array([1.0]), np.array(["p1"])) == 1


def test_the_design_effect_is_never_below_one():
    assert st.design_effect(np.tile([0.0, 1.0], 20), np.repeat(np.arange(20), 2)) == 1


def binary(seed, count, rate, correlation):
    source = rng(seed)
    patients = np.repeat(np.arange(count), source.integers(1, 7, count))
    rates = source.beta(rate * (1 / correlation - 1), (1 - rate) * (1 / correlation - 1), count)
    return (source.random(patients.size) < rates[patients]).astype(int), patients


def test_events_that_three_patients_share_are_few():
    patients = np.repeat(np.arange(20), 6)
    wrong = np.isin(patients, (3, 8)) | ((patients == 11) & (np.arange(120) % 6 < 4))
    interval = st.proportion_interval((~wrong).astype(int), patients, 500, rng())
    assert wrong.sum() == 16 and interval.method == "clopper-pearson"
    n = 120 / st.design_effect(~wrong, patients)
    k = n * 104 / 120
    assert interval.low == pytest.approx(stats.beta.ppf(0.025, k, n - k + 1))
    assert interval.high == pytest.approx(stats.beta.ppf(0.975, k + 1, n - k))


def test_an_interval_for_few_events_is_clopper_pearson_over_the_design_effect():
    correct, patients = np.zeros(60, int), np.arange(60)
    correct[[3, 30]] = 1
    interval = st.proportion_interval(correct, patients, 500, rng())
    assert interval.method == "clopper-pearson"
    assert (interval.low, interval.high) == pytest.approx(st.clopper_pearson(2, 60), abs=1e-12)
    patients = np.repeat(np.arange(15), 4)
    interval = st.proportion_interval(correct * 0, patients, 500, rng())
    assert (interval.low, interval.high) == st.clopper_pearson(0, 15)


@pytest.mark.parametrize("seed", range(8))
def test_an_interval_holds_its_estimate_has_a_width_and_stays_in_range(seed):
    correct, patients = binary(seed, 30, (0.05, 0.5, 0.9, 0.97)[seed % 4], (0.05, 0.9)[seed // 4])
    interval = st.proportion_interval(correct, patients, 500, rng(seed))
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1 and interval.low < interval.high
    assert interval.estimate == pytest.approx(correct.mean()) and interval.patients == 30


@pytest.mark.parametrize("value", [0, 1])
def test_an_interval_of_all_alike_is_not_of_zero_width(value):
    for count in (1, 2, 50):
        interval = st.proportion_interval(np.full(count * 3, value), np.repeat(np.arange(count), 3), 500, rng())
        assert interval.estimate == value and interval.high - interval.low > 0.01


def test_events_all_in_one_patient_still_give_an_interval():
    correct = np.repeat([1, 0, 0], 12)
    interval = st.proportion_interval(correct, np.repeat([1, 2, 3], 12), 500, rng())
    assert interval.method == "clopper-pearson" and interval.high - interval.low > 0.5


def test_patients_all_at_one_rate_still_give_an_interval():
    interval = st.proportion_interval(np.tile([0, 1], 20), np.repeat(np.arange(20), 2), 500, rng())
    assert (interval.low, interval.high) == pytest.approx(st.clopper_pearson(20, 40), abs=1e-12)


def test_the_same_seed_gives_the_same_interval_whatever_the_order_of_the_rows():
    correct, patients = binary(4, 40, 0.6, 0.3)
    values = rng(5).random(correct.size)
    order = rng(6).permutation(correct.size)
    first = st.proportion_interval(correct, patients, 500, rng(7))
    assert first == st.proportion_interval(correct[order], patients[order], 500, rng(7))
    first, second = (
        st.mean_interval(values, patients, 500, rng(7)),
        st.mean_interval(values[order], patients[order], 500, rng(7)),
    )
    assert first[:3] == pytest.approx(second[:3], abs=1e-12)


def test_the_interval_of_many_independent_values_is_students():
    values = rng(8).normal(3, 2, 400)
    interval = st.mean_interval(values, np.arange(400), 4000, rng(9))
    student = stats.t.interval(0.95, 399, values.mean(), stats.sem(values))
    assert (interval.low, interval.high) == pytest.approx(student, abs=0.02)


def test_copied_rows_do_not_narrow_an_interval():
    values = rng(10).exponential(size=40)
    once = st.mean_interval(values, np.arange(40), 1000, rng(11))
    often = st.mean_interval(np.repeat(values, 5), np.repeat(np.arange(40), 5), 1000, rng(11))
    assert once[:3] == pytest.approx(often[:3], rel=1e-9)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    source, hits, means = rng(12), 0, 0
    for run in range(150):
        correct, patients = binary([12, run], 30, 0.7, 0.3)
        interval = st.proportion_interval(correct, patients, 400, source)
        hits += interval.low <= 0.7 <= interval.high
        values = source.normal(size=30)[patients] + source.normal(size=patients.size)
        interval = st.mean_interval(values, patients, 400, source)
        means += interval.low <= 0 <= interval.high
    assert 0.90 <= hits / 150 <= 1 and 0.90 <= means / 150 <= 1


@pytest.mark.parametrize(
    "values, patients, message",
    [
        ([1.0, 1.0, 1.0], [1, 2, 3], "give no interval"),
        ([1.0, 2.0], [1, 1], "give no interval"),
        ([0.0, 1.0], [1, 2], "give no interval"),
        ([math.nan, 1.0], [1, 2], "not finite"),
        ([], [], "shape"),
        ([1.0], [1, 2], "shape"),
    ],
)
def test_a_mean_without_an_interval_is_refused(values, patients, message):
    with pytest.raises(ValueError, match=message):
        st.mean_interval(np.array(values), np.array(patients), 500, rng())


def test_what_is_not_a_proportion_is_refused():
    with pytest.raises(ValueError, match="expected only 0 and 1"):
        st.proportion_interval(np.array([0, 2]), np.array([1, 2]), 500, rng())
    with pytest.raises(ValueError, match="draws is 10"):
        st.proportion_interval(np.array([0, 1]), np.array([1, 2]), 10, rng())


def test_sign_flip_counts_every_pattern():
    source = rng(13)
    for k in (1, 2, 5, 9):
        sums = source.integers(-3, 4, k + 3).astype(float)
        nonzero = sums[sums != 0]
        totals = [abs(np.dot(signs, nonzero)) for signs in itertools.product((1, -1), repeat=nonzero.size)]
        expected = np.mean(np.array(totals) >= abs(nonzero.sum()))
        assert st.sign_flip(sums, source) == expected


@pytest.mark.parametrize("better, worse", [(0, 5), (3, 3), (4, 9), (12, 2), (1, 0), (0, 20)])
def test_sign_flip_is_exact_mcnemar_with_one_question_per_patient(better, worse):
    sums = np.concatenate([np.ones(better), -np.ones(worse), np.zeros(30)])
    exact = stats.binomtest(better, better + worse, 0.5).pvalue
    assert st.sign_flip(sums, rng()) == pytest.approx(exact, abs=1e-12)


def test_many_patients_are_drawn_and_agree_with_mcnemar():
    sums = np.concatenate([np.ones(40), -np.ones(22)])
    p = st.sign_flip(sums, rng(14), draws=10_000)
    assert p == pytest.approx(stats.binomtest(40, 62, 0.5).pvalue, abs=0.006)
    assert p * 10_001 == pytest.approx(round(p * 10_001), abs=1e-9)
    assert st.sign_flip(np.ones(60), rng(15), draws=999) == 1 / 1000
    assert p == st.sign_flip(sums[::-1], rng(14), draws=10_000)


def test_ties_of_sums_that_differ_in_the_last_bit_are_ties():
    sums = np.array([0.1, 0.2, 0.3])  # 0.1 + 0.2 > 0.3 in binary
    assert st.sign_flip(np.array([0.1, 0.2, -0.3]), rng()) == 1
    assert st.sign_flip(sums, rng()) == st.sign_flip(sums * 7, rng()) == st.sign_flip(sums * 1e-9, rng()) == 0.25


def test_no_difference_has_p_one_and_no_patient_none():
    assert st.sign_flip(np.zeros(5), rng()) == 1
    for sums in ([], [math.nan], [[1.0]]):
        with pytest.raises(ValueError, match="sums are"):
            st.sign_flip(np.array(sums), rng())


def test_holm_multiplies_steps_up_and_keeps_the_order():
    assert st.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert st.holm([0.5]) == pytest.approx([0.5])
    assert st.holm([1.0, 0.9, 0.9]) == pytest.approx([1, 1, 1])
    assert st.holm([]).shape == (0,)
    for wrong in ([math.nan], [-0.1], [1.2]):
        with pytest.raises(ValueError, match="between 0 and 1"):
            st.holm(wrong)


def test_holm_rejects_what_closed_testing_with_bonferroni_rejects():
    source = rng(16)
    for _ in range(20):
        p = source.random(4) ** 3
        closed = [
            max(
                min(1, size * min(p[list(subset)]))
                for size in range(1, 5)
                for subset in itertools.combinations(range(4), size)
                if i in subset
            )
            for i in range(4)
        ]
        assert st.holm(p) == pytest.approx(closed, abs=1e-12)
