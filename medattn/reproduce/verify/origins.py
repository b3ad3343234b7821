"""Where a difference began: the stages that read the recorded inputs and made other outputs, and the caches that served them.

A cache entry can be wrong although every checksum in it is right. Only the recomputation tells; then the entry is named.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from medattn.attention import captures
from medattn.base import paths
from medattn.base.dvc import RecordedStage, read_run
from medattn.base.errors import InputError
from medattn.base.params.whole import load as load_params
from medattn.extract.unit_cache import UnitCache, directory_of
from medattn.reproduce.verify.deviation import Verdict
from medattn.reproduce.verify.judge import OutputVerdict
from medattn.reproduce.verify.recorded_content import RecordedContent
from medattn.study.schema import read_study

EXTRACT = "extract"
KEY = 64  # letters of a unit's name


def same_inputs(recorded: RecordedStage | None, found: RecordedStage | None) -> bool:
    """Whether a stage read in the re-run what was read for the record."""
    if recorded is None or found is None:
        return False
    before, after = ({path: entry.hash for path, entry in stage.deps.items()} for stage in (recorded, found))
    return before == after and recorded.params == found.params and recorded.command == found.command


def begun(
    recorded: Mapping[str, RecordedStage], found: Mapping[str, RecordedStage], verdicts: Sequence[OutputVerdict]
) -> list[str]:
    """Stages that made other outputs of the same inputs."""
    changed = {one.stage for one in verdicts if one.comparison.verdict is not Verdict.IDENTICAL}
    return [name for name in recorded if name in changed and same_inputs(recorded[name], found.get(name))]


def suspects(
    root: Path,
    made: Path,
    recorded: Mapping[str, RecordedStage],
    found: Mapping[str, RecordedStage],
    verdicts: Sequence[OutputVerdict],
    contents: RecordedContent,
) -> list[str]:
    """A line for every cache entry of the workspace that gives other outputs than were recomputed, where it began.

    made: the clone. Outputs that are equivalent put no cache under suspicion: another processor made them.
    """
    stages = begun(recorded, found, [one for one in verdicts if one.comparison.verdict is Verdict.DIFFERENT])
    lines = [line for name in stages for line in _run_cache(root, recorded[name], found[name], contents)]
    if EXTRACT in stages:
        lines += _units(root, made)
    return lines


def _run_cache(root: Path, recorded: RecordedStage, found: RecordedStage, contents: RecordedContent) -> Iterator[str]:
    """Entries of DVC's run cache for the same inputs with other outputs than were recomputed."""
    right = {path: entry.hash for path, entry in found.outs.items()}
    for file in sorted((contents.cache / "runs").glob("*/*/*")):
        try:
            stage = read_run(file.read_bytes(), recorded.name, str(file))
        except InputError:
            continue  # DVC itself passes over what it cannot read
        if same_inputs(stage, found) and (wrong := [path for path, one in stage.outs.items() if right.get(path) != one.hash]):
            said = f"DVC's run cache has other outputs for these inputs of {recorded.name}: {', '.join(wrong)}"
            yield f"{_relative(file, root)}: {said}"


def _units(root: Path, made: Path) -> Iterator[str]:
    """Entries of the unit cache that hold the workspace's captures, where these are not the recomputed ones."""
    wrong = defaultdict(list)  # question -> captures: an entry names no sample
    for one, right in _pairs(root / paths.CAPTURES, made / paths.CAPTURES):
        if right is None or not _alike(one, right):
            wrong[one.question].append(one)
    directory = _unit_directory(root)
    if not wrong or directory is None:
        return
    cache = UnitCache(directory)
    for file in sorted(directory.iterdir()):
        content = cache.read(file.name) if len(file.name) == KEY else None
        if content is None:
            continue
        held = [
            one.sample_ids for unit in captures.decode(content)[0] for one in wrong.get(unit.question, ()) if _alike(unit, one)
        ]
        if held:
            named = ", ".join(sample_id for sample_ids in held for sample_id in sample_ids)
            yield f"{_relative(file, root)}: the unit cache has attention that the model does not give: {named}"


def _pairs(recorded: Path, found: Path) -> Iterator[tuple[captures.Capture, captures.Capture | None]]:
    """Captures of both, in files that differ."""
    for path in sorted(recorded.glob("shard-*.safetensors")):
        other = found / path.name
        if other.exists() and other.read_bytes() == path.read_bytes():
            continue
        right = {one.sample_id: one for one in captures.decode(other.read_bytes())[0]} if other.exists() else {}
        for one in captures.decode(path.read_bytes())[0]:
            yield one, right.get(one.sample_id)


def _alike(one: captures.Capture, other: captures.Capture) -> bool:
    pairs = ((getattr(one, name), getattr(other, name)) for name in ("image_weights", "question_weights", "totals", "valid"))
    return all((then is None) == (now is None) and (then is None or np.array_equal(then, now)) for then, now in pairs)


def _unit_directory(root: Path) -> Path | None:
    """Where extract keeps its finished units; None if there are none."""
    try:
        study = read_study(root / load_params(root / "params.yaml").study)
    except InputError:
        return None
    directory = directory_of(study, root)
    return directory if directory.is_dir() else None


def _relative(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
