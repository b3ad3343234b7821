"""Stage 4: grids and answers -> one row per sample, one per question, and the aggregate tables."""

from collections import defaultdict
from pathlib import Path

import click
from tqdm import tqdm

from medattn import params as parameters
from medattn import paths
from medattn.metrics import export, groups, inputs, summaries
from medattn.metrics.places import place_of
from medattn.metrics.rows import columns, evaluate
from medattn.params import Params
from medattn.study.schema import read_study
from medattn.tables import fresh_directory, write_csv


def run(params: Params, root: Path = Path(".")) -> str:
    """Compute and write every output of the stage below `root`; one line that says what was written."""
    samples = inputs.read_table(root / paths.MANIFEST, inputs.MANIFEST_COLUMNS, "prepare")
    answers = inputs.read_answers(root / paths.ANSWERS, [sample["sample_id"] for sample in samples])
    with_grid = [sample_id for sample_id, row in answers.items() if row["status"] == "ok"]
    settings = params.aggregate.profiles
    store = inputs.read_store(root / paths.GRIDS_STORE, settings, with_grid)
    study = read_study(root / params.study)
    regions = defaultdict(list)
    for region in study.regions():
        regions[region["image_id"]].append(region)

    by_image = defaultdict(list)
    for sample in samples:
        by_image[sample["image_id"]].append(sample)
    rows, places = [], {}
    with tqdm(total=2 * len(samples), desc="metrics", unit="sample") as bar:
        for image_id, some in sorted(by_image.items()):
            places[image_id] = place_of(some, regions.get(image_id, []), study.image_root, study.directory)
            rows += evaluate(some, answers, store, places[image_id])
            bar.update(len(some))
        rows.sort(key=lambda row: row["sample_id"])
        questions, contrast = groups.question_rows(rows, store), groups.contrast_rows(rows, store)
        tables = {
            "by_strategy": (summaries.BY_STRATEGY, summaries.by_strategy(rows, params.metrics)),
            "by_finding": (summaries.BY_FINDING, summaries.by_finding(rows, params.metrics)),
            "by_condition": (summaries.BY_CONDITION, summaries.by_condition(rows, params.metrics)),
            "metric_summary": (summaries.METRIC_SUMMARY, summaries.metric_summary(rows, store, params.metrics)),
            "layer_head": (summaries.LAYER_HEAD, summaries.layer_head(rows, store, places)),
            "profiles": (summaries.PROFILES, summaries.profiles(rows, store, settings)),
        }
        # Everything is computed; from here on results are replaced.
        grids = export.write_grids(root / paths.GRIDS, rows, store, places, settings, bar.update)
    write_csv(root / paths.EVALUATION, columns(store), rows)
    with fresh_directory(root / paths.GROUPS) as part:
        write_csv(part / "questions.csv", groups.QUESTION_COLUMNS, questions)
        write_csv(part / "js_contrast.csv", groups.CONTRAST_COLUMNS, contrast)
    with fresh_directory(root / paths.TABLES) as part:
        for name, (names, table) in tables.items():
            write_csv(part / f"{name}.csv", names, table)
    export.write_json(root / paths.METRICS, summaries.headline(rows, questions, contrast))
    return f"{len(rows)} rows, {grids} grids, {len(questions)} questions, {len(tables)} tables"


@click.command(name="metrics")
def command() -> None:
    """Stage 4: grids and answers -> tables."""
    paths.check_root()
    click.echo(f"metrics: wrote {run(parameters.load())}")
