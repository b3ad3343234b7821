"""The phantom study: balanced by design, true to its drawings, the same bytes for the same seed."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from medattn.base.errors import InputError
from medattn.checks.study_check import check
from medattn.phantom.anatomy import FINDINGS, HEIGHT, WIDTH
from medattn.phantom.cases import make_case
from medattn.phantom.study import design, write
from tests.conftest import IMAGES, SEED, make_model, read


def files_of(directory):
    return {path.relative_to(directory): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def test_the_same_seed_gives_the_same_bytes(pristine, tmp_path):
    write(tmp_path / "again", IMAGES, SEED, pristine / "model")
    assert files_of(pristine) == files_of(tmp_path / "again")


def test_another_seed_gives_other_images(pristine, tmp_path):
    write(tmp_path / "other", 1, SEED + 1)
    hashes = {row["sha256"] for row in read(pristine / "images.csv")}
    assert hashes.isdisjoint(row["sha256"] for row in read(tmp_path / "other/images.csv"))


def test_a_hundred_images_are_balanced_over_findings_and_answers():
    radiographs = design(100, 0)
    assert Counter(radiograph.finding for radiograph in radiographs) == dict.fromkeys(FINDINGS, 20)
    assert set(Counter((radiograph.finding, radiograph.present) for radiograph in radiographs).values()) == {10}
    assert len({radiograph.subject_id for radiograph in radiographs}) == 64
    assert len({radiograph.image_id for radiograph in radiographs}) == 100
    assert max(Counter(radiograph.subject_id for radiograph in radiographs).values()) == 2


def test_every_image_has_one_question_in_six_variants_and_two_controls(pristine):
    rows = read(pristine / "questions.csv")
    study, control = ([row for row in rows if row["role"] == role] for role in ("study", "control"))
    assert set(Counter(row["image_id"] for row in study).values()) == {6}
    assert set(Counter(row["image_id"] for row in control).values()) == {2}
    assert Counter(row["strategy"] for row in study) == dict.fromkeys(
        ("baseline", "phrasing", "synonym", "clause", "register", "voice"), IMAGES
    )
    asked = {row["image_id"]: row for row in study if row["variant_index"] == "0"}
    for row in control:
        baseline = asked[row["image_id"]]
        assert row["finding"] != baseline["finding"]
        assert row["question"].startswith("Is there evidence") == baseline["question"].startswith("Is there evidence")


def test_answers_images_and_masks_are_those_of_the_drawing(pristine):
    regions = read(pristine / "regions.csv")
    radiographs = {radiograph.image_id: radiograph for radiograph in design(IMAGES, SEED)}
    for image in read(pristine / "images.csv"):
        radiograph = radiographs[image["image_id"]]
        case = make_case(SEED, radiograph.subject, radiograph.number, fixed={radiograph.finding: radiograph.present})
        pixels = Image.open(pristine / "images" / image["path"])
        assert pixels.mode == "L" and pixels.size == (WIDTH, HEIGHT)
        assert np.array_equal(pixels, case.radiograph.image)
        here = {row["finding"]: row for row in regions if row["image_id"] == image["image_id"]}
        assert set(here) == {lesion.finding for lesion in case.radiograph.lesions}
        for lesion in case.radiograph.lesions:
            row = here[lesion.finding]
            assert np.array_equal(np.asarray(Image.open(pristine / row["mask"])) == 255, lesion.mask)
            x, y, w, h = (int(row[name]) for name in "xywh")
            inside = np.zeros_like(lesion.mask)
            inside[y : y + h, x : x + w] = True
            assert not (lesion.mask & ~inside).any() and lesion.mask[:, x].any() and lesion.mask[y].any()
            assert row["side"] == lesion.side and float(row["conspicuity"]) == pytest.approx(lesion.conspicuity, rel=1e-5)
        for row in read(pristine / "questions.csv"):
            if row["image_id"] == image["image_id"]:
                assert row["answer"] == ("yes" if case.present(row["finding"]) else "no")


def test_it_passes_its_own_check_with_a_model_and_without(pristine, tmp_path):
    assert check(pristine).images == IMAGES
    assert write(tmp_path / "plain", 1, SEED).images == 1
    assert not (tmp_path / "plain/model.json").exists() and not (tmp_path / "plain/model").exists()


def test_a_directory_that_holds_something_is_refused_and_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty: remove it"):
        write(tmp_path / "out", 1, SEED)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine.txt"]


def test_a_model_that_is_refused_leaves_nothing_half_written(tmp_path):
    with pytest.raises(InputError, match="not a model directory"):
        write(tmp_path / "out", 1, SEED, tmp_path)
    with pytest.raises(InputError, match="mm_tokens_per_image is 64"):
        write(tmp_path / "out", 1, SEED, make_model(tmp_path / "small", image_tokens=64))
    assert [path.name for path in tmp_path.iterdir()] == ["small"]
