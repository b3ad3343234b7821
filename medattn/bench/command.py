"""`medattn bench`: what medattn takes, measured."""

import json
from collections.abc import Mapping
from pathlib import Path

import click

from medattn.base.tables import write_bytes

SHAPES = ("phantom", "medgemma-4b")
GROWTH_IMAGES = 24


@click.command(name="bench")
@click.option("--growth", is_flag=True, help="Measure how time and memory of every stage grow with the study.")
@click.option("--mimic-cxr", "archive", is_flag=True, help="Measure prepare on as many drawn images as MIMIC-CXR holds.")
@click.option("--shape", "name", type=click.Choice(SHAPES), default="phantom", show_default=True, help="Model to measure.")
@click.option(
    "--images", type=click.IntRange(min=1),
    help="Images, six variants each; with --growth: of the smallest study."
    f"  [default: 32; medgemma-4b: 1; growth: {GROWTH_IMAGES}; MIMIC-CXR: 377110]",
)  # fmt: skip
@click.option("--new-tokens", type=click.IntRange(min=1), default=20, show_default=True, help="Longest answer, in tokens.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the table here as JSON, too.")
def command(
    growth: bool, archive: bool, name: str, images: int | None, new_tokens: int, device: str, json_path: Path | None
) -> None:
    """Seconds per sample and peak memory of the usual way and of ours, all layers stored.

    phantom: float32. medgemma-4b: MedGemma-4b's full shape with random weights in bfloat16, about 12 GB of memory; on a
    CPU a sample takes the usual way minutes, so that it is asked two of the six variants only.

    --growth: processor time and peak memory of every stage for a drawn study and for 2, 4 and 8 times as much, and by what
    power they grow. --mimic-cxr: minutes and gigabytes of prepare for all of MIMIC-CXR's images, and of aggregate and metrics
    for a hundredth of them; images and captures are drawn. Both need the repository's root and room in results/run.
    """
    table: Mapping[str, object]
    if growth and archive:
        raise click.UsageError("--growth and --mimic-cxr are two measurements: ask for one")
    if growth:
        from medattn.bench.growth import measured

        shown, table = measured(images or GROWTH_IMAGES)
    elif archive:
        from medattn.bench import whole_archive

        shown, table = whole_archive.measured(images or whole_archive.IMAGES)
    else:
        from medattn.bench import speed

        shown, table = speed.measured(name, device, images, new_tokens)
    click.echo(shown)
    if json_path is not None:
        write_bytes(json_path, (json.dumps(table, indent=2, sort_keys=True) + "\n").encode())
