"""Two releases of nearly the same patients: what differs between them tells about the few that one of them leaves out.

An archive holds no patients, but its dvc.lock has the hashes of the manifest and the failures of its run, which DVC's own cache
keeps on this machine. So groups of then and of now are compared patient by patient here, and nothing is published for it.
Without that run only published counts can be compared; unless every group differs by enough, the release is then refused.
"""

import csv
import io
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from medattn.base import paths, sample_tables
from medattn.base.dvc import hash_file, outputs
from medattn.base.errors import InputError
from medattn.base.tables import Row
from medattn.disclosure.suppression import LEAST, PATIENTS
from medattn.metrics.table import declared
from medattn.reproduce.verify.against import Reference, read_archive
from medattn.reproduce.verify.recorded_content import RecordedContent

REMEDY = "publish one of the two, or the same samples again"
SETTING = ("role", "condition", "strength")  # every table is about some of these
_ROWS = (paths.MANIFEST, paths.FAILURES)
Sample = tuple[str, ...]
Samples = Mapping[Sample, str]  # a sample of a group, with everything that it is -> its patient
Group = tuple[tuple[str, str], ...]  # column and value, of each that a table names a row by


def problems(root: Path, files: Mapping[str, bytes], archives: Iterable[Path]) -> Iterator[str]:
    """A line for every group in which an earlier release differs by 1 to LEAST − 1 patients. files: the release's members."""
    for path in archives:
        then = _read(path)
        earlier = _run_of(root, then)
        if earlier is not None:
            yield from _differing(groups(*(root / one for one in _ROWS)), earlier, then.name)
            continue
        counts = list(_counts(files, then))
        yield from (line for line, difference in counts if 0 < difference < LEAST)
        if not counts or any(difference == 0 for _, difference in counts):
            yield (
                f"{then.name}: the run that it packs is not in DVC's cache of this repository, so nobody can tell by how many"
                f" patients it differs: release where it was run, or {REMEDY}"
            )


def _read(path: Path) -> Reference:
    if not path.is_file():
        raise InputError(f"--previous {path} not found: give the archive that `medattn release` wrote")
    try:
        found = read_archive(path)
    except InputError as error:
        raise InputError(str(error).replace("--against", "--previous", 1)) from None
    if found.problems:
        raise InputError(f"--previous {path}: {found.problems[0]}: give the archive as it was written")
    return found


# --- what is published ------------------------------------------------------------------------------------------------


def _counts(files: Mapping[str, bytes], then: Reference) -> Iterator[tuple[str, int]]:
    """(line, by how many they differ) of every count of patients that both releases show."""
    for table in declared():
        name = (table.output / f"{table.name}.csv").as_posix()
        if name not in files or name not in then.files:
            continue
        before = {_key(row, table.keys): row for row in _table(then.files[name])}
        for number, row in enumerate(_table(files[name]), start=2):
            other = before.get(_key(row, table.keys), {})
            for column in sorted(PATIENTS & row.keys()):
                if row[column].isdecimal() and other.get(column, "").isdecimal():
                    difference = abs(int(row[column]) - int(other[column]))
                    yield (
                        f"{name}: row {number}: {column} is {row[column]}, in {then.name} {other[column]}: the two releases"
                        f" together tell about fewer than {LEAST} patients: {REMEDY}",
                        difference,
                    )


def _table(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8", "replace"), newline="")))


def _key(row: Mapping[str, str], keys: Iterable[str]) -> tuple[str | None, ...]:
    return tuple(row.get(name) for name in keys)


# --- whom it stands for -----------------------------------------------------------------------------------------------


def groups(manifest: Path, failures: Path) -> dict[Group, Samples]:
    """The groups of answered samples that tables have rows of, by the columns of the manifest that name these rows."""
    failed = sample_tables.read(failures, sample_tables.FAILURES, "extract")
    rows = sample_tables.read(manifest, sample_tables.MANIFEST, "prepare").values()
    attributes = set(sample_tables.MANIFEST) - set(SETTING)
    columns = {tuple(name for name in table.keys if name in attributes) for table in declared()}
    found: defaultdict[Group, dict[Sample, str]] = defaultdict(dict)
    for row in rows:
        if row["sample_id"] not in failed:
            for names in columns:
                found[tuple((name, row[name]) for name in (*SETTING, *names))][_sample(row)] = row["subject_id"]
    return dict(found)


def _sample(row: Row) -> Sample:
    return tuple(row[name] for name in sample_tables.MANIFEST if name not in ("image_path", "split", "view"))


def _run_of(root: Path, then: Reference) -> dict[Group, Samples] | None:
    """The groups of the run that an archive packs; None if this machine no longer has its rows."""
    recorded = outputs(then.lock)
    with tempfile.TemporaryDirectory() as temporary:
        contents = RecordedContent(root, Path(temporary))
        for path in _ROWS:  # the same run again
            contents.add_file(hash_file(root / path), root / path)
        found = [contents.file(recorded[path.as_posix()][1].hash) if path.as_posix() in recorded else None for path in _ROWS]
        manifest, failures = found
        return None if manifest is None or failures is None else groups(manifest, failures)


def _differing(now: Mapping[Group, Samples], then: Mapping[Group, Samples], name: str) -> Iterator[str]:
    """One line, about the widest group that differs by a few patients."""
    few = []
    for group in sorted(now.keys() & then.keys(), key=lambda group: (len(group), group)):
        here, there = now[group], then[group]
        patients = {here.get(one) or there[one] for one in here.keys() ^ there.keys()}
        if 0 < len(patients) < LEAST:
            few.append(", ".join(f"{column} {value}" for column, value in group if value))
    if few:
        more = f" (and {len(few) - 1} narrower groups)" if len(few) > 1 else ""
        yield (
            f"{paths.MANIFEST}: {few[0]}{more}: differs from that of {name} by samples of fewer than {LEAST} patients, about"
            f" whom the two releases together would tell: {REMEDY}"
        )
