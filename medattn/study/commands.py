"""`medattn study …`: make and check study directories, train the phantom model."""

from pathlib import Path

import click

from medattn.base.paths import PARAMS
from medattn.base.tables import write_bytes
from medattn.checks.study_check import Report
from medattn.checks.study_check import check as check_study
from medattn.checks.study_check import digest as digest_of
from medattn.mimic.commands import fake_mimic, mimic_cxr


@click.group(name="study")
def command() -> None:
    """Make and check study directories; train the phantom model."""


command.add_command(mimic_cxr)
command.add_command(fake_mimic)


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
    from medattn.phantom.study import write

    click.echo(describe(out, write(out, images, seed, model)))


@command.command()
@click.argument("directory", type=click.Path(path_type=Path))
def check(directory: Path) -> None:
    """Check every row, hash and image of a study; print what it holds and its digest."""
    click.echo(describe(directory, check_study(directory)))


@command.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write it as a reference for `attest`, too.")
def digest(directory: Path, out: Path | None) -> None:
    """Print a study's digest, as params.yaml pins it, and what it counts: safe to publish."""
    from medattn.study import attest

    found = attest.aggregate(directory)
    if out is not None:
        write_bytes(out, attest.json_text(found).encode())
    click.echo(attest.describe(found))


@command.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--against", type=click.Path(path_type=Path), required=True, help="Reference written by `medattn study digest --json`."
)
def attest(directory: Path, against: Path) -> None:
    """Is this the study of a published reference? Exit code 1 and counts of what is missing, extra or changed if not."""
    from medattn.study import attest as attestation

    reference = attestation.read_reference(against)
    found = attestation.compare(attestation.aggregate(directory, like=reference), reference)
    click.echo("\n".join(found.lines))
    if not found.same:
        raise SystemExit(1)


@command.command()
@click.argument("directory", type=click.Path(path_type=Path))
def pin(directory: Path) -> None:
    """Pin the study's model files in its model.json, and its digest in params.yaml."""
    from medattn.study import pins

    pins.pin_model(directory)
    found = digest_of(directory)
    pins.pin_study(PARAMS, directory, found)
    click.echo(f"{directory / 'model.json'}: pinned\n{PARAMS}: study_digests has {directory.as_posix()}: {found}")


@command.command()
@click.argument("directory", type=click.Path(path_type=Path))
def use(directory: Path) -> None:
    """Make DIRECTORY the study of params.yaml, with its digest pinned: then `dvc repro` reproduces it."""
    from medattn.study import pins

    found = digest_of(directory)
    pins.use_study(PARAMS, directory, found)
    click.echo(f"{PARAMS}: study is {directory.as_posix()}, digest {found}")


@command.command(name="train-phantom")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Directory for the trained model.")
def train_phantom(out: Path) -> None:
    """Train the phantom model from nothing (under 25 minutes on two cores)."""
    from medattn.phantom.training import train

    train(out)
    click.echo(f"{out}: trained")


@command.command(name="assess-phantom")
@click.argument("model", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--images", type=click.IntRange(10), help="Films to ask about.  [default: the development set's]")
@click.option("--seed", type=click.IntRange(0), help="World they are drawn in.  [default: the development set's]")
def assess_phantom(model: Path, images: int | None, seed: int | None) -> None:
    """Ask MODEL about the development films: is it as difficult as designed? Exit code 1 if a band is missed."""
    from medattn.phantom import assessment

    images = images or assessment.DEVELOPMENT_IMAGES
    answers = assessment.answer(model, images, assessment.DEVELOPMENT_SEED if seed is None else seed)
    click.echo(assessment.report(answers))
    if not all(band.holds for band in assessment.bands(answers)):
        raise SystemExit(1)
