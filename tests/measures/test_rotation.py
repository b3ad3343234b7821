"""Images, masks and grids turn the same way, by the same angle, about the same centre."""

import math

import numpy as np
import pytest
from scipy import ndimage

from medattn.measures.body import cell_coverage
from medattn.measures.consistency import js_divergence
from medattn.measures.rotation import common_support, comparable_pair, rotate_grid, rotate_image, rotate_mask


@pytest.mark.parametrize("turns", [1, -1, 2])
def test_a_quarter_turn_is_exact_for_images_masks_and_grids(turns):
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (40, 40), dtype=np.uint8)
    assert (rotate_image(image, 90 * turns) == np.rot90(image, turns)).all()
    colour = random.integers(0, 256, (20, 20, 3), dtype=np.uint8)
    assert (rotate_image(colour, 90 * turns) == np.rot90(colour, turns)).all()
    assert (rotate_mask(image > 128, 90 * turns) == np.rot90(image > 128, turns)).all()
    grid = random.random((16, 16))
    assert rotate_grid(grid, 50, 50, 90 * turns) == pytest.approx(np.rot90(grid, turns), abs=1e-12)


@pytest.mark.parametrize("degrees", [10, -10, 25])
def test_a_marker_lands_where_trigonometry_says_and_its_grid_cell_with_it(degrees):
    width, height = 320, 480
    x, y = 240, 120  # right of the middle, above it
    mask = np.zeros((height, width), bool)
    mask[y - 8 : y + 9, x - 8 : x + 9] = True
    angle = math.radians(degrees)
    right, up = x - (width - 1) / 2, (height - 1) / 2 - y
    expected = (
        (width - 1) / 2 + right * math.cos(angle) - up * math.sin(angle),  # counter-clockwise
        (height - 1) / 2 - (right * math.sin(angle) + up * math.cos(angle)),
    )
    rows, columns = np.nonzero(rotate_mask(mask, degrees))
    assert (columns.mean(), rows.mean()) == pytest.approx(expected, abs=0.6)
    turned = rotate_grid(cell_coverage(mask), width, height, degrees)
    cells = np.indices((16, 16)) + 0.5
    centre = [(turned * axis).sum() / turned.sum() for axis in cells]
    assert centre == pytest.approx([16 * expected[1] / height, 16 * expected[0] / width], abs=0.25)


def test_forward_and_back_restores_a_smooth_grid_where_both_show_it():
    y, x = np.indices((16, 16))
    grid = np.exp(-(((y - 6) / 5) ** 2) - ((x - 9) / 5) ** 2)
    back = rotate_grid(rotate_grid(grid, 320, 384, 10), 320, 384, -10)
    support = common_support(16, 320, 384, 10)
    assert np.abs(back - grid)[support].max() < 0.05 and 0.8 < support.mean() < 1


def test_the_support_is_what_stays_in_the_picture():
    assert common_support(16, 100, 100, 90).all() and common_support(16, 100, 100, 0).all()
    wide = common_support(16, 300, 100, 90)  # only the middle third of a wide picture stays
    assert wide.any(axis=0).sum() in (5, 6) and wide[:, 7].all()
    assert (common_support(16, 320, 384, 10) == common_support(16, 320, 384, -10)[:, ::-1]).all()


@pytest.mark.parametrize("degrees", [10, -10, 25, 70])
def test_a_cell_is_supported_where_trigonometry_leaves_its_centre_in_the_picture(degrees):
    width, height = 300, 200
    angle, support = math.radians(degrees), common_support(16, width, height, degrees)
    assert support.any() and not support.all()
    for row, column in np.ndindex(16, 16):
        right, up = (column + 0.5) / 16 * width - width / 2, height / 2 - (row + 0.5) / 16 * height
        there = right * math.cos(angle) - up * math.sin(angle), right * math.sin(angle) + up * math.cos(angle)
        assert support[row, column] == (abs(there[0]) <= width / 2 and abs(there[1]) <= height / 2), (row, column)


def test_the_edges_values_continue_into_the_corners():
    image = np.full((41, 61), 200, np.uint8)
    image[0], image[-1] = 50, 90
    turned = rotate_image(image, 20)
    assert turned.min() >= 50 and {int(turned[0, 0]), int(turned[-1, -1])} <= {50, 90, 200}
    assert rotate_mask(np.ones((41, 61), bool), 20).all() and (rotate_image(np.full((9, 9), 7, np.uint8), 33) == 7).all()


@pytest.mark.parametrize("degrees", [10, -10])
def test_the_same_attention_seen_in_both_orientations_does_not_diverge(degrees):
    height, width = 384, 320
    y, x = np.indices((height, width))
    blob = np.exp(-(((y - 150) / 60) ** 2) - ((x - 200) / 50) ** 2)
    image = np.rint(255 * blob).astype(np.uint8)

    def grid_of(pixels):
        cells = pixels.reshape(16, height // 16, 16, width // 16).mean(axis=(1, 3)) + 1
        return cells / cells.sum()

    clean, rotated = grid_of(image), grid_of(rotate_image(image, degrees))
    turned_back, reference = comparable_pair(rotated, clean, width, height, degrees)
    assert js_divergence(turned_back, reference) < 1e-3 < js_divergence(rotated, clean)
    wrong_way, reference = comparable_pair(rotated, clean, width, height, -degrees)
    assert js_divergence(wrong_way, reference) > 1e-2


def test_a_grid_of_a_tall_picture_is_turned_back_in_pixels_not_in_cells():
    y, x = (np.indices((16, 16)) + 0.5) / 16
    grid = np.exp(-(((y - 0.4) / 0.12) ** 2) - ((x - 0.55) / 0.2) ** 2)
    turned, reference = comparable_pair(rotate_grid(grid, 240, 480, 25), grid, 240, 480, 25)
    assert turned == pytest.approx(reference, abs=1e-12)  # the same interpolations, so nothing is left
    restored = np.where(common_support(16, 240, 480, 25), grid, 0)
    assert js_divergence(turned, restored / restored.sum()) < 0.02


@pytest.mark.parametrize("image", [np.zeros((4, 4)), np.zeros(4, np.uint8)])
def test_only_eight_bit_images_are_turned(image):
    with pytest.raises(ValueError, match="expected uint8"):
        rotate_image(image, 10)


def test_no_mass_on_the_common_part_is_an_error():
    grid = np.zeros((16, 16))
    grid[0, 0] = 1
    with pytest.raises(ValueError, match="no mass"):
        comparable_pair(grid, np.full((16, 16), 1 / 256), 300, 100, 90)


@pytest.mark.parametrize("degrees", [-10, 10, 3.7, 45, 90, 179, -135])
@pytest.mark.parametrize("shape", [(1, 1), (40, 160), (130, 257), (384, 320)])
def test_a_mask_turned_tile_by_tile_is_the_mask_turned_as_a_whole(shape, degrees):
    for seed in range(4):
        random = np.random.default_rng(seed)
        smooth = ndimage.gaussian_filter(random.normal(size=shape), random.uniform(0, 12))
        mask = smooth > np.quantile(smooth, random.uniform(0, 1))
        turn, centre = np.deg2rad(degrees), (np.array(shape) - 1) / 2
        matrix = np.round([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]], 12)
        whole = ndimage.affine_transform(mask.astype(float), matrix, centre - matrix @ centre, order=1, mode="nearest")
        assert (rotate_mask(mask, degrees) == (np.round(whole, 6) >= 0.5)).all()
