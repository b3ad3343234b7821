"""True regions of MIMIC-CXR images from MS-CXR, Chest ImaGenome and REFLACX, as rows of regions.csv.

Whatever a source says that becomes no region is counted under its reason in a Counter that the caller prints.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path

import numpy as np
from tqdm import tqdm

from medattn.base.errors import InputError
from medattn.base.tables import write_bytes
from medattn.checks.study_check import box_of
from medattn.mimic import regions_imagenome, regions_ms_cxr, regions_reflacx
from medattn.mimic.region_geometry import ABSENT, DUPLICATED, OTHER_SIZE, Region, Sizes, fit, mask_of
from medattn.phantom.study import png

__all__ = ["KINDS", "Region", "drop_absent", "mask_of", "parse_option", "read", "write_regions"]

READERS = {"ms-cxr": regions_ms_cxr.read, "imagenome": regions_imagenome.read, "reflacx": regions_reflacx.read}
KINDS = tuple(READERS)


def parse_option(text: str) -> tuple[str, Path]:
    """(kind, path) of an option such as ms-cxr:PATH. Raises InputError for another kind, or without a path."""
    kind, _, path = text.partition(":")
    if kind not in READERS or not path:
        raise InputError(f"--regions is {text!r}, expected KIND:PATH with one of {', '.join(KINDS)}, e.g. ms-cxr:/data/ms-cxr")
    return kind, Path(path)


def read(kind: str, path: Path, images: Sizes, counts: Counter[str], published: Sizes | None = None) -> Iterator[Region]:
    """The regions of `images` (dicom_id -> width, height of the file) that a source of `kind` says, each inside its image.

    published: width, height of the original, as the metadata table has them; None: those of `images`. A region counts only
    where image, original and source agree on the size: on a resized image it would lie elsewhere.
    What is left out, or clipped, is added to `counts` by reason. The same region may be duplicated.
    Raises InputError naming file and row if the source is not there or not what it seems.
    """
    if not path.exists():
        raise InputError(f"{path} not found: --regions {kind}:PATH names the data as PhysioNet lays them out")
    for region, size in READERS[kind](path, images, counts):
        found = images[region.image_id]
        if found != (published or images)[region.image_id] or size not in (None, found):
            counts[OTHER_SIZE] += 1
        elif fitted := fit(region, found, counts):
            yield fitted


def drop_absent(regions: Iterable[Region], questions: Iterable[Mapping[str, object]], counts: Counter[str]) -> Iterator[Region]:
    """The regions without those of a finding whose answer about that image is no: a study must not hold both."""
    absent = {(row["image_id"], row["finding"]) for row in questions if row["answer"] == "no"}
    for region in regions:
        if (region.image_id, region.finding) in absent:
            counts[ABSENT] += 1
        else:
            yield region


def write_regions(directory: Path, regions: Iterable[Region], sizes: Sizes, counts: Counter[str]) -> list[dict[str, object]]:
    """Rows of regions.csv, sorted, each region once; an ellipse becomes a mask below `directory`/masks.

    sizes: image_id -> (width, height). The masks are all that is written.
    """
    given = list(regions)
    unique = sorted(set(given))
    counts.update([DUPLICATED] * (len(given) - len(unique)))
    numbers: dict[tuple[str, str], Iterator[int]] = {}
    rows = []
    for region in tqdm(unique, desc="write regions", unit="region", leave=False):
        box, mask, digest = (int(region.x), int(region.y), int(region.w), int(region.h)), "", ""
        if region.shape == "ellipse":
            number = next(numbers.setdefault((region.image_id, region.finding), count(1)))
            mask = f"masks/{region.image_id}-{region.finding.replace(' ', '-')}-{number}.png"
            pixels = mask_of(region, sizes[region.image_id])
            content = png(pixels.astype(np.uint8) * 255)
            write_bytes(directory / mask, content)
            box, digest = box_of(pixels), hashlib.sha256(content).hexdigest()
        x, y, w, h = box
        rows.append(
            {
                "image_id": region.image_id, "finding": region.finding, "side": region.side, "conspicuity": "",
                "x": x, "y": y, "w": w, "h": h, "mask": mask, "mask_sha256": digest,
            }
        )  # fmt: skip
    return rows
