"""`medattn study …`: make and check study directories, train the phantom model."""

from pathlib import Path

import click

from medattn.study.check import Report
from medattn.study.check import check as check_study
from medattn.study.check import digest as digest_of


@click.group(name="study")
def command() -> None:
    """Make and check study directories; train the phantom model."""


def describe(directory: Path, report: Report) -> str:
    """A report in four lines."""
    findings = ", ".join(f"{finding} {count}" for finding, count in report.findings.items())
    return (
        f"{directory}: {report.questions} questions in {report.wordings} wordings, {report.controls} controls,"
        f" {report.images} images of {report.patients} patients, {report.regions} regions\n"
        f"findings: {findings}\n"
        f"answers: {report.yes} yes, {report.no} no\n"
        f"digest: {report.digest}"
    )


@command.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New directory.")
@click.option("--images", type=click.IntRange(1, 9999), default=100, show_default=True, help="Radiographs to draw.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides every pixel and word.")
@click.option("--model", type=click.Path(path_type=Path), help="Model directory to copy into the study and pin.")
def phantom(out: Path, images: int, seed: int, model: Path | None) -> None:
    """Write a study of synthetic radiographs whose findings are known exactly."""
    from medattn.study.write_phantom import write

    click.echo(describe(out, write(out, images, seed, model)))


@command.command()
@click.argument("directory", type=click.Path(path_type=Path))
def check(directory: Path) -> None:
    """Check every row, hash and image of a study; print what it holds and its digest."""
    click.echo(describe(directory, check_study(directory)))


@command.command()
@click.argument("directory", type=click.Path(path_type=Path))
def digest(directory: Path) -> None:
    """Print a study's digest, as params.yaml pins it under study_digests."""
    click.echo(digest_of(directory))


@command.command(name="train-phantom")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Directory for the trained model.")
def train_phantom(out: Path) -> None:
    """Train the phantom model from nothing (under 25 minutes on two cores)."""
    from medattn.model.phantom_training import train

    train(out)
    click.echo(f"{out}: trained")


@command.command(name="assess-phantom")
@click.argument("model", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--images", type=click.IntRange(10), help="Films to ask about.  [default: the development set's]")
@click.option("--seed", type=click.IntRange(0), help="World they are drawn in.  [default: the development set's]")
def assess_phantom(model: Path, images: int | None, seed: int | None) -> None:
    """Ask MODEL about the development films: is it as difficult as designed? Exit code 1 if a band is missed."""
    from medattn.model import phantom_assessment as assessment

    images = images or assessment.DEVELOPMENT_IMAGES
    answers = assessment.answer(model, images, assessment.DEVELOPMENT_SEED if seed is None else seed)
    click.echo(assessment.report(answers))
    if not all(band.holds for band in assessment.bands(answers)):
        raise SystemExit(1)
