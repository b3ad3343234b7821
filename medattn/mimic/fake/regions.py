"""True regions of fictitious patients' images, in the formats of MS-CXR 1.1.0, Chest ImaGenome 1.0.0 and REFLACX 1.0.0.

All boxes are those of the phantom's exact masks, or of its lung fields, in the image's own pixels. Only frontal images
have regions, as in the originals.
"""

import csv
import io
import itertools
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from medattn.base.seeding import choose, generator
from medattn.base.tables import write_bytes, write_csv
from medattn.mimic.fake.patients import Box, FakeImage, Finding, Study
from medattn.mimic.layout import image_path
from medattn.phantom.anatomy import FINDINGS

MS_CXR = "ms-cxr/MS_CXR_Local_Alignment_v1.1.0"  # .csv and .json
SCENE_GRAPHS = "imagenome/silver_dataset/scene_graph.zip"
REFLACX = "reflacx/main_data"

# MS-CXR's eight categories, and which of them says what the phantom shows (it has none for a nodule of its own).
MS_CATEGORIES = (
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Lung Opacity", "Pleural Effusion", "Pneumonia", "Pneumothorax"
)  # fmt: skip
MS_CATEGORY = {
    "cardiomegaly": "Cardiomegaly", "consolidation": "Consolidation", "nodule": "Lung Opacity",
    "pleural effusion": "Pleural Effusion", "pneumothorax": "Pneumothorax",
}  # fmt: skip
MS_COLUMNS = ("dicom_id", "category_name", "label_text", "path", "x", "y", "w", "h", "image_width", "image_height", "split")
MS_SPLITS = {"train": "train", "validate": "val", "test": "test"}

GRAPH_SIDE = 224  # of the square that an image is fitted into, padded on both sides, for x1 … y2
GRAPH_NAMES = {"cardiomegaly": "enlarged cardiac silhouette", "nodule": "mass/nodule (not otherwise specified)"}
# Where a finding is reported, besides the lung: an anatomical region that is exactly its box, or a third of the lung.
EXACT_REGION = {
    "cardiomegaly": "cardiac silhouette",
    "pleural effusion": "{} costophrenic angle",
    "pneumothorax": "{} apical zone",
}
THIRDS = ("upper", "mid", "lower")

# REFLACX's labels in its first phase, and in its other two.
PHASE_1 = (
    "Airway wall thickening", "Atelectasis", "Consolidation", "Emphysema", "Enlarged cardiac silhouette", "Fibrosis",
    "Fracture",
    "Groundglass opacity", "Mass", "Nodule", "Other", "Pleural effusion", "Pleural thickening", "Pneumothorax",
    "Pulmonary edema", "Quality issue", "Support devices", "Wide mediastinum",
)  # fmt: skip
PHASE_2 = (
    "Abnormal mediastinal contour", "Acute fracture", "Atelectasis", "Consolidation", "Enlarged cardiac silhouette",
    "Enlarged hilum", "Groundglass opacity", "Hiatal hernia", "High lung volume / emphysema", "Interstitial lung disease",
    "Lung nodule or mass", "Other", "Pleural abnormality", "Pneumothorax", "Pulmonary edema", "Support devices",
)  # fmt: skip
PHASES = {1: PHASE_1, 2: PHASE_2, 3: PHASE_2}
# The phantom's finding -> its label in the first phase, and in the other two.
READ_AS = {
    "cardiomegaly": ("Enlarged cardiac silhouette",) * 2, "consolidation": ("Consolidation",) * 2,
    "nodule": ("Nodule", "Lung nodule or mass"), "pleural effusion": ("Pleural effusion", "Pleural abnormality"),
    "pneumothorax": ("Pneumothorax",) * 2,
}  # fmt: skip
READING_COLUMNS = (
    "id", "split", "eye_tracking_data_discarded", "image", "dicom_id", "subject_id", "image_size_x", "image_size_y",
)  # fmt: skip
BOX_COLUMNS = ("xmin", "ymin", "xmax", "ymax", "certainty")
SURE, UNSURE = "5", "2"  # certainty of an ellipse, 1 to 5


def write_regions(directory: Path, studies: list[Study], seed: int) -> dict[str, list[str]]:
    """Write the three region sets to `directory`; which defects are planted in them: name -> dicom_ids."""
    images = [(study, image) for study in studies for image in study.images if image.frontal]
    halved = _write_ms_cxr(directory, [image for _, image in images])
    _write_graphs(directory / SCENE_GRAPHS, images, seed)
    unsure = _write_reflacx(directory / REFLACX, [image for _, image in images], seed)
    return {"ms_cxr_phrase_in_two_boxes": halved, "reflacx_unsure_ellipse": unsure}


# --- MS-CXR -----------------------------------------------------------------------------------------------------------


def _write_ms_cxr(directory: Path, images: list[FakeImage]) -> list[str]:
    """Writes the CSV and the COCO file. Returns the images (every third with findings) whose first has two boxes, stacked."""
    rows, halved = [], []
    for number, image in enumerate(image for image in images if image.findings):
        for finding in image.findings:
            boxes = [finding.box]
            if number % 3 == 0 and finding is image.findings[0]:
                boxes = _halves(finding.box)
                halved.append(image.dicom_id)
            for x, y, w, h in boxes:
                rows.append({
                    "dicom_id": image.dicom_id, "category_name": MS_CATEGORY[finding.name], "label_text": _phrase(finding),
                    "path": image_path(image.subject_id, image.study_id, image.dicom_id), "x": x, "y": y, "w": w, "h": h,
                    "image_width": image.width, "image_height": image.height, "split": MS_SPLITS[image.split],
                })  # fmt: skip
    write_csv(directory / f"{MS_CXR}.csv", MS_COLUMNS, rows)
    write_bytes(directory / f"{MS_CXR}.json", _json(_coco(rows)))
    return halved


def _halves(box: Box) -> list[Box]:
    x, y, w, h = box
    return [(x, y, w, h // 2), (x, y + h // 2, w, h - h // 2)]


def _phrase(finding: Finding) -> str:
    if not finding.side:
        return "the heart is enlarged"
    return f"{'nodular opacity' if finding.name == 'nodule' else finding.name} on the {finding.side}"


def _coco(rows: list[dict]) -> dict:
    """The same rows as COCO annotations; ids count from 1."""
    images: dict[str, dict] = {}
    annotations = []
    for number, row in enumerate(rows, start=1):
        image = images.setdefault(
            row["dicom_id"],
            {"id": len(images) + 1, "file_name": f"{row['dicom_id']}.jpg", "width": row["image_width"],
             "height": row["image_height"], "path": row["path"]},
        )  # fmt: skip
        annotations.append({
            "id": number, "image_id": image["id"], "category_id": MS_CATEGORIES.index(row["category_name"]) + 1,
            "label_text": row["label_text"], "bbox": [row[name] for name in "xywh"], "area": row["w"] * row["h"],
            "iscrowd": 0, "split": row["split"],
        })  # fmt: skip
    categories = [
        {"id": number, "name": name, "supercategory": "disease"} for number, name in enumerate(MS_CATEGORIES, start=1)
    ]
    about = {"version": "1.1.0", "description": "fictitious patients in the form of MS-CXR"}
    return {
        "info": about,
        "licenses": [],
        "images": list(images.values()),
        "annotations": annotations,
        "categories": categories,
    }


# --- Chest ImaGenome --------------------------------------------------------------------------------------------------


def _write_graphs(path: Path, images: list[tuple[Study, FakeImage]], seed: int) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for study, image in images:
            entry = zipfile.ZipInfo(f"scene_graph/{image.dicom_id}_SceneGraph.json")  # dated 1980: the same bytes on any day
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, _json(_graph(study, image, seed)))
    write_bytes(path, content.getvalue())


def _graph(study: Study, image: FakeImage, seed: int) -> dict:
    """Anatomical regions with their boxes, and the phrases about each."""
    regions = {f"{side} lung": box for side, box in image.lungs.items()}
    regions |= {
        f"{side} {third} lung zone": box
        for side, lung in image.lungs.items()
        for third, box in zip(THIRDS, _thirds(lung), strict=True)
    }
    phrases: dict[str, list[str]] = {}
    for name in FINDINGS:
        shown, spoken = image.finding(name), GRAPH_NAMES.get(name, name)
        if shown is None:
            for region in ("left lung", "right lung") if name != "cardiomegaly" else ():
                phrases.setdefault(region, []).append(f"anatomicalfinding|no|{spoken}")
            continue
        region = (
            EXACT_REGION[name].format(shown.side) if name in EXACT_REGION else f"{shown.side} {_third(shown, image)} lung zone"
        )
        regions.setdefault(region, shown.box)
        for place in (region, f"{shown.side} lung") if shown.side else (region,):
            phrases.setdefault(place, []).append(f"anatomicalfinding|yes|{spoken}")
    decade = int(generator("age", seed, study.subject).integers(3, 9)) * 10
    return {
        "image_id": image.dicom_id, "viewpoint": image.view, "patient_id": int(image.subject_id),
        "study_id": int(image.study_id), "gender": choose(("F", "M"), "gender", seed, study.subject),
        "age_decile": f"{decade}-{decade + 10}", "reason_for_exam": "a phantom has no reason", "StudyOrder": study.number + 1,
        "StudyDateTime": f"{image.date[:4]}-{image.date[4:6]}-{image.date[6:]} "
                         f"{image.time[:2]}:{image.time[2:4]}:{image.time[4:6]} UTC",
        "objects": [_object(image, region, box) for region, box in regions.items()],
        "attributes": [_attribute(image, region, labels) for region, labels in phrases.items()],
        "relationships": [],
    }  # fmt: skip


def _thirds(lung: Box) -> list[Box]:
    x, y, w, h = lung
    rows = [y, y + h // 3, y + 2 * h // 3, y + h]
    return [(x, top, w, bottom - top) for top, bottom in itertools.pairwise(rows)]


def _third(finding: Finding, image: FakeImage) -> str:
    """Which third of the lung the middle of a finding's box is in."""
    middle = finding.box[1] + finding.box[3] / 2
    below = sum(middle >= top for _, top, _, _ in _thirds(image.lungs[finding.side]))
    return THIRDS[max(below, 1) - 1]


def _object(image: FakeImage, region: str, box: Box) -> dict:
    """A region with its box in the image's pixels, and in the square that the image is fitted into, rounded."""
    x, y, w, h = box
    ratio = GRAPH_SIDE / max(image.width, image.height)
    right, down = (GRAPH_SIDE - image.width * ratio) / 2, (GRAPH_SIDE - image.height * ratio) / 2
    x1, x2 = round(x * ratio + right), round((x + w) * ratio + right)
    y1, y2 = round(y * ratio + down), round((y + h) * ratio + down)
    return {
        "object_id": f"{image.dicom_id}_{region}", "x1": x1, "y1": y1, "x2": x2, "y2": y2, "width": x2 - x1, "height": y2 - y1,
        "bbox_name": region, "synsets": [], "name": region.capitalize(), "original_x1": x, "original_y1": y,
        "original_x2": x + w, "original_y2": y + h, "original_width": w, "original_height": h,
    }  # fmt: skip


def _attribute(image: FakeImage, region: str, labels: list[str]) -> dict:
    """The phrases about a region: one a label, with a judgement and no cues."""
    judged = [[label, f"nlp|yes|{'abnormal' if '|yes|' in label else 'normal'}"] for label in labels]
    nothing: list[list[str]] = [[] for _ in labels]
    return {
        region: True, "bbox_name": region, "synsets": [], "name": region.capitalize(), "attributes": judged,
        "attributes_ids": [["", ""] for _ in labels], "phrases": [label.split("|", 2)[2] for label in labels],
        "phrase_IDs": [f"{image.study_id}|{number}" for number in range(len(labels))],
        "sections": ["finalreport"] * len(labels), "comparison_cues": nothing, "temporal_cues": nothing,
        "severity_cues": nothing, "texture_cues": nothing,
        "object_id": f"{image.dicom_id}_{region}",
    }  # fmt: skip


# --- REFLACX ----------------------------------------------------------------------------------------------------------


def _write_reflacx(directory: Path, images: list[FakeImage], seed: int) -> list[str]:
    """Readings in three phases, in the first by two readers each; the images whose first ellipse is unsure."""
    unsure = []
    for phase, labels in PHASES.items():
        rows, read = [], images[phase - 1 :: len(PHASES)]
        doubted = next((image for image in read if image.findings), None)
        for number, image in enumerate(read):
            for reader in range(2 if phase == 1 else 1):
                chance = int(generator("reading", seed, image.dicom_id, reader).integers(10**6))
                reading = f"P{phase}{number if phase < 3 else 0:02d}R{chance:06d}"
                ellipses = list(_ellipses(image, phase, doubtful=image is doubted))
                _write_ellipses(directory / reading / "anomaly_location_ellipses.csv", ellipses, labels)
                rows.append(_reading(image, reading, labels, ellipses, discarded=number == 1))
        if doubted:
            unsure.append(doubted.dicom_id)
        write_csv(directory / f"metadata_phase_{phase}.csv", tuple(rows[0]), rows)
    return unsure


def _ellipses(image: FakeImage, phase: int, doubtful: bool) -> Iterator[tuple[Box, str, str]]:
    """(box round the ellipse, certainty, label) of each finding; the first is unsure if `doubtful`."""
    for number, finding in enumerate(image.findings):
        yield finding.box, UNSURE if doubtful and number == 0 else SURE, READ_AS[finding.name][min(phase, 2) - 1]


def _write_ellipses(path: Path, ellipses: list[tuple[Box, str, str]], labels: tuple[str, ...]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow((*BOX_COLUMNS, *labels))
    for (x, y, w, h), certainty, label in ellipses:
        writer.writerow((x, y, x + w, y + h, certainty, *(str(name == label) for name in labels)))
    write_bytes(path, buffer.getvalue().encode())


def _reading(image: FakeImage, reading: str, labels: tuple[str, ...], ellipses: list, discarded: bool) -> dict[str, str]:
    """A row of the metadata: for each label the certainty of its ellipse, 0 without one; three columns are of another kind."""
    certainty = {label: sure for _, sure, label in ellipses}
    marks = {label: certainty.get(label, "0") for label in labels}
    marks |= {label: "False" for label in ("Quality issue", "Support devices") if label in marks} | {"Other": ""}
    path = image_path(image.subject_id, image.study_id, image.dicom_id, ".dcm")
    cells = (
        reading, image.split, str(discarded), f"physionet.org/files/mimic-cxr/2.0.0/{path}", image.dicom_id, image.subject_id,
        str(image.width), str(image.height),
    )  # fmt: skip
    return dict(zip(READING_COLUMNS, cells, strict=True)) | marks


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()
