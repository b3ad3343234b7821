"""Coverage against brute force, and boxes."""

import numpy as np
import pytest

from medattn.measures.body import box_in_fractions, cell_coverage, pixel_box, placed_coverage


@pytest.mark.parametrize("height, width", [(16, 16), (37, 53), (7, 5), (160, 96)])
def test_coverage_is_the_mean_of_the_mask_drawn_sixteen_times_finer(height, width):
    mask = np.random.default_rng(height).random((height, width)) < 0.4
    fine = mask.repeat(16, 0).repeat(16, 1).reshape(16, height, 16, width).mean(axis=(1, 3))
    assert np.array_equal(cell_coverage(mask), fine)


def test_coverage_is_one_zero_and_exactly_one_half():
    assert (cell_coverage(np.ones((33, 47), bool)) == 1).all()
    assert (cell_coverage(np.zeros((33, 47), bool)) == 0).all()
    half = np.zeros((16, 24), bool)
    half[:, :12] = True
    assert (cell_coverage(half)[:, 7] == 1).all() and (cell_coverage(half)[:, 8] == 0).all()
    half[:, 12] = True
    assert (cell_coverage(half)[:, 8] == 2 / 3).all()


def test_a_pixel_covers_the_cell_it_belongs_to():
    height, width = 3056, 2544
    for y, x in ((0, 0), (3055, 2543), (1000, 777)):
        mask = np.zeros((height, width), bool)
        mask[y, x] = True
        assert np.unravel_index(cell_coverage(mask).argmax(), (16, 16)) == (16 * y // height, 16 * x // width)


def test_the_bounding_box_holds_every_pixel():
    mask = np.zeros((50, 40), bool)
    mask[10, 4] = mask[29, 39] = True
    assert pixel_box(mask) == (4, 10, 40, 30) and box_in_fractions(pixel_box(mask), mask.shape) == (0.1, 0.2, 1.0, 0.6)
    with pytest.raises(ValueError, match="mask is empty"):
        pixel_box(np.zeros((5, 5), bool))


@pytest.mark.parametrize("shape", [(16, 16), (37, 53), (160, 96)])
def test_a_part_covers_what_the_whole_mask_covers_to_the_last_bit(shape):
    part = np.random.default_rng(1).random((9, 7)) < 0.6
    mask = np.zeros(shape, bool)
    mask[5:14, 3:10] = part
    assert (placed_coverage(part, (5, 3), shape) == cell_coverage(mask)).all()
