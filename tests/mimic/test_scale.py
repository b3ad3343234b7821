"""All of MIMIC-CXR's tables, and as many questions as the largest question set has: minutes and gigabytes are kept."""

import csv
import gzip
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medattn.mimic import layout

pytestmark = pytest.mark.slow

IMAGES, STUDIES, PATIENTS, QUESTIONS = 377_110, 227_835, 65_379, 780_000
SECONDS, BYTES = 300, 2e9
FORMS = (
    "is there evidence of {} in this image?",
    "is there {}?",
    "is there {} in the left lung?",
    "is the {} bilateral?",
    "where is the {}?",
)


def write_tables(root: Path) -> None:
    """Generated tables of the published sizes; no image."""
    root.mkdir()
    draw = random.Random(0)
    ids = [f"{draw.getrandbits(160):040x}" for _ in range(IMAGES)]
    images = ["-".join(name[start : start + 8] for start in range(0, 40, 8)) for name in ids]
    studies = [str(50_000_000 + index % STUDIES) for index in range(IMAGES)]
    subjects = [str(10_000_000 + (index % STUDIES) % PATIENTS) for index in range(IMAGES)]
    with (
        gzip.open(root / layout.METADATA, "wt", compresslevel=1) as metadata,
        gzip.open(root / layout.SPLIT, "wt", compresslevel=1) as split,
        (root / layout.SHA256SUMS).open("w") as sums,
        (root / layout.IMAGE_FILENAMES).open("w") as names,
        (root / "medical-cxr-vqa-questions.csv").open("w", newline="") as questions,
    ):
        metadata.write("dicom_id,subject_id,study_id,ViewPosition,Rows,Columns\n")
        split.write("dicom_id,study_id,subject_id,split\n")
        for image, study, subject in zip(images, studies, subjects, strict=True):
            view = ("PA", "AP", "LATERAL")[draw.randrange(3)]
            metadata.write(f"{image},{subject},{study},{view},3056,2544\n")
            split.write(f"{image},{study},{subject},train\n")
            path = layout.image_path(subject, study, image)
            sums.write(f"{draw.getrandbits(256):064x}  {path}\n")
            names.write(f"{path}\n")
        writer = csv.writer(questions)
        writer.writerow(["subject_id", "study_id", "dicom_id", "question_type", "question", "answer", "split"])
        findings = [finding for finding in layout.LABELS.values() if finding not in ("pleural other", "support devices")]
        for index in range(QUESTIONS):
            at = draw.randrange(IMAGES)
            form = FORMS[index % len(FORMS)]
            answer = "left lung" if form.startswith("where") else ("yes", "no")[draw.randrange(2)]
            writer.writerow(
                [subjects[at], studies[at], images[at], "presence", form.format(draw.choice(findings)), answer, "train"]
            )
    with gzip.open(root / layout.CHEXPERT, "wt", compresslevel=1) as labels:
        labels.write(f"subject_id,study_id,{','.join(layout.LABELS)},{layout.NO_FINDING}\n")
        for study in range(STUDIES):
            cells = (draw.choice(("", "", "", "1.0", "0.0", "-1.0")) for _ in layout.LABELS)
            labels.write(f"{10_000_000 + study % PATIENTS},{50_000_000 + study},{','.join(cells)},\n")


# The command line, which prints its own peak at the end: what a parent is told of its children counts memory from before.
MEASURED = """
import atexit
from medattn.cli import main
atexit.register(lambda: print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))))
main()
"""


def test_the_largest_question_set_is_assembled_within_minutes_and_two_gigabytes(tmp_path):
    root = tmp_path / "root"
    write_tables(root)
    command = [
        sys.executable,
        "-c",
        MEASURED,
        "study",
        "mimic-cxr",
        "--root",
        root,
        "--questions",
        root / "medical-cxr-vqa-questions.csv",
    ]
    start = time.monotonic()
    done = subprocess.run(
        [*command, "--out", tmp_path / "study", "--view", "all", "--trust-sums"], capture_output=True, text=True
    )
    seconds = time.monotonic() - start
    assert done.returncode == 0, done.stderr[-2000:]
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", done.stdout)[1]) * 1024
    print(
        done.stdout,
        f"{seconds:.0f} s, {peak / 1e9:.2f} GB, questions.csv {(tmp_path / 'study/questions.csv').stat().st_size / 1e6:.0f} MB",
    )
    assert f"of {QUESTIONS:,}" in done.stdout
    assert seconds < SECONDS and peak < BYTES
