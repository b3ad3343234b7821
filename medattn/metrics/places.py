"""What lies where in each image: the patient's body and the true regions, as coverage of grid cells."""

import hashlib
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path

import numpy as np
from PIL import Image

from medattn.errors import InputError
from medattn.measures import body, localisation

FRONTAL = ("PA", "AP")  # views in which the patient's left is the image's right


@dataclass(frozen=True)
class Region:
    """Where a finding truly is."""

    coverage: np.ndarray  # float [16, 16], area fraction
    cells: np.ndarray  # bool [16, 16]
    fallback: bool  # no cell is covered by half: the most covered ones stand in


@dataclass(frozen=True)
class Place:
    """One image's anatomy, always from the clean image."""

    body: np.ndarray  # float [16, 16], area fraction
    box: tuple[float, float, float, float]  # body's bounding box: x0, y0, x1, y1 in fractions of width and height
    frontal: bool
    regions: Mapping[str, Region]  # finding -> its region, for findings that are present and were asked about


def _opened(path: Path, sha256: str) -> np.ndarray:
    """uint8 [H, W] of an image file whose bytes hash to `sha256` ("" for unknown)."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} not found: restore it (embedded study: `dvc pull data.dvc`)") from None
    found = hashlib.sha256(content).hexdigest()
    if sha256 and found != sha256:
        raise InputError(f"{path} has SHA-256 {found}, the study pins {sha256}: restore the file, or pin the new one")
    with Image.open(io.BytesIO(content)) as image:
        if image.mode not in ("L", "RGB", "1"):
            raise InputError(f"{path} has mode {image.mode!r}, expected 8-bit grey or RGB: convert it and pin the new file")
        return np.asarray(image.convert("L"))


def _region(rows: list[Mapping], width: int, height: int, study: Path, image_id: str) -> Region:
    """Union of a finding's regions in one image: masks where there are any, else boxes."""
    boxes = [tuple(float(row[name]) for name in "xywh") for row in rows if not row["mask"]]
    masks = [row for row in rows if row["mask"]]
    if not masks:
        coverage = body.boxes_coverage(boxes, width, height)
    else:
        union = np.zeros((height, width), dtype=bool)
        for row in masks:
            mask = _opened(study / row["mask"], row["mask_sha256"]) > 0
            if mask.shape != union.shape:
                raise InputError(f"{study / row['mask']} is {mask.shape[1]} x {mask.shape[0]} pixels, its image"
                                 f" {image_id} {width} x {height}: mend the mask")  # fmt: skip
            union |= mask
        for x, y, w, h in boxes:  # beside a mask a box counts with every pixel that it touches
            union[floor(y) : ceil(y + h), floor(x) : ceil(x + w)] = True
        if not union.any():
            raise InputError(f"{study / masks[0]['mask']} is empty: remove its row from regions.csv, or mend the mask")
        coverage = body.cell_coverage(union)
    cells, fallback = localisation.region_cells(coverage)
    return Region(coverage, cells, fallback)


def place_of(samples: list[Mapping[str, str]], regions: Iterable[Mapping], image_root: Path, study: Path) -> Place:
    """The anatomy of one image, given its manifest rows and the regions of that image."""
    first = samples[0]
    path = image_root / first["image_path"]
    image = _opened(path, first["image_sha256"])
    try:
        mask = body.body_mask(image)
    except ValueError as error:
        raise InputError(f"{path}: no body found: {error}; remove image {first['image_id']!r} from the study") from None
    asked = {row["finding"] for row in samples if row["answer"] == "yes"}
    by_finding = defaultdict(list)
    for row in regions:
        if row["finding"] in asked:
            by_finding[row["finding"]].append(row)
    return Place(
        body=body.cell_coverage(mask),
        box=body.bounding_box(mask),
        frontal=first["view"].upper() in FRONTAL,
        regions={
            finding: _region(rows, image.shape[1], image.shape[0], study, first["image_id"])
            for finding, rows in sorted(by_finding.items())
        },
    )
