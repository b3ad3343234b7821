"""What a run of the study of params.yaml will take, before it is begun: samples, files, bytes and hours."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from medattn.attention import output_bytes
from medattn.attention.output_bytes import CaptureSize, Workload
from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.params.aggregate import Profile
from medattn.base.params.terms import terms_of
from medattn.base.params.whole import Params
from medattn.base.params.whole import load as load_params
from medattn.base.sizes import size
from medattn.checks.workload import capture_size, check_room, check_shards, workload_of
from medattn.prepare import planned
from medattn.reproduce.doctor import compute, system
from medattn.reproduce.machine import cards
from medattn.reproduce.provenance.record import read as recorded
from medattn.study.model_files import local_directory
from medattn.study.schema import ModelChoice, Study, read_study, settings

# Seconds a sample where nothing was measured on this machine: docs/performance.md says how they were.
DOCUMENTED = (
    ("MedGemma-4b in bfloat16 on two cores of an Intel Xeon with AMX", 4.39),
    ("the embedded model in float32 on the same cores", 0.0111),
)
OTHER_FILES = 150  # tables, figures, LaTeX, bodies, report and gallery: about as many for every study


class Rate(NamedTuple):
    """Seconds a model input, and where that is from."""

    seconds: float
    source: str


def plan(root: Path) -> str:
    """The plan for the repository at `root`, as text.

    Raises InputError for a study that cannot be read, and for what cannot fit: capture files, disk or memory.
    """
    params = load_params(root / paths.PARAMS)
    study = read_study(root / params.study)
    work = workload_of(planned(study, params), study)
    size_of = capture_size(study, params)
    if size_of is None:
        raise InputError(f"the model of {params.study} is not on this machine, or does not say its shape: `medattn doctor`")
    model, _ = settings(study, params)
    taken = byte_counts(work, size_of, params.aggregate.profiles, len(terms_of(params.aggregate, root)))
    units = _units(taken, params)
    check_shards(work, params.extract.shards)
    check_room(f"results and finished units of {work.samples:,} samples", sum(taken.values()) + units, root)
    check_memory(study, model)
    return "\n".join([*_counts(work, params), *_bytes(taken, units), *_hours(work, rates(work, model, root))])


def needed_room(study: Study, params: Params, root: Path) -> int | None:
    """Bytes that results, finished units and DVC's cache of a whole run take; None if the model does not say its shape."""
    if (size_of := capture_size(study, params)) is None:
        return None
    work = workload_of(planned(study, params), study)
    taken = byte_counts(work, size_of, params.aggregate.profiles, len(terms_of(params.aggregate, root)))
    return 2 * sum(taken.values()) + _units(taken, params)


def _units(taken: Mapping[str, int], params: Params) -> int:
    return taken["captures"] if params.run.cache else 0


def _counts(work: Workload, params: Params) -> list[str]:
    same = 100 * (1 - work.inputs / work.samples)
    files = 2 * work.grids + params.extract.shards + OTHER_FILES
    units = work.shown if params.run.cache else 0
    return [
        f"study      {params.study}: {work.images:,} images",
        f"samples    {work.samples:,}, {work.grids:,} of them with an image",
        f"inputs     {work.inputs:,} different ones to the model: {same:.0f} % of the samples repeat another's",
        f"files      {files:,} in results/ and reports/, and {units:,} of finished units",
    ]


def byte_counts(work: Workload, size_of: CaptureSize, profiles: Mapping[str, Profile], terms: int) -> dict[str, int]:
    """Bytes of every large output, by name. terms: how many gate."""
    return {
        "captures": output_bytes.captures(work, size_of),
        "grids.safetensors": output_bytes.grid_store(work, size_of, profiles.values(), terms),
        **output_bytes.tables(work, len(profiles)),
        "bodies": output_bytes.bodies(work),
        "gallery": output_bytes.gallery(work),
    }


def _bytes(taken: Mapping[str, int], units: int) -> list[str]:
    results = sum(taken.values())
    listed = {**taken, "finished units": units}
    return [
        *(f"disk       {name:24}{size(count):>10}" for name, count in listed.items()),
        f"in all     {size(results + units)}, and {size(results)} more in DVC's cache unless it links"
        " (`dvc config cache.type reflink,hardlink`)",
    ]


def rates(work: Workload, model: ModelChoice, root: Path) -> list[Rate]:
    """How fast the model was: in an earlier run of it below `root`, else as documented.

    How many of that run's samples repeated others is taken to be as of `work`.
    """
    entry = recorded(root).get("extract", {})
    units, used = entry.get("units") or {}, entry.get("model") or {}
    same = all(used.get(name) == value for name, value in model.model_dump().items())
    if same and entry.get("exit") == "ok" and units.get("computed"):
        inputs = _rows(root / paths.ANSWERS) * units["computed"] / units["total"] * work.inputs / work.samples
        if inputs:
            source = f"measured here on {entry['started'][:10]}: {model.id}, {model.dtype}, {model.device}"
            return [Rate(entry["seconds"] / inputs, source)]
    return [Rate(seconds, f"not measured here; {name}, docs/performance.md") for name, seconds in DOCUMENTED]


def _rows(table: Path) -> int:
    if not table.is_file():
        return 0
    with table.open("rb") as file:
        return max(0, sum(1 for _ in file) - 1)


def _hours(work: Workload, found: list[Rate]) -> list[str]:
    return [
        f"hours      {work.inputs * one.seconds / 3600:,.2f} at {one.seconds:.3g} s an input ({one.source})" for one in found
    ]


def check_memory(study: Study, model: ModelChoice) -> None:
    """Raise InputError where the model is larger than the memory of the card, or of the machine, that it is to run on."""
    directory = local_directory(study.model_location(model), model.revision)
    needed = compute.needed_memory(compute.parameters_of(directory), model.dtype)
    listed = cards() if model.device != "cpu" else None
    card = next((card.memory for card in listed or () if card.memory is not None), None)
    memory = system.memory()[0] if card is None else card
    if needed > memory:
        where = "this machine" if card is None else "the card"
        raise InputError(
            f"the model needs about {size(needed)}, {where} has {size(memory)}: take a larger one, or set model.dtype to"
            " bfloat16"
        )
