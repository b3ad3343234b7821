"""Write the phantom study: synthetic radiographs of fictitious patients, questions in six variants, exact truth.

Which finding is asked and whether it is there is fixed by design, so that findings and answers are balanced;
everything else falls by chance. Support devices and look-alikes are independent of the findings: the shortcut between
a device and a finding exists in the model's training data only.
"""

import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from medattn.base.errors import InputError
from medattn.base.hashes import hashes_of, sha256_of
from medattn.base.seeding import generator
from medattn.base.tables import new_directory, write_bytes, write_csv
from medattn.checks.study_check import StudySummary, box_of, check
from medattn.language.strategy_labels import BASELINE
from medattn.language.variants import baseline_template, variants
from medattn.phantom.anatomy import FINDINGS
from medattn.phantom.cases import EXPOSURE, Case, make_case
from medattn.study.schema import CONFIG, IMAGE_COLUMNS, QUESTION_COLUMNS, REGION_COLUMNS

SECOND_RADIOGRAPHS = 0.36  # share of the radiographs that are a patient's second
CONTROLS = 2  # questions about other findings, per image

STUDY_YAML = """\
# A synthetic study: every radiograph is drawn, every patient is fictitious, every finding is known exactly.
name: phantom
title: Synthetic chest radiographs with known findings (seed {seed})
licence: open
image_root: images
source: medattn study phantom --images {images} --seed {seed}
defaults:
  model: {{id: model, revision: null, dtype: float64, device: cpu}}
  prompt: {{system: "", template: "{{question}}", order: question_first, max_new_tokens: 24}}
"""
EXPOSURE_YAML = """\
# How often the model saw each strategy in training, relative to the baseline's: known for a phantom only.
strategy_exposure: {exposure}
"""


@dataclass(frozen=True)
class PlannedRadiograph:
    """One radiograph of the study, and what is asked about it."""

    subject: int
    number: int  # of this patient's radiographs, from 0
    finding: str
    present: bool

    @property
    def subject_id(self) -> str:
        return f"phantom-{self.subject + 1:03d}"

    @property
    def image_id(self) -> str:
        return f"{self.subject_id}-{self.number + 1}"


def design(images: int, seed: int) -> list[PlannedRadiograph]:
    """Who has how many radiographs, and what is asked: findings in turn, each as often present as absent, dealt by `seed`.

    Sorted by patient and number. Raises ValueError for fewer than one image.
    """
    if images < 1:
        raise ValueError(f"images is {images}, expected at least 1")
    asked = [(FINDINGS[index % len(FINDINGS)], (index // len(FINDINGS)) % 2 == 0) for index in range(images)]
    dealt = [asked[index] for index in np.argsort(generator("study design", seed).random(images), kind="stable")]
    patients = images - int(SECOND_RADIOGRAPHS * images)
    return sorted(
        (PlannedRadiograph(index % patients, index // patients, *dealt[index]) for index in range(images)),
        key=lambda radiograph: (radiograph.subject, radiograph.number),
    )


def write(out: Path, images: int, seed: int, model: Path | None = None) -> StudySummary:
    """Write the study to `out`, with a copy of the model directory if one is given, and check it; all or nothing.

    The same arguments give the same bytes. Raises InputError if `out` holds something or `model` is not a model directory.
    """
    if model is not None and not (model / CONFIG).is_file():
        raise InputError(
            f"{model} is not a model directory, {CONFIG} is missing: give one made by `medattn study train-phantom`"
        )
    with new_directory(out) as part:
        _write(part, images, seed, model)
        return check(part)


def _write(directory: Path, images: int, seed: int, model: Path | None) -> None:
    (directory / "images").mkdir(parents=True)
    image_rows: list[dict[str, object]] = []
    region_rows: list[dict[str, object]] = []
    question_rows: list[dict[str, object]] = []
    for radiograph in tqdm(design(images, seed), desc="draw", unit="image"):
        case = make_case(seed, radiograph.subject, radiograph.number, fixed={radiograph.finding: radiograph.present})
        image_rows.append(_write_image(directory, radiograph, case))
        region_rows += _write_regions(directory, radiograph, case)
        question_rows += _questions(radiograph, case, seed)
    write_csv(directory / "images.csv", IMAGE_COLUMNS, image_rows)
    write_csv(directory / "regions.csv", REGION_COLUMNS, region_rows)
    write_csv(directory / "questions.csv", QUESTION_COLUMNS, question_rows)
    about = STUDY_YAML.format(images=images, seed=seed)
    if model is not None:
        about += EXPOSURE_YAML.format(exposure=json.dumps(EXPOSURE).replace('"', ""))
    write_bytes(directory / "study.yaml", about.encode())
    if model is not None:
        shutil.copytree(model, directory / "model", copy_function=shutil.copyfile)
        pins = {"revision": None, "files": hashes_of(directory / "model")}
        write_bytes(directory / "model.json", (json.dumps(pins, indent=1, sort_keys=True) + "\n").encode())


def png(pixels: np.ndarray) -> bytes:
    """PNG of an 8-bit grey image, uint8 [height, width].

    Pillow compresses with its own zlib, so the bytes are pinned by the locked Pillow.
    """
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=9)
    return buffer.getvalue()


def _write_image(directory: Path, radiograph: PlannedRadiograph, case: Case) -> dict[str, object]:
    path = directory / f"images/{radiograph.image_id}.png"
    write_bytes(path, png(case.radiograph.image))
    height, width = case.radiograph.image.shape
    return {
        "image_id": radiograph.image_id, "path": path.name, "sha256": sha256_of(path), "width": width, "height": height,
        "subject_id": radiograph.subject_id, "study_id": radiograph.image_id, "view": "PA", "split": "test",
    }  # fmt: skip


def _write_regions(directory: Path, radiograph: PlannedRadiograph, case: Case) -> Iterator[dict[str, object]]:
    """A mask and a row for every finding that is there, asked about or not, visible or not."""
    for lesion in case.radiograph.lesions:
        name = f"masks/{radiograph.image_id}-{_slug(lesion.finding)}.png"
        write_bytes(directory / name, png(lesion.mask.astype(np.uint8) * 255))
        x, y, w, h = box_of(lesion.mask)
        yield {
            "image_id": radiograph.image_id, "finding": lesion.finding, "side": lesion.side, "conspicuity": lesion.conspicuity,
            "x": x, "y": y, "w": w, "h": h, "mask": name, "mask_sha256": sha256_of(directory / name),
        }  # fmt: skip


def _questions(radiograph: PlannedRadiograph, case: Case, seed: int) -> Iterator[dict[str, object]]:
    """The question in all its variants, then the controls: other findings, asked in the baseline's template."""
    others = [finding for finding in FINDINGS if finding != radiograph.finding]
    order = np.argsort(generator("controls", seed, radiograph.image_id).random(len(others)), kind="stable")
    asked = [("study", radiograph.finding)] + [("control", others[index]) for index in sorted(order[:CONTROLS])]
    for role, finding in asked:
        question_id = f"{radiograph.image_id}-{_slug(finding)}"
        made = variants(question_id, finding, baseline_template(radiograph.image_id))
        for index, variant in enumerate(made if role == "study" else made[:1]):
            yield {
                "question_id": question_id, "role": role, "image_id": radiograph.image_id, "study_id": radiograph.image_id,
                "subject_id": radiograph.subject_id, "finding": finding, "zone": finding, "baseline_question": made[0].text,
                "question": variant.text, "answer": "yes" if case.present(finding) else "no",
                "question_variant": "original" if variant.strategy == BASELINE else f"hard_positive_strategy-{index}",
                "variant_index": index, "strategy": variant.strategy,
            }  # fmt: skip


def _slug(finding: str) -> str:
    return finding.replace(" ", "-")
