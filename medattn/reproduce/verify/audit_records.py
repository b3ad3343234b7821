"""Is the commit consistent in itself: did the run that dvc.lock records read the code, parameters and data of this commit?

An entry that was edited, and a module that was committed without running the pipeline, both show here.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from medattn.base.dvc import LOCK, PIPELINE, DeclaredStage, Entry, RecordedStage, outputs, read_pointer, value_of
from medattn.reproduce.verify.discrepancies import RECORDS, Findings
from medattn.reproduce.verify.key_changes import changes, shown
from medattn.reproduce.verify.trees import PARAMS, Commit, Tree


def audit(head: Commit, findings: Findings) -> None:
    """Add a mismatch for every entry of HEAD's dvc.lock that HEAD contradicts, with the stages that recorded it."""
    audit_stages(head, findings)
    for path, (name, entry) in outputs(head.lock).items():
        held = head.entry(path)
        said = None if held is None else _contradiction(entry, held, head)
        if said is not None:
            problem = f"HEAD's file is not what HEAD's dvc.lock records: {said} (stage {name}): {head.remedy}"
            findings.mismatch(RECORDS, path, problem)
    count = sum(len(stage.deps) for stage in head.lock.values())
    findings.checked[RECORDS] = f"{len(head.lock)} stages with {count} dependencies, and the parameters they read"


def audit_stages(tree: Tree, findings: Findings) -> None:
    """Add a mismatch for everything in `tree` that is not what the stages of its dvc.lock read, or not as dvc.yaml asks."""
    by_stages: dict[tuple[str, str], list[str]] = {}
    for name in [*tree.pipeline, *(name for name in tree.lock if name not in tree.pipeline)]:
        plan, stage = tree.pipeline.get(name), tree.lock.get(name)
        if stage is None:
            findings.mismatch(RECORDS, LOCK, f"stage {name} is not recorded: {tree.remedy}")
        elif plan is None:
            findings.mismatch(RECORDS, LOCK, f"stage {name} is recorded, but dvc.yaml has no such stage: {tree.remedy}")
        else:
            for found in _problems(tree, plan, stage):
                by_stages.setdefault(found, []).append(name)
    for (path, problem), stages in by_stages.items():
        findings.mismatch(RECORDS, path, f"{problem} (dvc.lock, stage {', '.join(stages)}): {tree.remedy}")


def _problems(tree: Tree, plan: DeclaredStage, stage: RecordedStage) -> Iterator[tuple[str, str]]:
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
    made = outputs(tree.lock)
    for path, entry in stage.deps.items():
        if path in made:
            if entry.hash != made[path][1].hash:
                yield path, f"MD5 {entry.hash[:12]} was read, but stage {made[path][0]} recorded {made[path][1].hash[:12]}"
        elif (held := _held(tree, path)) is not None and (problem := _contradiction(entry, held, tree)):
            yield path, problem
        elif held is None and path in plan.deps and path != tree.study:
            yield path, f"is a dependency, but {tree.title} has no such file"
    for file, keys in plan.params.items():
        yield from _parameters(tree, file, keys, stage.params.get(file, {}))


def _held(tree: Tree, path: str) -> Entry | None:
    """What the tree holds: a file or a directory of git's, or what a .dvc file tracks."""
    if (held := tree.entry(path)) is not None:
        return held
    pointer = f"{path}.dvc"
    content = tree.read(pointer)
    return None if content is None else read_pointer(content, pointer).get(PurePosixPath(path).name)


def _contradiction(entry: Entry, held: Entry, tree: Tree) -> str | None:
    """What the lock says otherwise than the tree; None if nothing. An absent size says nothing."""
    if entry.hash != held.hash:
        return f"MD5 {entry.hash[:12]} is recorded, {tree.title} has {held.hash[:12]}"
    for what, recorded, now in (("size", entry.size, held.size), ("nfiles", entry.files, held.files)):
        if recorded is not None and now is not None and recorded != now:
            return f"{what} {recorded} is recorded, {tree.title} has {now}"
    return None


def _parameters(tree: Tree, file: str, keys: tuple[str, ...] | None, recorded: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    now: Mapping[str, Any] = tree.params if file == PARAMS else {}
    if file != PARAMS:
        yield file, "is a file of parameters that `medattn verify` does not know"
        return
    wanted = tuple(now) if keys is None else keys
    before = {key: recorded[key] for key in recorded}
    after = {key: value_of(now, key) for key in wanted}
    for line in changes(before, after):
        yield file, f"{line} when it ran"
