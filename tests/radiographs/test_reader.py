"""Radiographs: regions united, every file checked, errors that name the image."""

import numpy as np
import pytest
from PIL import Image

from medattn.base.errors import InputError
from medattn.measures.silhouette import body_mask
from medattn.radiographs.reader import RadiographReader
from medattn.study.schema import read_study
from tests.conftest import change, sha256, surveyed
from tests.metrics.conftest import HEIGHT, WIDTH, make_study


@pytest.fixture
def study(tmp_path):
    make_study(tmp_path / "data")
    return tmp_path / "data"


def reader(study) -> RadiographReader:
    return RadiographReader(read_study(study), surveyed(study, study.parent / "bodies"))


def regions(study, change) -> None:
    path = study / "regions.csv"
    path.write_text(change(path.read_text()))


def test_a_radiograph_has_its_pixels_its_body_and_its_regions(study):
    radiograph = reader(study)("i1")
    assert radiograph.pixels.shape == (HEIGHT, WIDTH) == radiograph.body.shape and radiograph.pixels.dtype == np.uint8
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[36:45, 16:28] = True
    assert list(radiograph.regions) == ["pleural effusion"] and (radiograph.regions["pleural effusion"] == mask).all()
    assert radiograph.body[20, 30] and not radiograph.body[20, 2]
    assert not reader(study)("i3").regions


def test_a_box_holds_every_pixel_that_it_touches_and_is_united_with_a_mask(study):
    regions(study, lambda text: text + "i1,pleural effusion,right,1,40.5,2.2,3,1,,\n")
    found = reader(study)("i1").regions["pleural effusion"]
    assert found[36:45, 16:28].all() and found[2:4, 40:44].all() and found.sum() == 9 * 12 + 2 * 4


def test_the_last_radiograph_is_not_opened_twice(study):
    radiographs = reader(study)
    assert radiographs("i1") is radiographs("i1") and radiographs("i2").image_id == "i2"


def test_a_bad_file_is_an_error_that_names_the_image(study):
    radiographs = reader(study)
    (study / "images/i1.png").unlink()
    with pytest.raises(InputError, match=r"image 'i1': .* absent"):
        radiographs("i1")
    with pytest.raises(InputError, match=r"image 'i9' is not in .*images\.csv"):
        radiographs("i9")


def test_an_image_without_a_body_is_named_when_its_body_is_asked_for(study):
    path = study / "images/i1.png"
    plate = Image.new("L", (WIDTH, HEIGHT))
    plate.paste(Image.linear_gradient("L").resize((WIDTH // 6, HEIGHT // 6)), (8, 8))
    plate.save(path)
    change(study / "images.csv", lambda rows: rows[0].update(sha256=sha256(path)))
    radiographs = reader(study)
    assert radiographs("i1").pixels.max() > 200 and radiographs.body_hash("i1") == "" != radiographs.body_hash("i2")
    with pytest.raises(InputError, match=r"image 'i1': no body found: .*; remove the image from the study"):
        _ = radiographs("i1").body


def test_a_radiograph_that_prepare_could_not_read_has_no_body_and_the_remedy_is_named(study):
    content = (study / "images/i1.png").read_bytes()
    (study / "images/i1.png").write_bytes(b"damaged")
    radiographs = reader(study)
    (study / "images/i1.png").write_bytes(content)
    with pytest.raises(InputError, match="does not say where the body is in image 'i1': run `dvc repro -f prepare`"):
        _ = radiographs("i1").body


def test_a_body_is_pinned_by_its_mask(study):
    radiographs = reader(study)
    stored = radiographs("i1").stored_body
    assert stored is not None and (stored().mask == body_mask(radiographs("i1").pixels)).all()
    assert len({radiographs.body_hash(f"i{number}") for number in (1, 1, 2)}) <= 2
