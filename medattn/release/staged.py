"""What may be committed, told from git's index by place, type and shape: this repository's own kinds of files, and no other.

Places and types are looked at in every tracked file, contents in those that the commit changes. Whatever is a text is searched
for identifiers of MIMIC's forms, and for those of the study on this machine.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import click

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.git import LINK, Tracked, contents, git, index, names
from medattn.base.params.whole import load as load_params
from medattn.release import committed, remake, scan
from medattn.release.members import allowed
from medattn.release.scan import RestrictedContent
from medattn.reproduce.store import staged_differences
from medattn.study.schema import Study, read_study

FOLDERS = ("results", "studies", "data", ".dvc/cache", ".dvc/tmp")
STORE, REPORTS, TESTS = "dvc-store/", "reports/", "tests/"
SUBMODULE = "160000"
# What this repository is made of, as patterns of whole paths. Everything in reports/ has a name of its own (members.allowed).
OWN = re.compile(
    r"[^/]+\.(?:md|toml|yaml|yml|cff)|(?:docs|paper)/.+\.(?:md|tex|bib)|.+\.py|.+\.ipynb"
    r"|LICENSE|Makefile|Dockerfile|\.(?:git|docker|dvc)ignore|\.gitattributes|\.dvc/(?:config|\.gitignore)"
    r"|\.githooks/[\w-]+|\.ci/[\w-]+|\.github/.+\.(?:yml|md)|container/[\w-]+|requirements/[\w.-]+"
    r"|medattn/report/templates/[\w.-]+\.(?:html|css|js)|medical_terms\.txt|data\.dvc|dvc\.lock|ro-crate-metadata\.json"
    r"|reference/[\w.-]+\.(?:csv|json)"
)  # fmt: skip
MESSAGE = "commit message"
_DIFF = re.compile(r"^# -+ >8 -+\n(?:.*\n?)*", re.MULTILINE)  # of `git commit -v`, which takes it out


def restricted(root: Path = Path(".")) -> list[str]:
    """A line for every file of the index that must not be committed."""
    files = index(root)
    study = _study(root)
    licence = study.licence if study else "credentialed"  # without the study at hand nobody knows
    changed = set(names(git(root, "diff", "--cached", "--name-only", "--no-renames", "--diff-filter=d", "-z")))
    problems = {file.path: what for file in files if (what := by_place(file)) is not None}
    published = allowed(licence)
    for path in changed:
        if path.startswith(REPORTS) and path not in published:
            problems.setdefault(path, "is nothing that a stage writes to be published")
    known = _known(study, root)
    fresh = [file for file in files if file.path in changed and not file.path.startswith(STORE) and file.path not in problems]
    for file, content in contents(root, fresh):
        for what in by_content(file.path, content, known, licence):
            problems.setdefault(file.path, what)
    for path, what in committed.not_recorded(root, files, changed):
        problems.setdefault(path, what)
    if study is not None and licence != "open" and not problems:
        for path, what in _not_made_again(root, [file for file in files if file.path in changed]):
            problems.setdefault(path, what)
    return [f"{_safe(path)}: {what}" for path, what in sorted(problems.items())]


def _not_made_again(root: Path, changed: list[Tracked]) -> Iterator[tuple[str, str]]:
    """Reports of a credentialed study that the run here does not make (see release/remake.py): so long a look is rare."""
    reports = [file for file in changed if file.path.startswith(committed.RECORDED)]
    if not reports:
        return
    made = remake.reports(root, load_params(root / paths.PARAMS))
    for file, content in contents(root, reports):
        if made.get(file.path) != content:
            yield file.path, f"is not what the run's own results make: {remake.REMEDY}"


def _study(root: Path) -> Study | None:
    try:
        return read_study(root / load_params(root / paths.PARAMS).study)
    except InputError:
        return None


def _known(study: Study | None, root: Path) -> RestrictedContent:
    """What of the study on this machine, and of its run where there is one, must not be committed. Raises InputError."""
    if study is None:
        return RestrictedContent()
    try:
        return scan.restricted_of(study, root)
    except InputError:  # not run yet, or its tables are damaged, which the next line says
        return scan.of_tables(study)


def _safe(path: str) -> str:
    return path if path.isprintable() else repr(path)


def by_place(file: Tracked) -> str | None:
    """What is wrong with a tracked file, told from its name and mode alone; None if nothing is."""
    if file.mode == LINK:
        return "is a link: commit the file itself"
    if file.mode == SUBMODULE:
        return "is a submodule, which cannot be looked into: leave it out"
    return by_name(file.path)


def by_name(path: str) -> str | None:
    """What is wrong with a path; None if this repository has files of its place and type."""
    place = PurePosixPath(path)
    for folder in FOLDERS:
        if path == folder or PurePosixPath(folder) in place.parents:
            return f"lies in {folder}/, which may hold patients' data"
    if ".cache" in place.parts:
        return "lies in a cache of extraction, which holds patients' data"
    if path.startswith((STORE, REPORTS)):
        return None  # medattn.reproduce.store compares the one with data.dvc; the other has known names
    if not path.isascii() or not path.isprintable():
        return "has a name that is not plain ASCII: rename it"
    if OWN.fullmatch(path):
        return None
    suffix = place.suffix.lower() or "without a suffix"
    return f"is of no type ({suffix}) that this repository has there: images, tables and archives may hold patients' data"


def by_content(path: str, content: bytes, known: RestrictedContent, licence: str) -> Iterator[str]:
    """What is wrong with a path's letters or its content. known: identifiers of the study on this machine."""
    if path.startswith(TESTS):
        known = replace(known, forms={})  # tests may name invented patients
    for _, what in scan.restricted_in(path, known):
        yield f"its name holds {what}"
    yield from committed.shape_problems(path, content, licence)
    text = committed.text_of(path, content)
    if text is None:
        return
    yield from committed.text_problems(path, text)
    if path.startswith(REPORTS):
        known = known.numbers_whole
    for line, what in scan.restricted_in(text, known):
        yield f"line {line}: holds {what}"


def message_problems(text: str, known: RestrictedContent) -> Iterator[str]:
    """What a commit message must not hold."""
    for what in committed.text_problems(MESSAGE, text):
        yield f"{MESSAGE}: {what}: write another one"
    for line, what in scan.restricted_in(text, known):
        yield f"{MESSAGE}: line {line}: holds {what}: write another one"


def _refuse(problems: list[str], remedy: str) -> None:
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        click.echo(f"The commit was refused (docs/data-use.md). {remedy}", err=True)
        raise SystemExit(1)


@click.command(name="staged")
def command() -> None:
    """Look at what is about to be committed: the store, and nothing restricted beside it. Exit code 1 if there is something."""
    _refuse(staged_differences() + restricted(), "`git restore --staged FILE` takes a file out of it.")


@click.command(name="message")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def message(file: Path) -> None:
    """Look at the message of a commit, which git has written to FILE. Exit code 1 if it names a patient."""
    text = _DIFF.sub("", file.read_text(encoding="utf-8", errors="replace"))
    _refuse(list(message_problems(text, _known(_study(Path(".")), Path(".")))), "`git commit` again with another message.")
