"""Body masks on phantoms with a known silhouette, coverage against brute force."""

import numpy as np
import pytest

from medattn.measures.body import bounding_box, cell_coverage
from medattn.measures.silhouette import body_mask
from medattn.phantom.anatomy import FINDINGS, LOOKALIKES, draw


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def phantom(seed):
    rng = np.random.default_rng([17, seed])
    conspicuity = {finding: float(rng.uniform(0.2, 1)) for finding in FINDINGS if rng.random() < 0.35}
    lookalikes = [name for name in LOOKALIKES if rng.random() < 0.3]
    return draw(
        np.random.default_rng([18, seed]),
        np.random.default_rng([19, seed]),
        conspicuity,
        device=seed % 3 == 0,
        lookalikes=lookalikes,
    )


@pytest.mark.parametrize("seeds", [range(0, 20), range(20, 40)])
def test_the_body_of_a_phantom_is_found(seeds):
    for seed in seeds:
        film = phantom(seed)
        assert dice(body_mask(film.image), film.body) >= 0.95, seed


def test_the_body_is_found_when_the_image_cuts_it_anywhere():
    for seed in range(3):
        film = phantom(seed)
        for rows, columns in (((60, 384), (30, 290)), ((100, 384), (50, 270)), ((0, 300), (0, 320)), ((0, 384), (0, 200))):
            image = film.image[rows[0] : rows[1], columns[0] : columns[1]]
            body = film.body[rows[0] : rows[1], columns[0] : columns[1]]
            assert dice(body_mask(image), body) >= 0.95, (seed, rows, columns)


def test_a_large_original_gives_the_mask_of_its_reduction():
    film = phantom(1)
    factor = 7
    image = film.image.repeat(factor, 0).repeat(factor, 1)[:-3, :-5]
    mask = body_mask(image)
    assert mask.shape == image.shape
    assert dice(mask, film.body.repeat(factor, 0).repeat(factor, 1)[:-3, :-5]) >= 0.98


def drawn_by_hand():
    """A grey ellipse with two lungs as dark as air, cut by the lower border, and a white marker. (image, body)"""
    y, x = np.mgrid[0:200, 0:160]
    body = ((x - 80) / 65) ** 2 + ((y - 130) / 110) ** 2 <= 1
    image = np.where(body, 120, 4).astype(np.uint8)
    for centre in (50, 110):
        image[((x - centre) / 20) ** 2 + ((y - 150) / 60) ** 2 <= 1] = 4
    image[5:20, 5:20] = 255
    return image, body


def test_lungs_as_dark_as_air_belong_to_the_body_also_where_the_border_opens_them():
    image, body = drawn_by_hand()
    mask = body_mask(image)
    assert dice(mask, body) >= 0.97
    assert mask[150, 50] and mask[199, 50] and mask[199, 110]


def test_a_white_marker_is_not_the_body():
    image, _ = drawn_by_hand()
    assert not body_mask(image)[5:20, 5:20].any()


@pytest.mark.parametrize("grey", [0, 127, 255])
def test_an_image_of_background_only_is_refused(grey):
    image = np.full((100, 80), grey, dtype=np.uint8)
    with pytest.raises(ValueError, match="only background"):
        body_mask(image)


def test_an_image_with_only_a_marker_is_refused():
    image = np.zeros((200, 160), dtype=np.uint8)
    image[5:20, 5:20] = 255
    image[100:102] = 3
    with pytest.raises(ValueError, match=r"only background|covers 0\.0"):
        body_mask(image)
    image[5:40, 5:40] = 255
    with pytest.raises(ValueError, match=r"covers 0\.0"):
        body_mask(image)


@pytest.mark.parametrize("image", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4)), np.zeros((0, 4), np.uint8)])
def test_what_is_not_a_grey_image_is_refused(image):
    with pytest.raises(ValueError, match="expected uint8"):
        body_mask(image)


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
    assert bounding_box(mask) == (0.1, 0.2, 1.0, 0.6)
    with pytest.raises(ValueError, match="mask is empty"):
        bounding_box(np.zeros((5, 5), bool))
