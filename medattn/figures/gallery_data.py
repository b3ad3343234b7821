"""What the gallery shows: every study sample, with what the model was shown as a small image."""

import io

import numpy as np
import pandas as pd
from PIL import Image
from skimage.measure import find_contours
from tqdm import tqdm

from medattn.figures.columns import numbers
from medattn.figures.inputs import Results
from medattn.measures.rotation import rotate_mask
from medattn.radiographs.conditions import REGIONAL, shown
from medattn.radiographs.reader import Radiograph, RadiographReader
from medattn.report.gallery_page import GalleryImage, Sample

LONGER_SIDE = 224  # pixels of a thumbnail
QUALITY = 70  # of its JPEG
TOLERANCE = 0.5  # pixels of the thumbnail that an outline may deviate
TRUTH = {"true": True, "false": False, "": None}


def samples(results: Results) -> list[Sample]:
    """Every answered study sample, by question, condition, strength and variant."""
    rows = results.evaluation[(results.evaluation.role == "study") & (results.evaluation.status != "failed")]
    margins = numbers(rows.margin)
    made = [
        Sample(
            sample_id=row.sample_id, question_id=row.question_id, image=image_key(row), finding=row.finding,
            condition=row.condition.replace("_", " "), strength=row.strength, strategy=row.strategy,
            variant_index=int(row.variant_index),
            asked=row.question, answer=row.answer, parsed=row.parsed_answer, truth=row.ground_truth,
            correct=TRUTH[row.correct], flip=TRUTH[row.flip or row.flip_to_clean],
            margin=None if pd.isna(margin) else float(margin), grid=results.grids.get(row.sample_id),
        )
        for (_, row), margin in zip(rows.iterrows(), margins, strict=True)
    ]  # fmt: skip
    return sorted(made, key=lambda one: (one.question_id, one.condition, float(one.strength or 0), one.variant_index))


def image_key(row: pd.Series) -> str:
    """Samples that were shown the same share an image; "" when no image was shown."""
    if not row.shown_image_id:
        return ""
    condition = "clean" if row.condition == "shuffled_image" else row.condition
    finding = row.finding if condition in REGIONAL else ""
    return "|".join((row.shown_image_id, condition, row.strength, finding))


def images(results: Results, reader: RadiographReader) -> dict[str, GalleryImage]:
    """key -> what was shown, for every key of `samples`."""
    rows = results.evaluation[(results.evaluation.role == "study") & (results.evaluation.status != "failed")]
    keys = sorted({image_key(row) for _, row in rows.iterrows()} - {""})
    return {key: _gallery_image(key, reader, results.image_side) for key in tqdm(keys, desc="gallery", unit="image")}


def _gallery_image(key: str, reader: RadiographReader, side: int) -> GalleryImage:
    image_id, condition, strength, finding = key.split("|")
    radiograph = reader(image_id)
    height, width = radiograph.pixels.shape
    scale = LONGER_SIDE / max(height, width)
    image = shown(radiograph, condition, strength, finding, side).convert("L")
    small = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BILINEAR)
    content = io.BytesIO()
    small.save(content, "JPEG", quality=QUALITY)
    if condition == "blank":  # nothing lies anywhere
        return GalleryImage(width, height, content.getvalue(), {}, frontal=False)
    turned = float(strength) if condition == "rotation" else 0.0
    return GalleryImage(width, height, content.getvalue(), outlines(radiograph, turned, scale), radiograph.frontal)


def outlines(radiograph: Radiograph, degrees: float, scale: float) -> dict[str, str]:
    """finding -> SVG path of its true region's outline, x and y in shares of the image; turned by `degrees`."""
    paths = {}
    for finding, mask in sorted(radiograph.regions.items()):
        mask = rotate_mask(mask, degrees) if degrees else mask
        height, width = mask.shape
        lines = []
        for contour in find_contours(np.pad(mask, 1).astype(np.float64), 0.5):
            points = simplified(contour, TOLERANCE / scale) - 0.5  # the padding, and from centres to edges
            corners = " ".join(f"{x / width:.4f},{y / height:.4f}" for y, x in points)
            lines.append(f"M{corners}Z")
        if lines:
            paths[finding] = "".join(lines)
    return paths


def simplified(contour: np.ndarray, tolerance: float) -> np.ndarray:
    """The points of a closed contour [n, 2], in half pixels, that are needed to keep within `tolerance` pixels of it.

    Douglas and Peucker 1973, in whole numbers: the steps of a mask's outline are full of ties, which must fall the
    same way on every processor. Of points as far away the first is kept.
    """
    points = np.rint(contour * 2).astype(np.int64)
    keep, todo = np.zeros(len(points), dtype=bool), [(0, len(points) - 1)]
    keep[[0, -1]] = True
    while todo:
        start, end = todo.pop()
        between, chord = points[start + 1 : end] - points[start], points[end] - points[start]
        if not len(between):
            continue
        length = int(chord @ chord)
        if length:
            squared = (between[:, 0] * chord[1] - between[:, 1] * chord[0]) ** 2  # distance from the chord, times its length
        else:
            squared, length = (between**2).sum(axis=1), 1
        far = int(np.argmax(squared))
        if squared[far] > (2 * tolerance) ** 2 * length:
            keep[start + 1 + far] = True
            todo += [(start, start + 1 + far), (start + 1 + far, end)]
    return contour[keep]
