"""What lies where in the image that a sample shows: the patient's body and the true regions, as coverage of grid cells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from medattn.base.rows import IsOneSample
from medattn.measures import body, localisation
from medattn.measures.rotation import rotate_mask
from medattn.measures.silhouette import doubt
from medattn.radiographs.reader import RadiographReader

PlaceOf = Callable[[IsOneSample], "Place"]  # of an evaluation row


@dataclass(frozen=True)
class Region:
    """Where a finding truly is."""

    coverage: np.ndarray  # float [16, 16], area fraction
    cells: np.ndarray  # bool [16, 16]
    fallback: bool  # no cell is covered by half: the most covered ones stand in


@dataclass(frozen=True)
class Place:
    """One image's anatomy, always from the clean image, turned with it where it was rotated."""

    body: np.ndarray  # float [16, 16], area fraction
    box: tuple[float, float, float, float]  # body's bounding box: x0, y0, x1, y1 in fractions of width and height
    frontal: bool
    regions: Mapping[str, Region]  # finding -> its region
    width: int
    height: int
    doubt: str = ""  # why the body mask may be wrong

    def region_of(self, row: Mapping[str, Any]) -> Region | None:
        """The true region of an evaluation row's finding; None where it is absent or not known."""
        return self.regions.get(row["finding"]) if row["ground_truth"] == "yes" else None


class Places:
    """The anatomy of what a sample shows, by its row of manifest or evaluation; without an image, its own's."""

    def __init__(self, reader: RadiographReader) -> None:
        self._reader = reader
        self._known: dict[tuple[str, str], Place] = {}

    def __call__(self, sample: IsOneSample) -> Place:
        degrees = sample["strength"] if sample.is_rotated else ""
        key = (sample["shown_image_id"] or sample["image_id"], degrees or "0")
        if key not in self._known:
            self._known[key] = self._place(key[0], float(key[1]))
        return self._known[key]

    def _place(self, image_id: str, degrees: float) -> Place:
        radiograph = self._reader(image_id)
        turned = (lambda mask: rotate_mask(mask, degrees)) if degrees else (lambda mask: mask)
        mask, regions = turned(radiograph.body), {}
        for finding, region in sorted(radiograph.regions.items()):
            if (there := turned(region)).any():  # else turned out of the image
                coverage = body.cell_coverage(there)
                regions[finding] = Region(coverage, *localisation.region_cells(coverage))
        height, width = radiograph.pixels.shape
        return Place(
            body=body.cell_coverage(mask),
            box=body.bounding_box(mask),
            frontal=radiograph.frontal,
            regions=regions,
            width=width,
            height=height,
            doubt=doubt(radiograph.body),
        )
