"""Where in a radiograph the chest must be, and whether anything is shown there."""

import numpy as np

from medattn.measures.working_image import SCALE, extent

LEAST_CONTRAST = 16  # grey levels between the 1st and 99th percentile, below which an image shows nothing
LEAST_CHEST_CONTRAST = 4  # the same in the middle of the image
CHEST = (0.30, 0.22)  # half-axes of the ellipse, in widths and heights, that is inside every chest
CHEST_IN_BODY = (0.38, 0.33)  # the same in the body's box: where lungs usually lie
CENTRE = (0.50, 0.45)  # of both ellipses, from the left and from the top


def chest_ellipse(shape: tuple[int, ...], half_axes: tuple[float, float] = CHEST_IN_BODY) -> np.ndarray:
    """bool [height, width]: pixels in the ellipse where lungs usually lie in a box of that shape."""
    height, width = shape
    y, x = (2 * np.arange(height) + 1)[:, None] / (2 * height), (2 * np.arange(width) + 1)[None, :] / (2 * width)
    return ((x - CENTRE[0]) / half_axes[0]) ** 2 + ((y - CENTRE[1]) / half_axes[1]) ** 2 <= 1


def check_contrast(values: np.ndarray) -> None:
    """Of a working image int [H, W], in sixteenths of a grey level.

    Raises ValueError for one without contrast, or with none where the chest must be (a marker on an empty plate).
    """
    for where, part, least in (
        ("", values, LEAST_CONTRAST),
        (" where the chest must be", values[chest_ellipse(values.shape, CHEST)], LEAST_CHEST_CONTRAST),
    ):
        low, high = extent(part) if part.size else (0, 0)
        if high - low < least * SCALE:
            raise ValueError(
                f"image shows only background: grey values {low // SCALE} to {high // SCALE} without the outer 1 %{where},"
                f" expected a range of at least {least}"
            )
