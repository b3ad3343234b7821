"""Spatial measures of one grid, against SciPy, by hand and at the extremes."""

import math

import numpy as np
import pytest
from scipy import stats

from medattn.measures import spatial

UNIFORM = np.full((16, 16), 1 / 256)
WHOLE = (0.0, 0.0, 1.0, 1.0)


def one_cell(row, column):
    grid = np.zeros((16, 16))
    grid[row, column] = 1.0
    return grid


def random_grid(seed, n=16):
    grid = np.random.default_rng(seed).random((n, n)) ** 3
    return grid / grid.sum()


@pytest.mark.parametrize(
    "grid, message",
    [
        (np.zeros((16, 16)), "sums to 0"),
        (UNIFORM * 1.001, "sums to"),
        (np.where(one_cell(0, 0) > 0, np.nan, UNIFORM), "not finite"),
        (one_cell(0, 0) * 2 - UNIFORM, "negative"),
        (np.full((16, 8), 1 / 128), "shape"),
        (np.full(256, 1 / 256), "shape"),
    ],
)
def test_what_is_not_a_distribution_over_a_square_grid_is_refused(grid, message):
    for measure in (spatial.entropy, spatial.gini, spatial.border_fraction):
        with pytest.raises(ValueError, match=message):
            measure(grid)


def test_a_grid_rounded_to_six_digits_is_renormalised_to_exactly_one():
    checked = spatial.check_grid((random_grid(1) * (1 + 9e-5)).astype(np.float32))
    assert checked.dtype == np.float64
    assert math.fsum(checked.ravel()) == pytest.approx(1, abs=1e-15)


def test_entropy_is_scipys_entropy():
    for seed in range(5):
        grid = random_grid(seed)
        assert spatial.entropy(grid) == pytest.approx(stats.entropy(grid.ravel()), abs=1e-12)


def test_entropy_goes_from_zero_for_one_cell_to_the_logarithm_of_the_cells():
    assert spatial.entropy(one_cell(3, 4)) == 0 and math.copysign(1, spatial.entropy(one_cell(3, 4))) == 1
    assert spatial.entropy(UNIFORM) == pytest.approx(math.log(256))
    assert spatial.entropy_normalised(UNIFORM) == pytest.approx(1) and spatial.entropy_normalised(UNIFORM) <= 1
    assert spatial.entropy_normalised(one_cell(0, 0)) == 0


def test_entropy_in_the_body_is_the_entropy_of_the_weighted_grid():
    grid, coverage = random_grid(2), np.random.default_rng(3).random((16, 16))
    expected = stats.entropy((grid * coverage).ravel())
    assert spatial.entropy_body(grid, coverage) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(ValueError, match="no mass inside the body"):
        spatial.entropy_body(one_cell(0, 0), one_cell(5, 5))


def test_focus_is_the_largest_cell_that_is_at_least_half_body():
    grid = np.full((16, 16), 0.5 / 253)
    grid[0, 0], grid[1, 1], grid[2, 2] = 0.3, 0.15, 0.05
    coverage = np.ones((16, 16))
    assert spatial.focus(UNIFORM, coverage) == pytest.approx(1 / 256)
    assert spatial.focus(grid, coverage) == pytest.approx(0.3)
    coverage[0, 0] = 0.49
    assert spatial.focus(grid, coverage) == pytest.approx(0.15)
    coverage[1, 1] = 0.5 - 1e-13
    assert spatial.focus(grid, coverage) == pytest.approx(0.15)
    with pytest.raises(ValueError, match="no cell has body coverage"):
        spatial.focus(grid, np.full((16, 16), 0.4))


def test_the_share_inside_the_body_is_one_zero_and_chance():
    half = np.zeros((16, 16))
    half[:, :8] = 1
    assert spatial.inside_body_ratio(one_cell(0, 0), half) == 1
    assert spatial.inside_body_ratio(one_cell(0, 15), half) == 0
    assert spatial.inside_body_ratio(UNIFORM, half) == pytest.approx(0.5)
    assert spatial.inside_body_enrichment(UNIFORM, half) == pytest.approx(1)
    assert spatial.inside_body_enrichment(one_cell(0, 0), half) == pytest.approx(2)
    assert spatial.inside_body_enrichment(one_cell(0, 15), half) == 0


@pytest.mark.parametrize("coverage", [np.zeros((16, 16)), np.full((16, 16), 1.5), np.full((16, 16), np.nan), np.ones((8, 8))])
def test_coverage_that_is_no_area_fraction_is_refused(coverage):
    with pytest.raises(ValueError, match="body coverage"):
        spatial.inside_body_ratio(UNIFORM, coverage)


def test_the_border_counts_each_cell_once():
    assert spatial.border_fraction(UNIFORM) == pytest.approx(60 / 256)
    assert spatial.border_fraction(one_cell(0, 0)) == 1
    assert spatial.border_fraction(one_cell(1, 1)) == 0
    ring = np.zeros((16, 16))
    ring[0], ring[-1], ring[:, 0], ring[:, -1] = 1, 1, 1, 1
    assert spatial.border_fraction(ring / ring.sum()) == pytest.approx(1) and spatial.border_fraction(ring / ring.sum()) <= 1


def test_the_patients_left_is_the_images_right():
    assert spatial.left_right(one_cell(5, 15), WHOLE) == (1, 0)
    assert spatial.left_right(one_cell(5, 0), WHOLE) == (0, 1)


def test_the_apex_is_at_the_top():
    assert spatial.apical_basal(one_cell(0, 5), WHOLE) == (1, 0, 0)
    assert spatial.apical_basal(one_cell(8, 5), WHOLE) == (0, 1, 0)
    assert spatial.apical_basal(one_cell(15, 5), WHOLE) == (0, 0, 1)


def test_a_cell_on_a_boundary_is_split_by_area():
    assert spatial.apical_basal(one_cell(5, 0), WHOLE) == pytest.approx((1 / 3, 2 / 3, 0))
    assert spatial.left_right(one_cell(8, 8), (0.5, 0.5, 0.5625, 0.5625)) == pytest.approx((0.5, 0.5))


def test_halves_and_thirds_of_a_uniform_grid_are_equal_in_any_box_and_sum_to_one():
    for box in (WHOLE, (0.1, 0.2, 0.77, 0.93), (0.31, 0.03, 0.37, 0.09)):
        assert spatial.left_right(UNIFORM, box) == pytest.approx((1 / 2, 1 / 2))
        assert spatial.apical_basal(UNIFORM, box) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
        assert sum(spatial.left_right(random_grid(4), box)) == pytest.approx(1)
        assert sum(spatial.apical_basal(random_grid(4), box)) == pytest.approx(1)


def test_halves_agree_with_a_grid_drawn_ten_thousand_times_finer():
    grid, box = random_grid(5), (0.13, 0.21, 0.86, 0.95)
    fine = np.repeat(np.repeat(grid, 100, 0), 100, 1) / 1e4
    x0, y0, x1, y1 = (round(edge * 1600) for edge in box)
    inside = fine[y0:y1, x0:x1]
    middle = (x1 - x0) // 2
    expected = inside[:, middle:].sum() / inside.sum()
    assert spatial.left_right(grid, box)[0] == pytest.approx(expected, abs=1e-12)


def test_mass_outside_the_box_has_no_side():
    with pytest.raises(ValueError, match="no mass inside the body box"):
        spatial.left_right(one_cell(0, 0), (0.5, 0.5, 1, 1))


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 1), (0, 0.5, 1, 0.4), (-0.1, 0, 1, 1), (0, 0, 1, 1.1), (0, 0, math.nan, 1), (1, 2), None]
)
def test_a_box_that_is_no_box_is_refused(box):
    with pytest.raises(ValueError, match="body box"):
        spatial.left_right(UNIFORM, box)


def test_gini_is_zero_for_uniform_and_largest_for_one_cell():
    assert spatial.gini(UNIFORM) == pytest.approx(0, abs=1e-15)
    assert spatial.gini(one_cell(7, 7)) == pytest.approx(1 - 1 / 256)


def test_gini_is_half_the_relative_mean_absolute_difference():
    grid = random_grid(6).ravel()
    expected = np.abs(grid[:, None] - grid[None, :]).mean() / (2 * grid.mean())
    assert spatial.gini(grid.reshape(16, 16)) == pytest.approx(expected, abs=1e-12)


def test_other_square_grids_work():
    assert spatial.border_fraction(np.full((4, 4), 1 / 16)) == pytest.approx(12 / 16)
    assert spatial.entropy(np.full((3, 3), 1 / 9)) == pytest.approx(math.log(9))
