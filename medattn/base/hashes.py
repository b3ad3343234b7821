"""SHA-256 of files, and one digest of many: what pins a study, a model, a lock file or an output."""

import hashlib
from collections.abc import Mapping
from pathlib import Path


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_lines(hashes: Mapping[str, str]) -> str:
    """SHA-256 over "{path} {SHA-256}" lines, sorted by path: one digest of many files."""
    return hashlib.sha256("".join(f"{name} {value}\n" for name, value in sorted(hashes.items())).encode()).hexdigest()


def hashes_of(directory: Path) -> dict[str, str]:
    """Relative path -> SHA-256 of every file below `directory`, sorted."""
    return {name: sha256_of(directory / name) for name in sorted(files_below(directory))}


def files_below(directory: Path) -> set[str]:
    """Relative paths of all files but those in a folder .cache, where `hf download` keeps notes about this machine."""
    names = (path.relative_to(directory) for path in directory.rglob("*") if path.is_file())
    return {name.as_posix() for name in names if ".cache" not in name.parts}
