"""Packages against their locks, the tools around them, and the history of the code."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from medattn.base.errors import InputError
from medattn.reproduce.doctor.line import Line, missing, note, ok
from medattn.reproduce.locks import Difference
from medattn.reproduce.provenance.code import code

NAMED = 6  # packages in one line


def project(root: Path) -> tuple[str, set[str]]:
    """(requires-python, canonical names of the packages that a run needs), from pyproject.toml. Raises InputError."""
    path = root / "pyproject.toml"
    try:
        about = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        return about["requires-python"], {canonicalize_name(Requirement(text).name) for text in about["dependencies"]}
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise InputError(f"{path} cannot be used ({error}): run this from the repository's root") from None


def package_lines(pinned: Mapping[str, str], found: Collection[Difference], needed: Collection[str]) -> list[Line]:
    """pinned: what the locks pin here. found: what is not installed so. needed: packages without which nothing runs."""
    if not pinned:
        return [missing("packages", "no lock file found", "run this from the repository's root, or restore requirements/")]
    if not found:
        return [ok("packages", f"all {len(pinned)} as the locks pin them")]
    lines = []
    for names, make, said in (
        ([d.name for d in found if d.installed is None and d.name in needed], missing, "not installed"),
        (
            [d.name for d in found if d.installed is None and d.name not in needed],
            note,
            "not installed; some tests or tools need it",
        ),
        ([f"{d.name} {d.installed} (pinned {d.pinned})" for d in found if d.installed is not None], note, "in another version"),
    ):
        if names:
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            lines.append(
                make("packages", f"{', '.join(names[:NAMED])}{more}: {said}", "run `make setup` (image: build it again)")
            )
    return lines


def tool_lines() -> list[Line]:
    """git, make and dvc on PATH."""
    purposes = {
        "git": "without it provenance has no commit, and there are no experiments and no release: install it",
        "make": "the commands behind each target are in the Makefile; install it to use them by name",
        "dvc": "`. .venv/bin/activate` puts it on PATH; `python -m dvc` works without",
    }
    return [
        ok("tools", f"{name}: {_version(name)}") if shutil.which(name) else note("tools", f"{name} is not on PATH", purpose)
        for name, purpose in purposes.items()
    ]


def _version(name: str) -> str:
    if name == "dvc":
        from importlib.metadata import version

        return version("dvc")  # its own answer takes seconds
    try:
        said = subprocess.run([name, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return "there, but does not answer"
    found = re.search(r"\d+(\.\d+)+", said)
    return found[0] if found else "version unknown"


def history_line(root: Path, settings: Mapping[str, str]) -> Line:
    """The commit, and whether the code is the commit's. settings: DVC's."""
    try:
        found = code(root)
    except InputError as error:
        if settings.get("core.no_scm") == "true":
            return note("history", "no git history here, and DVC works without", str(error))
        remedy = "git clone the repository instead of unpacking an archive, or `dvc config --local core.no_scm true`"
        return missing("history", "no git history here", remedy)
    changed = [*found["changed"], *found["untracked_code"]]
    if not changed:
        return ok("history", f"commit {found['commit'][:12]}, nothing changed")
    more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
    said = f"commit {found['commit'][:12]}; {', '.join(changed[:NAMED])}{more} differ"
    return note("history", said, "`git diff` shows it; `git checkout . && dvc checkout` goes back")


def dvc_settings(root: Path) -> dict[str, str]:
    """DVC's settings in `root` as it understands them itself; {} where it does not answer."""
    command = [sys.executable, "-m", "dvc", "config", "--list"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.SubprocessError):
        return {}
    return {name: value for name, separator, value in (line.partition("=") for line in done.stdout.splitlines()) if separator}
