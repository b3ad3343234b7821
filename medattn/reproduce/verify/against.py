"""What a re-run is compared with: the last commit, or another commit, an experiment of DVC's, or a released archive."""

import gzip
import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medattn.base.dvc import LOCK, RecordedStage, directory_hash, hash_content, read_lock
from medattn.base.errors import InputError
from medattn.base.git import git
from medattn.base.json_files import parse
from medattn.reproduce.verify.key_changes import changes
from medattn.reproduce.verify.trees import PARAMS, Commit, read_params

MANIFEST = "MANIFEST.json"
MOST_BYTES = 1 << 28  # of a release once unpacked; one of every table and figure has a hundredth
_EXPERIMENT = re.compile(r"refs/exps/[0-9a-f]{2}/[0-9a-f]+/(.+)")  # below the commit that it started from


@dataclass(frozen=True)
class Reference:
    """Recorded results. files: path -> content of what it holds itself (reports). problems: of an archive that is not whole."""

    kind: str  # HEAD, commit, experiment or archive
    name: str
    identity: str  # the commit; SHA-256 of an archive
    lock: Mapping[str, RecordedStage]
    params: Mapping[str, Any]
    files: Mapping[str, bytes]
    problems: tuple[str, ...] = ()
    listings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # directory -> path inside it -> MD5

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name}" if self.kind != "HEAD" else f"HEAD ({self.identity[:12]})"


def of_commit(commit: Commit, kind: str, name: str) -> Reference:
    """The results that a commit records. Raises InputError if it has none."""
    listings = {
        path: commit.below(path)
        for stage in commit.lock.values()
        for path, one in stage.outs.items()
        if one.is_directory and commit.below(path)
    }
    return Reference(kind, name, commit.name, commit.lock, commit.params, commit.content, listings=listings)


def find(root: Path, reference: str) -> Reference:
    """A file is a released archive, anything else a commit or an experiment. Raises InputError if it is neither."""
    if Path(reference).is_file():
        return read_archive(Path(reference))
    experiments = _experiments(root, reference)
    if len(experiments) > 1:
        raise InputError(
            f"--against {reference}: {len(experiments)} experiments have this name: name one in full ({', '.join(experiments)})"
        )
    if experiments:
        return of_commit(Commit(root, experiments[0]), "experiment", reference)
    try:
        commit = Commit(root, reference)
    except InputError:
        raise InputError(
            f"--against {reference}: no commit, branch or tag of this repository, no experiment (`dvc exp list --all` names"
            " them), and no file"
        ) from None
    return of_commit(commit, "commit", reference)


def _experiments(root: Path, name: str) -> list[str]:
    """References of DVC's experiments of this name."""
    listed = git(root, "for-each-ref", "--format=%(refname)", "refs/exps/").decode().split()
    return [one for one in listed if (match := _EXPERIMENT.fullmatch(one)) is not None and name in (one, match[1])]


# --- archives ---------------------------------------------------------------------------------------------------------


def read_archive(path: Path) -> Reference:
    """A release (medattn/release/pack.py), held to its own manifest. Raises InputError if it is not a release at all."""
    packed = path.read_bytes()
    try:
        with gzip.open(io.BytesIO(packed)) as file:
            unpacked = file.read(MOST_BYTES + 1)
        if len(unpacked) > MOST_BYTES:
            raise ValueError(f"it unpacks to more than {MOST_BYTES >> 20} MiB")
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as tar:
            files, problems = _members(tar)
        manifest = parse(files[MANIFEST], f"{MANIFEST} of {path}", "give the archive as it was written")
        listed = {one["path"]: (one["sha256"], one["size"]) for one in manifest["members"]}
        lock, params = read_lock(files[LOCK], f"{LOCK} of {path}"), read_params(files[PARAMS], f"{PARAMS} of {path}")
    except (tarfile.TarError, zlib.error, OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"--against {path}: no release of `medattn release` ({error})") from None
    for name in sorted(listed.keys() | (files.keys() - {MANIFEST})):
        if name not in files:
            problems.append(f"{name}: is missing, {MANIFEST} lists it")
        elif name not in listed:
            problems.append(f"{name}: is extra, {MANIFEST} does not list it")
        elif (hashlib.sha256(files[name]).hexdigest(), len(files[name])) != listed[name]:
            problems.append(f"{name}: is not what {MANIFEST} lists")
    problems += _contradictions(files, lock)
    return Reference(
        "archive", path.name, hashlib.sha256(packed).hexdigest(), lock, params, files, tuple(problems), _below(files, lock)
    )


def _members(tar: tarfile.TarFile) -> tuple[dict[str, bytes], list[str]]:
    """Name -> content of ordinary files; nothing is unpacked to the disk."""
    files: dict[str, bytes] = {}
    problems = []
    for member in tar:
        content = tar.extractfile(member) if member.isfile() else None
        if content is None or member.name in files:
            problems.append(f"{member.name}: {'is duplicated' if member.name in files else 'is not an ordinary file'}")
        else:
            files[member.name] = content.read()
    return files, problems


def _below(files: Mapping[str, bytes], lock: Mapping[str, RecordedStage]) -> dict[str, dict[str, str]]:
    return {
        path: {
            name.removeprefix(f"{path}/"): hash_content(content)
            for name, content in files.items()
            if name.startswith(f"{path}/")
        }
        for stage in lock.values()
        for path, one in stage.outs.items()
        if one.is_directory
    }


def _contradictions(files: Mapping[str, bytes], lock: Mapping[str, RecordedStage]) -> list[str]:
    """Reports in the archive that are not what its own dvc.lock records."""
    below = _below(files, lock)
    problems = []
    for stage in lock.values():
        for path, entry in stage.outs.items():
            if entry.is_directory and below[path] and directory_hash(below[path]) != entry.hash:
                problems.append(f"{path}: its files are not what the archive's {LOCK} records")
            elif path in files and hash_content(files[path]) != entry.hash:
                problems.append(f"{path}: is not what the archive's {LOCK} records")
    return problems


# --- what differs -----------------------------------------------------------------------------------------------------


def context(head: Reference, other: Reference) -> dict[str, list[str]]:
    """Parameters, code and data of `head` that are not those of `other`."""
    parameters = list(changes(other.params, head.params))
    before, after = _inputs(other), _inputs(head)
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return {"parameters": parameters, "code and data": changed}


def _inputs(reference: Reference) -> dict[str, str]:
    """Path -> hash of everything that the stages read and that no stage made; parameters are told key by key."""
    made = {path for stage in reference.lock.values() for path in stage.outs} | {PARAMS}
    return {path: one.hash for stage in reference.lock.values() for path, one in stage.deps.items() if path not in made}
