"""`medattn bench`: what medattn takes, measured."""

import json
from pathlib import Path

import click

from medattn.base.tables import write_bytes

SHAPES = ("phantom", "medgemma-4b")


@click.command(name="bench")
@click.option("--shape", "name", type=click.Choice(SHAPES), default="phantom", show_default=True, help="Model to measure.")
@click.option("--images", type=click.IntRange(min=1), help="Images, six variants each.  [default: 32; medgemma-4b: 1]")
@click.option("--new-tokens", type=click.IntRange(min=1), default=20, show_default=True, help="Longest answer, in tokens.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the table here as JSON, too.")
def command(name: str, images: int | None, new_tokens: int, device: str, json_path: Path | None) -> None:
    """Seconds per sample and peak memory of the usual way and of ours, all layers stored.

    phantom: float32. medgemma-4b: MedGemma-4b's full shape with random weights in bfloat16, about 12 GB of memory; on a
    CPU a sample takes the usual way minutes, so that it is asked two of the six variants only.
    """
    from medattn.bench import speed

    shown, table = speed.measured(name, device, images, new_tokens)
    click.echo(shown)
    if json_path is not None:
        write_bytes(json_path, (json.dumps(table, indent=2, sort_keys=True) + "\n").encode())
