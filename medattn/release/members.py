"""Which files of reports/ a release holds: known names only, and only the bytes that dvc.lock records."""

import csv
import io
import json
import os
from collections.abc import Collection, Mapping
from hashlib import md5
from pathlib import Path

import yaml

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.git import contents, last_commit
from medattn.disclosure import suppression as disclosure
from medattn.figures.outline import charts
from medattn.release.file_kinds import kind
from medattn.release.scan import ROW_LEVEL
from medattn.report.tables import LATEX, TABLES
from medattn.reproduce.crate.citation import CITATION
from medattn.reproduce.crate.stage import CRATE
from medattn.reproduce.locks import LOCKS

REPORTS = Path("reports")
LOCK = Path("dvc.lock")
SETTINGS = (paths.PARAMS.as_posix(), "dvc.yaml", LOCK.as_posix())
OUTPUTS = (paths.TABLES, paths.METRICS, paths.FIGURES, paths.LATEX, paths.REPORT, CRATE)
# dependencies that are no data: they must be those of the run
CODE = ("medattn/", "requirements/", "reference/", *SETTINGS, CITATION.as_posix(), "LICENSE")
_REPAIR = "run `dvc repro`"


def allowed(licence: str) -> set[str]:
    """Every path below reports/ that a run writes and that may be published."""
    return {
        paths.METRICS.as_posix(),
        paths.REPORT.as_posix(),
        *((paths.TABLES / f"{name}.csv").as_posix() for name in TABLES),
        *((paths.LATEX / f"{name}.tex").as_posix() for name in (*LATEX, "values")),
        *((paths.FIGURES / f"{name}{suffix}").as_posix() for name in charts(licence) for suffix in (".png", ".pdf")),
    }


def read(root: Path, licence: str) -> tuple[dict[str, bytes], list[str]]:
    """Path -> content of every file of reports/, and a line for everything that may not be published by its name or type."""
    known, found, problems = allowed(licence), {}, []
    if not (root / REPORTS).is_dir():
        raise InputError(f"{REPORTS} not found: {_REPAIR}")
    if (root / REPORTS).is_symlink():
        return {}, [f"{REPORTS}: is a link to {os.readlink(root / REPORTS)}: a release holds no links"]
    for path in sorted((root / REPORTS).rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            problems.append(f"{name}: is a link to {os.readlink(path)}: a release holds no links")
        elif path.is_file():
            found[name] = path.read_bytes()
            if name not in known:
                problems.append(f"{name}: {kind(found[name])} that no stage writes to be published: remove it")
        elif not path.is_dir():
            problems.append(f"{name}: is no ordinary file: remove it")
    return found, problems


def plain(root: Path) -> tuple[str, ...]:
    """What a release holds besides reports/: settings, the crate, and all that the crate says is distributed with it."""
    locks = (path.as_posix() for path in LOCKS if os.path.lexists(root / path))
    return (*SETTINGS, CRATE.as_posix(), CITATION.as_posix(), "LICENSE", *locks)


def read_plain(root: Path, name: str) -> bytes:
    """A file beside reports/ that a release holds. Raises InputError if it is absent or a link."""
    path = root / name
    if path.is_symlink():
        raise InputError(f"{name} is a link to {os.readlink(path)}: a release holds no links; nothing was written")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{name} not found: {_REPAIR}, or restore it (`git checkout {name}`)") from None


# --- dvc.lock ---------------------------------------------------------------------------------------------------------


def stages_of(lock: bytes) -> dict[str, dict]:
    """The stages of dvc.lock. Raises InputError if it is no such file."""
    try:
        return dict(yaml.safe_load(lock)["stages"])
    except (yaml.YAMLError, TypeError, KeyError, ValueError):
        raise InputError(f"{LOCK} is not DVC's: restore it, or {_REPAIR}") from None


def directory_hash(hashes: Mapping[str, str]) -> str:
    """DVC's hash of a directory. hashes: path inside it -> MD5."""
    listing = [{"md5": value, "relpath": name} for name, value in sorted(hashes.items())]
    return md5(json.dumps(listing, sort_keys=True).encode()).hexdigest() + ".dir"


def not_recorded(root: Path, stages: Mapping[str, Mapping], found: Mapping[str, bytes]) -> list[str]:
    """A line for every output that is released and whose bytes dvc.lock does not record, naming the file if it can be told."""
    recorded = {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])}
    problems = []
    for output in map(Path.as_posix, OUTPUTS):
        if output not in recorded:
            problems.append(f"{output}: dvc.lock records no such output: {_REPAIR}")
        elif not recorded[output].endswith(".dir"):
            if output not in found:
                problems.append(f"{output}: not found: {_REPAIR}")
            elif md5(found[output]).hexdigest() != recorded[output]:
                problems.append(f"{output}: differs from what dvc.lock records: {_REPAIR}")
        else:
            now = {
                name.removeprefix(f"{output}/"): md5(content).hexdigest()
                for name, content in found.items()
                if name.startswith(f"{output}/")
            }
            if directory_hash(now) != recorded[output]:
                problems += _differing(root, output, now, recorded[output])
    return problems


def _differing(root: Path, output: str, now: Mapping[str, str], recorded: str) -> list[str]:
    """Which files of a directory differ. dvc.lock has one hash for all, so it takes the last commit to tell them apart."""
    files = last_commit(root, output)
    then = {file.path.removeprefix(f"{output}/"): md5(content).hexdigest() for file, content in contents(root, files)}
    if directory_hash(then) != recorded:
        return [f"{output}: its files are not those that dvc.lock records: {_REPAIR}"]
    names = sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))
    return [
        f"{output}/{name}: {'differs from what dvc.lock records' if name in now else 'is absent'}: {_REPAIR}" for name in names
    ]


def stale(root: Path, stages: Mapping[str, Mapping], params: Mapping) -> list[str]:
    """A line for all code, parameters and earlier stages' outputs that are not those the recorded run read."""
    made = {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])}
    read_by: dict[str, list[str]] = {}  # problem -> stages
    for name, stage in stages.items():
        for dependency in stage.get("deps", []):
            path, then = dependency["path"], dependency["md5"]
            if path.startswith(CODE) and _hash_now(root / path) != then:
                read_by.setdefault(f"{path}: has changed since it ran", []).append(name)
            elif made.get(path, then) != then:
                read_by.setdefault(f"{path}: was made again since it was read", []).append(name)
        for key, then in stage.get("params", {}).get(paths.PARAMS.as_posix(), {}).items():
            if _value(params, key) != then:
                read_by.setdefault(f"{paths.PARAMS}: {key} has changed since it was read", []).append(name)
    return [f"{problem} (by {', '.join(stages)}): {_REPAIR}" for problem, stages in sorted(read_by.items())]


def _value(params: Mapping, key: str) -> object:
    value: object = params
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _hash_now(path: Path) -> str | None:
    if path.is_file():
        return md5(path.read_bytes()).hexdigest()
    if not path.is_dir():
        return None
    ours = (file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc")
    return directory_hash({file.relative_to(path).as_posix(): md5(file.read_bytes()).hexdigest() for file in ours})


# --- tables and numbers -----------------------------------------------------------------------------------------------


def table_problems(content: bytes, least: int) -> list[str]:
    """What an aggregate table may not have: columns of one patient or a row's text, counts of 1 to `least` − 1."""
    rows = csv.DictReader(io.StringIO(content.decode("utf-8", "replace"), newline=""))
    columns = rows.fieldnames or []
    problems = [f"has a column {name!r}: a row is about one patient" for name in columns if name in ROW_LEVEL]
    counts = [name for name in columns if name in disclosure.COUNTS]
    for number, row in enumerate(rows, start=2):
        problems += [f"row {number}: {name} is {row[name]}, fewer than {least}" for name in counts if few(row[name], least)]
    return problems


def few(cell: object, least: int) -> bool:
    """Whether a cell counts somebody, but fewer than may be published."""
    return str(cell).isdigit() and 0 < int(str(cell)) < least


def number_problems(content: bytes, least: int) -> list[str]:
    """metrics.json is a handful of named numbers."""
    try:
        numbers = json.loads(content)
    except ValueError as error:
        return [f"is no JSON: {error}"]
    if not isinstance(numbers, dict):
        return ["is not one object of named numbers"]
    allowed_text: Collection[object] = (None, disclosure.WITHHELD)
    problems = [
        f"{name}: {value!r} is no number"
        for name, value in numbers.items()
        if isinstance(value, bool) or not (isinstance(value, int | float) or value in allowed_text)
    ]
    counts = (name for name in numbers if name in disclosure.COUNTS)
    return problems + [f"{name} is {numbers[name]}, fewer than {least}" for name in counts if few(numbers[name], least)]
