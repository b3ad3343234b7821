"""Chest ImaGenome's silver dataset: which anatomical places a report names, and a detector's boxes around them
(https://physionet.org/content/chest-imagenome/1.0.0/).

scene_graph.zip holds a {dicom_id}_SceneGraph.json per frontal image:
- objects: places, each with bbox_name and original_x1 … original_y2 in pixels of the original (x1 … y2 belong to an image
  padded and shrunk to 224, and are not read);
- attributes: for a bbox_name, one list per phrase of the report with entries such as "anatomicalfinding|yes|lung opacity",
  "disease|yes|pneumonia" or "nlp|yes|abnormal".

So a region is a whole place, a lung zone or the cardiac silhouette, that the report says shows the finding: coarser than
a box drawn around the finding itself. A report's finding in a zone is repeated for the lung around it; the zone is kept.
"""

import os
import struct
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import partial
from pathlib import Path

from tqdm import tqdm

from medattn.base.errors import InputError, told
from medattn.base.json_files import parse
from medattn.mimic.numbers import numbers
from medattn.mimic.region_geometry import OTHER_IMAGE, Drawn, Region, Sizes, unknown

SUFFIX = "_SceneGraph.json"
PLACES = tuple(
    f"{outer}/{inner}" for outer in (".", "silver_dataset") for inner in (".", "scene_graph", "scene_graph/scene_graph")
)
Graph = tuple[str, Callable[[], bytes]]  # name for messages, how to read it
MOST_BYTES = 8 * 10**6  # of a scene graph; the published ones have less than a tenth
ENCRYPTED = 0x1  # of a zip entry's flags
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # zipfile unpacks the others without a bound
NO_GRAPH = "image has no scene graph"
NO_BOX = "place has no box"
DENIED = "report says yes and no of the same place"
WHOLE = "a part of that lung has the finding"

# Kinds of entries that say how something looks, or how the image was made, not what is there.
HOW = ("nlp", "severity", "texture", "comparison", "temporal", "laterality", "technicalassessment")
# Names that mean a CheXpert label and no more: "airspace opacity", "vascular congestion", "infiltration", "calcified nodule"
# and the like mean none, or several. Devices have no region here: a place that a tube crosses does not show the tube.
FINDINGS = {
    "atelectasis": "atelectasis",
    "linear/patchy atelectasis": "atelectasis",
    "enlarged cardiac silhouette": "cardiomegaly",
    "consolidation": "consolidation",
    "pulmonary edema/hazy opacity": "edema",
    "mediastinal widening": "enlarged cardiomediastinum",
    "rib fracture": "fracture",
    "clavicle fracture": "fracture",
    "spinal fracture": "fracture",
    "lung lesion": "lung lesion",
    "mass/nodule (not otherwise specified)": "lung lesion",
    "multiple masses/nodules": "lung lesion",
    "lung opacity": "lung opacity",
    "pleural effusion": "pleural effusion",
    "pneumonia": "pneumonia",
    "pneumothorax": "pneumothorax",
}


def read(path: Path, images: Sizes, counts: Counter[str]) -> Iterator[Drawn]:
    """The regions of `images`, sorted by image; the rest is counted.

    path: scene_graph.zip, the folder it was unpacked to, or the dataset's own folder. Of the zip, only the wanted members
    are read. Raises InputError naming the member that is not what it seems.
    """
    with _graphs(path) as members:
        wanted = sorted(images.keys() & members.keys())
        counts.update([OTHER_IMAGE] * (len(members) - len(wanted)) + [NO_GRAPH] * (len(images) - len(wanted)))
        for dicom_id in tqdm(wanted, desc="imagenome", unit="graph", leave=False):
            name, read_bytes = members[dicom_id]
            yield from _regions(name, dicom_id, read_bytes(), counts)


@contextmanager
def _graphs(path: Path) -> Iterator[dict[str, Graph]]:
    """dicom_id -> its scene graph."""
    for folder in (path / place for place in PLACES) if path.is_dir() else ():
        if (folder / "scene_graph.zip").is_file():
            path = folder / "scene_graph.zip"
            break
        files = [Path(entry.path) for entry in os.scandir(folder) if entry.name.endswith(SUFFIX)] if folder.is_dir() else []
        if files:
            yield {at.name.removesuffix(SUFFIX): (str(at), partial(_file, at)) for at in files}
            return
    if not path.is_file():
        raise InputError(f"{path}: no scene_graph.zip and no file *{SUFFIX} in it: name the zip or the folder that holds them")
    with _reading(path):
        archive = zipfile.ZipFile(path)
    with archive:
        yield _entries(archive, path)


def _entries(archive: zipfile.ZipFile, path: Path) -> dict[str, Graph]:
    found: dict[str, Graph] = {}
    for entry in archive.infolist():
        if entry.filename.endswith(SUFFIX):
            dicom_id = entry.filename.rpartition("/")[2].removesuffix(SUFFIX)
            if dicom_id in found:
                raise InputError(f"{path}: {dicom_id}{SUFFIX} is in it more than once: download it again")
            found[dicom_id] = f"{path}, {entry.filename}", partial(_entry, archive, path, entry)
    return found


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What a zip file can do wrong, as an InputError."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError, struct.error) as error:
        raise InputError(f"{path} is not a zip file, or is damaged: {error}: download it again") from None


def _entry(archive: zipfile.ZipFile, path: Path, entry: zipfile.ZipInfo) -> bytes:
    """What an entry of the zip holds. Raises InputError for one that is encrypted, or unpacks to more than it says."""
    where = f"{path}, {entry.filename}"
    if entry.flag_bits & ENCRYPTED or entry.compress_type not in METHODS:
        kind = "is encrypted" if entry.flag_bits & ENCRYPTED else f"is compressed by method {entry.compress_type}"
        raise InputError(f"{where} {kind}, expected a plain zip file, as the dataset's is: download it again")
    whole = copy(entry)
    whole.file_size = 2 * MOST_BYTES  # else what unpacks to more than it says would be cut off there, and could pass
    with _reading(path), archive.open(whole) as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(_bounded(content, where)) != entry.file_size:
        raise InputError(f"{where} unpacks to {len(content)} bytes, and says {entry.file_size}: download it again")
    return content


def _file(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise InputError(f"{path} is not a file: download it again")
        with path.open("rb") as file:
            return _bounded(file.read(MOST_BYTES + 1), str(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}: let this user read it, or download it again") from None


def _bounded(content: bytes, where: str) -> bytes:
    if len(content) > MOST_BYTES:
        raise InputError(f"{where} has more than {MOST_BYTES} bytes, which no scene graph has: download it again")
    return content


def _regions(name: str, dicom_id: str, content: bytes, counts: Counter[str]) -> Iterator[Drawn]:
    boxes: dict[str, tuple[float, ...] | None] = {}
    statements: dict[tuple[str, str], set[str]] = defaultdict(set)  # (place, category) -> yes, no or both
    try:
        graph = parse(content, name, "download it again")
        if (image := str(graph.get("image_id", dicom_id)).removesuffix(".dcm")) != dicom_id:
            raise InputError(f"{name}: image_id is {image!r}, expected the file's: download it again")
        for place in graph["objects"]:
            boxes[place["bbox_name"]] = numbers(place.get(f"original_{corner}") for corner in ("x1", "y1", "x2", "y2"))
        for entry in graph["attributes"]:
            for attribute in (attribute for phrase in entry["attributes"] for attribute in phrase):
                kind, polarity, category = attribute.split("|", 2)
                if kind not in HOW:
                    statements[entry["bbox_name"], category].add(polarity)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{name} is not a scene graph ({told(error)}): expected objects and attributes; download it again"
        ) from None
    shown = {key for key, polarities in statements.items() if polarities == {"yes"} and boxes.get(key[0]) is not None}
    for (place, category), polarities in sorted(statements.items()):
        if "yes" not in polarities:
            continue
        box = boxes.get(place)
        side = place.split()[0] if place.startswith(("left ", "right ")) else ""
        if category not in FINDINGS:
            counts[unknown(category)] += 1
        elif "no" in polarities:
            counts[DENIED] += 1
        elif box is None:
            counts[NO_BOX] += 1
        elif place == f"{side} lung" and any(
            part != place and part.startswith(f"{side} ") and kind == category for part, kind in shown
        ):
            counts[WHOLE] += 1
        else:
            x1, y1, x2, y2 = box
            yield Drawn(Region(dicom_id, FINDINGS[category], side, x1, y1, x2 - x1, y2 - y1))
