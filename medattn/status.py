"""Say what the last run holds: how many samples were answered, how many could not be computed, and why.

Exit code 0: every sample of the manifest was computed. 4: some could not be. 2, an InputError: nothing was extracted yet.
"""

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import click

from medattn.base import paths, sample_tables
from medattn.base.errors import InputError
from medattn.base.params.whole import load as load_params
from medattn.metrics import inputs
from medattn.study.schema import read_study

SOME_FAILED = 4  # exit code
SHOWN = 10  # reasons
AGAIN = "run `dvc repro -f extract`"
REMEDY = f"Fix what is named, then {AGAIN} and `dvc repro`: units that are finished are reused."


@dataclass(frozen=True)
class Status:
    """What became of the samples of a manifest."""

    study: str  # its name
    statuses: Counter[str]  # status -> samples
    reasons: Counter[str]  # why samples failed -> how many

    @property
    def failed(self) -> int:
        return self.statuses["failed"]

    def lines(self) -> list[str]:
        """As text: counts, then reasons, the most frequent first, and what to do."""
        counts = [
            f"{self.statuses['ok']:>9,} answered, with a grid",
            f"{self.statuses['no_grid']:>9,} answered without an image",
            f"{self.failed:>9,} failed" + (f", listed in {paths.FAILURES}:" if self.failed else ""),
        ]
        ordered = sorted(self.reasons.items(), key=lambda one: (-one[1], one[0]))
        why = [f"{count:>9,} × {reason}" for reason, count in ordered[:SHOWN]]
        if (more := len(ordered) - SHOWN) > 0:
            why.append(f"          … and {more} more reason{'s' if more > 1 else ''}")
        return [f"{self.study}: {self.statuses.total():,} samples", *counts, *why, *([REMEDY] if self.failed else [])]


def status(root: Path = Path(".")) -> Status:
    """The status of the run below `root`. Raises InputError where it holds no answers, or files that disagree."""
    study = read_study(root / load_params(root / paths.PARAMS).study)
    samples = sample_tables.read(root / paths.MANIFEST, sample_tables.MANIFEST, "prepare")
    answers = inputs.read_answers(root / paths.ANSWERS, samples)
    listed = sample_tables.read(root / paths.FAILURES, sample_tables.FAILURES, "extract")
    failed = {sample_id for sample_id, row in answers.items() if not row.answered}
    if differing := sorted(failed ^ set(listed)):
        raise InputError(
            f"sample {differing[0]!r} failed according to {paths.ANSWERS} or {paths.FAILURES}, not to both: {AGAIN}"
        )
    reasons = Counter(" ".join(row["reason"].split()) for row in listed.values())
    return Status(study.about.name, Counter(row["status"] for row in answers.values()), reasons)


@click.command(name="status")
def command() -> None:
    """Say what the last run holds: answered and failed samples, why, and what to do."""
    paths.check_root()
    found = status()
    click.echo("\n".join(found.lines()))
    if found.failed:
        sys.exit(SOME_FAILED)
