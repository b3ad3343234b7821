"""`medattn study phantom`, `train-phantom`, `assess-phantom`: the embedded study and its model."""

from pathlib import Path

import click


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New directory.")
@click.option("--images", type=click.IntRange(1, 9999), default=100, show_default=True, help="Radiographs to draw.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides every pixel and word.")
@click.option("--model", type=click.Path(path_type=Path), help="Model directory to copy into the study and pin.")
def phantom(out: Path, images: int, seed: int, model: Path | None) -> None:
    """Write a study of synthetic radiographs whose findings are known exactly."""
    from medattn.checks.commands import describe
    from medattn.phantom.study import write

    click.echo(describe(out, write(out, images, seed, model)))


@click.command(name="train-phantom")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Directory for the trained model.")
def train_phantom(out: Path) -> None:
    """Train the phantom model from nothing (under 25 minutes on two cores)."""
    from medattn.phantom.training import train

    out.mkdir(parents=True, exist_ok=True)  # a place that cannot be written is found now, not after training
    train(out)
    click.echo(f"{out}: trained")


@click.command(name="assess-phantom")
@click.argument("model", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--images", type=click.IntRange(10), help="Radiographs to ask about.  [default: the development set's]")
@click.option("--seed", type=click.IntRange(0), help="World they are drawn in.  [default: the development set's]")
def assess_phantom(model: Path, images: int | None, seed: int | None) -> None:
    """Ask MODEL about the development radiographs: is it as difficult as designed? Exit code 1 if a band is missed."""
    from medattn.phantom import assessment

    images = images or assessment.DEVELOPMENT_IMAGES
    answers = assessment.answer(model, images, assessment.DEVELOPMENT_SEED if seed is None else seed)
    click.echo(assessment.report(answers))
    if not all(band.holds for band in assessment.bands(answers)):
        raise SystemExit(1)
