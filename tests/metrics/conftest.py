"""A tiny study of four images, with hand-made answers and grids, as the stages before would leave it."""

import csv
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from safetensors.numpy import save

from medattn.base import paths, sample_tables
from medattn.base.params.whole import Params
from tests.conftest import surveyed
from tests.metrics.handmade import head_means

LAYERS, HEADS, KEY_VALUE_HEADS = 2, 4, 2
HOT_LAYER, HOT_HEAD = 1, 2  # the one head that looks at the true region
WIDTH, HEIGHT = 64, 48
BODY = (12, 6, 52, 48)  # x0, y0, x1, y1 in pixels: the mask does not look at the outer four
STRATEGIES = ("baseline", "phrasing", "synonym")
# image -> subject, view, finding, truth, region (x, y, w, h) or None, use a mask
IMAGES = {
    "i1": ("p1", "PA", "pleural effusion", "yes", (16, 36, 12, 9), True),
    "i2": ("p1", "AP", "nodule", "yes", (40, 12, 2, 2), False),  # half of no cell
    "i3": ("p2", "LATERAL", "pleural effusion", "no", None, False),
    "i4": ("p3", "PA", "nodule", "no", None, False),
}
# question -> answers of baseline, phrasing, synonym; clean
ANSWERS = {
    "q1": ("Yes, it is.", "Yes, it is.", "No, it is not."),
    "q2": ("No, it is not.", "Yes, it is.", "It cannot be excluded."),
    "q3": ("No, it is not.", "No, it is not.", "No, it is not."),
    "q4": ("Yes, it is.", "Purple weather.", "Yes, it is."),
}
OTHER = {"pleural effusion": "nodule", "nodule": "pleural effusion"}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(path: Path, columns, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def make_study(study: Path) -> None:
    (study / "images").mkdir(parents=True)
    (study / "masks").mkdir()
    noise = np.random.default_rng(0)
    regions, images = [], []
    for image_id, (subject, view, finding, _, box, masked) in IMAGES.items():
        pixels = noise.integers(0, 12, (HEIGHT, WIDTH))
        x0, y0, x1, y1 = BODY
        pixels[y0:y1, x0:x1] = noise.integers(150, 200, (y1 - y0, x1 - x0))
        path = study / f"images/{image_id}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        images.append(
            {"image_id": image_id, "path": path.name, "sha256": sha256(path), "width": WIDTH, "height": HEIGHT,
             "subject_id": subject, "study_id": f"s-{image_id}", "view": view, "split": "test"}
        )  # fmt: skip
        if box:
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            mask[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = 255
            mask_path = study / f"masks/{image_id}.png"
            if masked:
                Image.fromarray(mask).save(mask_path)
            regions.append(
                {"image_id": image_id, "finding": finding, "side": "right", "conspicuity": 1, "x": box[0], "y": box[1],
                 "w": box[2], "h": box[3], "mask": f"masks/{image_id}.png" if masked else "",
                 "mask_sha256": sha256(mask_path) if masked else ""}
            )  # fmt: skip
    write(study / "images.csv", list(images[0]), images)
    write(study / "regions.csv", list(regions[0]), regions)
    model = {"id": "model", "revision": None, "dtype": "float64", "device": "cpu"}
    prompt = {"system": "", "template": "{question}", "order": "question_first", "max_new_tokens": 24}
    about = {"name": "tiny", "title": "Tiny", "licence": "open", "image_root": "images", "source": "made here",
             "defaults": {"model": model, "prompt": prompt}}  # fmt: skip
    (study / "study.yaml").write_text(yaml.safe_dump(about))


def make_manifest(study: Path, images=tuple(IMAGES)) -> list[dict]:
    rows = []
    for image_id in images:
        subject, view, finding, truth, _, _ = IMAGES[image_id]
        question_id = f"q{image_id[1:]}"
        shared = {
            "image_id": image_id, "image_path": f"{image_id}.png", "image_sha256": sha256(study / f"images/{image_id}.png"),
            "width": WIDTH, "height": HEIGHT, "study_id": f"s-{image_id}", "subject_id": subject, "view": view,
            "split": "test", "strength": "",
        }  # fmt: skip
        for condition in ("clean", "no_image"):
            for index, strategy in enumerate(STRATEGIES):
                rows.append(
                    shared | {
                        "sample_id": f"{question_id}-v{index}-{condition}", "question_id": question_id, "role": "study",
                        "condition": condition, "shown_image_id": image_id if condition == "clean" else "",
                        "finding": finding, "zone": finding, "baseline_question": f"Is there {finding}?",
                        "question": f"Is there {finding}?" if index == 0 else f"{strategy}: {finding}?", "answer": truth,
                        "question_variant": f"hard_positive_strategy-{index}" if index else "original",
                        "variant_index": index, "strategy": strategy,
                    }
                )  # fmt: skip
        other = OTHER[finding]
        rows.append(
            shared | {
                "sample_id": f"{question_id}c-v0-clean", "question_id": f"{question_id}c", "role": "control",
                "condition": "clean", "shown_image_id": image_id, "finding": other, "zone": other,
                "baseline_question": f"Is there {other}?", "question": f"Is there {other}?", "answer": "no",
                "question_variant": "original", "variant_index": 0, "strategy": "baseline",
            }
        )  # fmt: skip
    return sorted(rows, key=lambda row: row["sample_id"])


def make_answers(manifest: list[dict]) -> list[dict]:
    rows = []
    for row in manifest:
        said = ANSWERS[row["question_id"]][row["variant_index"]] if row["role"] == "study" else "No, it is not."
        if row["condition"] == "no_image":
            said = "No, it is not."
        leaning = 2.0 if said.startswith("Yes") else 0.0
        rows.append(
            dict(zip(sample_tables.ANSWERS, [
                row["sample_id"], "ok" if row["condition"] == "clean" else "no_grid", said, "1 2 3 4 5", 5, 300,
                f"{leaning} -4.0", "1.0 -4.0", 0.2 if said.startswith("Purple") else 0.9,
            ], strict=True))
        )  # fmt: skip
    return rows


def planted(cell: int) -> np.ndarray:
    grid = np.full(256, 0.5 / 255)
    grid[cell] = 0.5
    return grid


def bits(numbers, count: int) -> np.ndarray:
    return np.packbits([number in numbers for number in range(count)])


def columns(ids: list[str]) -> np.ndarray:
    """Ids as the store holds them: uint8 [id, byte]."""
    width = max(map(len, ids), default=1)
    return np.array([list(one.encode().ljust(width, b"\0")) for one in ids], np.uint8).reshape(-1, width)


def region(image_id: str) -> np.ndarray:
    """Which part of each cell the image's true region takes: float [256]."""
    x, y, w, h = IMAGES[image_id][4]
    mask = np.zeros((HEIGHT, WIDTH))
    mask[y : y + h, x : x + w] = 1
    return mask.reshape(16, HEIGHT // 16, 16, WIDTH // 16).mean(axis=(1, 3)).ravel()


def make_grids(manifest: list[dict], sinks: str = "keep") -> bytes:
    samples = [row for row in manifest if row["condition"] == "clean"]
    random = np.random.default_rng(1)
    terms, count, images = sorted(OTHER), len(samples), sorted(IMAGES)
    tensors = {
        "samples|id": columns([row["sample_id"] for row in samples]),
        "samples|gate_count": np.full(count, 2, np.int32),
        "samples|terms": np.array([bits([terms.index(row["finding"])], len(terms)) for row in samples]),
        "images|id": columns(images),
        "sinks|computed": np.ones(len(images), bool),
        "sinks|compared": np.zeros(len(images), bool),
        "sinks|mass": np.full(len(images), 0.01),
        "sinks|cells": np.array([bits([5 * 16 + 5], 256)] * len(images)),
        "sinks|position": np.zeros((len(images), 32), np.uint8),
    }
    for profile in ("original", "decision"):
        grids = random.dirichlet(np.full(256, 0.3), len(samples)).reshape(-1, 16, 16)
        for number, row in enumerate(samples if profile == "decision" else ()):
            if row["sample_id"] == "q3-v1-clean":
                grids[number] = 1 / 256
            if row["sample_id"] == "q2-v0-clean":  # all on one cell outside the body
                grids[number] = 0
                grids[number, 0, 0] = 1
        tensors[profile] = grids.astype(np.float32)
        tensors[f"{profile}|rows"] = np.ones((count, 1), bool)
        tensors[f"{profile}|gated"] = np.ones(count, bool)
        tensors[f"{profile}|image_mass"] = np.full(count, 0.25)
    if sinks == "zero":
        without = tensors["decision"].copy()
        without[:, 5, 5] = 0
        tensors["decision|without_sinks"] = without / without.sum(axis=(1, 2), keepdims=True)
    heads = {
        row["sample_id"]: np.full((LAYERS, HEADS, 256), 1 / 256) for row in samples if row["sample_id"].endswith("v0-clean")
    }
    for row in samples:
        if row["sample_id"] in heads and row["image_id"] == "i1" and row["role"] == "study":
            heads[row["sample_id"]][HOT_LAYER, HOT_HEAD] = planted(16 * 13 + 5)  # row 13, column 5: inside the effusion
    means = head_means(samples, heads)
    placed = [(at, row) for at, row in enumerate(samples) if row["sample_id"] in heads and IMAGES[row["image_id"]][4]]
    masses = [heads[row["sample_id"]] @ region(row["image_id"]) for _, row in placed]
    tensors |= {
        "heads|mean": np.array([means[finding] for finding in sorted(means)]).reshape(-1, LAYERS, HEADS, 256),
        "regions|sample": np.array([at for at, _ in placed], np.int64),
        "regions|finding": np.array([terms.index(IMAGES[row["image_id"]][2]) for _, row in placed], np.int64),
        "regions|mass": np.array(masses).reshape(-1, LAYERS, HEADS),
    }
    profile = {"rows": [0], "gating": True, "layers": [-1], "layer_weights": None, "gqa": "mean", "sinks": "keep"}
    metadata = {
        "layers": LAYERS, "heads": HEADS, "key_value_heads": KEY_VALUE_HEADS, "image_side": 32, "cross_attention": [],
        "eager_agreement": None, "terms": terms, "findings": sorted(means), "region_findings": terms,
        "profiles": {"original": profile, "decision": profile | {"sinks": sinks}},
    }  # fmt: skip
    return save(tensors, metadata={"medattn": json.dumps(metadata, sort_keys=True)})


def make_params(sinks: str = "keep") -> Params:
    raw = yaml.safe_load(Path(paths.PARAMS).read_text())
    raw |= {"study": "data", "study_digests": {"data": ""}}
    raw["metrics"] = {"bootstrap_draws": 200, "permutation_draws": 200, "seed": 0}
    raw["aggregate"]["profiles"] = {name: raw["aggregate"]["profiles"][name] for name in ("original", "decision")}
    raw["aggregate"]["profiles"]["decision"] |= {"sinks": sinks}
    return Params.model_validate(raw)


def make_root(root: Path, images=tuple(IMAGES), sinks: str = "keep") -> Path:
    """Everything that the metrics stage reads, below `root`."""
    (root / paths.PUBLISHED).parent.mkdir(parents=True)
    shutil.copy(paths.PUBLISHED, root / paths.PUBLISHED)
    make_study(root / "data")
    surveyed(root / "data", root / paths.BODIES)
    manifest = make_manifest(root / "data", images)
    write(root / paths.MANIFEST, sample_tables.MANIFEST, manifest)
    write(root / paths.ANSWERS, sample_tables.ANSWERS, make_answers(manifest))
    (root / paths.GRIDS_STORE).write_bytes(make_grids(manifest, sinks))
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path)


@pytest.fixture(scope="session")
def done(tmp_path_factory) -> Path:
    """The stage's outputs for the tiny study; read only."""
    from medattn.metrics.stage import run

    root = make_root(tmp_path_factory.mktemp("metrics"))
    run(make_params(), root)
    return root
