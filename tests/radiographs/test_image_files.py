"""Image files that a study may hold, and those it may not."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from medattn.radiographs.image_files import UnreadableFileError, check_contrast, open_image, open_radiograph


def _saved(image, tmp_path, **options):
    path = tmp_path / "image.png"
    image.save(path, **options)
    return path.name, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_an_alpha_channel_that_hides_nothing_is_dropped_and_another_refused(tmp_path, mode):
    image = Image.new(mode.removesuffix("A"), (8, 8), 77 if mode == "LA" else (77, 77, 77))
    image.putalpha(255)
    assert open_image(tmp_path, *_saved(image, tmp_path)).mode == mode.removesuffix("A")
    image.putpixel((3, 3), (*image.getpixel((3, 3))[:-1], 100))
    with pytest.raises(UnreadableFileError, match=f"mode {mode}"):
        open_image(tmp_path, *_saved(image, tmp_path))


def test_an_image_stored_turned_is_refused(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    with pytest.raises(UnreadableFileError, match=r"EXIF orientation 6.*auto-orient"):
        open_image(tmp_path, *_saved(Image.new("L", (8, 8)), tmp_path, exif=exif))


@pytest.mark.parametrize("form", ["TIFF", "PNG", "MPO", "WEBP", "GIF"])
def test_a_file_of_several_images_is_refused(tmp_path, form):
    """Else the first would be taken for the radiograph without a word."""
    image = Image.linear_gradient("L")
    name = _saved(image, tmp_path, format=form, save_all=True, append_images=[image.rotate(180)])
    with pytest.raises(UnreadableFileError, match=r"holds 2 images, and which one is meant nobody can tell: keep one of them"):
        open_image(tmp_path, *name)
    assert open_image(tmp_path, *_saved(image.convert("RGB"), tmp_path, format="JPEG", progressive=True)).size == image.size


@pytest.mark.parametrize(
    "content", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", b"<!DOCTYPE html>", bytes(999), b"P7 1 1"]
)
def test_a_format_that_is_not_read_is_named_and_no_other_program_is_asked(tmp_path, content):
    (tmp_path / "image.png").write_bytes(content)
    with pytest.raises(UnreadableFileError, match=r"it is damaged, or no image of PNG, .* or DICOM: restore the file"):
        open_image(tmp_path, "image.png", hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize(("mode", "said"), [("1", "mode 1,"), ("P", "mode P"), ("CMYK", "mode CMYK"), ("LAB", "LAB"),
                                            ("F", "mode F, 32 bits"), ("I;16", "mode I;16, 16 bits")])  # fmt: skip
def test_pixels_that_are_no_eight_bit_grey_or_colour_are_refused(tmp_path, mode, said):
    image = Image.linear_gradient("L")
    image = Image.fromarray(np.asarray(image).astype(np.uint16)) if mode == "I;16" else image
    image = image.convert("RGB").convert(mode) if mode in ("CMYK", "LAB", "P") else image.convert(mode)
    with pytest.raises(UnreadableFileError, match=f"has .*{said}.*, expected 8-bit grey .mode L. or RGB: convert it"):
        open_image(tmp_path, *_saved(image, tmp_path, format="TIFF"))


def test_an_image_of_too_many_pixels_is_called_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(UnreadableFileError, match="too large to be a radiograph"):
        open_image(tmp_path, *_saved(Image.new("L", (8, 8)), tmp_path))


def test_an_image_of_one_grey_and_a_hot_pixel_is_as_good_as_empty(tmp_path):
    image = Image.new("L", (64, 64), 7)
    image.putpixel((0, 0), 255)
    with pytest.raises(UnreadableFileError, match="grey values 7 to 7 only"):
        check_contrast(image, tmp_path)
    check_contrast(Image.linear_gradient("L"), tmp_path)


def test_a_flat_part_does_not_hide_that_the_rest_is_one_grey(tmp_path):
    image = Image.new("RGB", (64, 64), (140, 140, 140))
    image.paste((0, 0, 0), (0, 0, 64, 20))
    image.putpixel((40, 40), (150, 150, 150))
    with pytest.raises(UnreadableFileError, match="grey values 140 to 150 only, but for a few pixels or a flat part"):
        check_contrast(image, tmp_path)


def test_a_radiograph_is_an_image_that_shows_something_and_a_mask_need_not(tmp_path):
    name = _saved(Image.new("L", (8, 8), 255), tmp_path)
    assert open_image(tmp_path, *name, modes=("L",)).getextrema() == (255, 255)
    with pytest.raises(UnreadableFileError, match=r"image\.png shows grey values 255 to 255 only"):
        open_radiograph(tmp_path, *name)
    assert open_radiograph(tmp_path, *_saved(Image.linear_gradient("L"), tmp_path)).size == (256, 256)
