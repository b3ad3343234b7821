"""Radiographs: regions united, every file checked, errors that name the image."""

import numpy as np
import pytest

from medattn.base.errors import InputError
from medattn.radiographs.reader import RadiographReader
from medattn.study.schema import read_study
from tests.metrics.conftest import HEIGHT, WIDTH, make_study


@pytest.fixture
def study(tmp_path):
    make_study(tmp_path / "data")
    return tmp_path / "data"


def regions(study, change) -> None:
    path = study / "regions.csv"
    path.write_text(change(path.read_text()))


def test_a_radiograph_has_its_pixels_its_body_and_its_regions(study):
    radiograph = RadiographReader(read_study(study))("i1")
    assert radiograph.pixels.shape == (HEIGHT, WIDTH) == radiograph.body.shape and radiograph.pixels.dtype == np.uint8
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[36:45, 16:28] = True
    assert list(radiograph.regions) == ["pleural effusion"] and (radiograph.regions["pleural effusion"] == mask).all()
    assert radiograph.body[20, 30] and not radiograph.body[20, 2]
    assert RadiographReader(read_study(study))("i3").regions == {}


def test_a_box_holds_every_pixel_that_it_touches_and_is_united_with_a_mask(study):
    regions(study, lambda text: text + "i1,pleural effusion,right,1,40.5,2.2,3,1,,\n")
    found = RadiographReader(read_study(study))("i1").regions["pleural effusion"]
    assert found[36:45, 16:28].all() and found[2:4, 40:44].all() and found.sum() == 9 * 12 + 2 * 4


def test_the_last_radiograph_is_not_opened_twice(study):
    radiographs = RadiographReader(read_study(study))
    assert radiographs("i1") is radiographs("i1") and radiographs("i2").image_id == "i2"


def empty_mask(study):
    from PIL import Image

    from tests.metrics.conftest import sha256

    Image.new("L", (WIDTH, HEIGHT)).save(study / "masks/i1.png")
    old = (study / "regions.csv").read_text().split("masks/i1.png,")[1].split("\n")[0]
    regions(study, lambda text: text.replace(old, sha256(study / "masks/i1.png")))


def small_mask(study):
    from PIL import Image

    from tests.metrics.conftest import sha256

    Image.new("L", (8, 8), 255).save(study / "masks/i1.png")
    old = (study / "regions.csv").read_text().split("masks/i1.png,")[1].split("\n")[0]
    regions(study, lambda text: text.replace(old, sha256(study / "masks/i1.png")))


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda study: (study / "images/i1.png").unlink(), "image 'i1': .* absent"),
        (lambda study: (study / "masks/i1.png").write_bytes(b"no image"), "image 'i1': .*masks/i1.png has sha256"),
        (empty_mask, "image 'i1': mask .* is empty"),
        (small_mask, "image 'i1': mask .* is 8 x 8 pixels, its image 64 x 48"),
    ],
)
def test_a_bad_file_is_an_error_that_names_the_image(study, spoil, message):
    spoil(study)
    with pytest.raises(InputError, match=message):
        RadiographReader(read_study(study))("i1")


def test_an_image_without_a_body_and_one_that_is_not_in_the_study_are_named(study):
    radiographs = RadiographReader(read_study(study))
    with pytest.raises(InputError, match=r"image 'i9' is not in .*images\.csv"):
        radiographs("i9")
    radiograph = radiographs("i1")
    radiograph.__dict__["pixels"] = np.zeros((HEIGHT, WIDTH), np.uint8)
    with pytest.raises(InputError, match="image 'i1': no body found"):
        _ = radiograph.body
