"""The study's images as later stages see them: with the patient's body and the true regions as masks."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from PIL import Image

from medattn.base.errors import InputError
from medattn.radiographs.areas import Area
from medattn.radiographs.bodies import Bodies, Body, NoBodyError, is_frontal
from medattn.radiographs.image_files import ImageFileError, open_radiograph
from medattn.study.schema import Study


class Masks(Mapping[str, np.ndarray]):
    """Finding -> bool [H, W], made of the stored areas when it is asked for."""

    def __init__(self, areas: Mapping[str, Area]) -> None:
        self._areas = areas

    def __getitem__(self, finding: str) -> np.ndarray:
        return self._areas[finding].mask

    def __iter__(self) -> Iterator[str]:
        return iter(self._areas)

    def __len__(self) -> int:
        return len(self._areas)


@dataclass(frozen=True)
class Radiograph:
    """A clean radiograph, and what lies where in it."""

    image_id: str
    image: Image.Image  # 8-bit grey or RGB, as stored
    frontal: bool  # PA or AP: the patient's left is on the image's right
    regions: Mapping[str, np.ndarray]  # finding -> bool [H, W]: union of its true regions
    stored_body: Callable[[], Body] | None = None  # None: nobody asks where the body is

    @cached_property
    def pixels(self) -> np.ndarray:
        """Grey values uint8 [H, W]."""
        return np.asarray(self.image.convert("L"))

    @cached_property
    def body(self) -> np.ndarray:
        """The patient's body, bool [H, W]. Raises InputError if none was found."""
        assert self.stored_body is not None
        return self.stored_body().mask


class RadiographReader:
    """The study's radiographs by image_id, opened when asked for, with pinned bytes. The last one is kept."""

    def __init__(self, study: Study, bodies: Bodies) -> None:
        self.study, self.bodies = study, bodies
        self._images = {row["image_id"]: (row["path"], row["sha256"], row["view"]) for row in study.images()}
        self._regions: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
        for row in study.regions():
            pins = [row[name] for name in ("x", "y", "w", "h", "mask_sha256")]
            self._regions[row["image_id"], row["finding"]].append(pins)
        self._last: Radiograph | None = None
        self.body_hash = lru_cache(maxsize=1024)(self._body_hash)  # each unit of an image asks for it

    def __call__(self, image_id: str) -> Radiograph:
        """Raises InputError naming the image and what is wrong with its file."""
        if self._last is None or self._last.image_id != image_id:
            self._last = self._open(image_id)
        return self._last

    def region_hashes(self, image_id: str, finding: str) -> list[list[str]]:
        """What pins the true regions of a finding: box and mask hash of each."""
        return sorted(self._regions.get((image_id, finding), []))

    def _body_hash(self, image_id: str) -> str:
        """What pins the body of an image; "" if none was found."""
        _, sha256, _ = self._row(image_id)
        try:
            body = self.bodies.of(image_id, sha256)
        except NoBodyError:
            return ""
        return hashlib.sha256(repr(body.pixels).encode() + body.changes.tobytes()).hexdigest()

    def _row(self, image_id: str) -> tuple[str, str, str]:
        if image_id not in self._images:
            raise InputError(f"image {image_id!r} is not in {self.study.directory / 'images.csv'}: run `dvc repro prepare`")
        return self._images[image_id]

    def _open(self, image_id: str) -> Radiograph:
        path, sha256, view = self._row(image_id)
        try:
            image = open_radiograph(self.study.image_root, path, sha256)
        except ImageFileError as error:
            raise InputError(f"image {image_id!r}: {error}") from None
        regions = Masks(self.bodies.regions(image_id))
        return Radiograph(image_id, image, is_frontal(view), regions, lambda: self.bodies.of(image_id, sha256))
