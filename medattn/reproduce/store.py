"""dvc-store/ is a DVC remote inside the repository, public with it: it holds the objects of the embedded study and no other.

`dvc push` and a copy by hand could put restricted results there. So the objects are compared with data.dvc, in the
working tree (`medattn store check`) and, before a commit, in git's index (`medattn store staged`: release/staged.py).
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from medattn.base import dvc
from medattn.base.dvc import hash_content, hash_file
from medattn.base.errors import InputError
from medattn.base.git import LINK, contents, index

POINTER = Path("data.dvc")
STORE = Path("dvc-store")
_RESTORE = "restore it (`dvc push data.dvc`, or `git checkout dvc-store`)"


def object_path(hash: str) -> str:
    """Where the store keeps an object, relative to the repository's root."""
    return (STORE / dvc.object_path(hash)).as_posix()


def expected(pointer: bytes, read: Callable[[str], bytes | None]) -> tuple[dict[str, str], list[str]]:
    """Path -> what it is, of every object that data.dvc asks for, and what is wrong with it as it is.

    read: the content of an object's path, None if it is not there. An output of data.dvc is a file, or a directory whose
    object (".dir") lists its files.
    """
    wanted, problems = {}, []
    for name, output in dvc.read_pointer(pointer, str(POINTER)).items():
        path = object_path(output.hash)
        wanted[path] = name
        if not output.is_directory:
            continue
        content = read(path)
        listing = None if content is None else dvc.read_listing(content, output.hash)
        if listing is None:
            problems.append(
                f"{path}: the list of {name}'s files is absent or damaged, so no other object can be told: {_RESTORE}"
            )
            continue
        wanted |= {object_path(hash): f"{name}/{file}" for file, hash in listing.items()}
    return wanted, problems


def compare(pointer: bytes, hashes: Mapping[str, str], read: Callable[[str], bytes | None]) -> list[str]:
    """A line for every extra, missing or damaged object.

    hashes: path of every file in the store -> MD5 of its content ("" for a link).
    """
    wanted, problems = expected(pointer, read)
    if problems:
        return problems
    for path in sorted(wanted.keys() | hashes.keys()):
        if path not in hashes:
            problems.append(f"{path}: missing, it is {wanted[path]}: {_RESTORE}")
        elif path not in wanted:
            problems.append(f"{path}: extra, it is nothing of data.dvc: remove it (`git rm --cached {path}` if it is tracked)")
        elif path.removesuffix(dvc.DIRECTORY) != object_path(hashes[path]):
            problems.append(
                f"{path}: wrong bytes (MD5 {hashes[path] or 'none, it is a link'}), it should be {wanted[path]}: {_RESTORE}"
            )
    return problems


def differences(root: Path = Path(".")) -> list[str]:
    """compare for the files of the working tree. Raises InputError if data.dvc or the store is not there."""
    if not (root / POINTER).is_file() or not (root / STORE).is_dir():
        raise InputError(f"{root / POINTER} or {root / STORE} not found: run this from the repository's root")
    files = {
        path.relative_to(root).as_posix(): path for path in (root / STORE).rglob("*") if path.is_symlink() or not path.is_dir()
    }
    hashes = {name: "" if path.is_symlink() else hash_file(path) for name, path in files.items()}
    return compare((root / POINTER).read_bytes(), hashes, lambda name: files[name].read_bytes() if name in files else None)


def staged_differences(root: Path = Path(".")) -> list[str]:
    """compare for the files of git's index. An index without data.dvc must have no store either."""
    files = {file.path: file for file in index(root) if file.path == POINTER.as_posix() or file.path.startswith(f"{STORE}/")}
    if not files:
        return []
    if POINTER.as_posix() not in files:
        return [f"{POINTER}: not tracked, but {STORE}/ is: `git add {POINTER}`"]
    held = {file.path: (file, content) for file, content in contents(root, files.values())}
    _, pointer = held.pop(POINTER.as_posix())
    hashes = {path: "" if file.mode == LINK else hash_content(content) for path, (file, content) in held.items()}
    return compare(pointer, hashes, lambda name: held[name][1] if name in held else None)


@click.command(name="check")
def command() -> None:
    """Compare dvc-store/ with data.dvc, by content. Exit code 1 if they differ."""
    problems = differences()
    for problem in problems:
        click.echo(problem)
    if problems:
        raise SystemExit(1)
    click.echo(f"{STORE}: exactly the objects of {POINTER}, each with its bytes")
