"""The gallery: every sample of a study with its radiograph, attention, answer and truth, one question at a time.

The page filters and draws in the browser; this module only packs what it draws. A grid travels as 256 bytes, a share
of its own highest cell each, with that cell's attention ÷ uniform beside it: an error of at most 0.2 % of the highest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from medattn.report.rendering import base64_text, render

SIDE = 16
CELLS = SIDE * SIDE
NO_IMAGE = ""
COLUMNS = (
    "sample", "question", "image", "finding", "condition", "strength", "strategy", "variant", "asked", "answer",
    "parsed", "truth", "correct", "flip", "margin", "grid", "top",
)  # fmt: skip


@dataclass(frozen=True)
class GalleryImage:
    """What the model was shown, small."""

    width: int  # of the original image, in pixels: for the aspect ratio
    height: int
    jpeg: bytes  # longer side about 256 pixels
    regions: Mapping[str, str]  # finding -> outline of its true region: SVG path data, x and y in 0..1 of the image
    frontal: bool = True  # the patient's sides are marked


@dataclass(frozen=True)
class Sample:
    """One variant under one condition."""

    sample_id: str
    question_id: str
    image: str  # key of an image, "" when no image was shown
    finding: str
    condition: str
    strength: str  # "" where the condition has none
    strategy: str
    variant_index: int  # 0: the baseline variant
    asked: str  # the question as it was put
    answer: str
    parsed: str  # yes | no | uncertain | contradictory | unparsed
    truth: str  # yes | no | "" where nobody knows
    correct: bool | None
    flip: bool | None  # does the answer differ from the baseline variant's? None for the baseline itself
    margin: float | None  # logit of yes minus logit of no
    grid: np.ndarray | None  # float [16, 16], sum 1, row 0 the top of the image; None without an image


def html(title: str, note: str, images: Mapping[str, GalleryImage], samples: Sequence[Sample]) -> str:
    """The gallery as one page. Questions and conditions keep the order of `samples`; unused images are left out.

    Raises ValueError, naming the sample, for an image that is not in `images` or a grid that is none.
    """
    for sample in samples:
        if sample.image != NO_IMAGE and sample.image not in images:
            raise ValueError(f"sample {sample.sample_id}: image {sample.image!r} is not among the images")
    used = sorted({sample.image for sample in samples} - {NO_IMAGE})
    data = {
        "images": {key: _gallery_image(images[key]) for key in used},
        "columns": COLUMNS,
        "samples": [_row(sample) for sample in samples],
    }
    return render("gallery.html", title=title, note=note, data=data)


def encoded(grid: np.ndarray) -> tuple[str, float]:
    """A grid [16, 16] as base64 of 256 uint8, row by row (255: the highest cell), and the highest cell ÷ uniform."""
    highest = float(grid.max())
    return base64_text(np.rint(grid / highest * 255).astype(np.uint8).tobytes()), round(highest * CELLS, 4)


def _gallery_image(image: GalleryImage) -> dict:
    return {
        "width": image.width,
        "height": image.height,
        "jpeg": base64_text(image.jpeg),
        "regions": dict(sorted(image.regions.items())),
        "frontal": image.frontal,
    }


def _row(sample: Sample) -> tuple:
    """The sample in the order of COLUMNS."""
    grid, top = (None, None) if sample.grid is None else encoded(_checked(sample.sample_id, sample.grid))
    return (
        sample.sample_id, sample.question_id, sample.image, sample.finding, sample.condition, sample.strength,
        sample.strategy, int(sample.variant_index), sample.asked, sample.answer, sample.parsed, sample.truth,
        _truth_value(sample.correct), _truth_value(sample.flip), _rounded(sample.sample_id, sample.margin), grid, top,
    )  # fmt: skip


def _checked(sample_id: str, grid: np.ndarray) -> np.ndarray:
    if grid.shape != (SIDE, SIDE):
        raise ValueError(f"sample {sample_id}: its grid has shape {grid.shape}, not ({SIDE}, {SIDE})")
    if not np.isfinite(grid).all() or grid.min() < 0 or grid.max() <= 0:
        raise ValueError(f"sample {sample_id}: its grid is not a distribution over {CELLS} cells")
    return grid


def _truth_value(value: bool | None) -> bool | None:
    """A plain bool: JSON knows no NumPy bool."""
    return None if value is None else bool(value)


def _rounded(sample_id: str, margin: float | None) -> float | None:
    if margin is None:
        return None
    if not np.isfinite(margin):
        raise ValueError(f"sample {sample_id}: its margin is {margin}; None stands for no margin")
    return round(float(margin), 4)
