"""The repository's files as a commit holds them, or as they lie in the workspace, and what DVC records among them."""

import hashlib
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from medattn.base import paths
from medattn.base.dvc import (
    LOCK,
    PIPELINE,
    DeclaredStage,
    Entry,
    IgnoreRules,
    RecordedStage,
    directory_hash,
    hash_content,
    hash_file,
    hash_files,
    read_lock,
    read_pipeline,
)  # fmt: skip
from medattn.base.errors import InputError
from medattn.base.git import LINK, Tracked, commit_files, commit_name, contents
from medattn.base.yaml_files import parse

PARAMS, IGNORE, RESULTS = paths.PARAMS.as_posix(), ".dvcignore", "results/"


class Tree(ABC):
    """Files of one moment. title, remedy: what messages call it, and what to do about one that contradicts itself."""

    title: str
    remedy: str

    @abstractmethod
    def read(self, path: str) -> bytes | None:
        """A file's content; None if there is not such a file."""

    @abstractmethod
    def entry(self, path: str) -> Entry | None:
        """A file or a directory as DVC would record it; None if it is not there, or not git's to hold."""

    @abstractmethod
    def required(self, path: str) -> bytes:
        """A file's content. Raises InputError if there is not such a file."""

    @property
    @abstractmethod
    def _place(self) -> str:
        """Behind a file's name: where it is."""

    @cached_property
    def lock(self) -> dict[str, RecordedStage]:
        return read_lock(self.required(LOCK), f"{LOCK}{self._place}")

    @cached_property
    def params(self) -> dict[str, Any]:
        return read_params(self.required(PARAMS), f"{PARAMS}{self._place}")

    @property
    def study(self) -> str:
        """The study directory as DVC names it."""
        return PurePosixPath(str(self.params.get("study"))).as_posix()

    @cached_property
    def pipeline(self) -> dict[str, DeclaredStage]:
        return read_pipeline(self.required(PIPELINE), self.params)

    @cached_property
    def ignored(self) -> IgnoreRules:
        return IgnoreRules(self.read(IGNORE) or b"")


class Commit(Tree):
    """A commit, read from git at once; `damaged` tells files that do not have the content that their name says.

    Raises InputError if git knows no such commit.
    """

    title, remedy = "HEAD", "run `dvc repro` and commit"

    def __init__(self, root: Path, revision: str) -> None:
        self.name = commit_name(root, revision)
        self.files: dict[str, Tracked] = {file.path: file for file in commit_files(root, self.name)}
        self.content = {file.path: content for file, content in contents(root, self.files.values())}

    def __contains__(self, path: str) -> bool:
        return path in self.files

    def is_link(self, path: str) -> bool:
        return self.files[path].mode == LINK

    @cached_property
    def damaged(self) -> list[str]:
        """Files whose git object has been changed: its content does not hash to its name."""
        return [path for path, file in self.files.items() if _object_name(self.content[path], len(file.blob)) != file.blob]

    def read(self, path: str) -> bytes | None:
        return self.content.get(path)

    def required(self, path: str) -> bytes:
        if path not in self.content:
            raise InputError(
                f"commit {self.name[:12]} has no {path}: there is nothing to compare with; commit the run's {path}"
            )
        return self.content[path]

    @property
    def _place(self) -> str:
        return f" of commit {self.name[:12]}"

    @cached_property
    def _hashes(self) -> dict[str, str]:
        return {path: hash_content(content) for path, content in self.content.items()}

    def below(self, directory: str) -> dict[str, str]:
        """Path inside `directory` -> MD5 of the files that DVC counts."""
        start = f"{directory}/"
        inside = {path.removeprefix(start): value for path, value in self._hashes.items() if path.startswith(start)}
        return {path: value for path, value in sorted(inside.items()) if not self.ignored(path)}

    def entry(self, path: str) -> Entry | None:
        if path in self._hashes:
            return Entry(path, self._hashes[path], len(self.content[path]), None)
        inside = self.below(path)
        if not inside:
            return None
        return Entry(path, directory_hash(inside), sum(len(self.content[f"{path}/{name}"]) for name in inside), len(inside))


class Workspace(Tree):
    """What lies below `root` now and a commit could hold: without results/ and the study, which may be too large to hash."""

    title, remedy = "the working tree", "run `dvc repro`"

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes | None:
        return (self.root / path).read_bytes() if (self.root / path).is_file() else None

    def required(self, path: str) -> bytes:
        content = self.read(path)
        if content is None:
            raise InputError(f"{path} not found: {self.remedy}, or restore it (`git checkout {path}`)")
        return content

    @property
    def _place(self) -> str:
        return ""

    def entry(self, path: str) -> Entry | None:
        place = self.root / path
        if path == self.study or path.startswith(RESULTS):
            return None
        if place.is_file():
            return Entry(path, hash_file(place), place.stat().st_size, None)
        inside = hash_files(place, self.ignored)
        if not inside:
            return None
        return Entry(path, directory_hash(inside), sum((place / name).stat().st_size for name in inside), len(inside))


def _object_name(content: bytes, length: int) -> str:
    """git's name of a blob: SHA-1 has 40 digits, SHA-256 64."""
    made = hashlib.sha1(usedforsecurity=False) if length == 40 else hashlib.sha256()
    made.update(b"blob %d\0" % len(content) + content)
    return made.hexdigest()


def read_params(content: bytes, where: str) -> dict[str, Any]:
    """params.yaml as it was recorded, which may be another version's. Raises InputError if it is not such a file."""
    value = parse(content, where, "restore it")
    if not isinstance(value, dict):
        raise InputError(f"{where} holds no keys: restore it")
    return value
