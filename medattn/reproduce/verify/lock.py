"""What dvc.lock and a .dvc file record: of every stage its command, and the hash of all that it read and wrote."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import md5
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import yaml

from medattn.base.errors import InputError
from medattn.release.members import directory_hash as directory_hash  # of DVC's, for every module here

LOCK, PIPELINE = "dvc.lock", "dvc.yaml"
DIRECTORY = ".dir"  # how the hash of a directory ends
DVC_IGNORES = (".git", ".hg", ".dvc")  # whatever .dvcignore says
Fill = Callable[[str], str]
_REFERENCE = re.compile(r"\$\{([\w.]+)\}")


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
class Stage:
    """A stage as it ran. params: file -> key -> value."""

    name: str
    command: str
    deps: Mapping[str, Entry]
    params: Mapping[str, Mapping[str, Any]]
    outs: Mapping[str, Entry]


@dataclass(frozen=True)
class Plan:
    """A stage as dvc.yaml asks for it. params: file -> keys; None: all of them."""

    name: str
    command: str
    deps: tuple[str, ...]
    params: Mapping[str, tuple[str, ...] | None]
    outs: tuple[str, ...]


def read_lock(content: bytes, where: str = LOCK) -> dict[str, Stage]:
    """The stages of dvc.lock, in its order. Raises InputError if it is no such file."""
    try:
        stages = yaml.safe_load(content)["stages"]
        return {
            name: Stage(
                name, _command(stage["cmd"]), _entries(stage.get("deps", [])), stage.get("params", {}), _entries(stage["outs"])
            )
            for name, stage in stages.items()
        }
    except (yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{where} is not DVC's ({error}): restore it, or run `dvc repro`") from None


def read_pointer(content: bytes, where: str) -> dict[str, Entry]:
    """The outputs that a .dvc file tracks. Raises InputError if it is no such file."""
    try:
        return _entries(yaml.safe_load(content)["outs"])
    except (yaml.YAMLError, TypeError, KeyError) as error:
        raise InputError(f"{where} is not DVC's ({error}): restore it (`git checkout {where}`)") from None


def outputs(stages: Mapping[str, Stage]) -> dict[str, tuple[str, Entry]]:
    """path -> (stage, output) of every stage."""
    return {path: (name, entry) for name, stage in stages.items() for path, entry in stage.outs.items()}


def _command(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "\n".join(value)


def _entries(listed: list[dict[str, Any]]) -> dict[str, Entry]:
    return {one["path"]: Entry(str(one["path"]), str(one["md5"]), one.get("size"), one.get("nfiles")) for one in listed}


# --- dvc.yaml ---------------------------------------------------------------------------------------------------------


def read_pipeline(content: bytes, params: Mapping[str, Any], params_file: str = "params.yaml") -> dict[str, Plan]:
    """The stages of dvc.yaml, in its order, with ${...} filled in. Raises InputError if it is no such file."""

    def filled(text: str) -> str:
        return _REFERENCE.sub(lambda match: str(value_of(params, match[1])), text)

    def path(text: str) -> str:
        return PurePosixPath(filled(text)).as_posix()  # DVC records "data/" as "data"

    try:
        stages = yaml.safe_load(content)["stages"]
        return {name: _plan(name, stage, filled, path, params_file) for name, stage in stages.items()}
    except (yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{PIPELINE} is not DVC's ({error}): restore it (`git checkout {PIPELINE}`)") from None


def _plan(name: str, stage: Mapping[str, Any], filled: Fill, path: Fill, params_file: str) -> Plan:
    listed = [one for kind in ("outs", "metrics", "plots") for one in stage.get(kind, [])]
    outs = tuple(path(one if isinstance(one, str) else next(iter(one))) for one in listed)
    wanted: dict[str, tuple[str, ...] | None] = {}
    for one in stage.get("params", []):
        for file, keys in one.items() if isinstance(one, Mapping) else [(params_file, [one])]:
            before = wanted.get(file, ())
            wanted[file] = None if keys is None or before is None else (*before, *keys)
    return Plan(name, filled(_command(stage["cmd"])), tuple(map(path, stage.get("deps", []))), wanted, outs)


def value_of(params: Mapping[str, Any], key: str) -> Any:
    """The value under a dotted key; None if there is none."""
    value: Any = params
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


# --- hashes -----------------------------------------------------------------------------------------------------------


class Ignored:
    """What DVC leaves out of a directory: .dvcignore with patterns of names, such as `.cache/` and `*.pyc`."""

    def __init__(self, content: bytes) -> None:
        lines = (line.strip() for line in content.decode("utf-8").splitlines())
        patterns = [line.removesuffix("/") for line in lines if line and not line.startswith("#")]
        if unclear := [pattern for pattern in patterns if "/" in pattern or pattern.startswith("!")]:
            raise InputError(
                f".dvcignore: pattern {unclear[0]!r} is not one of names alone: `medattn verify` cannot tell its files"
            )
        self._patterns = (*DVC_IGNORES, *patterns)

    def __call__(self, path: str) -> bool:
        return any(fnmatchcase(part, pattern) for part in PurePosixPath(path).parts for pattern in self._patterns)


def hash_file(path: Path) -> str:
    """MD5 of a file's bytes, as DVC names it."""
    digest = md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    return digest.hexdigest()


def hash_directory(directory: Path, ignored: Ignored) -> dict[str, str]:
    """Path inside `directory` -> MD5 of every file that DVC counts."""
    names = (path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())
    return {name: hash_file(directory / name) for name in sorted(names) if not ignored(name)}


def read_listing(content: bytes, hash: str) -> dict[str, str] | None:
    """Path -> MD5 of a directory's files from its object; None if `content` is not what `hash` names."""
    if md5(content, usedforsecurity=False).hexdigest() + DIRECTORY != hash:
        return None
    return {one["relpath"]: one["md5"] for one in json.loads(content)}
