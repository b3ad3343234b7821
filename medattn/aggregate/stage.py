"""Stage 3: captures -> one 16×16 grid per sample and profile. No model; seconds on a CPU.

Captures stream by, and what is made of them is written at once: only a few numbers a sample stay in memory.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import click
import numpy as np
from tqdm import tqdm

from medattn.aggregate.head_tables import HeadTables
from medattn.aggregate.regions import TrueRegions
from medattn.aggregate.samples import AGAIN, Samples, read_samples
from medattn.attention import captures
from medattn.attention.captures import Capture
from medattn.attention.gating import TermFinder
from medattn.attention.grid_writer import Writer, ids_of, new_store
from medattn.attention.grids import ProfileMaps, combine, resolve_layers, to_grid, to_group_grids
from medattn.attention.sinks import find_sinks
from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.params.aggregate import Aggregate, AggregateParams, Profile
from medattn.base.params.reading import load_sections
from medattn.base.params.terms import terms_of
from medattn.base.rounding import DIGITS, round_significant
from medattn.study.schema import read_study

# What the captures say about the model, handed on.
MODEL = ("layers", "heads", "key_value_heads", "image_side", "cross_attention", "eager_agreement")
REFERENCE = "decision"  # the profile whose grids sinks are looked for in
QUESTIONS = 4096  # whose terms are remembered


@dataclass(frozen=True)
class Inputs:
    """Where what the stage reads is."""

    captures: Path
    manifest: Path
    failures: Path
    study: Path


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


def captured(directory: Path, samples: Samples) -> Iterator[tuple[Capture, list[int]]]:
    """Every capture with its samples' places in the manifest: one of every sample but those that failed.

    Raises InputError that names a sample that has a capture too many or too few, or one that shows an image where the
    manifest shows none, or none where it does.
    """
    seen = samples.columns["failed"].copy()
    with tqdm(total=len(samples), desc="aggregate", unit="sample") as bar:
        for capture in captures.read(directory):
            rows = []
            for sample_id in capture.sample_ids:
                holds = f"{directory} holds sample {sample_id!r}"
                if (row := samples.row_of.get(sample_id)) is None:
                    raise InputError(f"{holds}, the manifest does not: run `dvc repro extract`")
                if samples.columns["failed"][row]:
                    raise InputError(f"{holds}, {paths.FAILURES} lists it as failed: {AGAIN}")
                if seen[row]:
                    raise InputError(f"{holds} twice: {AGAIN}")
                if (capture.image_weights is None) != (samples.columns["shown"][row] < 0):
                    raise InputError(f"{holds}, which shows an image there or in the manifest only: {AGAIN}")
                seen[row] = True
                rows.append(row)
            bar.update(len(rows))
            yield capture, rows
    missing = np.flatnonzero(~seen)
    if len(missing):
        first = samples.ids[missing[0]].decode()
        raise InputError(f"{directory} has no sample {first!r} ({len(missing)} missing): run `dvc repro extract`")


class Maker:
    """Makes what a profile asks for of captures: heads reduced, rows gated, layers weighted."""

    def __init__(self, profiles: Mapping[str, Profile], shared: Mapping[str, int], terms: Sequence[str]) -> None:
        self.profiles, self._shared = profiles, shared
        self._terms_in = lru_cache(QUESTIONS)(TermFinder(terms))
        self._layers: dict[str, list[int]] = {}

    def maps(self, capture: Capture, name: str) -> ProfileMaps:
        """The maps of a sample. Raises InputError that names it, or the parameter that the captures cannot give."""
        self._layers = self._layers or check_profiles(self.profiles, self._shared, len(capture.valid))
        profile, found = self.profiles[name], self._terms_in(capture.question)
        try:
            return combine(capture, profile, self._layers[name], self._shared["key_value_heads"], found)
        except ValueError as error:
            raise InputError(f"sample {capture.sample_id!r}, profile {name!r}: {error}") from None

    def grids(self, capture: Capture, name: str, made: ProfileMaps) -> dict[str, np.ndarray]:
        """The store's tensors with sinks that a profile has: name -> a row of it, float32 [..., 16, 16]."""
        profile = self.profiles[name]
        try:
            grids = {name: to_grid(made.layers, profile)}
            if profile.gqa == "per_group":
                grids[f"{name}|groups"] = to_group_grids(made, profile)
        except ValueError as error:
            raise InputError(f"sample {capture.sample_id!r}, profile {name!r}: {error}") from None
        return {tensor: round_significant(values, DIGITS) for tensor, values in grids.items()}


def write_maps(directory: Path, samples: Samples, maker: Maker, heads: HeadTables, store: Writer) -> None:
    """Write every grid with its notes, and what is kept of heads."""
    for capture, rows in captured(directory, samples):
        if capture.image_weights is None:
            continue
        made = {name: maker.maps(capture, name) for name in maker.profiles}
        grids = {tensor: grid for name in made for tensor, grid in maker.grids(capture, name, made[name]).items()}
        for row in samples.grid_rows[rows].tolist():
            store.put_question(row, made[REFERENCE])
            for name in made:
                store.put_notes(name, row, made[name])
            for tensor, grid in grids.items():
                store.put(tensor, row, grid)
        heads.add(capture, [row for row in rows if samples.columns["reference"][row]], store)
    heads.write_means(store)


def write_sinks(samples: Samples, threshold: float, store: Writer) -> None:
    """Write the sinks of every image that a reference sample is about, from the rounded grids."""
    for at, rows in enumerate(samples.by_image()):
        columns = samples.columns[rows]
        grids = np.stack([store.get(REFERENCE, row).astype(np.float64).ravel() for row in samples.grid_rows[rows].tolist()])
        asked = columns["reference"]
        blank = None if asked.all() else grids[~asked]
        store.put_sinks(at, find_sinks(grids[asked], len(np.unique(columns["finding"][asked])), threshold, blank))


def write_without_sinks(directory: Path, samples: Samples, maker: Maker, store: Writer) -> None:
    """Write the grids of the profiles that zero sinks; the sinks must have been written."""
    zeroing = [name for name, profile in maker.profiles.items() if profile.sinks == "zero"]
    for capture, rows in captured(directory, samples) if zeroing else ():
        for name in zeroing if capture.image_weights is not None else ():
            made = maker.maps(capture, name)
            for row in rows:
                at = samples.sinks_row(row)
                cells = () if at is None else store.sink_cells(at)
                try:
                    grid = to_grid(made.layers, maker.profiles[name], cells)
                except ValueError as error:
                    said = f"sample {samples.ids[row].decode()!r}: without sinks, {error}: raise aggregate.sink_z"
                    raise InputError(said) from None
                store.put(f"{name}|without_sinks", int(samples.grid_rows[row]), round_significant(grid, DIGITS))


def run(inputs: Inputs, out: Path, params: Aggregate, terms: Sequence[str]) -> int:
    """Make `out` of the inputs, gated by `terms`; returns the number of samples with a grid."""
    samples, shared = read_samples(inputs.manifest, inputs.failures), captures.read_shared(inputs.captures)
    regions = TrueRegions(read_study(inputs.study))
    heads = HeadTables(samples, regions, (shared["layers"], shared["heads"]))
    about = {name: shared[name] for name in MODEL} | {
        "profiles": {name: profile.model_dump() for name, profile in params.profiles.items()},
        "terms": list(terms),
        "findings": heads.findings,
        "region_findings": regions.findings,
    }
    asked = ids_of([samples.images[image] for image in samples.asked_images])
    maker = Maker(params.profiles, shared, terms)
    with new_store(out, about, samples.ids[samples.with_grid], asked, heads.regions) as store:
        write_maps(inputs.captures, samples, maker, heads, store)
        write_sinks(samples, params.sink_z, store)
        write_without_sinks(inputs.captures, samples, maker, store)
    return len(samples.with_grid)


@click.command(name="aggregate")
def command() -> None:
    """Make one grid per sample and profile: GQA reduction, gating, layers, sinks."""
    paths.check_root()
    params = load_sections(AggregateParams)
    inputs = Inputs(paths.CAPTURES, paths.MANIFEST, paths.FAILURES, Path(params.study))
    count = run(inputs, paths.GRIDS_STORE, params.aggregate, terms_of(params.aggregate))
    click.echo(f"{count} samples with a grid, {len(params.aggregate.profiles)} profiles -> {paths.GRIDS_STORE}")
