"""A small run of a credentialed study of invented patients, in a repository of git and DVC."""

import contextlib
import io
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from medattn.base import sample_tables
from medattn.base.errors import InputError
from medattn.base.tables import csv_text
from medattn.figures import style
from medattn.metrics.export import json_bytes
from medattn.metrics.tables.headline import NUMBERS
from medattn.release import pack, remake, shapes
from medattn.report.page import Figure, Section, html
from medattn.study.schema import IMAGE_COLUMNS, QUESTION_COLUMNS
from tests.import_closure import ROOT

BY_FINDING = "reports/tables/by_finding.csv"
PATIENTS = 6
SUBJECT, STUDY = "12345003", "59876003"  # patient 3 of a study of invented patients
IMAGE = "0a1b2c3d-4e5f6071-8293a4b5-c6d7e8f9-00000003"
QUESTION_ID = f"{IMAGE}-effusion"
QUESTION = "Is there evidence of a small effusion in this image?"
ANSWER = "Yes, a small effusion is visible on the left."
STUDY_YAML = {
    "name": "tiny", "title": "A tiny study", "licence": "credentialed", "image_root": "images", "source": "invented",
    "defaults": {
        "model": {"id": "google/medgemma-4b-it", "revision": "0" * 40, "dtype": "bfloat16", "device": "cpu"},
        "prompt": {"system": "", "template": "{question}", "order": "question_first", "max_new_tokens": 20},
    },
}  # fmt: skip
MAKE = """\
import shutil
for name in ("results", "reports"):
    shutil.copytree("made/" + name, name, dirs_exist_ok=True)
shutil.copy("made/ro-crate-metadata.json", ".")
"""
PIPELINE = """\
stages:
  figures:
    cmd: python medattn/make.py
    deps: [medattn/make.py, requirements/locked.txt]
    params: [study, figures]
    outs:
      - results/manifest.csv: {push: false}
      - results/answers.csv: {push: false}
      - results/failures.csv: {push: false}
      - reports/tables: {cache: false}
      - reports/figures: {cache: false}
      - reports/latex: {cache: false}
      - reports/index.html: {cache: false}
      - ro-crate-metadata.json: {cache: false}
    metrics:
      - reports/metrics.json: {cache: false}
"""


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def environment(tmp: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    who = {f"GIT_{role}_{what}": "nobody@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return (
        clean
        | who
        | {"PATH": path, "DVC_SITE_CACHE_DIR": str(tmp / "site"), "DVC_NO_ANALYTICS": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    )


def by_finding(*rows: dict[str, str]) -> str:
    """The table; each row says what is other than in an ordinary one."""
    columns = shapes.shapes()[BY_FINDING].columns
    usual = {"finding": "effusion", "n": "60", "patients": "6", "positives": "30", "accuracy": "0.8"}
    return csv_text(columns, [dict.fromkeys(columns, "") | usual | row for row in rows])


def headline(**numbers: object) -> str:
    return json_bytes(dict.fromkeys(NUMBERS) | {"accuracy_all": 0.8, "n_failed": 0, "n_samples": 60} | numbers).decode()


def study_tables(patients: int = PATIENTS, left_out: Collection[int] = (), changed: Collection[int] = ()) -> dict[str, str]:
    """A study and its run, a question each of patients 1 to `patients`.

    left_out: these are not in it. changed: these have another label.
    """
    questions, images, samples, answers = [], [], [], []
    for number in sorted(set(range(1, patients + 1)) - set(left_out)):
        image, study, subject = (f"{name[:-2]}{number:02d}" for name in (IMAGE, STUDY, SUBJECT))
        sample = dict.fromkeys(sample_tables.MANIFEST, "") | {
            "sample_id": f"{image}-effusion-v0-clean", "question_id": f"{image}-effusion", "role": "study",
            "condition": "clean",
            "image_id": image, "shown_image_id": image, "study_id": study, "subject_id": subject, "finding": "effusion",
            "zone": "effusion", "baseline_question": QUESTION, "question": QUESTION,
            "answer": "no" if number in changed else "yes", "question_variant": "original", "variant_index": "0",
            "strategy": "baseline", "strategies": "baseline",
        }  # fmt: skip
        samples.append(sample)
        questions.append({name: sample[name] for name in QUESTION_COLUMNS})
        about = {"path": f"{image}.jpg", "sha256": "0" * 64, "width": "10", "height": "10", "view": "PA", "split": "test"}
        images.append({name: (sample | about)[name] for name in IMAGE_COLUMNS})
        said = ANSWER if number == 3 else "Yes."
        answers.append({"sample_id": sample["sample_id"], "status": "ok", "answer_text": said})
    return {
        "studies/tiny/questions.csv": csv_text(QUESTION_COLUMNS, questions),
        "studies/tiny/images.csv": csv_text(IMAGE_COLUMNS, images),
        "made/results/manifest.csv": csv_text(sample_tables.MANIFEST, samples),
        "made/results/answers.csv": csv_text(("sample_id", "status", "answer_text"), answers),
        "made/results/failures.csv": csv_text(sample_tables.FAILURES, []),
    }


def chart(folder: Path, text: str = "Sinks per image") -> bytes:
    """A chart as the pipeline draws it, once as PNG and PDF, and the PNG that the page shows."""
    folder.mkdir(parents=True, exist_ok=True)
    fig = style.figure(85, 60)
    fig.subplots().set_title(text)
    small = style.small_png(fig, 72)
    style.save_both(fig, folder, "sinks", 72)
    return small


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """A repository in which DVC has run a stage that makes the reports of a credentialed study."""
    tmp = tmp_path_factory.mktemp("release")
    root = tmp / "repository"
    params = (ROOT / "params.yaml").read_text()
    files = study_tables() | {
        "studies/tiny/study.yaml": yaml.safe_dump(STUDY_YAML),
        "params.yaml": re.sub(r"^study: .*$", "study: studies/tiny", params, flags=re.MULTILINE),
        "medical_terms.txt": (ROOT / "medical_terms.txt").read_text(),
        "dvc.yaml": PIPELINE,
        "medattn/make.py": MAKE,
        "requirements/locked.txt": "click==8.1.0 \\\n    --hash=sha256:00\nnumpy==2.0.0\n",
        "LICENSE": "Apache License, Version 2.0\n",
        "CITATION.cff": "cff-version: 1.2.0\n",
        "made/ro-crate-metadata.json": '{"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": []}\n',
        ".gitignore": "/studies/\n/made/\n/results/\n",
        f"made/{BY_FINDING}": by_finding({}, {"finding": "pneumothorax", "positives": "suppressed", "accuracy": "0.75"}),
        "made/reports/metrics.json": headline(),
        "made/reports/latex/by_finding.tex": (
            "% needs \\usepackage{booktabs}\n\\begin{tabular}{lr}effusion & 60\\end{tabular}\n"
        ),
    }
    for name, content in files.items():
        write(root / name, content)
    image = chart(root / "made/reports/figures")
    figure = Figure("sinks", "Sinks", "How many.", "A chart.", image, ("figures/sinks.pdf",))
    page = html("A tiny study", ["Six invented patients."], [], [Section("Sinks", (), (figure,), ())])
    write(root / "made/reports/index.html", page)
    for command in (
        ["git", "init", "--quiet"], [sys.executable, "-m", "dvc", "init", "--quiet"],
        [sys.executable, "-m", "dvc", "repro", "--quiet"], ["git", "add", "."], ["git", "commit", "--quiet", "-m", "a run"],
    ):  # fmt: skip
        subprocess.run(command, cwd=root, env=environment(tmp), check=True, capture_output=True)
    return root


@pytest.fixture
def repository(template, tmp_path, monkeypatch) -> Path:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(template.parent / "site"))
    monkeypatch.setattr(remake, "reports", lambda root, params: made(root))
    return Path(shutil.copytree(template, tmp_path / "repository", symlinks=True))


def made(root: Path) -> dict[str, bytes]:
    """What this small run makes again: its stage copies made/."""
    files = (path for name in ("reports", "ro-crate-metadata.json") for path in [root / "made" / name] if path.exists())
    below = (path for one in files for path in ([one] if one.is_file() else one.rglob("*")) if path.is_file())
    return {path.relative_to(root / "made").as_posix(): path.read_bytes() for path in below}


def record(root: Path) -> None:
    """Let DVC record what lies there now: the net of bytes is then off, and only the content can tell."""
    from dvc.repo import Repo

    with contextlib.chdir(root), Repo() as repo:
        repo.commit(force=True)


def refusal(root: Path) -> list[str]:
    """The lines of the refusal; nothing may have been written."""
    out = root.parent / "out" / "release.tar.gz"
    with pytest.raises(InputError) as error:
        pack.run(out, root)
    assert not out.parent.exists()
    first, *lines = str(error.value).splitlines()
    assert first == "nothing was written:"
    return lines


def added(root: Path, name: str, text: str) -> None:
    path = root / name
    path.write_bytes(path.read_bytes() + text.encode())


def png_chunk(content: bytes, name: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk in front of its pixels."""
    chunk = struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    at = content.index(b"IDAT") - 4
    return content[:at] + chunk + content[at:]


def radiograph(form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(buffer, form)
    return buffer.getvalue()
