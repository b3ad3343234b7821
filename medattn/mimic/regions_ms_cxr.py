"""MS-CXR 1.1.0: boxes that radiologists drew for phrases of the report (https://physionet.org/content/ms-cxr/1.1.0/).

Either of its two files, which say the same:
- MS_CXR_Local_Alignment_v1.1.0.csv: dicom_id, category_name, label_text, path, x, y, w, h, image_width, image_height, split;
  x, y is the upper left corner, in pixels of the original; a phrase has a row per box.
- MS_CXR_Local_Alignment_v1.1.0.json, in COCO's form: categories (id, name), images (id, file_name {dicom_id}.jpg, width,
  height), annotations (image_id, category_id, bbox [x, y, w, h]).

No column says the side.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from medattn.base.errors import InputError, told
from medattn.base.json_files import read_object
from medattn.mimic.csv_files import filled_rows_of
from medattn.mimic.numbers import dicom_id_in, numbers
from medattn.mimic.region_geometry import OTHER_IMAGE, Drawn, Region, Sizes, unknown

FILES = "MS_CXR_Local_Alignment_v*"
NUMBERS = ("x", "y", "w", "h", "image_width", "image_height")

# Its eight categories; the names are CheXpert's.
FINDINGS = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Consolidation": "consolidation",
    "Edema": "edema",
    "Lung Opacity": "lung opacity",
    "Pleural Effusion": "pleural effusion",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
}


class _Box(NamedTuple):
    dicom_id: str
    category: str
    box: tuple[float, ...]  # x, y, w, h
    size: tuple[float, ...]  # of the image: width, height


def read(path: Path, images: Sizes, counts: Counter[str]) -> Iterator[Drawn]:
    """The regions of `images` in a file of MS-CXR, or in the folder that holds it; the rest is counted.

    Raises InputError naming file and row if it is not what it seems.
    """
    path = _file(path)
    for found in _coco(path) if path.suffix == ".json" else _csv(path):
        if found.dicom_id not in images:
            counts[OTHER_IMAGE] += 1
        elif found.category not in FINDINGS:
            counts[unknown(found.category)] += 1
        else:
            x, y, w, h = found.box
            yield Drawn(Region(found.dicom_id, FINDINGS[found.category], "", x, y, w, h), found.size)


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    for suffix in (".csv", ".json"):
        found = sorted(path.glob(FILES + suffix))
        if len(found) == 1:
            return found[0]
    raise InputError(f"{path}: expected one file {FILES}.csv or {FILES}.json in it: name the file itself")


def _csv(path: Path) -> Iterator[_Box]:
    for row, cells in filled_rows_of(path, ("dicom_id", "category_name", *NUMBERS), "ms-cxr"):
        values = numbers(cells[name] for name in NUMBERS)
        if values is None:
            given = ", ".join(cells[name] for name in NUMBERS)
            raise InputError(f"{path}, row {row}: {', '.join(NUMBERS)} are {given}, expected numbers: download it again")
        yield _Box(dicom_id_in(cells["dicom_id"]), cells["category_name"].strip(), values[:4], values[4:])


def _coco(path: Path) -> Iterator[_Box]:
    try:
        content = read_object(path)
        categories = {entry["id"]: entry["name"].strip() for entry in content["categories"]}
        images = {
            entry["id"]: (dicom_id_in(entry["file_name"]), numbers((entry["width"], entry["height"])))
            for entry in content["images"]
        }
        annotations = list(content["annotations"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise InputError(f"{path} is not a COCO file ({told(error)}): expected categories, images, annotations") from None
    if not annotations:
        raise InputError(f"{path} holds no annotation: download it again")
    for index, entry in enumerate(annotations):
        try:
            dicom_id, size = images[entry["image_id"]]
            box = numbers(entry["bbox"])
            category = categories[entry["category_id"]]
        except (KeyError, TypeError) as error:
            raise InputError(f"{path}, annotation {index}: {told(error)}: expected image_id, category_id, bbox") from None
        if box is None or len(box) != 4 or size is None:
            raise InputError(f"{path}, annotation {index}: bbox is {entry['bbox']!r}, expected 4 numbers; download it again")
        yield _Box(dicom_id, category, box, size)
