"""Writes the stage's outputs."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from medattn.base.rounding import round_number
from medattn.base.tables import fresh_directory, write_bytes
from medattn.metrics.evaluation import Evaluation


def json_bytes(value: object) -> bytes:
    """Sorted, indented JSON with a newline at its end."""
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _npy_bytes(grid: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(grid, dtype=np.float32), allow_pickle=False)
    return buffer.getvalue()


def write_grids(path: Path, of: Evaluation, tick: Callable[[], object]) -> int:
    """{sample_id}_grid.npy (profile `original`) and {sample_id}_meta.json of every sample with a grid; how many."""
    profiles = {name: profile.model_dump() for name, profile in of.params.aggregate.profiles.items()}
    store, written = of.store, 0
    with fresh_directory(path) as part:
        for row in of.rows:
            tick()
            sample_id = row["sample_id"]
            if sample_id not in store.samples:
                continue
            sinks = store.sinks.get(row["shown_image_id"])
            notes = {name: noted[sample_id] for name, noted in store.notes.items()}
            meta = {
                **row,
                "body_box": [round_number(value) for value in of.place_of(row).box],
                "profiles": profiles,
                "sinks": sinks,
                "terms": {name: note["terms"] for name, note in notes.items()},
                "used_rows": {name: note["rows"] for name, note in notes.items()},
            }
            (part / f"{sample_id}_grid.npy").write_bytes(_npy_bytes(store.grids["original"][store.samples[sample_id]]))
            (part / f"{sample_id}_meta.json").write_bytes(json_bytes(meta))
            written += 1
    return written


def write_json(path: Path, value: object) -> None:
    """json_bytes at `path`, all or nothing."""
    write_bytes(path, json_bytes(value))
