"""A hand-made MIMIC-CXR root of five images, every cell chosen by a test's needs."""

import csv
import gzip
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medattn.mimic import layout

PA, AP, LATERAL, SECOND, OTHER = (f"{digit * 8}-00000000-00000000-00000000-00000001" for digit in "abcde")
# dicom_id -> subject, study, view, split, (width, height)
IMAGES = {
    PA: ("10000001", "50000001", "PA", "test", (64, 48)),
    AP: ("10000001", "50000001", "AP", "test", (48, 64)),
    LATERAL: ("10000001", "50000001", "LATERAL", "test", (64, 48)),
    SECOND: ("10000002", "50000002", "AP", "train", (64, 48)),
    OTHER: ("10000003", "50000003", "", "validate", (64, 48)),
}
LABELS = {
    "50000001": {"Cardiomegaly": "1.0", "Pneumothorax": "0.0", "Edema": "-1.0"},
    "50000002": {"Cardiomegaly": "0.0", "Pneumothorax": "1.0"},
}


def path_of(dicom_id: str) -> str:
    subject, study, *_ = IMAGES[dicom_id]
    return f"files/p{subject[:2]}/p{subject}/s{study}/{dicom_id}.jpg"


def write_table(path: Path, columns: list[str], rows: list[dict]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0) if path.suffix == ".gz" else text.getvalue().encode())


def write_sums(root: Path) -> None:
    lines = [
        f"{hashlib.sha256((root / path_of(name)).read_bytes()).hexdigest()}{' ' * (1 + i % 2)}{path_of(name)}\n"
        for i, name in enumerate(IMAGES)
    ]
    (root / layout.SHA256SUMS).write_text("".join(lines))


def rewritten(root: Path, name: str, *changes: tuple[str, str]) -> None:
    """A gzipped table of the root with some texts replaced by others."""
    text = gzip.decompress((root / name).read_bytes()).decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (root / name).write_bytes(gzip.compress(text.encode()))


@pytest.fixture
def root(tmp_path) -> Path:
    directory = tmp_path / "root"
    noise = np.random.default_rng(0)
    metadata, split = [], []
    for dicom_id, (subject, study, view, part, size) in IMAGES.items():
        path = directory / path_of(dicom_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, size[::-1], dtype=np.uint8)).save(path, quality=90)
        metadata.append(
            {
                "dicom_id": dicom_id,
                "subject_id": subject,
                "study_id": study,
                "ViewPosition": view,
                "Rows": size[1],
                "Columns": size[0],
            }
        )
        split.append({"dicom_id": dicom_id, "study_id": study, "subject_id": subject, "split": part})
    write_table(directory / layout.METADATA, list(metadata[0]), metadata)
    write_table(directory / layout.SPLIT, list(split[0]), split)
    owners = {study: subject for subject, study, *_ in IMAGES.values()}
    labels = [{"subject_id": owners[study], "study_id": study} | found for study, found in LABELS.items()]
    write_table(directory / layout.CHEXPERT, ["subject_id", "study_id", *layout.LABELS, layout.NO_FINDING], labels)
    (directory / layout.IMAGE_FILENAMES).write_text("".join(f"{path_of(name)}\n" for name in IMAGES))
    write_sums(directory)
    return directory
