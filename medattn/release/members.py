"""Which files a release holds: known names only."""

import os
from pathlib import Path

from medattn.base import paths
from medattn.base.dvc import LOCK, PIPELINE
from medattn.base.errors import InputError
from medattn.figures.outline import charts
from medattn.release.file_kinds import kind
from medattn.report.tables import LATEX, TABLES
from medattn.reproduce.crate.citation import CITATION
from medattn.reproduce.crate.stage import CRATE
from medattn.reproduce.locks import LOCKS

REPORTS = Path("reports")
SETTINGS = (paths.PARAMS.as_posix(), PIPELINE, LOCK)
OUTPUTS = (paths.TABLES, paths.METRICS, paths.FIGURES, paths.LATEX, paths.REPORT, CRATE)
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
            problems.append(f"{name}: is not an ordinary file: remove it")
    return found, problems


def plain(root: Path) -> tuple[str, ...]:
    """What a release holds besides reports/: settings, the crate, and all that the crate says is distributed with it."""
    locks = (path.as_posix() for path in LOCKS if os.path.lexists(root / path))
    return (*SETTINGS, paths.TERMS.as_posix(), CRATE.as_posix(), CITATION.as_posix(), "LICENSE", *locks)


def read_plain(root: Path, name: str) -> bytes:
    """A file beside reports/ that a release holds. Raises InputError if it is absent or a link."""
    path = root / name
    if path.is_symlink():
        raise InputError(f"{name} is a link to {os.readlink(path)}: a release holds no links; nothing was written")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{name} not found: {_REPAIR}, or restore it (`git checkout {name}`)") from None
