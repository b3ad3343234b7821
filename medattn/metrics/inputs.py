"""What the metrics stage reads: manifest, answers and the grids store, checked against each other."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

import numpy as np

from medattn.attention.grid_store import GridStore
from medattn.base import sample_tables
from medattn.base.errors import InputError
from medattn.base.params.aggregate import Profile
from medattn.base.rows import SampleRow
from medattn.base.tables import Row

STATUSES = ("ok", "no_grid", "failed")


@dataclass(frozen=True)
class Store:
    """results/grids.safetensors. Grids are float32 [16, 16], sum 1, row 0 the top of the image; they are read one by one."""

    samples: Mapping[str, int]  # sample_id -> row of every set of grids
    grids: Mapping[str, Sequence[np.ndarray]]  # profile -> what the profile asks for: without sinks where it zeroes them
    with_sinks: Mapping[str, Sequence[np.ndarray]]  # profile that zeroes sinks -> the unmodified grids
    notes: Mapping[str, Mapping[str, Row]]  # profile -> sample_id -> gate_count, gated, terms, image_mass, rows
    sinks: Mapping[str, Row]  # image_id -> cells, computed, …
    head_means: Mapping[str, np.ndarray]  # finding -> float64 [layer, head, 256]: over patients; clean baseline questions
    # of a clean baseline question: sample_id -> finding with a true region in its image -> mass there, float64 [layer, head]
    region_masses: Mapping[str, Mapping[str, np.ndarray]]
    heads: tuple[int, int, int]  # layers, query heads of each, key/value heads
    model: Row  # what was checked of the model: image_side, cross_attention, eager_agreement

    def grid(self, profile: str, sample_id: str) -> np.ndarray | None:
        """float64 [16, 16], or None where the sample has no grid."""
        row = self.samples.get(sample_id)
        return None if row is None else self.grid_sets[profile][row].astype(np.float64)

    @cached_property
    def grid_sets(self) -> dict[str, Sequence[np.ndarray]]:
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
    """The grids store, which must hold exactly the profiles of params.yaml and the samples whose status is ok, in order."""
    found = GridStore(path)
    again, held = "run `dvc repro -f aggregate`", found.about["profiles"]
    if set(held) != set(profiles):
        raise InputError(f"{path} holds profiles {sorted(held)}, params.yaml {sorted(profiles)}: {again}")
    for pair in zip_longest(found.samples, ok):
        if pair[0] != pair[1]:
            first = min(sample_id for sample_id in pair if sample_id is not None)
            raise InputError(f"{path}: sample {first!r} is in the answers or the grids only: {again}")
    zeroed = [name for name, profile in profiles.items() if profile.sinks == "zero"]
    unmodified = {name: found.grids(name) for name in profiles}
    return Store(
        samples=found.samples,
        grids=unmodified | {name: found.grids(f"{name}|without_sinks") for name in zeroed},
        with_sinks={name: unmodified[name] for name in zeroed},
        notes=found.notes,
        sinks=found.sinks,
        head_means=found.head_means(),
        region_masses=found.region_masses,
        heads=(found.about["layers"], found.about["heads"], found.about["key_value_heads"]),
        model={name: found.about[name] for name in ("image_side", "cross_attention", "eager_agreement")},
    )
