"""Write a tree in the exact layout of MIMIC-CXR-JPG 2.1.0, filled with phantom images of fictitious patients.

Beside it lie question sets (`questions/`) and region sets (`regions/`) in the formats that are in use. The tree is for
tests, and for trying the assembler before one has access to the data. Nothing in it comes from a patient: images are
drawn, ids are random numbers, labels and answers follow what was drawn. `DEFECTS` are planted; `fake-defects.json` in the
tree says where.
"""

import gzip
import hashlib
import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from medattn.base.errors import InputError
from medattn.base.seeding import digest_of
from medattn.base.tables import csv_text, new_directory, write_bytes
from medattn.mimic import layout
from medattn.mimic.fake.patients import COLUMNS, DRAWN, FakeImage, Study, design, with_images
from medattn.mimic.fake.question_sets import write_questions
from medattn.mimic.fake.regions import write_regions

LEAST = 8  # patients, so that every defect has an image of its own
QUALITY = 95  # of the JPEG files
DEFECTS_FILE = layout.DRAWN
# What is planted -> what it is; fake-defects.json names the images, unless another kind of id is named here.
DEFECTS = {
    "image_missing_on_disk": "in all tables and lists, but the file is not there",
    "image_differs_from_sum": "the file can be opened, but is not the one that SHA256SUMS.txt lists",
    "image_without_sum": "SHA256SUMS.txt does not list the file",
    "image_size_differs": "Rows and Columns of the metadata are swapped",
    "study_without_labels": "study_id: no row in the label tables",
    "label_uncertain": "study_id and column: a label of -1.0 although what was drawn is known",
    "label_empty": "study_id and column: no label although what was drawn is known",
    "question_unknown_image": "asked about, but in no table",
    "question_asked_twice": "the same question is duplicated",
    "question_contradicted": "the same question is duplicated, with different answers",
    "hard_positive_unknown_strategy": "a variant's strategy is not a known one",
    "hard_positive_without_original": "the group lacks its original row",
    "hard_positive_dicom_id_as_study_id": "the dicom_id stands in the column study_id",
    "ms_cxr_phrase_in_two_boxes": "two boxes, one above the other, mark one phrase",
    "reflacx_unsure_ellipse": "the first ellipse has a certainty of 2",
}

METADATA_COLUMNS = (
    "dicom_id", "subject_id", "study_id", "PerformedProcedureStepDescription", "ViewPosition", "Rows", "Columns", "StudyDate",
    "StudyTime", "ProcedureCodeSequence_CodeMeaning", "ViewCodeSequence_CodeMeaning",
    "PatientOrientationCodeSequence_CodeMeaning",
)  # fmt: skip
SPLIT_COLUMNS = ("dicom_id", "study_id", "subject_id", "split")
LABEL_COLUMNS = ("subject_id", "study_id", *COLUMNS)
VIEW_MEANINGS = {"PA": "postero-anterior", "AP": "antero-posterior", "LATERAL": "lateral", "LL": "left lateral", "": ""}


def write(out: Path, patients: int = 24, seed: int = 0, dicom: bool = False) -> str:
    """Write the tree to `out`, all or nothing, with .dcm files in place of .jpg if `dicom`; returns a description.

    The same arguments give the same bytes. Raises InputError if `out` holds something, or for fewer than LEAST patients.
    """
    if patients < LEAST:
        raise InputError(f"patients is {patients}, expected at least {LEAST}: each defect needs an image of its own")
    suffix = ".dcm" if dicom else ".jpg"
    with new_directory(out) as part:
        studies, sums = _write_images(part, design(patients, seed), seed, suffix)
        planted = _plant(part, studies, sums, seed, suffix)
        _write_tables(part, studies, planted, sums, suffix)
        planted |= write_questions(part / "questions", studies, seed) | write_regions(part / "regions", studies, seed)
        write_bytes(part / DEFECTS_FILE, (json.dumps({name: planted[name] for name in DEFECTS}, indent=1) + "\n").encode())
    return _describe(out, studies, suffix)


def planted_defects(out: Path) -> dict[str, list[str]]:
    """What is planted in the tree `out`: one of DEFECTS -> the ids concerned."""
    return json.loads((out / DEFECTS_FILE).read_bytes())


def _write_images(root: Path, plan: list[Study], seed: int, suffix: str) -> tuple[list[Study], dict[str, str]]:
    """Draw and write every image: the studies with their images, and the files' SHA-256 by path, in the order of the tables."""
    studies: list[Study] = []
    sums: dict[str, str] = {}
    for study in tqdm(plan, desc="draw", unit="study"):
        study, arrays = with_images(study, seed)
        for image, pixels in zip(study.images, arrays, strict=True):
            content = _jpeg(pixels) if suffix == ".jpg" else _dicom(image, pixels, len(sums))
            path = _path(image, suffix)
            write_bytes(root / path, content)
            sums[path] = hashlib.sha256(content).hexdigest()
        studies.append(study)
    return studies, sums


def _path(image: FakeImage, suffix: str) -> str:
    return layout.image_path(image.subject_id, image.study_id, image.dicom_id, suffix)


def _jpeg(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def _dicom(image: FakeImage, pixels: np.ndarray, number: int) -> bytes:
    """The image with 12 bits stored, each grey value times 16, to be shown as `pixels` exactly.

    In turn with a window, as a negative with a window (MONOCHROME1), and with a VOI LUT.
    """
    try:
        from pydicom.dataset import Dataset, FileMetaDataset
        from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid
    except ModuleNotFoundError:
        raise InputError("--dicom writes DICOM files with pydicom: `pip install 'medattn[dicom]'`") from None
    made, kind = Dataset(), ("window", "negative", "table")[number % 3]
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = DigitalXRayImageStorageForPresentation
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid(entropy_srcs=[image.dicom_id])
    made.StudyInstanceUID, made.SeriesInstanceUID = (
        generate_uid(entropy_srcs=[name, image.study_id]) for name in ("study", "series")
    )
    made.PatientID, made.PatientName, made.StudyID = image.subject_id, "", image.study_id
    made.Modality, made.ViewPosition, made.StudyDate, made.StudyTime = "DX", image.view, image.date, image.time
    made.Rows, made.Columns = pixels.shape
    made.SamplesPerPixel, made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 1, 16, 12, 11, 0
    made.PhotometricInterpretation = "MONOCHROME1" if kind == "negative" else "MONOCHROME2"
    stored = 16 * pixels.astype("<u2")
    if kind == "table":
        entries = Dataset()
        entries.LUTDescriptor = [4096, 0, 8]
        entries.add_new("LUTData", "OW", (np.arange(4096) // 16).astype("<u2").tobytes())
        made.VOILUTSequence = [entries]
    else:
        made.WindowCenter, made.WindowWidth = "2040.5", "4081"
    made.add_new("PixelData", "OW", (4080 - stored if kind == "negative" else stored).astype("<u2").tobytes())
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _plant(root: Path, studies: list[Study], sums: dict[str, str], seed: int, suffix: str) -> dict[str, list[str]]:
    """Spoil files and sums, and choose what the tables shall lack, each defect in a study of its own: name -> ids."""
    fit = [(study, image) for study in studies if (image := study.frontal) and any(study.answer(column) for column in DRAWN)]
    # The name of the random stream: another one would plant the defects elsewhere.
    fit.sort(key=lambda pair: digest_of("trap", seed, pair[0].study_id))
    missing, other, unlisted, swapped = (image for _, image in fit[:4])
    unlabelled, _ = fit[4]
    (root / _path(missing, suffix)).unlink()
    spoilt = root / _path(other, suffix)
    write_bytes(spoilt, _altered(spoilt.read_bytes(), suffix))
    del sums[_path(unlisted, suffix)]
    noted = {f"{study.study_id} {column}": study.labels[column] for study in studies if study != unlabelled for column in DRAWN}
    return {
        "image_missing_on_disk": [missing.dicom_id],
        "image_differs_from_sum": [other.dicom_id],
        "image_without_sum": [unlisted.dicom_id],
        "image_size_differs": [swapped.dicom_id],
        "study_without_labels": [unlabelled.study_id],
        "label_uncertain": [name for name, label in noted.items() if label == layout.UNCERTAIN],
        "label_empty": [name for name, label in noted.items() if label == ""],
    }


def _altered(content: bytes, suffix: str) -> bytes:
    """Another file of the same image: saved once more, or with the last pixel changed."""
    if suffix == ".dcm":
        return content[:-2] + bytes([content[-2] ^ 0x10]) + content[-1:]
    buffer = io.BytesIO()
    Image.open(io.BytesIO(content)).save(buffer, "JPEG", quality=QUALITY - 10)
    return buffer.getvalue()


def _write_tables(root: Path, studies: list[Study], planted: dict[str, list[str]], sums: dict[str, str], suffix: str) -> None:
    """The four tables, the list of images and the sums."""
    images = [image for study in studies for image in study.images]
    swapped, unlabelled = planted["image_size_differs"], planted["study_without_labels"]
    labelled = [study for study in studies if study.study_id not in unlabelled]
    labels = [{"subject_id": study.subject_id, "study_id": study.study_id, **study.labels} for study in labelled]
    tables = {
        layout.METADATA: csv_text(METADATA_COLUMNS, [_metadata(image, image.dicom_id in swapped) for image in images]),
        layout.SPLIT: csv_text(SPLIT_COLUMNS, [{name: getattr(image, name) for name in SPLIT_COLUMNS} for image in images]),
        layout.CHEXPERT: csv_text(LABEL_COLUMNS, labels),
        layout.NEGBIO: csv_text(LABEL_COLUMNS, [_doubted(row) for row in labels]),
        layout.IMAGE_FILENAMES: "".join(f"{_path(image, suffix)}\n" for image in images),
    }
    for name, text in tables.items():
        content = gzip.compress(text.encode(), mtime=0) if name.endswith(".gz") else text.encode()
        write_bytes(root / name, content)
        sums[name] = hashlib.sha256(content).hexdigest()
    lines = [f"{value}{' ' * (1 + index % 2)}{path}\n" for index, (path, value) in enumerate(sums.items())]
    write_bytes(root / layout.SHA256SUMS, "".join(lines).encode())


def _metadata(image: FakeImage, swapped: bool) -> dict[str, object]:
    rows, columns = (image.width, image.height) if swapped else (image.height, image.width)
    procedure = "CHEST (PORTABLE AP)" if image.view == "AP" else "CHEST (PA AND LAT)"
    return {
        "dicom_id": image.dicom_id, "subject_id": image.subject_id, "study_id": image.study_id,
        "PerformedProcedureStepDescription": procedure, "ViewPosition": image.view, "Rows": rows, "Columns": columns,
        "StudyDate": image.date, "StudyTime": image.time, "ProcedureCodeSequence_CodeMeaning": procedure,
        "ViewCodeSequence_CodeMeaning": VIEW_MEANINGS[image.view],
        "PatientOrientationCodeSequence_CodeMeaning": "Recumbent" if image.view == "AP" else "Erect",
    }  # fmt: skip


def _doubted(row: dict[str, str]) -> dict[str, str]:
    """The same labels by the other labeller, which is as sure of nothing that is uncertain."""
    return {name: "" if cell == layout.UNCERTAIN else cell for name, cell in row.items()}


def _describe(out: Path, studies: list[Study], suffix: str) -> str:
    images = [image for study in studies for image in study.images]
    views = ", ".join(f"{view or 'empty'} {count}" for view, count in sorted(Counter(image.view for image in images).items()))
    found = planted_defects(out)
    return (
        f"{out}: {len(images)} {suffix} images of {len(studies)} studies of {len({study.subject for study in studies})}"
        " fictitious"
        f" patients; views: {views}\n"
        f"beside them: questions/ and regions/, in the formats in use\n"
        f"planted, see {DEFECTS_FILE}:\n" + "\n".join(f"  {name} ({len(found[name])}): {DEFECTS[name]}" for name in DEFECTS)
    )
