"""What finished units and bodies take on disk, and which of them the study that params.yaml names still needs."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import click

from medattn.base import paths
from medattn.base.content_cache import PART, SWITCH, is_on
from medattn.base.errors import InputError
from medattn.base.params.extract import ExtractParams
from medattn.base.params.reading import load_sections
from medattn.extract.fill import FAILED
from medattn.extract.keys import Keys
from medattn.extract.unit_cache import directory_of
from medattn.extract.units import batches, by_shard, read_units
from medattn.radiographs.bodies import Bodies
from medattn.radiographs.reader import RadiographReader
from medattn.radiographs.survey import bodies_kept
from medattn.study.schema import Study, read_study


@dataclass(frozen=True)
class CacheContents:
    """Entries of a unit cache."""

    needed: list[Path]  # the units of the manifest, as params.yaml, code and libraries are now
    others: list[Path]  # of other settings, models or versions; and what a process left when it was killed
    units: int  # of the manifest


def cache_contents(study: Study, params: ExtractParams, manifest: Path, directory: Path) -> CacheContents:
    """What `directory` holds. Raises InputError if the manifest is not there."""
    if not manifest.exists():
        raise InputError(f"{manifest} not found, which says what is needed: run `dvc repro prepare` first")
    radiographs = RadiographReader(study, Bodies(manifest.with_name(paths.BODIES.name)))
    keys, dealt = Keys(study, params, radiographs), by_shard(read_units(manifest), params.extract.shards)
    wanted = {key for units in dealt.values() for batch in batches(units) for key in keys(batch)}
    found = _files(directory)
    needed = [path for path in found if path.name.removesuffix(FAILED) in wanted and not path.name.endswith(PART)]
    kept = set(needed)
    return CacheContents(needed, [path for path in found if path not in kept], len(wanted))


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def _size(files: list[Path]) -> str:
    return f"{len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB"


@click.command(name="cache")
@click.option("--prune", is_flag=True, help="Remove what the study in params.yaml does not need as it is now.")
@click.option("--all", "everything", is_flag=True, help="Remove everything.")
def command(prune: bool, everything: bool) -> None:
    """Show what finished units and bodies take on disk; removing them costs nothing but the time to compute them again.

    No extraction may run at the same time.
    """
    paths.check_root()
    params = load_sections(ExtractParams)
    study = read_study(Path(params.study))
    directory, bodies = directory_of(study), bodies_kept(study)
    if everything:
        for one in (directory, bodies.parent):
            click.echo(f"{one}: removing {_size(_files(one))}")
            shutil.rmtree(one, ignore_errors=True)
        return
    found = cache_contents(study, params, paths.MANIFEST, directory)
    off = "" if is_on(params.run) else f" (off: run.cache or {SWITCH})"
    click.echo(f"{directory}{off}")
    click.echo(f"needed now   {_size(found.needed)}, of {found.units} units")
    click.echo(f"not needed   {_size(found.others)}" + (": removed" if prune else ""))
    old = [path for path in _files(bodies.parent) if bodies not in path.parents]
    click.echo(f"{bodies.parent}{off}")
    click.echo(f"found now    {_size(_files(bodies))}")
    click.echo(f"by others    {_size(old)}" + (": removed" if prune else ""))
    if prune:
        for path in (*found.others, *old):
            path.unlink()
