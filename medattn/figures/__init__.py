"""Stage 5: tables and grids -> figures. It draws what the tables hold and computes nothing that anyone would quote."""

from pathlib import Path

import click
from matplotlib import pyplot as plt
from tqdm import tqdm

from medattn import paths
from medattn.figures import contrast, distributions, examples, films, layers, strategies, style
from medattn.figures.inputs import Results, read_results
from medattn.params import Params
from medattn.params import load as load_params
from medattn.study.films import Films
from medattn.study.schema import Study, read_study
from medattn.tables import fresh_directory

SCREEN_DPI = 150  # overlays are looked at, not printed


def run(params: Params, root: Path = Path(".")) -> list[str]:
    """Draw everything below `root`; returns notes about examples that no sample was found for.

    reports/ may be published, so a credentialed study's example, which shows a radiograph, goes to
    results/visualizations.
    """
    study = read_study(root / params.study)
    results = read_results(root)
    chosen, notes = examples.choose(results.clean(), params.figures.examples)
    shown = Films(study)
    with (
        fresh_directory(root / paths.FIGURES) as figures,
        fresh_directory(root / paths.OVERLAYS) as overlays,
        fresh_directory(root / paths.VISUALIZATIONS) as visualizations,
    ):
        _charts(results, figures, params.figures.dpi)
        _example(results, shown, params, figures if study.licence == "open" else visualizations, notes)
        _pictures(results, shown, chosen, overlays, visualizations)
    return notes


def _charts(results: Results, out: Path, dpi: int) -> None:
    tables = results.tables
    style.save_both(distributions.draw(results.clean()), out, "metric_distributions", dpi)
    style.save_both(strategies.draw(tables["by_strategy"], tables["robustness"]), out, "accuracy_by_strategy", dpi)
    style.save_both(contrast.draw(results.contrast), out, "js_contrast", dpi)
    style.save_both(layers.draw(tables["layer_head"], tables["profiles"]), out, "layer_head", dpi)


def _example(results: Results, shown: Films, params: Params, out: Path, notes: list[str]) -> None:
    row = examples.first_with_region(results.clean(), params.figures.examples)
    if row is None:
        notes.append("example: no sample has a grid")
        return
    fig = films.example(row, shown(row.image_id), results.grids[row.sample_id])
    style.save_both(fig, out, "example", params.figures.dpi)


def _pictures(results: Results, shown: Films, chosen, overlays: Path, visualizations: Path) -> None:
    questions = sorted(set(chosen.question_id))
    clean = results.clean()
    with tqdm(total=len(chosen) + len(questions), desc="figures", unit="figure") as progress:
        for _, row in chosen.iterrows():
            finding = row.finding if row.ground_truth == "yes" else None
            fig = films.overlay(films.caption(row), shown(row.image_id), results.grids[row.sample_id], finding)
            _save(fig, overlays / f"{row.sample_id}.png", progress)
        for question_id in questions:
            rows = clean[clean.question_id == question_id]
            rows = rows.iloc[rows.variant_index.astype(int).argsort(kind="stable")]
            grids = [results.grids[sample_id] for sample_id in rows.sample_id]
            fig = films.wordings(rows, shown(rows.iloc[0].image_id), grids)
            _save(fig, visualizations / f"{question_id}.png", progress)


def _save(fig, path: Path, progress) -> None:
    style.save(fig, path, SCREEN_DPI)
    plt.close(fig)
    progress.update()


@click.command(name="figures")
def command() -> None:
    """Draw the figures, and overlays of the examples that the rules of params.yaml choose."""
    paths.check_root()
    params = load_params()
    notes = run(params)
    for note in notes:
        click.echo(f"note: {note}")
    click.echo(f"figures -> {paths.FIGURES}, {paths.OVERLAYS}, {paths.VISUALIZATIONS}")
