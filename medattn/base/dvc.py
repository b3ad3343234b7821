"""DVC's files (dvc.yaml, dvc.lock, *.dvc, listings of directories), and the hashes that it gives to what lies here."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import md5
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.yaml_files import parse

LOCK, PIPELINE = paths.LOCK.as_posix(), paths.PIPELINE.as_posix()  # as git and DVC name them
DIRECTORY = ".dir"  # how the hash of a directory ends
ALWAYS_IGNORED = (".git", ".hg", ".dvc")  # whatever .dvcignore says
Fill = Callable[[str], str]
_REFERENCE = re.compile(r"\$\{([\w.]+)\}")
_NO_FILE_OF_DVC = (TypeError, KeyError, AttributeError, ValueError)


class Entry(NamedTuple):
    """A file or a directory as DVC records it. hash: MD5 of the content; of a directory that of its listing, with ".dir"."""

    path: str
    hash: str
    size: int | None
    files: int | None  # in a directory

    @property
    def is_directory(self) -> bool:
        return self.hash.endswith(DIRECTORY)


@dataclass(frozen=True)
class RecordedStage:
    """A stage as it ran. params: file -> key -> value."""

    name: str
    command: str
    deps: Mapping[str, Entry]
    params: Mapping[str, Mapping[str, Any]]
    outs: Mapping[str, Entry]


@dataclass(frozen=True)
class DeclaredStage:
    """A stage as dvc.yaml asks for it. says: its desc, "" without one. params: file -> keys; None: all of them."""

    name: str
    says: str
    command: str
    deps: tuple[str, ...]
    params: Mapping[str, tuple[str, ...] | None]
    outs: tuple[str, ...]


# --- what was recorded ------------------------------------------------------------------------------------------------


def read_lock(content: bytes, where: str = LOCK) -> dict[str, RecordedStage]:
    """The stages of dvc.lock, in its order. Raises InputError if it is not such a file."""
    remedy = "restore it, or run `dvc repro`"
    try:
        return {name: _recorded(name, stage) for name, stage in parse(content, where, remedy)["stages"].items()}
    except _NO_FILE_OF_DVC as error:
        raise InputError(f"{where} is not DVC's ({error}): {remedy}") from None


def read_run(content: bytes, name: str, where: str) -> RecordedStage:
    """An earlier run of stage `name`, from an entry of DVC's run cache. Raises InputError if it is not such a file."""
    try:
        return _recorded(name, parse(content, where, "remove it"))
    except _NO_FILE_OF_DVC as error:
        raise InputError(f"{where} is not DVC's ({error}): remove it") from None


def read_pointer(content: bytes, where: str) -> dict[str, Entry]:
    """The outputs that a .dvc file tracks. Raises InputError if it is not such a file."""
    remedy = f"restore it (`git checkout {where}`)"
    try:
        return _entries(parse(content, where, remedy)["outs"])
    except _NO_FILE_OF_DVC as error:
        raise InputError(f"{where} is not DVC's ({error}): {remedy}") from None


def read_listing(content: bytes, hash: str) -> dict[str, str] | None:
    """Path -> MD5 of a directory's files from its object; None if `content` is not what `hash` names."""
    if hash_content(content) + DIRECTORY != hash:
        return None
    return {one["relpath"]: one["md5"] for one in json.loads(content)}


def outputs(stages: Mapping[str, RecordedStage]) -> dict[str, tuple[str, Entry]]:
    """path -> (stage, output) of every stage."""
    return {path: (name, entry) for name, stage in stages.items() for path, entry in stage.outs.items()}


def object_path(hash: str) -> str:
    """Where a remote or a cache keeps an object, below its own directory."""
    return f"files/md5/{hash[:2]}/{hash[2:]}"


def _recorded(name: str, stage: Mapping[str, Any]) -> RecordedStage:
    deps, outs = _entries(stage.get("deps", [])), _entries(stage["outs"])
    return RecordedStage(name, _command(stage["cmd"]), deps, stage.get("params", {}), outs)


def _command(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "\n".join(value)


def _entries(listed: list[dict[str, Any]]) -> dict[str, Entry]:
    return {one["path"]: Entry(str(one["path"]), str(one["md5"]), one.get("size"), one.get("nfiles")) for one in listed}


# --- dvc.yaml ---------------------------------------------------------------------------------------------------------


def read_pipeline(content: bytes, params: Mapping[str, Any]) -> dict[str, DeclaredStage]:
    """The stages of dvc.yaml, in its order, with ${...} filled in. Raises InputError if it is not such a file."""

    def filled(text: str) -> str:
        return _REFERENCE.sub(lambda match: str(value_of(params, match[1])), text)

    def path(text: str) -> str:
        return PurePosixPath(filled(text)).as_posix()  # DVC records "data/" as "data"

    remedy = f"restore it (`git checkout {PIPELINE}`)"
    try:
        stages = parse(content, PIPELINE, remedy)["stages"]
        return {name: _declared(name, stage, filled, path) for name, stage in stages.items()}
    except _NO_FILE_OF_DVC as error:
        raise InputError(f"{PIPELINE} is not DVC's ({error}): {remedy}") from None


def _declared(name: str, stage: Mapping[str, Any], filled: Fill, path: Fill) -> DeclaredStage:
    listed = [one for kind in ("outs", "metrics", "plots") for one in stage.get(kind, [])]
    outs = tuple(path(one if isinstance(one, str) else next(iter(one))) for one in listed)
    wanted: dict[str, tuple[str, ...] | None] = {}
    for one in stage.get("params", []):
        for file, keys in one.items() if isinstance(one, Mapping) else [(paths.PARAMS.as_posix(), [one])]:
            before = wanted.get(file, ())
            wanted[file] = None if keys is None or before is None else (*before, *keys)
    deps = tuple(map(path, stage.get("deps", [])))
    return DeclaredStage(name, stage.get("desc", ""), filled(_command(stage["cmd"])), deps, wanted, outs)


def value_of(params: Mapping[str, Any], key: str) -> Any:
    """The value under a dotted key; None if there is none."""
    value: Any = params
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


# --- hashes -----------------------------------------------------------------------------------------------------------


class IgnoreRules:
    """What DVC leaves out of a directory: .dvcignore with patterns of names, such as `.cache/` and `*.pyc`."""

    def __init__(self, content: bytes) -> None:
        """`content` is that of .dvcignore. Raises InputError for a pattern of paths."""
        lines = (line.strip() for line in content.decode("utf-8").splitlines())
        patterns = [line.removesuffix("/") for line in lines if line and not line.startswith("#")]
        if unclear := [pattern for pattern in patterns if "/" in pattern or pattern.startswith("!")]:
            raise InputError(
                f".dvcignore: pattern {unclear[0]!r} is not one of names alone: `medattn verify` cannot tell its files"
            )
        self._patterns = (*ALWAYS_IGNORED, *patterns)

    def __call__(self, path: str) -> bool:
        return any(fnmatchcase(part, pattern) for part in PurePosixPath(path).parts for pattern in self._patterns)


def hash_content(content: bytes) -> str:
    """MD5 of bytes, as DVC names them."""
    return md5(content, usedforsecurity=False).hexdigest()


def hash_file(path: Path) -> str:
    """MD5 of a file's bytes, as DVC names it."""
    digest = md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    return digest.hexdigest()


def hash_files(directory: Path, ignored: IgnoreRules) -> dict[str, str]:
    """Path inside `directory` -> MD5 of every file that DVC counts."""
    names = (path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())
    return {name: hash_file(directory / name) for name in sorted(names) if not ignored(name)}


def directory_hash(hashes: Mapping[str, str]) -> str:
    """DVC's hash of a directory. hashes: path inside it -> MD5."""
    listing = [{"md5": value, "relpath": name} for name, value in sorted(hashes.items())]
    return hash_content(json.dumps(listing, sort_keys=True).encode()) + DIRECTORY
