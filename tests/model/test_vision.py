"""Pixels are the library's own, bit by bit, whatever way they come to the vision tower."""

import numpy as np
import pytest
import torch
from PIL import Image

from medattn.model import vision
from medattn.model.load import LoadedModel
from medattn.model.vision import image_features, input_features
from medattn.radiographs.conditions import resized


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("size", [(300, 217), (180, 512), (224, 224)])
@pytest.mark.parametrize("fixture", ["single", "double"])
def test_pixels_are_those_of_the_librarys_processor(request, fixture, size):
    loaded: LoadedModel = request.getfixturevalue(fixture)
    image = noise(*size)
    theirs = loaded.processor.image_processor(images=[image], return_tensors="pt")["pixel_values"]
    ours = vision.pixels(loaded, torch.from_numpy(np.stack([resized(image, loaded.image_side)])))
    assert ours.dtype == loaded.model.dtype and torch.equal(ours, theirs.to(loaded.model.dtype))


def test_features_do_not_depend_on_how_many_images_there_are(double):
    images = [noise(240, 200, seed) for seed in range(2 * vision.IMAGES_AT_ONCE + 1)]
    together = image_features(double, images)
    assert together.shape[:2] == (len(images), 256)
    for index in (0, vision.IMAGES_AT_ONCE, len(images) - 1):
        alone = input_features(double, [resized(images[index], double.image_side)])
        torch.testing.assert_close(together[index], alone[0], rtol=0, atol=1e-10)
