"""The synthetic radiographs: exact masks, independent random streams, contrast that follows conspicuity."""

import io
from functools import cache

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from medattn.phantom.anatomy import FINDINGS, HEIGHT, LOOKALIKES, WIDTH, DrawnRadiograph, draw

SEEDS = range(4)
CASES = [(finding, side) for finding in FINDINGS for side in (("",) if finding == "cardiomegaly" else ("left", "right"))]


def radiograph(seed: int, conspicuity=None, sides=None, *, pose: int | None = None, **options) -> DrawnRadiograph:
    exposure = np.random.default_rng((77, seed if pose is None else pose))
    return draw(np.random.default_rng(seed), exposure, conspicuity or {}, sides or {}, **options)


def difference(one: DrawnRadiograph, other: DrawnRadiograph) -> np.ndarray:
    return np.abs(one.image.astype(int) - other.image)


@cache
def normal(seed: int) -> DrawnRadiograph:
    return radiograph(seed)


@cache
def with_finding(seed: int, finding: str, side: str, conspicuity: float = 1.0) -> DrawnRadiograph:
    return radiograph(seed, {finding: conspicuity}, {finding: side} if side else {})


def test_same_seeds_give_the_same_bytes():
    everything = {"conspicuity": dict.fromkeys(FINDINGS, 0.7), "device": True, "lookalikes": LOOKALIKES}
    one, again = radiograph(3, **everything), radiograph(3, **everything)
    assert one.image.tobytes() == again.image.tobytes()
    assert [lesion.mask.tobytes() for lesion in one.lesions] == [lesion.mask.tobytes() for lesion in again.lesions]


def test_image_and_masks_have_the_documented_form():
    drawn = radiograph(0, {"nodule": 0.4, "cardiomegaly": 0.3}, device=True, lookalikes=("skin fold",))
    assert drawn.image.shape == drawn.body.shape == drawn.lungs.shape == (HEIGHT, WIDTH)
    assert drawn.image.dtype == np.uint8 and drawn.body.dtype == drawn.lungs.dtype == bool
    assert [(lesion.finding, lesion.conspicuity) for lesion in drawn.lesions] == [("cardiomegaly", 0.3), ("nodule", 0.4)]
    assert drawn.lesions[0].side == "" and drawn.lesions[1].side in ("left", "right")
    assert drawn.device and drawn.lookalikes == ("skin fold",)


def test_another_exposure_gives_another_image():
    assert difference(radiograph(0, pose=1), radiograph(0, pose=2)).mean() > 1


def test_another_patient_gives_another_image():
    assert difference(radiograph(0, pose=1), radiograph(1, pose=1)).mean() > 1


@pytest.mark.parametrize(("finding", "side"), CASES)
def test_masks_are_connected_large_enough_and_inside_the_body(finding, side):
    for seed in SEEDS:
        drawn = with_finding(seed, finding, side)
        (lesion,) = drawn.lesions
        assert lesion.side == side
        assert lesion.mask.sum() >= 60
        assert not (lesion.mask & ~drawn.body).any()
        assert ndimage.label(lesion.mask)[1] == 1
        assert finding == "cardiomegaly" or not (lesion.mask & ~drawn.lungs).any()


@pytest.mark.parametrize(("finding", "side"), [case for case in CASES if case[1]])
def test_the_left_side_is_the_right_half_of_the_body_in_the_image(finding, side):
    for seed in SEEDS:
        drawn = with_finding(seed, finding, side)
        middle = np.nonzero(drawn.lungs)[1].mean()
        columns = np.nonzero(drawn.lesions[0].mask)[1]
        assert (columns.mean() > middle) == (side == "left")


@pytest.mark.parametrize(("finding", "side"), CASES)
def test_a_finding_changes_the_image_inside_its_mask_and_hardly_elsewhere(finding, side):
    for seed in SEEDS:
        drawn = with_finding(seed, finding, side)
        changed = difference(drawn, normal(seed))
        near = ndimage.binary_dilation(drawn.lesions[0].mask, iterations=4)
        assert changed[near].sum() > 0.8 * changed.sum()
        assert (changed[~ndimage.binary_dilation(near, iterations=8)] == 0).mean() > 0.99


@pytest.mark.parametrize(("finding", "side"), CASES)
def test_contrast_follows_conspicuity(finding, side):
    for seed in SEEDS:
        mask = with_finding(seed, finding, side).lesions[0].mask
        without = normal(seed)
        contrast = [difference(with_finding(seed, finding, side, c), without)[mask].mean() for c in (0.25, 0.5, 1.0)]
        assert contrast[0] < contrast[1] < contrast[2]
        assert contrast[1] / contrast[2] == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("finding", FINDINGS)
def test_a_finding_without_conspicuity_is_present_but_invisible(finding):
    assert len(radiograph(1, {finding: 0}).lesions) == 1 and not difference(radiograph(1, {finding: 0}), normal(1)).any()


@pytest.mark.parametrize("finding", ["pleural effusion", "pneumothorax", "consolidation", "nodule"])
def test_a_full_finding_stands_out_and_a_faint_one_is_weaker_than_ribs_and_vessels(finding):
    for seed in SEEDS:
        without = normal(seed)
        clear, faint = (with_finding(seed, finding, "right", c) for c in (1.0, 0.1))
        assert difference(clear, without)[clear.lesions[0].mask].mean() > 15
        anatomy = without.image[ndimage.binary_erosion(without.lungs, iterations=8)].std()
        assert difference(faint, without)[faint.lesions[0].mask].mean() < anatomy


def test_the_heart_of_cardiomegaly_is_wider_than_half_the_chest():
    for seed in SEEDS:
        mask = with_finding(seed, "cardiomegaly", "").lesions[0].mask
        lungs = np.nonzero(normal(seed).lungs.any(axis=0))[0]
        heart = np.nonzero(mask.any(axis=0))[0]
        assert np.ptp(heart) / np.ptp(lungs) == pytest.approx(0.62, abs=0.03)


def test_a_finding_lies_where_it_lies_whatever_else_is_present():
    alone = radiograph(1, {"nodule": 1.0}, {"nodule": "left"}).lesions[0].mask
    among = radiograph(1, {"nodule": 0.2, "pneumothorax": 1.0, "pleural effusion": 0.5}, {"nodule": "left"}).lesions[-1].mask
    assert (alone == among).all()


def test_both_sides_fall_by_chance():
    assert {radiograph(seed, {"nodule": 1.0}).lesions[0].side for seed in range(12)} == {"left", "right"}


@pytest.mark.parametrize("lookalike", LOOKALIKES)
def test_a_lookalike_shows_without_being_a_lesion(lookalike):
    drawn = radiograph(2, lookalikes=(lookalike,))
    assert drawn.lesions == () and difference(drawn, radiograph(2)).max() > 15


def test_a_device_is_a_thin_line():
    changed = difference(radiograph(2, device=True), radiograph(2)) > 5
    assert 100 < changed.sum() < 2500


def test_the_body_stands_out_from_a_dark_background():
    for seed in range(12):
        drawn = normal(seed)
        inside = drawn.body & ~ndimage.binary_erosion(drawn.body, iterations=3, border_value=1)
        outside = ~ndimage.binary_dilation(drawn.body)
        background = np.median(drawn.image[outside])
        assert np.percentile(drawn.image[inside], 2) - background >= 25
        assert np.median(np.abs(drawn.image[outside] - background)) <= 1
        assert drawn.image[drawn.body].min() > np.percentile(drawn.image[outside], 90) + 10


def test_the_marker_is_the_only_bright_thing_outside_the_body_and_touches_nothing():
    for seed in range(24):
        drawn = normal(seed)
        bright = (drawn.image > 60) & ~drawn.body
        assert ndimage.label(bright, np.ones((3, 3)))[1] == 1
        assert not (ndimage.binary_dilation(bright, iterations=3) & drawn.body).any()
        assert ndimage.label(drawn.body)[1] == 1


def test_images_are_small_as_png():
    buffer = io.BytesIO()
    Image.fromarray(radiograph(5, dict.fromkeys(FINDINGS, 0.8)).image).save(buffer, "PNG", optimize=True)
    assert buffer.tell() <= 70_000


def test_an_unknown_name_is_an_error_that_says_it():
    with pytest.raises(ValueError, match="unknown finding 'fracture'"):
        radiograph(0, {"fracture": 1.0})
    with pytest.raises(ValueError, match="unknown look-alike 'button'"):
        radiograph(0, lookalikes=("button",))
    with pytest.raises(ValueError, match="side of nodule is 'middle'"):
        radiograph(0, {"nodule": 1.0}, {"nodule": "middle"})
    with pytest.raises(ValueError, match="conspicuity of nodule is -1"):
        radiograph(0, {"nodule": -1})
