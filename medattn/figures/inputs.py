"""What the figures stage reads: samples, decision grids, and the tables that charts and page are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medattn.attention.grid_store import GridStore
from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.tables import read_numbers
from medattn.figures.columns import PROFILE
from medattn.figures.declarations import BODY_MASKS, GRIDS, LEAST, SAMPLES, Source, table
from medattn.figures.outline import CHARTS
from medattn.report.sections import HEADLINE
from medattn.report.tables import LAYOUTS

# The tables that some chart is drawn from, and those of the page, as they stand in reports/tables and results/groups.
READ: Mapping[Source, Path] = {
    source: source.path
    for source in (*(source for chart in CHARTS for source in chart.sources), *map(table, LAYOUTS), BODY_MASKS)
    if source.path and source not in (SAMPLES, GRIDS)
}


@dataclass(frozen=True)
class Results:
    """Tables as text (see `columns.numbers`), and grids."""

    evaluation: pd.DataFrame
    frames: Mapping[Source, pd.DataFrame]  # of READ
    headline: Mapping[str, float | int | None]  # reports/metrics.json
    least_patients: int  # that a mark of a chart must stand for: 1 draws every point
    image_side: int  # pixels along each side of the square that the model sees
    grids: Mapping[str, np.ndarray]  # sample_id -> float32 [16, 16], sum 1, row 0 the top of the image

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The published ones, by name."""
        return {source.name: frame for source, frame in self.frames.items() if source == table(source.name)}

    @property
    def given(self) -> dict[Source, Any]:
        """What charts are drawn from, but for radiographs and the rules that choose among them."""
        return {**self.frames, SAMPLES: self.clean(), GRIDS: self.grids, LEAST: self.least_patients}

    def clean(self) -> pd.DataFrame:
        """Answered study rows with a grid, on the clean image, sorted by sample_id."""
        rows = self.evaluation
        return rows[(rows.role == "study") & (rows.condition == "clean") & (rows.status == "ok")]


def _frame(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise InputError(f"{path} not found: run `dvc repro metrics` first") from None


def read_results(root: Path, least_patients: int = 1) -> Results:
    """Everything but the radiographs. Raises InputError that says which stage makes what is missing."""
    store = GridStore(root / paths.GRIDS_STORE)
    zeroes_sinks = store.about["profiles"][PROFILE]["sinks"] == "zero"
    return Results(
        evaluation=_frame(root / paths.EVALUATION).sort_values("sample_id", ignore_index=True),
        frames={source: _frame(root / path) for source, path in READ.items()},
        headline=read_numbers(root / paths.METRICS, HEADLINE),
        least_patients=least_patients,
        image_side=store.about["image_side"],
        grids=store.by_sample(f"{PROFILE}|without_sinks" if zeroes_sinks else PROFILE),
    )
