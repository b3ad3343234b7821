"""The patient's body in a radiograph: everything but the air around the patient and the borders of the exposed field.

Air is dark, but after histogram equalisation a lung is as dark. What tells them apart is that the chest wall lies between
them: to leave the lungs, a path must climb over it. So the image is reduced to ranks (which no tone curve changes), and air
is what is dark, reaches the left or right border, and is parted from the chest by brighter pixels. Integers and exactly rounded
sums only, each step symmetric: the same mask on every processor, and the flipped mask for a flipped image.
"""

import numpy as np
from scipy import ndimage

from medattn.measures.air import LEVELS, working_mask
from medattn.measures.chest import check_contrast, chest_ellipse
from medattn.measures.exposed_field import bands_of, cuts_of, exposed_field, margins
from medattn.measures.working_image import RANKS, SCALE, enlarged, equalised, reduced, smoothed

EQUALISED_SIDE = 512  # longer images are reduced to it before they are equalised
LEAST_SHARE = 0.05  # of the image: a smaller component is a marker, not a body
LEAST, MOST = 0.25, 0.97  # share of the image that a body covers, or else it is doubtful
LEAST_HELD = 0.8  # of the ellipse where lungs usually lie


def body_mask(image: np.ndarray) -> np.ndarray:
    """Body of a radiograph uint8 [H, W] (bone bright, air dark) → bool [H, W].

    Lungs, dark as air, belong to it; a bright marker in a corner, a frame of a few pixels and flat straight bands along the
    sides (collimation) do not change what is found inside. Raises ValueError if the image is not uint8 [H, W], shows nothing
    but background, or if the largest component covers less than 5 % of it.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 2 or image.size == 0:
        raise ValueError(f"image is {image.dtype} {list(image.shape)}, expected uint8 [height, width]")
    exposed = exposed_field(image)
    cuts = cuts_of(image[exposed].shape)
    inner = image[tuple(slice(at.start + cut, at.stop - cut) for at, cut in zip(exposed, cuts, strict=True))]
    shape = inner.shape
    if max(shape) > EQUALISED_SIDE:
        inner = (reduced(inner, EQUALISED_SIDE) // SCALE).astype(np.uint8)
    grey = reduced(inner)
    check_contrast(smoothed(grey))
    bands = bands_of(grey)
    band = np.logical_or.reduce(bands)
    shown = ~ndimage.binary_dilation(band, iterations=3) if band.any() else ~band  # a blurred edge belongs to neither
    ranks = equalised(inner, enlarged(shown, inner.shape))
    mask = working_mask(smoothed(reduced(ranks)) * LEVELS // (RANKS * SCALE), shown, bands)
    if mask.sum() < LEAST_SHARE * mask.size:
        raise ValueError(
            f"the largest component covers {mask.mean():.3f} of the image, expected a body of at least {LEAST_SHARE}"
        )
    continued, beyond = zip(*map(margins, exposed, image.shape, cuts), strict=True)
    return np.pad(np.pad(enlarged(mask, shape), continued, mode="edge"), beyond)


def doubt(mask: np.ndarray) -> str:
    """Why a body bool [H, W] may be wrong, in a few words; "" if nothing speaks against it.

    Raises ValueError if it is empty.
    """
    share = np.count_nonzero(mask) / mask.size
    if not LEAST <= share <= MOST:
        return f"the body covers {100 * share:.0f} % of the image, expected {100 * LEAST:.0f} to {100 * MOST:.0f} %"
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    lungs = chest_ellipse(box.shape)
    held = np.count_nonzero(box & lungs) / max(int(lungs.sum()), 1)
    if held < LEAST_HELD:
        return f"the body holds {100 * held:.0f} % of the ellipse where lungs usually lie, expected {100 * LEAST_HELD:.0f} %"
    return ""
