"""What lies where in the image that a sample shows: the patient's body and the true regions, as coverage of grid cells."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from medattn.base.rows import IsOneSample
from medattn.measures import localisation
from medattn.measures.rotation import rotate_mask
from medattn.radiographs.areas import Area, area_of, no_area
from medattn.radiographs.bodies import Bodies, is_frontal

KEPT = 256  # places: those of one image are asked for again and again, one after the other
PlaceOf = Callable[[IsOneSample], "Place"]  # of a sample


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
    """The anatomy of what a sample shows, by its row of manifest or evaluation; without an image, its own's. Opens no image."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._known: OrderedDict[tuple[str, str], Place] = OrderedDict()

    def __call__(self, sample: IsOneSample) -> Place:
        degrees = sample["strength"] if sample.is_rotated else ""
        key = (sample["shown_image_id"] or sample["image_id"], degrees)
        if key not in self._known:
            self._known[key] = self._place(sample, *key)
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        return self._known[key]

    def _place(self, sample: IsOneSample, image_id: str, degrees: str) -> Place:
        body = self._bodies.of(image_id, sample["image_sha256"])
        shown, regions = rotated(body, degrees), {}
        for finding, area in self._bodies.regions(image_id).items():
            if not (there := rotated(area, degrees)).is_empty:  # else turned out of the image
                regions[finding] = Region(there.coverage, *localisation.region_cells(there.coverage))
        return Place(
            body=shown.coverage,
            box=shown.box,
            frontal=is_frontal(sample["view"]),
            regions=regions,
            width=body.width,
            height=body.height,
            doubt=body.doubt,
        )


def rotated(area: Area, degrees: str) -> Area:
    """An area of the image turned by so many degrees ("": as it is); empty if it is turned out of the image."""
    if not degrees:
        return area
    mask = rotate_mask(area.mask, float(degrees))
    return area_of(mask) if mask.any() else no_area(area.width, area.height)
