"""`medattn study check`, `pin` and `use`: what a study holds, and its digest in params.yaml."""

from pathlib import Path

import click

from medattn.base.paths import PARAMS
from medattn.base.printable import printable
from medattn.checks.study_check import StudySummary
from medattn.checks.study_check import check as check_study
from medattn.checks.study_check import digest as digest_of
from medattn.study import pins


def describe(directory: Path, report: StudySummary) -> str:
    """A report in four lines."""
    findings = ", ".join(f"{finding} {count}" for finding, count in report.findings.items())
    return (
        f"{directory}: {report.questions} questions in {report.variants} variants, {report.controls} controls,"
        f" {report.images} images of {report.patients} patients, {report.regions} regions\n"
        f"findings: {findings}\n"
        f"answers: {report.yes} yes, {report.no} no\n"
        f"digest: {report.digest}"
    )


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
def check(directory: Path) -> None:
    """Check every row, hash and image of a study; print what it holds and its digest."""
    click.echo(printable(describe(directory, check_study(directory))))


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
def pin(directory: Path) -> None:
    """Pin the study's model files in its model.json, and its digest in params.yaml."""
    pins.pin_model(directory)
    found = digest_of(directory)
    pins.pin_study(PARAMS, directory, found)
    click.echo(f"{directory / 'model.json'}: pinned\n{PARAMS}: study_digests has {directory.as_posix()}: {found}")


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
def use(directory: Path) -> None:
    """Make DIRECTORY the study of params.yaml, with its digest pinned: then `dvc repro` reproduces it."""
    found = digest_of(directory)
    pins.use_study(PARAMS, directory, found)
    click.echo(f"{PARAMS}: study is {directory.as_posix()}, digest {found}")
