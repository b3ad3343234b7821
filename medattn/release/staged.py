"""What must never be committed: files derived from patients, told from git's index by place, type and content.

Places and types are checked of every tracked file, contents of those that the commit changes.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import click

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.git import contents, git, index, names
from medattn.base.params.whole import load as load_params
from medattn.base.tables import csv_header
from medattn.release.file_kinds import kind
from medattn.release.members import allowed
from medattn.release.scan import ROW_LEVEL, of_mimic_form
from medattn.reproduce.store import staged_differences
from medattn.study.schema import read_study

FOLDERS = ("results", "studies", "data", ".dvc/cache", ".dvc/tmp")
ARRAYS = {".dcm", ".dicom", ".npy", ".npz", ".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".h5", ".hdf5",
          ".parquet", ".feather", ".nii", ".mat", ".sqlite", ".db"}  # fmt: skip
PACKED = {".gz", ".zip", ".tar", ".tgz", ".bz2", ".xz", ".zst", ".7z"}
IMAGES = {".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".bmp", ".webp", ".pdf"}
DATA = {
    ".csv", ".tsv", ".json", ".jsonl", ".txt", ".html", ".tex", ".yaml", ".yml", ".lock", ".md", ".ipynb", ".log",
    ".xml", ".svg", ".dvc",
}  # fmt: skip
STORE, REPORTS, TESTS = "dvc-store/", "reports/", "tests/"


def restricted(root: Path = Path(".")) -> list[str]:
    """A line for every file of the index that must not be committed."""
    files = index(root)
    problems = {file.path: what for file in files if (what := by_name(file.path)) is not None}
    changed = set(names(git(root, "diff", "--cached", "--name-only", "--no-renames", "--diff-filter=d", "-z")))
    reports = sorted(path for path in changed if path.startswith(REPORTS))
    for path in _unexpected(root, reports) if reports else ():
        problems.setdefault(path, "is nothing that a stage writes to be published")
    fresh = [file for file in files if file.path in changed and not file.path.startswith(STORE) and file.path not in problems]
    for file, content in contents(root, fresh):
        for what in by_content(file.path, content):
            problems.setdefault(file.path, what)
    return [f"{path}: {what}" for path, what in sorted(problems.items())]


def by_name(path: str) -> str | None:
    """What is wrong with a tracked file, told from its name alone; None if nothing is."""
    place, suffix = PurePosixPath(path), PurePosixPath(path).suffix.lower()
    for folder in FOLDERS:
        if path == folder or PurePosixPath(folder) in place.parents:
            return f"lies in {folder}/, which may hold patients' data"
    if ".cache" in place.parts:
        return "lies in a cache of extraction, which holds patients' data"
    if path.startswith(STORE):
        return None  # medattn.reproduce.store compares it with data.dvc
    if suffix in ARRAYS:
        return f"is an image, array or table of a type ({suffix}) that may hold patients' data"
    if suffix in PACKED:
        return f"is packed ({suffix}), so it cannot be looked into"
    if suffix in IMAGES and not path.startswith("reports/figures/"):
        return f"is an image ({suffix}) outside reports/figures/: it may show a radiograph"
    return None


def by_content(path: str, content: bytes) -> Iterator[str]:
    """What is wrong with the content of a file that is not in the store."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix not in IMAGES and (found := kind(content)) != "a file":
        yield f"is {found} under another name"
    if suffix not in DATA and not path.startswith(REPORTS):
        return  # code and its tests may name invented patients
    text = content.decode("utf-8", "replace")
    for _, what in of_mimic_form(text):
        yield f"holds {what}"
    if suffix in (".csv", ".tsv") and not path.startswith(TESTS):
        header = csv_header(text, "\t" if suffix == ".tsv" else ",")
        yield from (
            f"has a column {name!r}: its rows are about single patients" for name in header if name.strip().lower() in ROW_LEVEL
        )
    if suffix == ".ipynb" and '"image/' in text:
        yield "is a notebook with images in its outputs: clear them"


def _unexpected(root: Path, reports: list[str]) -> list[str]:
    """Files of reports/ that no stage writes to be published. Without the study at hand it counts as credentialed."""
    try:
        licence = read_study(root / load_params(root / paths.PARAMS).study).licence
    except InputError:
        licence = "credentialed"
    known = allowed(licence)
    return [path for path in reports if path not in known]


@click.command(name="staged")
def command() -> None:
    """Look at what is about to be committed: the store, and nothing restricted beside it. Exit code 1 if there is something."""
    problems = staged_differences() + restricted()
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        click.echo("The commit was refused (docs/data-use.md). `git restore --staged FILE` takes a file out of it.", err=True)
        raise SystemExit(1)
