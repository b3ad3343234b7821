"""What the model was shown, small, with outlines of the true regions: for the gallery."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.measure import find_contours

from medattn.base.processes import made_ahead
from medattn.figures.gallery_samples import Perturbation
from medattn.measures.rotation import rotate_mask
from medattn.radiographs.bodies import Bodies
from medattn.radiographs.conditions import shown
from medattn.radiographs.reader import Radiograph, RadiographReader
from medattn.report.gallery_page import GalleryImage, Thumbnail
from medattn.study.schema import read_study

LONGER_SIDE = 224  # pixels of a thumbnail
QUALITY = 70  # of its JPEG
TOLERANCE = 0.5  # pixels of the thumbnail that an outline may deviate


Wanted = tuple[str, Sequence[Perturbation]]  # image_id, and in which ways it was shown


@dataclass(frozen=True)
class ImageMaker:
    """Makes gallery images; `side` of the model input."""

    reader: RadiographReader
    side: int

    def __call__(self, wanted: Wanted) -> GalleryImage:
        return gallery_image(self.reader(wanted[0]), wanted[1], self.side)


def gallery_images(wanted: Iterable[Wanted], maker: ImageMaker, processes: int) -> Iterator[tuple[Wanted, GalleryImage]]:
    """Every image as it was shown, in order. An image is decoded once for all of its thumbnails."""
    if processes == 1:
        return made_ahead(maker, wanted, 0)
    reader = maker.reader
    return made_ahead(_work, wanted, processes, _begin, (reader.study.directory, reader.bodies.directory, maker.side))


_own: ImageMaker | None = None  # of a worker process


def _begin(study: Path, bodies: Path, side: int) -> None:
    global _own
    _own = ImageMaker(RadiographReader(read_study(study), Bodies(bodies)), side)


def _work(wanted: Wanted) -> GalleryImage:
    assert _own is not None  # _begin comes first
    return _own(wanted)


def gallery_image(radiograph: Radiograph, perturbations: Sequence[Perturbation], side: int) -> GalleryImage:
    """An image in every way that it was shown; `side` of the model input."""
    height, width = radiograph.pixels.shape
    scale = LONGER_SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    turned = {degrees: outlines(radiograph, degrees, scale) for degrees in {_degrees(one) for one in perturbations}}
    thumbnails = []
    for one in perturbations:
        jpeg = _jpeg(shown(radiograph, *one, side), size)
        if one.condition == "blank":  # nothing lies anywhere
            thumbnails.append(Thumbnail(jpeg, {}, frontal=False))
        else:
            thumbnails.append(Thumbnail(jpeg, turned[_degrees(one)], radiograph.frontal))
    return GalleryImage(radiograph.image_id, width, height, thumbnails)


def _degrees(one: Perturbation) -> float:
    return float(one.strength) if one.condition == "rotation" else 0.0


def _jpeg(image: Image.Image, size: tuple[int, int]) -> bytes:
    content = io.BytesIO()
    image.convert("L").resize(size, Image.Resampling.BILINEAR).save(content, "JPEG", quality=QUALITY)
    return content.getvalue()


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
