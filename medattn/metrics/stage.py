"""Stage 4: grids and answers -> one row per sample, one per question, and the aggregate tables."""

from collections import defaultdict
from pathlib import Path

import click
from tqdm import tqdm

from medattn.base import params as parameters
from medattn.base import paths, sample_tables
from medattn.base.params import Params
from medattn.base.tables import Row, fresh_directory, write_csv
from medattn.disclosure.private_files import protect
from medattn.disclosure.suppression import least_patients
from medattn.metrics import export, inputs, protected, published
from medattn.metrics.anatomy import Places
from medattn.metrics.inputs import Store
from medattn.metrics.rows import columns, evaluate
from medattn.metrics.tables import (
    agreement,
    correctness,
    groups,
    hypotheses,
    localisation,
    occlusion,
    reliance,
    robustness,
    sinks,
    strategies,
    summaries,
)
from medattn.metrics.tables.localisation import PlaceOf
from medattn.radiographs.films import Films
from medattn.study.schema import Study, read_study

Table = tuple[tuple[str, ...], list[Row]]  # columns, rows


def run(params: Params, root: Path = Path(".")) -> str:
    """Compute and write every output of the stage below `root`; one line that says what was written."""
    by_id = sample_tables.read(root / paths.MANIFEST, sample_tables.MANIFEST, "prepare")
    answers = inputs.read_answers(root / paths.ANSWERS, by_id)
    with_grid = [sample_id for sample_id, row in answers.items() if row["status"] == "ok"]
    settings = params.aggregate.profiles
    store = inputs.read_store(root / paths.GRIDS_STORE, settings, with_grid)
    study = read_study(root / params.study)
    protect(study, root)
    places = Places(Films(study))
    by_image = defaultdict(list)
    for sample in by_id.values():
        by_image[sample["image_id"]].append(sample)
    place_of = localisation.place_of_rows(places, by_id)

    rows: list[Row] = []
    with tqdm(total=2 * len(by_id), desc="metrics", unit="sample") as bar:
        for _, some in sorted(by_image.items()):
            rows += evaluate(some, answers, store, places)
            bar.update(len(some))
        rows.sort(key=lambda row: row["sample_id"])
        grouped, tables, headline = tables_of(rows, store, place_of, study, params, root)
        # Everything is computed; from here on results are replaced.
        grids = export.write_grids(root / paths.GRIDS, rows, store, place_of, settings, bar.update)
    write_csv(root / paths.EVALUATION, columns(store), rows)
    for directory, content in ((paths.GROUPS, grouped), (paths.TABLES, tables)):
        with fresh_directory(root / directory) as part:
            for name, (names, table) in content.items():
                write_csv(part / f"{name}.csv", names, table)
    export.write_json(root / paths.METRICS, headline)
    return f"{len(rows)} rows, {grids} grids, {len(grouped)} tables by question or image, {len(tables)} aggregate tables"


def tables_of(
    rows: list[Row], store: Store, place_of: PlaceOf, study: Study, params: Params, root: Path
) -> tuple[dict[str, Table], dict[str, Table], Row]:
    """Tables with a row per question or image (results/groups), aggregate tables (reports/tables), the headline."""
    chosen = params.metrics
    questions, contrast = groups.question_rows(rows, store), groups.contrast_rows(rows, store)
    relied = reliance.reliance_rows(rows, questions)
    located, unsunk = (localisation.located(rows, store, place_of, without_sinks) for without_sinks in (False, True))
    occluded, sunk = occlusion.occlusion_pairs(rows), sinks.sink_images(rows, store)
    by_question = {
        "questions": (groups.QUESTION_COLUMNS, questions),
        "js_contrast": (groups.CONTRAST_COLUMNS, contrast),
        "reliance": (reliance.RELIANCE, relied),
        "occlusion": (occlusion.PAIRS, occluded),
        "sinks": (sinks.SINK_IMAGES, sunk),
    }
    exposure = study.about.strategy_exposure or {}
    tables = {
        "by_strategy": (strategies.BY_STRATEGY, strategies.by_strategy(rows, chosen)),
        "exposure_order": (strategies.EXPOSURE_ORDER, strategies.exposure_order(rows, exposure, chosen)),
        "by_finding": (summaries.BY_FINDING, summaries.by_finding(rows, chosen)),
        "robustness": (robustness.ROBUSTNESS, robustness.robustness(rows, contrast, chosen)),
        "consistency": (agreement.CONSISTENCY, agreement.consistency_table(rows, questions, chosen)),
        "flips": (agreement.FLIPS, agreement.flips(rows, chosen)),
        "correct_incorrect": (correctness.CORRECT_INCORRECT, correctness.correct_incorrect(rows, chosen)),
        "image_reliance": (reliance.IMAGE_RELIANCE, reliance.image_reliance(relied, chosen)),
        "localisation": (localisation.LOCALISATION, localisation.localisation_table(located, unsunk, chosen)),
        "layer_head": (localisation.LAYER_HEAD, localisation.layer_head(rows, store, place_of)),
        "occlusion": (occlusion.OCCLUSION, occlusion.occlusion(occluded, chosen)),
        "sinks": (sinks.SINKS, sinks.sinks(rows, sunk, store, place_of, chosen)),
        "hypotheses": (hypotheses.COLUMNS, hypotheses.hypotheses(located, contrast, rows, store, chosen)),
        "js_distribution": (groups.DISTRIBUTION, groups.js_distribution(contrast)),
        "metric_summary": (summaries.METRIC_SUMMARY, summaries.metric_summary(rows, store, chosen)),
        "profiles": (summaries.PROFILES, summaries.profiles(rows, store, params.aggregate.profiles)),
    }
    headline = summaries.headline(rows, questions, contrast)
    plain = {name: table for name, (_, table) in tables.items()}
    if least_patients(study.licence) > 1:
        sources = protected.Sources(
            rows, questions, contrast, relied, occluded, sunk, {"keep": located, "zero": unsunk}, store, place_of
        )
        plain, headline = protected.protected(plain, headline, sources)
        tables = {name: (names, plain[name]) for name, (names, _) in tables.items()}
        rows = rows if protected.shows(plain["metric_summary"], published.MEANS) else []
    compared = published.published(root / paths.PUBLISHED, study.about.name, rows, plain, headline)
    return by_question, tables | {"published": (published.COLUMNS, compared)}, headline


@click.command(name="metrics")
def command() -> None:
    """Stage 4: grids and answers -> tables."""
    paths.check_root()
    click.echo(f"metrics: wrote {run(parameters.load())}")
