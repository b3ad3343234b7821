"""What git records, read through the git program: inside a hook that is the index git calls the hook for."""

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from medattn.base.errors import InputError

LINK = "120000"  # git's mode of a symbolic link


class Tracked(NamedTuple):
    """A file as git records it. blob: the name of its content."""

    path: str
    mode: str
    blob: str


def git(root: Path, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> bytes:
    """What `git ARGUMENTS` prints in `root`. environment: this process's if None.

    Raises InputError with git's own message if it fails.
    """
    try:
        done = subprocess.run(["git", *arguments], cwd=root, env=environment, input=stdin, capture_output=True, check=False)
    except FileNotFoundError:
        raise InputError("git not found: install it; what may be shared is told from the git history") from None
    if done.returncode:
        raise InputError(f"`git {' '.join(arguments)}` failed in {root}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def names(listing: bytes) -> list[str]:
    """Paths of a listing made with -z."""
    return [name.decode("utf-8", "surrogateescape") for name in listing.split(b"\0") if name]


def index(root: Path) -> list[Tracked]:
    """Every file of the index: what the next commit will hold."""
    found = []
    for line in names(git(root, "ls-files", "--stage", "-z")):
        about, path = line.split("\t", 1)
        mode, blob, _ = about.split(" ")
        found.append(Tracked(path, mode, blob))
    return found


def commit_name(root: Path, revision: str) -> str:
    """The full name of a commit. Raises InputError if git knows no such commit."""
    return git(root, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").decode().strip()


def commit_files(root: Path, commit: str) -> list[Tracked]:
    """Every file of a commit; a submodule is none."""
    found = []
    for line in names(git(root, "ls-tree", "-r", "-z", "--full-tree", commit)):
        about, path = line.split("\t", 1)
        mode, kind, blob = about.split(" ")
        if kind == "blob":
            found.append(Tracked(path, mode, blob))
    return found


def contents(root: Path, files: Iterable[Tracked]) -> Iterator[tuple[Tracked, bytes]]:
    """Each file with its content; a submodule has none and is left out."""
    held = [file for file in files if file.mode != "160000"]
    if not held:
        return
    answer = git(root, "cat-file", "--batch", stdin="".join(f"{file.blob}\n" for file in held).encode())
    start = 0
    for file in held:
        head = answer.index(b"\n", start)
        size = int(answer[start:head].split()[-1])
        yield file, answer[head + 1 : head + 1 + size]
        start = head + 1 + size + 1
