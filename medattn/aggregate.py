"""Stage 3: captures -> one 16×16 grid per sample and profile. No model; seconds on a CPU."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
from safetensors.numpy import save
from tqdm import tqdm

from medattn.attention import captures
from medattn.attention.captures import Capture
from medattn.attention.gating import TermFinder
from medattn.attention.grids import ProfileMaps, combine, resolve_layers, to_grid, to_group_grids
from medattn.attention.sinks import Sinks, find_sinks
from medattn.base import paths, sample_tables
from medattn.base.errors import InputError
from medattn.base.params.aggregate import Aggregate, AggregateParams, Profile
from medattn.base.params.reading import load_sections
from medattn.base.params.terms import terms_of
from medattn.base.rounding import DIGITS, round_number, round_significant
from medattn.base.rows import SampleRow
from medattn.base.tables import write_bytes

METADATA = "medattn"
AGAIN = "run `dvc repro -f extract`"
# What the captures say about the model, handed on.
MODEL = ("layers", "heads", "key_value_heads", "image_side", "cross_attention", "eager_agreement")
REFERENCE = "decision"  # the profile whose grids sinks are looked for in


@dataclass
class Collected:
    """What is kept of the captures while they stream by: small, per sample."""

    made: dict[str, dict[str, ProfileMaps]] = field(default_factory=dict)  # profile -> sample_id -> Made
    heads: dict[str, np.ndarray] = field(default_factory=dict)  # sample_id -> float32 [layer, head, 256]


def is_reference(row: SampleRow) -> bool:
    """Clean baseline variants and controls: one question per finding, in one template, for every image."""
    return row.is_clean and row.is_baseline


def check_profiles(profiles: Mapping[str, Profile], shared: Mapping[str, int], rows: int) -> dict[str, list[int]]:
    """profile -> its layers, 0-based. Raises InputError naming the parameter if the captures cannot give it."""
    layers = {}
    for name, profile in profiles.items():
        key = f"params.yaml: aggregate.profiles.{name}"
        try:
            layers[name] = resolve_layers(profile.layers, shared["layers"])
        except ValueError as error:
            raise InputError(f"{key}.layers: {error}") from None
        if max(profile.rows) >= rows:
            raise InputError(
                f"{key}.rows: row {max(profile.rows)} was not captured, only 0 … {rows - 1}: lower it, or raise "
                "extract.generated_rows (extracts anew)"
            )
    return layers


def collect(
    directory: Path,
    manifest: Mapping[str, SampleRow],
    failed: Collection[str],
    params: Aggregate,
    terms: Sequence[str],
) -> tuple[Collected, dict]:
    """Stream the captures shard by shard: one of every sample of the manifest but those that `failed`.

    Raises InputError that names the sample a profile cannot be made of, or that has a capture too many or too few.
    """
    shared = captures.read_shared(directory)
    finder = TermFinder(terms)
    out = Collected(made={name: {} for name in params.profiles})
    layers: dict[str, list[int]] = {}
    seen = set()
    for capture in tqdm(captures.read(directory), total=len(manifest), desc="aggregate", unit="sample"):
        for sample_id in capture.sample_ids:
            seen.add(sample_id)
            if sample_id not in manifest:
                raise InputError(f"{directory} holds sample {sample_id!r}, the manifest does not: run `dvc repro extract`")
            if sample_id in failed:
                raise InputError(f"{directory} holds sample {sample_id!r}, {paths.FAILURES} lists it as failed: {AGAIN}")
        if capture.image_weights is None:
            continue
        layers = layers or check_profiles(params.profiles, shared, len(capture.valid))
        found = finder(capture.question)
        for name, profile in params.profiles.items():
            try:
                made = combine(capture, profile, layers[name], shared["key_value_heads"], found)
            except ValueError as error:
                raise InputError(f"sample {capture.sample_id!r}, profile {name!r}: {error}") from None
            out.made[name] |= dict.fromkeys(capture.sample_ids, made)
        for sample_id in capture.sample_ids:
            if is_reference(manifest[sample_id]):
                out.heads[sample_id] = head_maps(capture)
    missing = sorted(set(manifest) - seen - set(failed))
    if missing:
        raise InputError(f"{directory} has no sample {missing[0]!r} ({len(missing)} missing): run `dvc repro extract`")
    return out, shared


def failed_samples(path: Path, manifest: Mapping[str, SampleRow]) -> Collection[str]:
    """The sample_ids that extract could not compute. Raises InputError if they are all there are, or not in the manifest."""
    failed = sample_tables.read(path, sample_tables.FAILURES, "extract")
    if unknown := sorted(set(failed) - set(manifest)):
        raise InputError(f"{path} lists sample {unknown[0]!r}, the manifest does not: run `dvc repro extract`")
    if failed and len(failed) == len(manifest):
        first = failed[min(failed)]
        raise InputError(
            f"{path} lists every sample of the manifest ({len(failed)}), so there is nothing to aggregate; the first is"
            f" {first['sample_id']!r}: {first['reason']}: fix that, then {AGAIN}"
        )
    return failed.keys()


def head_maps(capture: Capture) -> np.ndarray:
    """float32 [layer, head, 256], each summing to 1: where every head looks from the last prompt token.

    Raises InputError for a head that gives the image no attention.
    """
    weights = capture.on_image[:, :, 0].astype(np.float64)
    sums = weights.sum(axis=-1, keepdims=True)
    if not np.all(sums > 0):
        raise InputError(f"sample {capture.sample_id!r}: a head gives the image no attention at all")
    return round_significant(weights / sums, DIGITS)


def sinks_of_images(grids: Mapping[str, np.ndarray], manifest: Mapping[str, SampleRow], threshold: float) -> dict[str, Sinks]:
    """image_id -> its sinks, from the rounded reference grids [16, 16] of the questions asked about it."""
    asked: dict[str, list[str]] = {}
    blank: dict[str, list[str]] = {}
    for sample_id in sorted(grids):
        row = manifest[sample_id]
        if is_reference(row):
            asked.setdefault(row["image_id"], []).append(sample_id)
        elif row["condition"] == "blank" and row.is_baseline:
            blank.setdefault(row["image_id"], []).append(sample_id)

    def stacked(samples: Sequence[str]) -> np.ndarray:
        return np.stack([grids[sample_id].astype(np.float64).ravel() for sample_id in samples])

    return {
        image_id: find_sinks(
            stacked(samples),
            len({manifest[sample_id]["finding"] for sample_id in samples}),
            threshold,
            stacked(blank[image_id]) if image_id in blank else None,
        )
        for image_id, samples in sorted(asked.items())
    }


def store_of(collected: Collected, manifest: Mapping[str, SampleRow], params: Aggregate, shared: dict) -> bytes:
    """The bytes of results/grids.safetensors: one tensor per profile, everything else as JSON in its metadata."""
    samples = sorted(collected.made[REFERENCE])

    def stacked(made: Iterable[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
        values = list(made)
        return round_significant(np.stack(values), DIGITS) if values else np.zeros((0, *shape), np.float32)

    tensors = {}
    for name, profile in params.profiles.items():
        made = collected.made[name]
        tensors[name] = stacked((to_grid(made[sample_id].layers, profile) for sample_id in samples), (16, 16))
        if profile.gqa == "per_group":
            groups = (shared["key_value_heads"], 16, 16)
            tensors[f"{name}|groups"] = stacked((to_group_grids(made[sample_id], profile) for sample_id in samples), groups)
    reference = dict(zip(samples, tensors[REFERENCE], strict=True))
    sinks = sinks_of_images(reference, manifest, params.sink_z)
    for name, profile in params.profiles.items():
        if profile.sinks == "zero":
            made = collected.made[name]
            tensors[f"{name}|without_sinks"] = stacked(
                (_without_sinks(sample_id, made, profile, manifest, sinks) for sample_id in samples), (16, 16)
            )
    head_samples = sorted(collected.heads)
    shape = (0, shared["layers"], shared["heads"], 256)
    tensors["heads"] = np.stack([collected.heads[s] for s in head_samples]) if head_samples else np.zeros(shape, np.float32)
    about = {
        "samples": samples,
        "head_samples": head_samples,
        **{name: shared[name] for name in MODEL},
        "profiles": {name: _notes(samples, collected.made[name]) for name in params.profiles},
        "sinks": {image_id: _sink_note(found) for image_id, found in sinks.items()},
    }
    return save(tensors, metadata={METADATA: json.dumps(about, sort_keys=True)})


def _without_sinks(
    sample_id: str, made: Mapping[str, ProfileMaps], profile: Profile, manifest: Mapping[str, SampleRow], sinks: dict
) -> np.ndarray:
    row = manifest[sample_id]
    # A blank image has no content sinks, and in a rotated one they lie elsewhere: nothing is zeroed there.
    found = None if row["condition"] in ("blank", "rotation") else sinks.get(row["shown_image_id"])
    try:
        return to_grid(made[sample_id].layers, profile, found.cells if found else ())
    except ValueError as error:
        raise InputError(f"sample {sample_id!r}: without sinks, {error}: raise aggregate.sink_z") from None


def _notes(samples: Sequence[str], made: Mapping[str, ProfileMaps]) -> dict[str, dict]:
    return {
        sample_id: {
            "gate_count": made[sample_id].gate_count,
            "gated": made[sample_id].gated,
            "terms": list(made[sample_id].terms),
            "image_mass": round_number(made[sample_id].image_mass),
            "rows": list(made[sample_id].rows),
        }
        for sample_id in samples
    }


def _sink_note(found: Sinks) -> dict:
    mass = None if found.mass is None else round_number(found.mass)
    position = None if found.position is None else list(found.position)
    return {"computed": found.computed, "cells": list(found.cells), "mass": mass, "position": position}


def run(directory: Path, manifest_path: Path, failures_path: Path, out: Path, params: Aggregate, terms: Sequence[str]) -> int:
    """Make `out` of the captures below `directory`, gated by `terms`; returns the number of samples with a grid."""
    manifest = sample_tables.read(manifest_path, sample_tables.MANIFEST, "prepare")
    failed = failed_samples(failures_path, manifest)
    collected, shared = collect(directory, manifest, failed, params, terms)
    write_bytes(out, store_of(collected, manifest, params, shared))
    return len(collected.made[REFERENCE])


@click.command(name="aggregate")
def command() -> None:
    """Make one grid per sample and profile: GQA reduction, gating, layers, sinks."""
    paths.check_root()
    params = load_sections(AggregateParams).aggregate
    count = run(paths.CAPTURES, paths.MANIFEST, paths.FAILURES, paths.GRIDS_STORE, params, terms_of(params))
    click.echo(f"{count} samples with a grid, {len(params.profiles)} profiles -> {paths.GRIDS_STORE}")
