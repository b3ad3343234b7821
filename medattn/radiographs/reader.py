"""The study's images as later stages see them: with the patient's body and the true regions as masks."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor

import numpy as np
from PIL import Image

from medattn.base.errors import InputError
from medattn.measures.silhouette import body_mask
from medattn.radiographs.image_files import ImageFileError, open_image, open_radiograph
from medattn.study.schema import Study

FRONTAL = ("PA", "AP")


@dataclass(frozen=True)
class Radiograph:
    """A clean radiograph, and what lies where in it."""

    image_id: str
    image: Image.Image  # 8-bit grey or RGB, as stored
    frontal: bool  # PA or AP: the patient's left is on the image's right
    regions: Mapping[str, np.ndarray]  # finding -> bool [H, W]: union of its true regions

    @cached_property
    def pixels(self) -> np.ndarray:
        """Grey values uint8 [H, W]."""
        return np.asarray(self.image.convert("L"))

    @cached_property
    def body(self) -> np.ndarray:
        """The patient's body, bool [H, W]. Raises InputError if none is found."""
        try:
            return body_mask(self.pixels)
        except ValueError as error:
            raise InputError(f"image {self.image_id!r}: no body found: {error}; remove the image from the study") from None


class RadiographReader:
    """The study's radiographs by image_id, opened when asked for, with pinned bytes. The last one is kept."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._images = {row["image_id"]: row for row in study.images()}
        self._regions = defaultdict(list)
        for region in study.regions():
            self._regions[region["image_id"]].append(region)
        self._last: Radiograph | None = None

    def __call__(self, image_id: str) -> Radiograph:
        """Raises InputError naming the image and what is wrong with its file or a mask."""
        if self._last is None or self._last.image_id != image_id:
            self._last = self._open(image_id)
        return self._last

    def region_hashes(self, image_id: str, finding: str) -> list[list[str]]:
        """What pins the true regions of a finding: box and mask hash of each."""
        rows = (row for row in self._regions[image_id] if row["finding"] == finding)
        return sorted([row[name] for name in ("x", "y", "w", "h", "mask_sha256")] for row in rows)

    def _open(self, image_id: str) -> Radiograph:
        if image_id not in self._images:
            raise InputError(f"image {image_id!r} is not in {self._study.directory / 'images.csv'}: run `dvc repro prepare`")
        row = self._images[image_id]
        regions: dict[str, np.ndarray] = {}
        try:
            image = open_radiograph(self._study.image_root, row["path"], row["sha256"])
            for region in self._regions[image_id]:
                mask = self._mask(region, (image.height, image.width))
                regions[region["finding"]] = regions.get(region["finding"], False) | mask
        except ImageFileError as error:
            raise InputError(f"image {image_id!r}: {error}") from None
        return Radiograph(image_id, image, row["view"].upper() in FRONTAL, regions)

    def _mask(self, region: Mapping[str, str], shape: tuple[int, int]) -> np.ndarray:
        """A region's mask, or every pixel that its box touches. Raises ImageFileError for a mask that cannot be one."""
        if not region["mask"]:
            x, y, w, h = (float(region[name]) for name in "xywh")
            mask = np.zeros(shape, dtype=bool)
            mask[floor(y) : ceil(y + h), floor(x) : ceil(x + w)] = True
            return mask
        mask = np.asarray(open_image(self._study.directory, region["mask"], region["mask_sha256"], ("L",))) > 0
        name = self._study.directory / region["mask"]
        if mask.shape != shape:
            raise ImageFileError(
                f"mask {name} is {mask.shape[1]} x {mask.shape[0]} pixels, its image {shape[1]} x {shape[0]}: fix it"
            )
        if not mask.any():
            raise ImageFileError(f"mask {name} is empty: remove its row from regions.csv, or fix the mask")
        return mask
