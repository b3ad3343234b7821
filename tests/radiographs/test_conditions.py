"""What is done to an image is what docs/metrics.md says, to the grey level."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from scipy.stats import norm

from medattn.base.seeding import generator
from medattn.radiographs import conditions
from medattn.radiographs.reader import Radiograph


def grey(values: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3], the channels alike."""
    return np.repeat(np.asarray(values, dtype=np.uint8)[..., None], 3, axis=-1)


def ramp(side: int = 100) -> np.ndarray:
    """Grey values 50 … 149, each once per row: 1st percentile 51, 99th 148."""
    return grey(np.tile(np.arange(50, 50 + side), (side, 1)))


def radiograph(pixels: np.ndarray, body: np.ndarray | None = None, **regions: np.ndarray) -> Radiograph:
    made = Radiograph("one", Image.fromarray(pixels), True, regions)
    if body is not None:
        made.__dict__["body"] = body  # a cached property
    return made


def test_the_range_is_between_the_first_and_the_ninety_ninth_percentile():
    values = ramp()
    assert conditions.grey_range(values) == 148 - 51
    assert conditions.grey_range(values) == pytest.approx(np.percentile(values, 99) - np.percentile(values, 1), abs=1.5)
    assert conditions.grey_range(np.full((10, 10, 3), 77, np.uint8)) == 0
    outliers = values.copy()
    outliers[0, :30] = 255
    outliers[1, :30] = 0
    assert conditions.grey_range(outliers) == pytest.approx(conditions.grey_range(values), abs=2)


def test_noise_has_the_stated_standard_deviation_and_is_scaled_not_redrawn():
    values = ramp()
    spread = conditions.grey_range(values)
    weak, strong = (conditions.gaussian_noise(values, s, generator("n")).astype(int) - values for s in (0.05, 0.1))
    assert weak[..., 0].std() == pytest.approx(0.05 * spread, rel=0.03) and abs(weak.mean()) < 0.1
    assert strong[..., 0].std() == pytest.approx(0.1 * spread, rel=0.03)
    assert np.abs(strong - 2 * weak).max() <= 2  # rounding
    assert (weak == weak[..., :1]).all()
    assert (conditions.gaussian_noise(values, 0.1, generator("n")) == values + strong).all()


def test_the_noise_is_normal():
    from scipy.stats import kurtosis, skew

    assert conditions.NORMAL.std() == pytest.approx(1, abs=2e-3)
    assert abs(skew(conditions.NORMAL)) < 1e-9 and abs(kurtosis(conditions.NORMAL)) < 0.02


def test_contrast_and_brightness_are_exact_and_clipped():
    values = grey([[0, 100], [200, 100]])
    assert conditions.contrast(values, 0.5)[..., 0].tolist() == [[50, 100], [150, 100]]
    assert (conditions.contrast(values, 1.0) == 100).all()
    spread = conditions.grey_range(values)
    assert spread == 200
    assert conditions.brightness(values, 0.25)[..., 0].tolist() == [[50, 150], [250, 150]]
    assert conditions.brightness(values, -0.75)[..., 0].tolist() == [[0, 0], [50, 0]]
    assert conditions.brightness(values, 1.0).max() == 255


def test_blur_keeps_a_flat_image_and_spreads_a_point_evenly():
    flat = grey(np.full((64, 64), 77))
    assert (conditions.blur(flat, 0.5) == 77).all()
    point = np.zeros((65, 65))
    point[32, 32] = 255
    spread = conditions.blur(grey(point), 0.25)[..., 0].astype(float)  # σ about one pixel
    assert (spread == spread.T).all() and (spread == spread[::-1]).all() and spread[32, 32] == spread.max() < 60
    assert spread.sum() == pytest.approx(255, rel=0.05)


def test_blur_is_measured_in_cells_along_each_side_and_keeps_channels_apart():
    tall = np.zeros((160, 80, 3), np.uint8)
    tall[80:, :, 0] = 200  # a step in one channel, across the taller side
    step = conditions.blur(tall, 0.5)  # σ = 5 pixels down, 2.5 across
    assert (step[..., 1:] == 0).all() and (step[..., 0] == step[:, :1, 0]).all()
    assert step[84, 0, 0] == pytest.approx(200 * norm.cdf(4.5 / 5), abs=2)  # pixel 84's centre, from the edge
    wide = conditions.blur(tall.transpose(1, 0, 2), 0.5)
    assert (wide[0, :, 0] == step[:, 0, 0]).all()


def test_few_pixels_change_as_many_as_stated_inside_the_body_by_the_stated_amount():
    values, body = ramp(160)[:, :160], np.zeros((160, 160), bool)
    body[20:140, 30:130] = True
    values = grey(np.clip(values[..., 0], 80, 170))
    changed = conditions.few_pixels(values, 4, body, generator("f")).astype(int) - values
    hit = (changed != 0).any(axis=-1)
    assert hit.sum() == 4 * 160 * 160 // 256 and not (hit & ~body).any()
    bound = conditions.LARGEST_CHANGE * conditions.grey_range(values)
    assert np.abs(np.abs(changed[hit]) - bound).max() <= 0.5
    assert 0.3 < (changed[hit] > 0).mean() < 0.7
    few = np.zeros_like(body)
    few[0, :5] = True
    assert (conditions.few_pixels(values, 4, few, generator("f")) != values).any(axis=-1).sum() == 5


def test_more_pixels_are_the_same_ones_and_further_ones():
    values, body = np.full((160, 160, 3), 128, np.uint8), np.ones((160, 160), bool)
    values[:80, :80] = 60
    weak, strong = (conditions.few_pixels(values, k, body, generator("f")).astype(int) - values for k in (2, 6))
    hit = weak != 0
    assert hit.any(axis=-1).sum() == 200 and (strong != 0).any(axis=-1).sum() == 600
    assert (strong[hit] == weak[hit]).all()


def test_changed_pixels_end_at_black_and_white():
    values, body = np.zeros((64, 64, 3), np.uint8), np.ones((64, 64), bool)
    values[:, 32:] = 255
    few = conditions.few_pixels(values, 256, body, generator("f"))  # every pixel moves by 64, or stays at the end
    assert set(np.unique(few)) == {0, 64, 191, 255}
    noise = conditions.gaussian_noise(values, 0.2, generator("n"))
    assert noise.min() == 0 and noise.max() == 255 and 0.4 < (noise[:, :32] == 0).mean() < 0.6


def test_single_pixels_change_inside_the_body_also_where_the_image_is_not_square():
    body = np.zeros((200, 80), bool)
    body[50:100, 20:60] = True
    pixels = np.tile(np.linspace(60, 180, 80), (200, 1))
    one = radiograph(grey(pixels), body)
    plain = np.asarray(Image.fromarray(grey(pixels)).resize((64, 64), Image.Resampling.BILINEAR))
    changed = (np.asarray(conditions.shown(one, "few_pixels", "4", "nodule", 64)) != plain).any(axis=-1)
    rows, columns = np.nonzero(changed)
    assert changed.sum() == 4 * 64 * 64 // 256
    assert rows.min() >= 16 and rows.max() < 32 and columns.min() >= 16 and columns.max() < 48  # a quarter to a half; to three


def test_elsewhere_is_as_large_disjoint_connected_and_inside_the_body():
    body = np.zeros((80, 60), bool)
    body[10:70, 5:55] = True
    region = np.zeros_like(body)
    region[20:40, 10:30] = True
    for seed in range(20):
        area = conditions.elsewhere(region, body, generator(seed))
        assert area.sum() == region.sum() and not (area & region).any() and not (area & ~body).any()
    assert (conditions.elsewhere(region, body, generator(1)) == conditions.elsewhere(region, body, generator(1))).all()


def test_elsewhere_is_refused_where_the_body_is_too_small():
    body = np.zeros((20, 20), bool)
    body[:, :10] = True
    region = np.zeros_like(body)
    region[:, :6] = True
    with pytest.raises(ValueError, match="the body has 80 pixels outside the region of 120"):
        conditions.elsewhere(region, body, generator(0))


def test_each_part_is_filled_with_the_mean_around_it_and_nothing_else_changes():
    values = np.full((100, 200), 40)
    values[:, 100:] = 200
    area = np.zeros(values.shape, bool)
    area[40:60, 20:40] = area[40:60, 150:170] = True
    values[area] = 255
    filled = conditions.occlude(grey(values), area)[..., 0]
    assert (filled[40:60, 20:40] == 40).all() and (filled[40:60, 150:170] == 200).all()
    assert (filled[~area] == values[~area]).all()


def test_what_is_hidden_beside_an_area_does_not_colour_its_fill():
    values = np.full((100, 200), 40)
    area = np.zeros(values.shape, bool)
    area[40:60, 20:40] = area[40:60, 41:60] = True  # one pixel apart
    values[area] = 255
    assert (conditions.occlude(grey(values), area) == 40).all()


def test_each_channel_is_filled_with_its_own_mean():
    values = np.dstack([np.full((50, 50), level, np.uint8) for level in (10, 20, 30)])
    area = np.zeros((50, 50), bool)
    area[0:20, 0:20] = True  # in the corner: surroundings on two sides only
    values[area] = 255
    assert (conditions.occlude(values, area) == [10, 20, 30]).all()


def test_the_fill_is_the_mean_of_a_ring_of_three_per_cent_of_the_shorter_side():
    values = np.random.default_rng(0).integers(0, 255, (200, 300))
    area = np.zeros(values.shape, bool)
    area[90:110, 140:170] = True
    near = ndimage.distance_transform_edt(~area)
    expected = values[(near > 0) & (near <= 6)].mean()
    assert abs(conditions.occlude(grey(values), area)[100, 150, 0] - expected) <= 0.5


def test_an_area_that_fills_the_image_has_no_surroundings():
    with pytest.raises(ValueError, match="no surroundings"):
        conditions.occlude(grey(np.zeros((20, 20))), np.ones((20, 20), bool))


@pytest.mark.parametrize("condition", ["clean", "shuffled_image"])
def test_an_unchanged_image_is_shown_as_it_is(condition):
    image = conditions.shown(radiograph(ramp()[..., 0]), condition, "", "nodule", 32)
    assert image.mode == "L" and (np.asarray(image) == ramp()[..., 0]).all()


def test_a_blank_image_is_mid_grey_at_the_models_size():
    image = conditions.shown(radiograph(ramp()), "blank", "", "nodule", 48)
    assert image.size == (48, 48) and (np.asarray(image) == 128).all()


@pytest.mark.parametrize(
    "condition, strength",
    [("gaussian_noise", "0.1"), ("contrast", "0.4"), ("brightness", "-0.15"), ("blur", "0.2"), ("few_pixels", "4")],
)
def test_photometric_conditions_act_at_the_models_size_and_repeat(condition, strength):
    body = np.ones((100, 100), bool)
    first, second = (conditions.shown(radiograph(ramp(), body), condition, strength, "nodule", 64) for _ in range(2))
    assert first.size == (64, 64) and first.mode == "RGB" and first.tobytes() == second.tobytes()
    plain = Image.fromarray(ramp()).resize((64, 64), Image.Resampling.BILINEAR)
    assert first.tobytes() != plain.tobytes()


def test_the_regions_and_only_they_are_hidden():
    region = np.zeros((100, 100), bool)
    region[30:50, 30:50] = True
    body = np.ones((100, 100), bool)
    one = radiograph(ramp(), body, nodule=region)
    there = np.asarray(conditions.shown(one, "occlude_region", "", "nodule", 32))
    away = np.asarray(conditions.shown(one, "occlude_elsewhere", "", "nodule", 32))
    assert (there[~region] == ramp()[~region]).all() and len(np.unique(there[region])) == 1
    assert (away[region] == ramp()[region]).all()


def test_rotation_turns_the_original_pixels():
    image = conditions.shown(radiograph(ramp()), "rotation", "90", "nodule", 32)
    assert (np.asarray(image) == np.rot90(ramp())).all()


CASES = [
    ("clean", ""), ("shuffled_image", ""), ("gaussian_noise", "0.1"), ("contrast", "0.4"), ("brightness", "-0.15"),
    ("blur", "0.2"), ("few_pixels", "4"), ("rotation", "10"), ("blank", ""), ("occlude_region", ""), ("occlude_elsewhere", ""),
]  # fmt: skip


def noisy(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("size", [(90, 70), (61, 101)])
@pytest.mark.parametrize(("condition", "strength"), CASES)
def test_of_a_grey_file_the_model_is_shown_what_it_is_shown_of_the_same_file_in_rgb(condition, strength, size):
    body, region = np.zeros(size, bool), np.zeros(size, bool)
    body[5:-5, 5:-5] = region[10:30, 10:25] = True
    values = noisy(size)
    inputs = [
        conditions.resized(conditions.shown(radiograph(pixels, body, nodule=region), condition, strength, "nodule", 64), 64)
        for pixels in (values, grey(values))
    ]
    assert inputs[0].shape == (64, 64, 3) and inputs[0].flags["C_CONTIGUOUS"] and inputs[0].tobytes() == inputs[1].tobytes()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "1", "P"])
def test_an_image_of_any_mode_is_resized_as_in_rgb(mode):
    image = Image.fromarray(noisy((90, 70, 3))).convert(mode)
    expected = np.asarray(image.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR))
    assert conditions.resized(image, 32).tobytes() == expected.tobytes()


def test_an_unknown_condition_has_no_image():
    with pytest.raises(ValueError, match="condition is 'no_image'"):
        conditions.shown(radiograph(ramp()), "no_image", "", "nodule", 32)
