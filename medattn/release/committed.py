"""The shapes of what this repository commits: each kind of file is read as what it claims to be."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from medattn.base import paths
from medattn.base.dvc import LOCK, directory_hash, hash_content, outputs, read_lock
from medattn.base.errors import InputError
from medattn.base.git import Tracked, contents
from medattn.base.tables import csv_header
from medattn.disclosure.suppression import LEAST, least_patients
from medattn.figures.outline import charts
from medattn.metrics.published import SOURCE_COLUMNS
from medattn.release import shapes
from medattn.release.charts import chart_problems
from medattn.release.file_kinds import kind
from medattn.reproduce.crate.stage import CRATE
from medattn.study.attest import Aggregate
from medattn.study.caveats import COLUMN

RECORDED = (f"{paths.TABLES.parent.as_posix()}/", CRATE.as_posix())  # what the pipeline writes and git tracks
_SIZE = re.compile(r"^(\s*size: )\d+$", re.MULTILINE)
_URI = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]*")
_LINES = r"(?:^[ \t\"'#%]*[A-Za-z0-9+/]{60,}={0,2}[ \t\"',\\]*$\n?)"
# What packs a file into text, or is a table of numbers or patients, whatever the file is called.
_FORMS = {
    "packs a file or an image into text": re.compile(
        r";\s*base64\s*,\s*[A-Za-z0-9+/]{8}|[A-Za-z0-9+/_-]{400}|(?:\\x[0-9a-fA-F]{2}\s*){100}"
        rf"|{_LINES}{{5,}}|^begin [0-7]{{3}} |<~[!-u\s]{{100,}}~>",
        re.MULTILINE,
    ),
    "is a pointer to a file elsewhere (git LFS or annex)": re.compile(r"\A(?:version https://git-lfs|\S*/annex/objects/)"),
    "is a grid of numbers": re.compile(r"(?:[-+]?\d[\d.eE+-]*[\s,;|\]\[()]+){150,}"),
}
_NUMBER = re.compile(r"(?<![\w.])[ps]?[15]\d{7}(?:\.0+)?(?!\w|\.\d)", re.IGNORECASE)


def text_of(path: str, content: bytes) -> str | None:
    """The text of a file as it is searched: without the charts of the page, and DVC's sizes; None for a chart."""
    if path.startswith(f"{paths.FIGURES.as_posix()}/"):
        return None
    text = content.decode("utf-8", "replace")
    if path == paths.REPORT.as_posix():
        return _URI.sub("", text)
    return _SIZE.sub(r"\1", text) if path == LOCK or path.endswith(".dvc") else text


def shape_problems(path: str, content: bytes, licence: str) -> Iterator[str]:
    """What keeps a file from being what its path says."""
    if path.startswith(f"{paths.FIGURES.as_posix()}/") or path == paths.REPORT.as_posix():
        yield from chart_problems(path, content, charts(licence))
        return
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or kind(content) != "a file":
        yield f"is {kind(content).replace('a file', 'no text')} under another name"
        return
    least, suffix = least_patients(licence), PurePosixPath(path).suffix
    if (shape := shapes.shapes().get(path)) is not None:
        yield from shapes.table_problems(content, shape, least)
    elif path == paths.METRICS.as_posix():
        yield from shapes.number_problems(content, least)
    elif path.startswith("reference/"):
        yield from _attestation(text) if suffix == ".json" else _aggregates(content, csv_header(text))
    elif suffix == ".ipynb":
        yield from _notebook(text)
    elif path.endswith(".gitattributes") and "filter=" in text:
        yield "lets a filter (git LFS) replace contents, which then cannot be looked into"


def _aggregates(content: bytes, header: Sequence[str]) -> Iterator[str]:
    """A table of published numbers, or one with columns that aggregate tables declare."""
    if tuple(header) == SOURCE_COLUMNS:
        return
    header = header[1:] if header[:1] == [COLUMN] else header
    known = shapes.shapes().values()
    texts = frozenset().union(*(shape.texts for shape in known))
    if other := sorted(set(header) - {name for shape in known for name in shape.columns}):
        yield f"has a column {other[0]!r}, which no aggregate table has"
    else:
        yield from shapes.table_problems(content, shapes.Shape(tuple(header), texts), LEAST)


def _attestation(text: str) -> Iterator[str]:
    try:
        Aggregate.model_validate_json(text)
    except ValueError:
        yield "is not what `medattn study digest --json` writes"


def _notebook(text: str) -> Iterator[str]:
    try:
        cells = json.loads(text)["cells"]
        filled = any(cell.get("outputs") or cell.get("attachments") for cell in cells)
    except (ValueError, KeyError, TypeError, AttributeError):
        yield "is not a notebook"
        return
    if filled:
        yield "is a notebook with outputs or attachments, which may hold images and rows: clear them"


def packed(text: str) -> Iterator[str]:
    """What is no text but packed into one, each with its line."""
    for what, form in _FORMS.items():
        if (found := form.search(text)) is not None:
            yield f"line {text.count(chr(10), 0, found.start()) + 1}: {what}"


def text_problems(path: str, text: str) -> Iterator[str]:
    """What no text of this repository holds; tests may hold invented numbers."""
    yield from packed(text)
    if not path.startswith("tests/") and (number := _NUMBER.search(text)) is not None:
        where = f"line {text.count(chr(10), 0, number.start()) + 1}"
        yield f"{where}: holds {number[0]!r}, which has the form of a number of a patient or a study of MIMIC-CXR"


def not_recorded(root: Path, files: Sequence[Tracked], changed: Collection[str]) -> Iterator[tuple[str, str]]:
    """(path, what is wrong) of every changed file of the pipeline that has other bytes than the dvc.lock beside it records."""
    wanted = [path for path in sorted(changed) if path.startswith(RECORDED)]
    if not wanted:
        return
    held = {file.path: content for file, content in contents(root, [f for f in files if f.path.startswith((*RECORDED, LOCK))])}
    try:
        recorded = outputs(read_lock(held.get(LOCK, b""))) if LOCK in held else {}
    except InputError:
        recorded = {}
    hashes = {path: hash_content(content) for path, content in held.items()}
    for path in wanted:
        output = next((one for one in recorded if path == one or path.startswith(f"{one}/")), None)
        if path in held and (output is None or recorded[output][1].hash != _hash(output, hashes)):
            yield (
                path,
                f"is not what the {LOCK} of this commit records: run `dvc repro`, add {LOCK} and all of {output or path}",
            )


def _hash(output: str, hashes: Mapping[str, str]) -> str:
    """DVC's hash of a file or a directory as it will be committed."""
    below = {path.removeprefix(f"{output}/"): value for path, value in hashes.items() if path.startswith(f"{output}/")}
    return hashes[output] if output in hashes else directory_hash(below)
