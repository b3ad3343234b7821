"""What the figures stage reads: tables and decision grids."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors import safe_open

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.disclosure.suppression import WITHHELD

PROFILE = "decision"  # the profile whose grids and metrics are drawn
PREFIX = f"{PROFILE}_"
# What charts and the report read.
TABLES = (
    "by_strategy", "by_finding", "robustness", "consistency", "flips", "correct_incorrect", "image_reliance", "localisation",
    "layer_head", "occlusion", "sinks", "hypotheses", "exposure_order", "published", "profiles", "metric_summary",
)  # fmt: skip
GROUPS = ("js_contrast", "reliance", "occlusion", "sinks")


@dataclass(frozen=True)
class Results:
    """Tables as text (see `numbers`), and grids."""

    evaluation: pd.DataFrame
    groups: Mapping[str, pd.DataFrame]  # one row per question or image
    tables: Mapping[str, pd.DataFrame]
    headline: Mapping[str, float | int | None]  # reports/metrics.json
    least_patients: int  # that a mark of a chart must stand for: 1 draws every point
    image_side: int  # pixels along each side of the square that the model sees
    grids: Mapping[str, np.ndarray]  # sample_id -> float32 [16, 16], sum 1, row 0 the top of the image

    @property
    def in_private(self) -> bool:
        """Whether charts may hold no mark of few patients."""
        return self.least_patients > 1

    @property
    def contrast(self) -> pd.DataFrame:
        return self.groups["js_contrast"]

    def clean(self) -> pd.DataFrame:
        """Answered study rows with a grid, on the clean image, sorted by sample_id."""
        rows = self.evaluation
        return rows[(rows.role == "study") & (rows.condition == "clean") & (rows.status == "ok")]


def numbers(column: pd.Series) -> pd.Series:
    """A column of text as floats: empty and withheld are NaN, true is 1."""
    return pd.to_numeric(column.replace({"": None, WITHHELD: None, "true": "1", "false": "0"}))


def _table(path: Path, stage: str) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise InputError(f"{path} not found: run `dvc repro {stage}` first") from None


def _headline(path: Path) -> dict[str, float | int | None]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} not found: run `dvc repro metrics` first") from None


def read_results(root: Path, least_patients: int = 1) -> Results:
    """Everything but the films. Raises InputError that says which stage makes what is missing."""
    store = root / paths.GRIDS_STORE
    if not store.exists():
        raise InputError(f"{store} not found: run `dvc repro aggregate` first")
    with safe_open(store, framework="np") as file:
        without_sinks = f"{PROFILE}|without_sinks"
        grids = file.get_tensor(without_sinks if without_sinks in set(file.keys()) else PROFILE)
        about = json.loads(file.metadata()["medattn"])
    return Results(
        evaluation=_table(root / paths.EVALUATION, "metrics").sort_values("sample_id", ignore_index=True),
        groups={name: _table(root / paths.GROUPS / f"{name}.csv", "metrics") for name in GROUPS},
        tables={name: _table(root / paths.TABLES / f"{name}.csv", "metrics") for name in TABLES},
        headline=_headline(root / paths.METRICS),
        least_patients=least_patients,
        image_side=about["image_side"],
        grids=dict(zip(about["samples"], grids, strict=True)),
    )
