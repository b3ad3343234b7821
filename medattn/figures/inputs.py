"""What the figures stage reads: tables, decision grids, films with their body and true regions."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors import safe_open

from medattn import paths
from medattn.errors import InputError
from medattn.measures.body import body_mask
from medattn.study.image_files import BadFile, open_image
from medattn.study.schema import Study

PROFILE = "decision"  # the profile whose grids and metrics are drawn
PREFIX = f"{PROFILE}_"
TABLES = ("by_strategy", "by_condition", "layer_head", "profiles")


@dataclass(frozen=True)
class Film:
    """A clean radiograph, and what lies where in it."""

    pixels: np.ndarray  # uint8 [H, W]
    body: np.ndarray  # bool [H, W]
    regions: Mapping[str, np.ndarray]  # finding -> bool [H, W]


@dataclass(frozen=True)
class Results:
    """Tables as text (see `numbers`), and grids."""

    evaluation: pd.DataFrame
    contrast: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]
    grids: Mapping[str, np.ndarray]  # sample_id -> float32 [16, 16], sum 1, row 0 the top of the image

    def clean(self) -> pd.DataFrame:
        """Answered study rows with a grid, on the clean image, sorted by sample_id."""
        rows = self.evaluation
        return rows[(rows.role == "study") & (rows.condition == "clean") & (rows.status == "ok")]


def numbers(column: pd.Series) -> pd.Series:
    """A column of text as floats: empty is NaN, true is 1."""
    return pd.to_numeric(column.replace({"": None, "true": "1", "false": "0"}))


def _table(path: Path, stage: str) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise InputError(f"{path} not found: run `dvc repro {stage}` first") from None


def read_results(root: Path) -> Results:
    """Everything but the films. Raises InputError that says which stage makes what is missing."""
    store = root / paths.GRIDS_STORE
    if not store.exists():
        raise InputError(f"{store} not found: run `dvc repro aggregate` first")
    with safe_open(store, framework="np") as file:
        without_sinks = f"{PROFILE}|without_sinks"
        grids = file.get_tensor(without_sinks if without_sinks in file.keys() else PROFILE)
        samples = json.loads(file.metadata()["medattn"])["samples"]
    return Results(
        evaluation=_table(root / paths.EVALUATION, "metrics").sort_values("sample_id", ignore_index=True),
        contrast=_table(root / paths.GROUPS / "js_contrast.csv", "metrics"),
        tables={name: _table(root / paths.TABLES / f"{name}.csv", "metrics") for name in TABLES},
        grids=dict(zip(samples, grids, strict=True)),
    )


class Films:
    """The study's films by image_id, opened when asked for, with pinned bytes."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._images = {row["image_id"]: row for row in study.images()}
        self._regions = study.regions()

    def __call__(self, image_id: str) -> Film:
        row = self._images[image_id]
        try:
            pixels = np.asarray(open_image(self._study.image_root, row["path"], row["sha256"]).convert("L"))
            found: dict[str, np.ndarray] = {}
            for region in self._regions:
                if region["image_id"] == image_id:
                    mask = self._mask(region, pixels.shape)
                    found[region["finding"]] = found.get(region["finding"], np.zeros(pixels.shape, bool)) | mask
        except BadFile as error:
            raise InputError(f"image {image_id!r}: {error}") from None
        return Film(pixels, body_mask(pixels), found)

    def _mask(self, region: Mapping[str, str], shape: tuple[int, int]) -> np.ndarray:
        if region["mask"]:
            return np.asarray(open_image(self._study.directory, region["mask"], region["mask_sha256"], ("L",))) > 127
        x, y, width, height = (round(float(region[name])) for name in "xywh")
        mask = np.zeros(shape, bool)
        mask[y : y + height, x : x + width] = True
        return mask
