"""Is the commit consistent in itself: did the run that dvc.lock records read the code, parameters and data of this commit?

An entry that was edited, and a module that was committed without running the pipeline, both show here.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from medattn.base.dvc import LOCK, PIPELINE, DeclaredStage, Entry, RecordedStage, outputs, read_pointer, value_of
from medattn.reproduce.verify.commit import PARAMS, Commit
from medattn.reproduce.verify.discrepancies import RECORDS, Findings
from medattn.reproduce.verify.key_changes import changes, shown

_REPAIR = "run `dvc repro` and commit"


def audit(head: Commit, findings: Findings) -> None:
    """Add a mismatch for every entry of HEAD's dvc.lock that HEAD contradicts, with the stages that recorded it."""
    by_stages: dict[tuple[str, str], list[str]] = {}
    for name in [*head.pipeline, *(name for name in head.lock if name not in head.pipeline)]:
        plan, stage = head.pipeline.get(name), head.lock.get(name)
        if stage is None:
            findings.mismatch(RECORDS, LOCK, f"stage {name} is not recorded: {_REPAIR}")
        elif plan is None:
            findings.mismatch(RECORDS, LOCK, f"stage {name} is recorded, but dvc.yaml has no such stage: {_REPAIR}")
        else:
            for found in _problems(head, plan, stage):
                by_stages.setdefault(found, []).append(name)
    for (path, problem), stages in by_stages.items():
        findings.mismatch(RECORDS, path, f"{problem} (dvc.lock, stage {', '.join(stages)}): {_REPAIR}")
    for path, (name, entry) in outputs(head.lock).items():
        held = head.hash_of(path)
        said = None if held is None else _contradiction(entry, held)
        if said is not None:
            findings.mismatch(
                RECORDS, path, f"HEAD's file is not what HEAD's dvc.lock records: {said} (stage {name}): {_REPAIR}"
            )
    count = sum(len(stage.deps) for stage in head.lock.values())
    findings.checked[RECORDS] = f"{len(head.lock)} stages with {count} dependencies, and the parameters they read"


def _problems(head: Commit, plan: DeclaredStage, stage: RecordedStage) -> Iterator[tuple[str, str]]:
    """(path, what is wrong) of a stage's record."""
    if plan.command != stage.command:
        yield PIPELINE, f"cmd is {shown(plan.command)}, recorded {shown(stage.command)}"
    for what, wanted, recorded in (("dependency", plan.deps, stage.deps), ("output", plan.outs, stage.outs)):
        for path in wanted:
            if path not in recorded:
                yield path, f"is a {what} in dvc.yaml, but not recorded"
        for path in recorded:
            if path not in wanted:
                yield path, f"is recorded as a {what}, but not in dvc.yaml"
    made = outputs(head.lock)
    for path, entry in stage.deps.items():
        if path in made:
            if entry.hash != made[path][1].hash:
                yield path, f"MD5 {entry.hash[:12]} was read, but stage {made[path][0]} recorded {made[path][1].hash[:12]}"
        elif (held := _held(head, path)) is not None and (problem := _contradiction(entry, held)):
            yield path, problem
        elif held is None and path in plan.deps and path != head.study:
            yield path, "is a dependency, but HEAD has no such file"
    for file, keys in plan.params.items():
        yield from _parameters(head, file, keys, stage.params.get(file, {}))


def _held(head: Commit, path: str) -> tuple[str, int | None, int | None] | None:
    """Hash, size and number of files of what HEAD holds: a file or a directory of git's, or what a .dvc file tracks."""
    if (held := head.hash_of(path)) is not None:
        return held
    pointer = f"{path}.dvc"
    if pointer not in head:
        return None
    tracked = read_pointer(head.content[pointer], pointer).get(PurePosixPath(path).name)
    return None if tracked is None else (tracked.hash, tracked.size, tracked.files)


def _contradiction(entry: Entry, held: tuple[str, int | None, int | None]) -> str | None:
    """What the lock says otherwise than HEAD; None if nothing. An absent size says nothing."""
    hash, size, files = held
    if entry.hash != hash:
        return f"MD5 {entry.hash[:12]} is recorded, HEAD has {hash[:12]}"
    for what, recorded, now in (("size", entry.size, size), ("nfiles", entry.files, files)):
        if recorded is not None and now is not None and recorded != now:
            return f"{what} {recorded} is recorded, HEAD has {now}"
    return None


def _parameters(
    head: Commit, file: str, keys: tuple[str, ...] | None, recorded: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    now: Mapping[str, Any] = head.params if file == PARAMS else {}
    if file != PARAMS:
        yield file, "is a file of parameters that `medattn verify` does not know"
        return
    wanted = tuple(now) if keys is None else keys
    before = {key: recorded[key] for key in recorded}
    after = {key: value_of(now, key) for key in wanted}
    for line in changes(before, after):
        yield file, f"{line} when it ran"
