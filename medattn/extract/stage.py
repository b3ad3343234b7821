"""The stage: first every unit is finished, by as many processes as there are; then one of them packs the units.

They go into a pinned number of shards by a hash of image_id. All attention is kept per layer and head, so that layers,
gating, GQA reduction and rows are decided later, without the model.
"""

import os
import shutil
from pathlib import Path

import click

from medattn.base import paths
from medattn.base.content_cache import is_on
from medattn.base.errors import InputError
from medattn.base.params.extract import ExtractParams
from medattn.base.params.reading import load_sections
from medattn.disclosure.private_files import protect
from medattn.extract.extractor import extractor_for
from medattn.extract.fill import UnitRunner
from medattn.extract.keys import Keys
from medattn.extract.ranks import WorkerGroup, worker_group
from medattn.extract.shards import pack, put_in_place
from medattn.extract.unit_cache import UnitCache, directory_of
from medattn.extract.units import batches, by_shard, read_units
from medattn.radiographs.bodies import Bodies
from medattn.radiographs.reader import RadiographReader
from medattn.study.schema import Study, read_study

PATIENCE = 120.0  # network file systems may show a new file a minute late
MOST_WORKERS = 8  # image workers that are started unless run.image_workers says how many


def run(
    study: Study, params: ExtractParams, group: WorkerGroup, manifest: Path = paths.MANIFEST, results: Path = Path("results")
) -> str:
    """This rank's share of extraction; rank 0 packs all of it into captures/, answers.csv and failures.csv of `results`.

    Returns what was done, in one line. Raises InputError if no sample could be computed, or the disk takes no more.
    """
    units = read_units(manifest)
    work = {shard: list(batches(dealt)) for shard, dealt in by_shard(units, params.extract.shards).items()}
    radiographs = RadiographReader(study, Bodies(manifest.with_name(paths.BODIES.name)))
    keys = Keys(study, params, radiographs)
    part = results / ".extract.part"
    if group.rank == 0:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    group.begin()
    cache = UnitCache(directory_of(study)) if is_on(params.run) else UnitCache(part / "units", durable=False)
    extractor = extractor_for(study, params, radiographs)
    workers = _image_workers(params, extractor.loaded.device.type)
    runner = UnitRunner(study, keys, cache, group, params.run.on_error == "record", workers)
    about_model = extractor.about_model(units) if group.rank == 0 else {}
    runner.run(extractor, [batch for dealt in work.values() for batch in dealt])
    if group.rank > 0:
        return ""
    try:
        failures = pack(work, keys, cache, about_model, part, 0 if group.count == 1 else PATIENCE)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise cache.cannot_write(results / "captures", error) from error
    samples = sum(len(unit.samples) for unit in units)
    if len(failures) == samples:
        raise InputError(f"none of the {samples} samples could be computed; the first: {failures[0]['reason']}")
    put_in_place(part, results / "captures", results / "answers.csv", results / paths.FAILURES.name)
    failed = f"; {len(failures)} failed, see {paths.FAILURES}" if failures else ""
    return f"{samples} samples -> {paths.CAPTURES}, {paths.ANSWERS}{failed}"


def _image_workers(params: ExtractParams, device: str) -> int:
    """On a CPU the model needs every core; beside a GPU images would be what it waits for."""
    if params.run.image_workers is not None:
        return params.run.image_workers
    return 0 if device == "cpu" else min(MOST_WORKERS, max(1, (os.cpu_count() or 1) // params.run.processes - 1))


@click.command(name="extract")
def command() -> None:
    """Ask the model every question of the manifest and keep its attention to the image.

    Under `accelerate launch` every process takes its share; else run.processes are started here.
    """
    paths.check_root()
    params = load_sections(ExtractParams)
    study = read_study(Path(params.study))
    protect(study)
    with worker_group(params.run.processes) as group:
        if summary := run(study, params, group):
            click.echo(summary)
