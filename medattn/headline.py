"""Print what a run found, in one screen, and where to look."""

from pathlib import Path

import click

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.params.figures import FiguresParams
from medattn.base.params.reading import load_sections
from medattn.base.tables import read_numbers, read_table
from medattn.study.caveats import caveat
from medattn.study.schema import read_study

NUMBERS = ("n_samples", "n_failed", "accuracy_no_image", "region_enrichment", "js_other_finding", "js_other_variant")
COLUMNS = ("strategy", "n", "accuracy", "95 % interval", "flips", "95 % interval", "JS to baseline")


def _percent(cell: str) -> str:
    return f"{100 * float(cell):.1f} %" if cell else "–"


def _interval(low: str, high: str) -> str:
    return f"{100 * float(low):.1f} – {100 * float(high):.1f}" if low and high else "–"


def lines(root: Path = Path(".")) -> list[str]:
    """The headline table as lines of text. Raises InputError if the tables are not there."""
    table, maps, numbers = (
        root / paths.TABLES / "by_strategy.csv",
        root / paths.TABLES / "localisation.csv",
        root / paths.METRICS,
    )
    for path in (table, maps, numbers):
        if not path.exists():
            raise InputError(f"{path} not found: run `dvc repro` first")
    rows = [
        (
            row["strategy"], row["n"],
            _percent(row["accuracy"]), _interval(row["accuracy_low"], row["accuracy_high"]),
            _percent(row["flip_rate"]), _interval(row["flip_low"], row["flip_high"]),
            f"{float(row['js_to_baseline']):.2g}" if row["js_to_baseline"] else "–",
        )
        for row in read_table(table, None, may_be_empty=True)
    ]  # fmt: skip
    widths = [max(len(line[column]) for line in (COLUMNS, *rows)) for column in range(len(COLUMNS))]
    made = []
    for first, *others in (COLUMNS, *rows):
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        made.append("  ".join([first.ljust(widths[0]), *cells]))
    made.insert(1, "─" * len(made[0]))
    beside = [
        row
        for row in read_table(maps, None, may_be_empty=True)
        if (row["finding"], row["sinks"]) == ("all", "keep") and row["map"] != "model"
    ]
    found = read_numbers(numbers, NUMBERS)
    return [*made, "", *_sentences(found, beside), *_failures(found)]


def _failures(numbers: dict) -> list[str]:
    """What is missing from all of the above; None: fewer patients' than a credentialed study may count."""
    if numbers["n_failed"] == 0:
        return []
    count = "A few" if numbers["n_failed"] is None else f"{numbers['n_failed']:,}"
    return [
        f"{count} of {numbers['n_samples']:,} samples could not be computed and count nowhere above: {paths.FAILURES} says why."
    ]


def _sentences(numbers: dict, maps: list[dict]) -> list[str]:
    said = []
    if numbers["accuracy_no_image"] is not None:
        said.append(
            f"Without the image {_percent(str(numbers['accuracy_no_image']))} of the answers are right; what is neither yes nor"
            " no is wrong."
        )
    if numbers["region_enrichment"] is not None:
        best = max(
            (row for row in maps if row["region_enrichment"]), key=lambda row: float(row["region_enrichment"]), default=None
        )
        beside = (
            f"; the best baseline map, {best['map'].replace('_', ' ')}, gets {float(best['region_enrichment']):.2f}"
            if best
            else ""
        )
        said.append(
            f"The true region gets {numbers['region_enrichment']:.2f} times its share of attention (1 = chance{beside})."
        )
    if numbers["js_other_finding"] is not None and numbers["js_other_variant"] is not None:
        said.append(
            f"Attention differs by {numbers['js_other_finding']:.2g} bits (JS divergence) when another finding is asked, "
            f"by {numbers['js_other_variant']:.2g} when the same is asked in other words."
        )
    return said


@click.command(name="headline")
def command() -> None:
    """Print the headline table of the last run."""
    paths.check_root()
    params = load_sections(FiguresParams)
    if said := caveat(read_study(Path(params.study)), params.limit):
        click.echo(f"{said[0].upper()}{said[1:]}.\n")
    click.echo("\n".join(lines()))
    click.echo(f"\nFigures: {paths.FIGURES}/   tables: {paths.TABLES}/   every sample: {paths.EVALUATION}")
    click.echo(f"Overlays: {paths.OVERLAYS}/   all variants of a question: {paths.VISUALIZATIONS}/")
