"""What the metrics stage reads: manifest, answers and the grids store, checked against each other."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open

from medattn.base import sample_tables
from medattn.base.errors import InputError
from medattn.base.params.aggregate import Profile
from medattn.base.rows import SampleRow
from medattn.base.tables import Row

METADATA = "medattn"  # the one metadata key of the grids store
STATUSES = ("ok", "no_grid", "failed")


@dataclass(frozen=True)
class Store:
    """results/grids.safetensors. Grids are float32 [sample, 16, 16], sum 1, row 0 the top of the image."""

    samples: Mapping[str, int]  # sample_id -> row of every grid array
    grids: Mapping[str, np.ndarray]  # profile -> what the profile asks for: without sinks where it zeroes them
    with_sinks: Mapping[str, np.ndarray]  # profile that zeroes sinks -> the unmodified grids
    notes: Mapping[str, Mapping[str, Row]]  # profile -> sample_id -> gate_count, gated, terms, image_mass, rows
    sinks: Mapping[str, Row]  # image_id -> cells, computed, …
    heads: np.ndarray  # float32 [head sample, layer, head, 256], each [layer, head] sums to 1
    head_samples: Sequence[str]
    key_value_heads: int
    model: Row  # what was checked of the model: image_side, cross_attention, eager_agreement

    def grid(self, profile: str, sample_id: str) -> np.ndarray | None:
        """float64 [16, 16], or None where the sample has no grid."""
        row = self.samples.get(sample_id)
        return None if row is None else self.grid_sets[profile][row].astype(np.float64)

    @property
    def grid_sets(self) -> dict[str, np.ndarray]:
        """Every set of grids that gets its own columns: the profiles, then "{profile}_with_sinks" where it differs."""
        return {**self.grids, **{f"{name}_with_sinks": grids for name, grids in self.with_sinks.items()}}


def profile_of(grid_set: str, profiles: Mapping[str, object]) -> str:
    """The profile a set of grids was made by."""
    return grid_set if grid_set in profiles else grid_set.removesuffix("_with_sinks")


def read_answers(path: Path, sample_ids: Iterable[str]) -> dict[str, SampleRow]:
    """sample_id -> its row of answers.csv; exactly one for every sample of the manifest."""
    answers = sample_tables.read(path, sample_tables.ANSWERS, "extract")
    differing = sorted(set(sample_ids) ^ set(answers))
    if differing:
        where = "has no answer" if differing[0] not in answers else "is not in the manifest"
        raise InputError(f"{path}: sample {differing[0]!r} {where} ({len(differing)} in all): run `dvc repro extract`")
    for sample_id, row in answers.items():
        if row["status"] not in STATUSES:
            raise InputError(f"{path}: sample {sample_id!r} has status {row['status']!r}, expected {', '.join(STATUSES)}")
    return answers


def read_store(path: Path, profiles: Mapping[str, Profile], ok: Iterable[str]) -> Store:
    """The grids store, which must hold exactly the profiles of params.yaml and the samples whose status is ok."""
    if not path.exists():
        raise InputError(f"{path} not found: run `dvc repro aggregate` first")
    again = "run `dvc repro -f aggregate`"
    with safe_open(path, framework="np") as file:
        about = json.loads(file.metadata()[METADATA])
        if set(about["profiles"]) != set(profiles):
            raise InputError(f"{path} holds profiles {sorted(about['profiles'])}, params.yaml {sorted(profiles)}: {again}")
        differing = sorted(set(about["samples"]) ^ set(ok))
        if differing:
            raise InputError(f"{path}: sample {differing[0]!r} is in the answers or the grids only: {again}")
        unmodified = {name: file.get_tensor(name) for name in profiles}
        zeroed = [name for name, profile in profiles.items() if profile.sinks == "zero"]
        without = {name: file.get_tensor(f"{name}|without_sinks") for name in zeroed}
        heads = file.get_tensor("heads")
    return Store(
        samples={sample_id: row for row, sample_id in enumerate(about["samples"])},
        grids=unmodified | without,
        with_sinks={name: unmodified[name] for name in zeroed},
        notes=about["profiles"],
        sinks=about["sinks"],
        heads=heads,
        head_samples=about["head_samples"],
        key_value_heads=about["key_value_heads"],
        model={name: about[name] for name in ("image_side", "cross_attention", "eager_agreement")},
    )
