"""The files of a commit, read from git at once and checked: each must have the content that its name says."""

import hashlib
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from medattn.base import paths
from medattn.base.dvc import (
    LOCK,
    PIPELINE,
    DeclaredStage,
    IgnoreRules,
    RecordedStage,
    directory_hash,
    hash_content,
    read_lock,
    read_pipeline,
)
from medattn.base.errors import InputError
from medattn.base.git import LINK, Tracked, contents, git, names

PARAMS, IGNORE = paths.PARAMS.as_posix(), ".dvcignore"


class Commit:
    """A commit of the repository at `root`. Raises InputError if git knows no such commit."""

    def __init__(self, root: Path, revision: str) -> None:
        self.name = git(root, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
        self.files: dict[str, Tracked] = {}
        for line in names(git(root, "ls-tree", "-r", "-z", "--full-tree", self.name)):
            about, path = line.split("\t", 1)
            mode, kind, blob = about.split(" ")
            if kind == "blob":
                self.files[path] = Tracked(path, mode, blob)
        self.content = {file.path: content for file, content in contents(root, self.files.values())}

    def __contains__(self, path: str) -> bool:
        return path in self.files

    def is_link(self, path: str) -> bool:
        return self.files[path].mode == LINK

    @cached_property
    def damaged(self) -> list[str]:
        """Files whose git object has been changed: its content does not hash to its name."""
        return [path for path, file in self.files.items() if _object_name(self.content[path], len(file.blob)) != file.blob]

    def required(self, path: str) -> bytes:
        """A file's content. Raises InputError if the commit does not have it."""
        if path not in self.content:
            raise InputError(
                f"commit {self.name[:12]} has no {path}: there is nothing to compare with; commit the run's {path}"
            )
        return self.content[path]

    # --- as DVC sees it -----------------------------------------------------------------------------------------------

    @cached_property
    def lock(self) -> dict[str, RecordedStage]:
        return read_lock(self.required(LOCK), f"{LOCK} of commit {self.name[:12]}")

    @cached_property
    def params(self) -> dict[str, Any]:
        return read_params(self.required(PARAMS), f"{PARAMS} of commit {self.name[:12]}")

    @property
    def study(self) -> str:
        """The study directory as DVC names it."""
        return PurePosixPath(str(self.params.get("study"))).as_posix()

    @cached_property
    def pipeline(self) -> dict[str, DeclaredStage]:
        return read_pipeline(self.required(PIPELINE), self.params)

    @cached_property
    def ignored(self) -> IgnoreRules:
        return IgnoreRules(self.content.get(IGNORE, b""))

    @cached_property
    def _hashes(self) -> dict[str, str]:
        return {path: hash_content(content) for path, content in self.content.items()}

    def below(self, directory: str) -> dict[str, str]:
        """Path inside `directory` -> MD5 of the files that DVC counts."""
        start = f"{directory}/"
        inside = {path.removeprefix(start): value for path, value in self._hashes.items() if path.startswith(start)}
        return {path: value for path, value in sorted(inside.items()) if not self.ignored(path)}

    def hash_of(self, path: str) -> tuple[str, int, int | None] | None:
        """DVC's hash, the size, and of a directory the number of files; None if the commit has no such file or directory."""
        if path in self._hashes:
            return self._hashes[path], len(self.content[path]), None
        inside = self.below(path)
        if not inside:
            return None
        return directory_hash(inside), sum(len(self.content[f"{path}/{name}"]) for name in inside), len(inside)


def _object_name(content: bytes, length: int) -> str:
    """git's name of a blob: SHA-1 has 40 digits, SHA-256 64."""
    made = hashlib.sha1(usedforsecurity=False) if length == 40 else hashlib.sha256()
    made.update(b"blob %d\0" % len(content) + content)
    return made.hexdigest()


def read_params(content: bytes, where: str) -> dict[str, Any]:
    """params.yaml as it was recorded, which may be another version's. Raises InputError if it is no such file."""
    try:
        value = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise InputError(f"{where} is not valid YAML: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"{where} holds no keys: restore it")
    return value
