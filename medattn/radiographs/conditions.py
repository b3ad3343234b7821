"""Perturbations: what is done to an image before the model sees it.

A condition is a way to perturb the image, its strength how far. Photometric ones act on the 8-bit image at the size the
model's processor gives it, in units of that image's range of grey values (1st to 99th percentile); the others act on
the original pixels. Random numbers are named by condition and image, so a stronger condition is the same change,
larger. Everything is rounded to 8 bits. A grey image has one channel until the model is shown it: its three would be equal.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage, special

from medattn.base.seeding import generator
from medattn.measures.rotation import rotate_image
from medattn.radiographs.reader import Radiograph

CELLS = 16
LARGEST_CHANGE = 0.25  # few_pixels: how far each pixel moves, up or down, in units of the range
MID_GREY = 128
RING = 0.03  # of the shorter side: width of the surroundings whose mean fills an occlusion
STEPS = 4096  # of the normal distribution that noise is drawn from
NORMAL = np.round(special.ndtri((np.arange(STEPS) + 0.5) / STEPS), 6)  # its quantiles


def grey_range(pixels: np.ndarray) -> float:
    """99th − 1st percentile of uint8 values [...], in grey levels, 0–255."""
    values = np.sort(pixels.ravel())
    return float(values[-1 - values.size // 100]) - float(values[values.size // 100])


def _eight_bits(values: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(np.round(values, 6), 0, 255)).astype(np.uint8)


def gaussian_noise(pixels: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Normal noise per pixel of standard deviation strength × range; pixels uint8 [H, W, channel], the channels alike."""
    noise = NORMAL[rng.integers(0, STEPS, size=pixels.shape[:2])]
    return _eight_bits(pixels + strength * grey_range(pixels) * noise[..., None])


def contrast(pixels: np.ndarray, strength: float) -> np.ndarray:
    """Grey values, uint8 [H, W, channel], drawn towards their mean: the range shrinks by strength × range (1: none is left)."""
    mean = np.round(pixels.mean(), 6)
    return _eight_bits(mean + (1 - strength) * (pixels - mean))


def brightness(pixels: np.ndarray, strength: float) -> np.ndarray:
    """Every grey value, uint8 [H, W, channel], moved by strength × range; negative is darker."""
    return _eight_bits(pixels + strength * grey_range(pixels))


def blur(pixels: np.ndarray, strength: float) -> np.ndarray:
    """Gaussian blur of uint8 [H, W, channel], σ = strength cells of the 16 × 16 grid, edge repeated."""
    sigma = (strength * pixels.shape[0] / CELLS, strength * pixels.shape[1] / CELLS, 0)
    return _eight_bits(ndimage.gaussian_filter(pixels.astype(np.float64), sigma, mode="nearest"))


def few_pixels(pixels: np.ndarray, strength: float, body: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`strength` cells' worth of single pixels of uint8 [H, W, channel], in the body (bool [H, W]), ± LARGEST_CHANGE × range.

    All of the body's pixels if it has fewer.
    """
    height, width = body.shape
    inside = np.flatnonzero(body)
    count = min(inside.size, round(strength * height * width / CELLS**2))
    chosen = rng.permutation(inside)[:count]
    change = np.zeros(body.size)
    change[chosen] = (rng.integers(0, 2, count) * 2 - 1) * LARGEST_CHANGE * grey_range(pixels)
    return _eight_bits(pixels + change.reshape(height, width, 1))


def elsewhere(region: np.ndarray, body: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As many pixels as `region` has, inside the body but outside the region: bool [H, W].

    Those nearest to a random point there. Raises ValueError if the rest of the body is smaller than the region.
    """
    rest, size = body & ~region, np.count_nonzero(region)
    rows, columns = np.nonzero(rest)
    if rows.size < size:
        raise ValueError(f"the body has {rows.size} pixels outside the region of {size}, expected at least as many")
    centre = rng.integers(0, rows.size)
    distance = (rows - rows[centre]) ** 2 + (columns - columns[centre]) ** 2
    chosen = np.argsort(distance, kind="stable")[:size]
    area = np.zeros_like(region)
    area[rows[chosen], columns[chosen]] = True
    return area


def occlude(pixels: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Each connected part of area (bool [H, W]) filled with the mean of its surroundings; pixels uint8 [H, W, channel].

    Raises ValueError for a part that fills the image.
    """
    out, reach = pixels.copy(), max(2, round(RING * min(area.shape)))
    labels, _ = ndimage.label(area)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        near = tuple(slice(max(0, side.start - reach), side.stop + reach) for side in box)
        part = labels[near] == number
        ring = (ndimage.distance_transform_edt(~part) <= reach) & ~area[near]
        if not ring.any():
            raise ValueError("an area to occlude has no surroundings: it fills the image")
        out[near][part] = _eight_bits(pixels[near][ring].mean(axis=0))
    return out


def resized(image: Image.Image, side: int) -> np.ndarray:
    """uint8 [side, side, 3]: stretched to the model input's size as the processor does it (Pillow, bilinear)."""
    pixels = _stretched(image, side)
    return np.repeat(pixels, 3 // pixels.shape[-1], axis=-1)


def _stretched(image: Image.Image, side: int) -> np.ndarray:
    """The same, uint8 [side, side, channel]."""
    return _pixels(_grey_or_rgb(image).resize((side, side), Image.Resampling.BILINEAR))


def _grey_or_rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "L" else image.convert("RGB")


def _pixels(image: Image.Image) -> np.ndarray:
    """uint8 [H, W, channel] of an image that is grey (one channel) or RGB."""
    return np.asarray(image).reshape(image.height, image.width, -1)


def _image(pixels: np.ndarray) -> Image.Image:
    """The image whose `_pixels` these are."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _small_body(radiograph: Radiograph, side: int) -> np.ndarray:
    """The body at the processor's size: each pixel's centre decides."""
    height, width = radiograph.body.shape
    rows, columns = ((2 * np.arange(side) + 1) * length // (2 * side) for length in (height, width))
    return radiograph.body[np.ix_(rows, columns)]


PHOTOMETRIC: dict[str, Callable[[np.ndarray, float, Radiograph], np.ndarray]] = {
    "gaussian_noise": lambda pixels, strength, radiograph: gaussian_noise(
        pixels, strength, generator("gaussian_noise", radiograph.image_id)
    ),
    "contrast": lambda pixels, strength, radiograph: contrast(pixels, strength),
    "brightness": lambda pixels, strength, radiograph: brightness(pixels, strength),
    "blur": lambda pixels, strength, radiograph: blur(pixels, strength),
    "few_pixels": lambda pixels, strength, radiograph: few_pixels(
        pixels, strength, _small_body(radiograph, len(pixels)), generator("few_pixels", radiograph.image_id)
    ),
}
IN_BODY = ("few_pixels", "occlude_elsewhere")  # need to know where the body is
REGIONAL = ("occlude_region", "occlude_elsewhere")  # need the finding's true region


def shown(radiograph: Radiograph, condition: str, strength: str, finding: str, side: int) -> Image.Image:
    """The image that the model is shown: grey where the file is, else RGB.

    radiograph: the clean image, of the donor under shuffled_image; strength as in the manifest ("" for none); side of the
    model input. Raises ValueError if the condition cannot be made of this image.
    """
    if condition in PHOTOMETRIC:
        return _image(PHOTOMETRIC[condition](_stretched(radiograph.image, side), float(strength), radiograph))
    if condition == "blank":
        return Image.new("L", (side, side), MID_GREY)
    image = _grey_or_rgb(radiograph.image)
    if condition in ("clean", "shuffled_image"):
        return image
    if condition == "rotation":
        return _image(rotate_image(_pixels(image), float(strength)))
    if condition in REGIONAL:
        area = radiograph.regions[finding]
        if condition == "occlude_elsewhere":
            area = elsewhere(area, radiograph.body, generator(condition, radiograph.image_id, finding))
        return _image(occlude(_pixels(image), area))
    raise ValueError(f"condition is {condition!r}: there is not an image for it")
