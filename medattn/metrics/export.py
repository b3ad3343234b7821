"""Writes the stage's outputs."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from medattn.base.rounding import round_number
from medattn.base.rows import SampleRow
from medattn.base.tables import write_bytes
from medattn.metrics.anatomy import Place
from medattn.metrics.inputs import Store


def json_bytes(value: object) -> bytes:
    """Sorted, indented JSON with a newline at its end."""
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _npy_bytes(grid: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(grid, dtype=np.float32), allow_pickle=False)
    return buffer.getvalue()


def write_grid(directory: Path, row: SampleRow, place: Place, store: Store, profiles: Mapping[str, object]) -> None:
    """{sample_id}_grid.npy (profile `original`) and {sample_id}_meta.json of a sample that has a grid.

    row: of evaluation_results.csv. profiles: their settings.
    """
    sample_id = row["sample_id"]
    notes = {name: noted[sample_id] for name, noted in store.notes.items()}
    meta = {
        **row,
        "body_box": [round_number(value) for value in place.box],
        "profiles": profiles,
        "sinks": store.sinks.get(row["shown_image_id"]),
        "terms": {name: note["terms"] for name, note in notes.items()},
        "used_rows": {name: note["rows"] for name, note in notes.items()},
    }
    (directory / f"{sample_id}_grid.npy").write_bytes(_npy_bytes(store.grids["original"][store.samples[sample_id]]))
    (directory / f"{sample_id}_meta.json").write_bytes(json_bytes(meta))


def write_json(path: Path, value: object) -> None:
    """json_bytes at `path`, all or nothing."""
    write_bytes(path, json_bytes(value))
