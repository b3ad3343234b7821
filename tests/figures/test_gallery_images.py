"""Thumbnails: what was shown, small, with the true regions where they lie."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from medattn.figures.gallery_images import ImageMaker, gallery_image, gallery_images, outlines
from medattn.figures.gallery_samples import Perturbation
from medattn.radiographs.conditions import shown
from medattn.radiographs.reader import Radiograph, RadiographReader
from medattn.study.schema import read_study
from tests.conftest import surveyed
from tests.metrics.conftest import make_study

SIDE = 64


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    make_study(root / "study")
    return RadiographReader(read_study(root / "study"), surveyed(root / "study", root / "bodies"))


def points(path: str) -> np.ndarray:
    """x and y [n, 2] of an outline."""
    return np.array(re.findall(r"([\d.]+),([\d.]+)", path), dtype=float)


def test_an_outline_is_in_shares_of_the_picture_and_turns_with_it():
    mask = np.zeros((100, 200), bool)
    mask[20:40, 50:100] = True
    radiograph = Radiograph("one", Image.new("L", (200, 100)), True, {"nodule": mask})
    upright = points(outlines(radiograph, 0.0, 1.0)["nodule"])
    assert upright.min(axis=0) == pytest.approx([0.25, 0.2], abs=0.006)
    assert upright.max(axis=0) == pytest.approx([0.5, 0.4], abs=0.006)
    turned = points(outlines(radiograph, 180.0, 1.0)["nodule"])
    assert turned.min(axis=0) == pytest.approx([0.5, 0.6], abs=0.006)


def test_every_thumbnail_is_what_was_shown(reader):
    wanted = [
        Perturbation("clean", "", ""), Perturbation("contrast", "0.4", ""), Perturbation("gaussian_noise", "0.2", ""),
        Perturbation("rotation", "10", ""), Perturbation("blank", "", ""),
        Perturbation("occlude_region", "", "pleural effusion"),
    ]  # fmt: skip
    made = gallery_image(reader("i1"), wanted, SIDE)
    assert (made.image_id, made.width, made.height, len(made.thumbnails)) == ("i1", 64, 48, len(wanted))
    for perturbation, thumbnail in zip(wanted, made.thumbnails, strict=True):
        with Image.open(io.BytesIO(thumbnail.jpeg)) as small:
            assert small.size == (224, 168) and small.mode == "L"
            seen = np.asarray(small, dtype=float)
        image = shown(reader("i1"), *perturbation, SIDE).convert("L").resize((224, 168), Image.Resampling.BILINEAR)
        assert np.abs(seen - np.asarray(image)).mean() < 2.5  # JPEG


def test_regions_turn_with_the_image_and_nothing_lies_on_a_blank_one(reader):
    wanted = [Perturbation(*one) for one in (("clean", "", ""), ("blur", "0.2", ""), ("rotation", "90", ""), ("blank", "", ""))]
    clean, blurred, turned, blank = gallery_image(reader("i1"), wanted, SIDE).thumbnails
    assert clean.regions == blurred.regions and clean.regions.keys() == {"pleural effusion"}
    assert points(clean.regions["pleural effusion"]).mean(axis=0)[1] > 0.7  # a basal effusion
    assert turned.regions != clean.regions
    assert (blank.regions, blank.frontal, clean.frontal) == ({}, False, True)


def test_the_patients_sides_are_marked_in_frontal_views_alone(reader):
    (lateral,) = gallery_image(reader("i3"), [Perturbation("clean", "", "")], SIDE).thumbnails
    assert not lateral.frontal


def test_other_processes_make_the_same_images_in_the_same_order(reader):
    wanted = [(name, [Perturbation("clean", "", ""), Perturbation("few_pixels", "4", "")]) for name in ("i4", "i1", "i3")]
    alone, together = (list(gallery_images(wanted, ImageMaker(reader, SIDE), processes)) for processes in (1, 2))
    assert alone == together and [image.image_id for _, image in alone] == ["i4", "i1", "i3"]
