"""Pack what may be published of a run into one file, or refuse.

Packed: code.json, environment.json, params.yaml, dvc.yaml, dvc.lock, the aggregate reports, ro-crate-metadata.json with what
it says is distributed (LICENSE, CITATION.cff, medical_terms.txt, lock files), and MANIFEST.json, which lists each with its
size and SHA-256. The same inputs in the same environment give the same bytes.

Nets, each of which holds on its own. Names: a file of reports/ that no stage writes to be published is refused. Shapes: a table
holds its declared columns, and cells of their kind. Content: no member may hold an identifier, a question or an answer of a
credentialed study in any spelling, an identifier of MIMIC's forms, or a path of this machine. Bytes: what lies under an allowed
name must be what dvc.lock records, and what the code makes of the run's own results (medattn/release/remake.py). Differences:
no earlier release may differ by a few patients (medattn/release/previous.py).
"""

import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

import click

from medattn.base import paths
from medattn.base.dvc import LOCK
from medattn.base.errors import InputError
from medattn.base.params.whole import Params
from medattn.base.params.whole import load as load_params
from medattn.base.tables import write_bytes
from medattn.base.yaml_files import parse
from medattn.disclosure import suppression
from medattn.release import committed, members, previous, remake, scan, shapes
from medattn.release.file_kinds import kind
from medattn.release.scan import RestrictedContent, restricted_in, restricted_of
from medattn.reproduce.crate.stage import CRATE
from medattn.reproduce.provenance.code import code
from medattn.reproduce.provenance.environment import environment
from medattn.reproduce.verify.current import not_current
from medattn.study.schema import Study, read_study, settings

FORMAT = 1
SUFFIX = ".tar.gz"
SHOWN = 20  # problems in one message
# Sizes in dvc.lock are numbers as long as a patient's.
_SIZE = re.compile(r"^(\s+size: )\d+$", re.MULTILINE)
_URI = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]*")  # a chart: its bytes are compared
_HOME = re.compile(r"(?<![\w.])(?:/home|/Users|/root|[A-Za-z]:\\Users)[/\\][\w.~-]+")


class Release(NamedTuple):
    """Everything a release would hold but its manifest, what was looked for, and a line for all that forbids it."""

    study: Study
    files: dict[str, bytes]
    restricted: RestrictedContent
    problems: list[str]


def collect(root: Path, earlier: Iterable[Path] = ()) -> Release:
    """Read and look through everything. earlier: archives of former releases.

    What is restricted comes first among the problems.
    """
    params = load_params(root / paths.PARAMS)
    study = read_study(root / params.study)
    plain = {name: members.read_plain(root, name) for name in members.plain(root)}
    found, problems = members.read(root, study.licence)
    made = {
        "code.json": code(root),
        "environment.json": environment(root, settings(study, params)[0].device),
    }
    known = members.allowed(study.licence)
    files = (
        plain | {name: _json(value) for name, value in made.items()} | {name: found[name] for name in found if name in known}
    )
    restricted = restricted_of(study, root)
    problems += _small(params, study, restricted)
    for name, content in files.items():
        problems += [f"{name}: {problem}" for problem in problems_of(name, content, study.licence, restricted, root)]
    # the rows that are looked for must be those of the run that made the reports
    rows = () if study.licence == "open" else (paths.MANIFEST, paths.ANSWERS)
    problems += not_current(root, map(Path.as_posix, (*rows, *members.OUTPUTS)))
    if not problems:  # what takes longest comes last
        problems += previous.problems(root, files, earlier)
        problems += remake.differences(root, params, {CRATE.as_posix(): files[CRATE.as_posix()]} | found)
    return Release(study, files, restricted, problems)


def _small(params: Params, study: Study, restricted: RestrictedContent) -> Iterator[str]:
    """Runs of a credentialed study that are too small to be published, alone or beside a larger one."""
    if study.licence == "open":
        return
    if params.limit is not None:
        yield (
            f"{paths.PARAMS}: limit is {params.limit}: a later release of every question would give away, by its difference,"
            " what is left out here: set it to null and run `dvc repro`"
        )
    if 0 < restricted.patients < suppression.LEAST:
        yield (
            f"{paths.MANIFEST}: {restricted.patients} patients: whoever holds the list of identifiers can undo a hash over"
            " fewer than"
            f" {suppression.LEAST}, and dvc.lock has such hashes: publish a larger run"
        )


def problems_of(name: str, content: bytes, licence: str, restricted: RestrictedContent, root: Path) -> Iterator[str]:
    """What in a member must not be published, each with its line where it has lines; of charts their bytes are compared."""
    if name.endswith((".png", ".pdf")):
        return
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        yield f"is {kind(content)}, not text: {shapes.REMEDY}"
        return
    least, shape = suppression.least_patients(licence), shapes.shapes().get(name)
    if shape is not None:
        yield from shapes.table_problems(content, shape, least)
    if name == paths.METRICS.as_posix():
        yield from shapes.number_problems(content, least)
    if name in members.SETTINGS or name == CRATE.as_posix():
        yield from _absolute(parse(content, name, "run `dvc repro`"))
    if name == LOCK:
        text = _SIZE.sub(r"\1", text)
        if (comment := re.search(r"^\s*#|\s#\s", text, re.MULTILINE)) is not None:
            yield f"line {text.count(chr(10), 0, comment.end()) + 1}: holds a comment, and DVC writes none: run `dvc repro`"
    by_hand = not name.startswith(f"{members.REPORTS}/")
    yield from committed.packed(text) if by_hand else ()
    looked_for = restricted if by_hand else restricted.numbers_whole  # reports are full of numbers
    for line, what in (*restricted_in(_URI.sub("", text), looked_for), *_places(text, root)):
        yield f"line {line}: holds {what}"
    for line, cell in shapes.texts(content, shape) if shape is not None else ():
        for _, what in restricted_in(cell, restricted):
            yield f"row {line}: holds {what}"


def _places(text: str, root: Path) -> Iterator[tuple[int, str]]:
    """(line, what stands there) of every path of this machine."""
    for match in _HOME.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, f"{match[0]!r}, a home directory of this machine"
    own = str(root.resolve())
    for match in re.finditer(rf"(?<![\w.]){re.escape(own)}(?!\w)", text) if len(own) > 1 else ():
        yield text.count("\n", 0, match.start()) + 1, f"{own!r}, where the repository lies on this machine"


def _absolute(value: object) -> Iterator[str]:
    """Keys and values that are absolute paths."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _absolute(key)
            yield from _absolute(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _absolute(inner)
    elif isinstance(value, str) and (PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()):
        yield f"holds {value!r}, a path of this machine: name the study relative to the repository (studies/…) and run again"


def pack(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz of path -> content: sorted, without owner or time."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name, content in sorted(files.items()):
            about = tarfile.TarInfo(name)
            about.size, about.mode, about.mtime = len(content), 0o644, 0
            tar.addfile(about, io.BytesIO(content))
    return buffer.getvalue()


def manifest(study: Study, files: Mapping[str, bytes]) -> dict[str, object]:
    """What MANIFEST.json says."""
    listed = [
        {"path": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(files.items())
    ]
    return {"format": FORMAT, "study": study.about.name, "licence": study.licence, "members": listed}


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def run(out: Path, root: Path = Path("."), earlier: Iterable[Path] = ()) -> list[str]:
    """Write the release of the run below `root` to `out`; lines that say what it holds. earlier: archives of former releases.

    Raises InputError, and writes nothing, if anything restricted would enter.
    """
    if not out.name.endswith(SUFFIX):
        raise InputError(f"--out {out}: the file is a {SUFFIX}: name it so")
    if (root / members.REPORTS).resolve() in out.resolve().parents:
        raise InputError(f"--out {out}: not inside {members.REPORTS}/, which it packs: choose another place")
    study, files, restricted, problems = collect(root, earlier)
    if problems:
        more = [f"… and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise InputError("\n".join(["nothing was written:", *problems[:SHOWN], *more]))
    files["MANIFEST.json"] = _json(manifest(study, files))
    content = pack(files)
    write_bytes(out, content)
    return [
        *_described(study, files, restricted),
        f"{out}: {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}",
    ]


def _described(study: Study, files: Mapping[str, bytes], restricted: RestrictedContent) -> list[str]:
    lines = [
        f"{len(content):>12,} bytes  {hashlib.sha256(content).hexdigest()[:12]}  {name}"
        for name, content in sorted(files.items())
    ]
    made_by = json.loads(files["code.json"])
    if made_by["tree"] == "dirty":
        lines.append(
            f"note: the working tree is not commit {made_by['commit'][:12]}: {len(made_by['changed'])} tracked files differ,"
            f" {len(made_by['untracked_code'])} code files"
            " are not tracked; commit before you publish"
        )
    if study.licence == "open":
        return [*lines, f"study {study.about.name} is open: looked for identifiers of MIMIC's forms only"]
    short = (
        f"; {restricted.too_short} identifiers are shorter than {scan.SHORTEST} characters or have no digit, and were not"
        " looked for"
        if restricted.too_short
        else ""
    )
    return [
        *lines,
        f"looked for {len(restricted.identifiers):,} identifiers and {restricted.text_count:,} texts of study"
        f" {study.about.name}{short}",
    ]


@click.command(name="release")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The .tar.gz to write.")
@click.option(
    "--previous", type=click.Path(path_type=Path, dir_okay=False), multiple=True,
    help="The archive of an earlier release of these patients; give it for each.",
)  # fmt: skip
def command(out: Path, previous: tuple[Path, ...]) -> None:
    """Pack code digest, parameters, dvc.lock, aggregate reports and environment; refuse if anything restricted would enter."""
    paths.check_root()
    click.echo("\n".join(run(out, earlier=previous)))
