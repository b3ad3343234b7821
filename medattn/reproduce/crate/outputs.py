"""What can be said of a file or a directory without opening it: its type and its SHA-256."""

from pathlib import Path

from medattn.base.errors import InputError
from medattn.base.hashes import files_below, sha256_of, sha256_of_lines

# Not the system's table of types, which differs between machines.
MEDIA_TYPES = {
    "": "text/plain",  # LICENSE
    ".cff": "application/yaml",
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".lock": "application/yaml",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".safetensors": "application/octet-stream",
    ".tex": "application/x-tex",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
}


def media_type(path: str) -> str:
    """Raises InputError for a type that no output has."""
    try:
        return MEDIA_TYPES[Path(path).suffix]
    except KeyError:
        raise InputError(f"{path}: no output is of this type: remove it, or name its media type in {__name__}") from None


def files_of(root: Path, directory: str) -> list[str]:
    """Every file below an output's directory, relative to `root`, sorted; none where no image was wanted.

    Raises InputError if the directory is not there.
    """
    if not (root / directory).is_dir():
        raise InputError(f"{directory} not found: run `dvc repro`")
    return [f"{directory}/{name}" for name in sorted(files_below(root / directory))]


def digest(root: Path, path: str) -> str:
    """SHA-256 of a file; of a directory, over "{path inside it} {SHA-256}" lines of its files, sorted.

    Raises InputError if it is not there.
    """
    if (root / path).is_file():
        return sha256_of(root / path)
    return sha256_of_lines({name.removeprefix(f"{path}/"): sha256_of(root / name) for name in files_of(root, path)})
