"""Body masks on phantoms with a known silhouette, and on radiographs whose lungs people have outlined.

`make test-radiographs RADIOGRAPHS=DIR` runs the latter: DIR holds images X.png and their lungs X_lung.png.
"""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medattn.measures.silhouette import body_mask, doubt
from medattn.phantom.anatomy import FINDINGS, LOOKALIKES, draw

FOLDER = os.environ.get("MEDATTN_RADIOGRAPHS", "")
OUTLINED = sorted(path for path in Path(FOLDER).glob("*_lung.png")) if FOLDER else []


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
    with pytest.raises(ValueError, match="only background"):
        body_mask(image)
    image[5:40, 5:40] = 255
    with pytest.raises(ValueError, match=r"only background.*where the chest must be"):
        body_mask(image)


@pytest.mark.parametrize("image", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4)), np.zeros((0, 4), np.uint8)])
def test_what_is_not_a_grey_image_is_refused(image):
    with pytest.raises(ValueError, match="expected uint8"):
        body_mask(image)


def equalised(grey):
    """Histogram equalisation as the makers of MIMIC-CXR-JPG did it."""
    counts = np.bincount(grey.ravel(), minlength=256).cumsum()
    low = counts[counts > 0][0]
    return np.rint((counts - low).clip(0) / max(grey.size - low, 1) * 255).astype(np.uint8)[grey]


def gamma(power):
    return lambda grey: np.rint(255 * (grey / 255) ** power).astype(np.uint8)


def compressed(grey):
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file))


def framed(pixels, value):
    def frame(grey):
        grey = grey.copy()
        grey[:pixels] = grey[-pixels:] = grey[:, :pixels] = grey[:, -pixels:] = value
        return grey

    return frame


def padded(grey, sides, value):
    """Pixels of one grey value added above, below, at the left and at the right."""
    top, bottom, left, right = sides
    return np.pad(grey, ((top, bottom), (left, right)), constant_values=value)


def collimated(value, slope):
    """A field of 92 % of each side, turned by a small slope; flat outside."""

    def collimate(grey):
        y, x = (np.arange(side) - (side - 1) / 2 for side in grey.shape)
        along, across = x + slope * y[:, None], y[:, None] - slope * x
        outside = (abs(along) > 0.46 * grey.shape[1]) | (abs(across) > 0.46 * grey.shape[0])
        return np.where(outside, value, grey).astype(np.uint8)

    return collimate


TONES = {
    "as published": lambda grey: grey,
    "equalised": equalised,
    "equalised, JPEG": lambda grey: compressed(equalised(grey)),
    "JPEG": compressed,
    **{f"gamma {power}": gamma(power) for power in (0.6, 0.8, 1.3, 1.8)},
}
FRAMES = {f"{pixels} of {value}": framed(pixels, value) for pixels in (1, 2, 3) for value in (0, 255)}


def outlined(path):
    """(image uint8 [H, W], lungs bool [H, W])"""
    image = next(path.parent.glob(path.name.replace("_lung.png", ".*")))
    return np.asarray(Image.open(image).convert("L")), np.asarray(Image.open(path).convert("L")) > 0


@pytest.mark.skipif(not OUTLINED, reason="MEDATTN_RADIOGRAPHS names no directory with outlined lungs")
@pytest.mark.parametrize("tone", TONES.values(), ids=TONES)
def test_the_lungs_of_a_real_radiograph_are_inside_its_body(tone):
    lost = {}
    for path in OUTLINED:
        grey, lungs = outlined(path)
        inside = np.count_nonzero(body_mask(tone(grey)) & lungs) / np.count_nonzero(lungs)
        if inside < 0.99:
            lost[path.name] = round(inside, 3)
    assert not lost


@pytest.mark.skipif(not OUTLINED, reason="MEDATTN_RADIOGRAPHS names no directory with outlined lungs")
def test_frames_and_flips_do_not_change_the_body_of_a_real_radiograph():
    for path in OUTLINED:
        grey = outlined(path)[0]
        for image in (grey, equalised(grey)):
            mask = body_mask(image)
            assert np.array_equal(body_mask(image[:, ::-1]), mask[:, ::-1]), path.name
            for name, frame in FRAMES.items():
                assert np.mean(body_mask(frame(image)) != mask) < 0.01, (path.name, name)
            for pixels, value in ((2, 255), (30, 128)):
                inside = np.s_[pixels:-pixels, pixels:-pixels]
                assert np.array_equal(body_mask(padded(image, (pixels,) * 4, value))[inside], mask), (path.name, pixels, value)


def cropped(top, bottom, left, right):
    """The image without shares of its height and width."""

    def crop(image):
        height, width = image.shape
        return image[int(top * height) : height - int(bottom * height), int(left * width) : width - int(right * width)]

    return crop


def turned(degrees, fill):
    def turn(image):
        outside = fill if image.dtype == np.uint8 else False
        return np.asarray(Image.fromarray(image).rotate(degrees, fillcolor=outside))

    return turn


def resized(factor):
    def resize(image):
        return np.asarray(Image.fromarray(image).resize([round(factor * side) for side in image.shape[::-1]]))

    return resize


VIEWS = {
    "the top cut off": cropped(0.08, 0, 0, 0),
    "more of the top cut off": cropped(0.15, 0, 0, 0),
    "both sides cut off": cropped(0, 0, 0.08, 0.08),
    "all sides cut off": cropped(0.08, 0.08, 0.08, 0.08),
    "the bottom cut off": cropped(0, 0.2, 0, 0),
    "turned, black corners": turned(5, 0),
    "turned, white corners": turned(-3, 255),
    "half as large": resized(0.5),
    "three times as large": resized(3),
}


@pytest.mark.skipif(not OUTLINED, reason="MEDATTN_RADIOGRAPHS names no directory with outlined lungs")
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_the_lungs_are_inside_the_body_in_other_views_of_a_real_radiograph(view):
    lost = {}
    for path in OUTLINED:
        grey, lungs = (view(image) for image in outlined(path))
        inside = np.count_nonzero(body_mask(grey) & lungs) / np.count_nonzero(lungs)
        if inside < 0.99:
            lost[path.name] = round(inside, 3)
    assert not lost


@pytest.mark.parametrize("tone", TONES.values(), ids=TONES)
def test_the_body_of_a_phantom_is_found_in_every_tone(tone):
    for seed in range(4):
        film = phantom(seed)
        assert dice(body_mask(tone(film.image)), film.body) >= 0.95, seed


def test_a_frame_hardly_changes_the_body_of_a_phantom():
    film = phantom(2)
    mask = body_mask(film.image)
    for name, frame in FRAMES.items():
        assert np.mean(body_mask(frame(film.image)) != mask) < 0.01, name


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("sides", [(1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 3, 3), (0, 1, 3, 0), (40, 40, 40, 40), (0, 0, 90, 0)])
def test_padding_does_not_change_the_body_at_all(value, sides):
    film = phantom(2)
    top, bottom, left, right = sides
    mask = body_mask(padded(film.image, sides, value))
    height, width = mask.shape
    inside = mask[top : height - bottom, left : width - right]
    assert np.array_equal(inside, body_mask(film.image))
    if max(sides) > 4:
        assert np.count_nonzero(mask) == np.count_nonzero(inside)


@pytest.mark.parametrize("slope", [0, 0.02, 0.05])
@pytest.mark.parametrize("value", [0, 255])
def test_collimation_is_not_the_body_and_air_inside_it_is_still_found(value, slope):
    film = phantom(3)
    field = collimated(1, slope)(np.zeros_like(film.image)) == 0
    assert dice(body_mask(collimated(value, slope)(film.image)), film.body & field) >= 0.93


@pytest.mark.parametrize("shape", [(384, 320), (383, 317), (1001, 777)])
def test_the_flipped_image_has_the_flipped_body(shape):
    image = np.asarray(Image.fromarray(phantom(5).image).resize(shape[::-1]))
    assert np.array_equal(body_mask(image[:, ::-1]), body_mask(image)[:, ::-1])


def test_a_doubtful_body_says_why():
    mask = np.zeros((100, 80), dtype=bool)
    mask[10:, 10:70] = True
    assert doubt(mask) == ""
    assert "99 % of the image" in doubt(np.ones((100, 80), dtype=bool) & (np.arange(100)[:, None] > 0))
    assert "16 % of the image" in doubt(mask & (np.arange(80) < 24))
    hole = mask.copy()
    hole[30:70, 20:60] = False
    assert "of the ellipse where lungs usually lie" in doubt(hole)
