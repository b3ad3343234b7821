"""REFLACX 1.0.0: ellipses that radiologists drew around abnormalities
(https://physionet.org/content/reflacx-xray-localization/1.0.0/).

- main_data/metadata_phase_{1,2,3}.csv: a row per reading with id, dicom_id, image_size_x, image_size_y (width and height).
- main_data/{id}/anomaly_location_ellipses.csv: xmin, ymin, xmax, ymax (the ends of the ellipse's upright axes, in pixels of
  the original), certainty (1 to 5; 3 is "possibly"), and a column of True and False per abnormality.

An image that several radiologists read has the ellipses of all. No column says the side.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from medattn.base.errors import InputError
from medattn.mimic.csv_files import rows_of
from medattn.mimic.numbers import dicom_id_in, number, numbers
from medattn.mimic.region_geometry import OTHER_IMAGE, Drawn, Region, Sizes, unknown

METADATA = "metadata_phase_*.csv"
ELLIPSES = "anomaly_location_ellipses.csv"
EDGES = ("xmin", "ymin", "xmax", "ymax")
PRESENT_FROM = 3  # "possibly": the threshold of the dataset's authors
UNLIKELY = f"certainty is below {PRESENT_FROM}"
UNKNOWN, BLANK = "certainty is blank", ("", "nan")
NO_ELLIPSES = "reading has no file of ellipses"
TRUTH = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False, "": False}

# Columns of all phases, in lower case. "Pleural abnormality" (effusion or other), "Abnormal mediastinal contour" (not always
# an enlargement), "Quality issue" and the like mean no single finding.
FINDINGS = {
    "atelectasis": "atelectasis",
    "enlarged cardiac silhouette": "cardiomegaly",
    "consolidation": "consolidation",
    "pulmonary edema": "edema",
    "wide mediastinum": "enlarged cardiomediastinum",
    "fracture": "fracture",
    "acute fracture": "fracture",
    "lung nodule or mass": "lung lesion",
    "nodule": "lung lesion",
    "mass": "lung lesion",
    "groundglass opacity": "lung opacity",
    "pleural effusion": "pleural effusion",
    "pleural thickening": "pleural other",
    "pneumothorax": "pneumothorax",
    "support devices": "support devices",
}


def read(path: Path, images: Sizes, counts: Counter[str]) -> Iterator[Drawn]:
    """The regions of `images`, reading by reading; the rest is counted. path: the dataset's folder, or main_data in it.

    Raises InputError naming file and row if it is not what it seems.
    """
    folder = next((folder for folder in (path / "main_data", path) if any(folder.glob(METADATA))), None)
    if folder is None:
        raise InputError(f"{path}: no {METADATA} in it or in {path / 'main_data'}: unpack main_data.zip, and name its folder")
    row = 0
    for metadata in sorted(folder.glob(METADATA)):
        for row, cells in rows_of(metadata, ("id", "dicom_id", "image_size_x", "image_size_y"), metadata.stem):
            given = [cells[name] for name in ("image_size_x", "image_size_y")]
            size = numbers(given)
            if size is None and any(cell.strip() for cell in given):
                raise InputError(f"{metadata}, row {row}: image_size_x, image_size_y are not numbers: download it again")
            dicom_id, ellipses = dicom_id_in(cells["dicom_id"]), folder / cells["id"].strip() / ELLIPSES
            if dicom_id not in images:
                counts[OTHER_IMAGE] += 1
            elif not ellipses.is_file():
                counts[NO_ELLIPSES] += 1
            else:
                yield from (Drawn(region, size) for region in _regions(ellipses, dicom_id, counts))
    if not row:
        raise InputError(f"{folder}: {METADATA} hold no row: download them again")


def _regions(path: Path, dicom_id: str, counts: Counter[str]) -> Iterator[Region]:
    for row, cells in rows_of(path, (*EDGES, "certainty"), None):
        edges, given = numbers(cells.pop(name) for name in EDGES), cells.pop("certainty").strip()
        certainty = number(given)
        if edges is None or (certainty is None and given.lower() not in BLANK):
            raise InputError(f"{path}, row {row}: {', '.join(EDGES)}, certainty are not numbers: download it again")
        if certainty is None:
            counts[UNKNOWN] += 1
            continue
        if certainty < PRESENT_FROM:
            counts[UNLIKELY] += 1
            continue
        left, top, right, bottom = edges
        for column, cell in cells.items():
            category, value = column.strip().lower(), cell.strip().lower()
            if category not in FINDINGS:
                counts.update([unknown(category)] if value == "true" else [])
            elif value not in TRUTH:
                raise InputError(f"{path}, row {row}: {column} is {cell!r}, expected True or False: download it again")
            elif TRUTH[value]:
                yield Region(dicom_id, FINDINGS[category], "", left, top, right - left, bottom - top, "ellipse")
