"""Stage 5: tables and grids -> figures, LaTeX, report and gallery.

It draws what the tables hold and computes nothing that anyone would quote.
"""

from dataclasses import replace
from pathlib import Path

import click
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from tqdm import tqdm

from medattn.base import paths
from medattn.base.params.figures import FiguresParams
from medattn.base.params.reading import load_sections
from medattn.base.tables import fresh_directory, write_bytes
from medattn.disclosure.private_files import protect
from medattn.disclosure.suppression import least_patients
from medattn.figures import examples, gallery_data, panels, style
from medattn.figures.declarations import BODY_MASKS, RADIOGRAPHS, RULES, Chart
from medattn.figures.inputs import Results, read_results
from medattn.figures.outline import CHARTS, OUTLINE, charts
from medattn.radiographs.bodies import Bodies
from medattn.radiographs.reader import RadiographReader
from medattn.report import gallery_page, latex, page, sections
from medattn.report.tables import LATEX
from medattn.study.caveats import caveat, noted
from medattn.study.schema import Study, read_study, settings

SCREEN_DPI = 150  # overlays are looked at, not printed
REPORT_DPI, DENSITY = 220, 2  # figures inside the report: sharp on any screen, and small
GALLERY_NOTE = "Attention of the last prompt token, drawn where it exceeds an even spread."


def run(params: FiguresParams, root: Path = Path(".")) -> list[str]:
    """Draw everything below `root`; returns notes about examples that no sample was found for.

    reports/ may be published, so a credentialed study's example, which shows a radiograph, goes to
    results/visualizations and not into the report.
    """
    study = read_study(root / params.study)
    protect(study, root)
    results = read_results(root, least_patients(study.licence))
    reader = RadiographReader(study, Bodies(root / paths.BODIES))
    said = caveat(study, params.limit)
    title = noted(study.about.title, said)
    chosen, notes = examples.choose(results.clean(), params.figures.examples)
    with (
        fresh_directory(root / paths.OVERLAYS) as overlays,
        fresh_directory(root / paths.VISUALIZATIONS) as visualizations,
    ):
        _examples(results, reader, chosen, said, overlays, visualizations)
        images = gallery_data.images(results, reader)
        browsed = gallery_page.html(title, GALLERY_NOTE, images, gallery_data.samples(results))
        notes += publish(params, study, results, visualizations, root)
    write_bytes(root / paths.GALLERY, browsed.encode())
    return notes


def publish(params: FiguresParams, study: Study, results: Results, private: Path, root: Path) -> list[str]:
    """Write what may be published (figures, LaTeX, page) below `root`, and every other chart into the directory `private`.

    Returns a note for every chart that there is nothing to draw of.
    """
    notes, said = [], caveat(study, params.limit)
    title = noted(study.about.title, said)
    with fresh_directory(root / paths.FIGURES) as figures, fresh_directory(root / paths.LATEX) as tex:
        shown = {}
        publishable = charts(study.licence)
        reader = RadiographReader(study, Bodies(root / paths.BODIES))
        given = results.given | {RADIOGRAPHS: reader, RULES: params.figures.examples}
        for chart in CHARTS:
            fig = chart.figure(given)
            if fig is None:
                notes.append(f"{chart.name}: no sample has a grid")
                continue
            style.annotate(fig, said)
            public = chart.name in publishable
            kept = _kept(fig, chart, figures if public else private, params.figures.dpi, results.least_patients)
            if public:
                shown[chart.name] = replace(kept, title=noted(kept.title, said))
        frames = {name: sections.rows_of(frame) for name, frame in results.tables.items()}
        for name, layout in LATEX.items():
            write_bytes(tex / f"{name}.tex", latex.table(frames[name], layout, said).encode())
        write_bytes(tex / "values.tex", latex.values(frames, results.headline, said).encode())
        model, _ = settings(study, params)
        parts = [(heading, [shown[one.name] for one in some if one.name in shown]) for heading, some in OUTLINE]
        report = page.html(
            title,
            [
                *sections.about(study.about, results.headline, model.id),
                *sections.doubtful_masks(results.frames[BODY_MASKS], results.least_patients),
            ],
            sections.headline(results.headline, results.tables["localisation"]),
            sections.sections(parts, results.tables, said),
        )
    write_bytes(root / paths.REPORT, report.encode())
    return notes


def _kept(fig: Figure, chart: Chart, directory: Path, dpi: int, least: int) -> page.Figure:
    """Write a chart's figure for print, and return it as the report shows it."""
    png = style.small_png(fig, REPORT_DPI)
    style.save_both(fig, directory, chart.name, dpi)
    files = tuple(f"figures/{chart.name}{suffix}" for suffix in (".pdf", ".png"))
    return page.Figure(chart.name, chart.title, *chart.words(least), png, files, DENSITY)


def _examples(
    results: Results, shown: RadiographReader, chosen: pd.DataFrame, said: str, overlays: Path, visualizations: Path
) -> None:
    """One overlay per chosen sample, and every variant of its question side by side, each with the run's note."""
    questions = sorted(set(chosen.question_id))
    clean = results.clean()
    with tqdm(total=len(chosen) + len(questions), desc="figures", unit="figure") as progress:
        for _, row in chosen.iterrows():
            finding = row.finding if row.ground_truth == "yes" else None
            fig = panels.overlay(panels.caption(row), shown(row.image_id), results.grids[row.sample_id], finding)
            style.annotate(fig, said)
            _save(fig, overlays / f"{row.sample_id}.png", progress)
        for question_id in questions:
            rows = clean[clean.question_id == question_id]
            rows = rows.iloc[rows.variant_index.astype(int).argsort(kind="stable")]
            grids = [results.grids[sample_id] for sample_id in rows.sample_id]
            fig = panels.variants(rows, shown(rows.iloc[0].image_id), grids)
            style.annotate(fig, said)
            _save(fig, visualizations / f"{question_id}.png", progress)


def _save(fig: Figure, path: Path, progress: tqdm) -> None:
    style.save(fig, path, SCREEN_DPI)
    plt.close(fig)
    progress.update()


@click.command(name="figures")
def command() -> None:
    """Draw the figures, and overlays of the examples that the rules of params.yaml choose."""
    paths.check_root()
    params = load_sections(FiguresParams)
    notes = run(params)
    for note in notes:
        click.echo(f"note: {note}")
    click.echo(
        f"figures -> {paths.FIGURES}, {paths.LATEX}, {paths.REPORT}, {paths.GALLERY}, {paths.OVERLAYS}, {paths.VISUALIZATIONS}"
    )
