"""What an audit collects: every mismatch by name, what is not here, and what was looked at."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from medattn.reproduce.verify.files import compare_files
from medattn.reproduce.verify.tolerance import EXACT

# What is audited, in the order it is told.
CODE, SETTINGS, RECORDS, DATA, RESULTS, CACHE, ARCHIVE = (
    "code",
    "parameters",
    "lock",
    "data",
    "outputs",
    "DVC's cache",
    "archive",
)
PARTS = (CODE, SETTINGS, RECORDS, DATA, RESULTS, CACHE, ARCHIVE)


class Mismatch(NamedTuple):
    """Something that is not what HEAD records. part: one of PARTS."""

    part: str
    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


@dataclass
class Findings:
    """What an audit found. checked: part -> what was looked at."""

    mismatches: list[Mismatch] = field(default_factory=list)
    not_here: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    checked: dict[str, str] = field(default_factory=dict)

    def mismatch(self, part: str, path: str, *problems: str) -> None:
        self.mismatches += [Mismatch(part, path, problem) for problem in problems]

    def of(self, part: str) -> list[Mismatch]:
        return [one for one in self.mismatches if one.part == part]


def told(name: str, recorded: Path | None, found: Path) -> list[str]:
    """In what a file differs from its recorded content, as precisely as its kind allows. recorded: None if it is not here."""
    if recorded is None:
        return ["differs from what was recorded; in what cannot be told, its recorded content is not here"]
    anything = f"any{PurePosixPath(name).suffix}"  # by its kind alone: here every hash in the crate counts
    comparison = compare_files(anything, recorded, found, EXACT)
    more = [f"and {comparison.more} further differences"] if comparison.more else []
    return [*comparison.why, *more] or ["its bytes differ, though no value does"]


def compare_listings(
    findings: Findings, part: str, directory: str, recorded: dict[str, str], found: dict[str, str]
) -> Iterable[str]:
    """Names the files of a directory that are missing or extra; yields those whose content differs."""
    for name in sorted(recorded.keys() | found.keys()):
        if name not in found:
            findings.mismatch(part, f"{directory}/{name}", "is missing")
        elif name not in recorded:
            findings.mismatch(part, f"{directory}/{name}", "is extra: HEAD records no such file")
        elif recorded[name] != found[name]:
            yield name
