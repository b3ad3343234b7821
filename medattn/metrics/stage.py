"""Stage 4: grids and answers -> one row per sample, one per question, and the aggregate tables."""

from collections import defaultdict
from pathlib import Path

import click
from tqdm import tqdm

from medattn.base import paths, sample_tables
from medattn.base.params.metrics import MetricsParams
from medattn.base.params.reading import load_sections
from medattn.base.rows import SampleRow
from medattn.base.tables import fresh_directory, write_csv
from medattn.disclosure.private_files import protect
from medattn.metrics import export, inputs, published
from medattn.metrics.anatomy import Places, place_of_rows
from medattn.metrics.evaluation import Evaluation
from medattn.metrics.protected import publishable
from medattn.metrics.rows import columns, evaluate
from medattn.metrics.table import declared
from medattn.metrics.tables.headline import HEADLINE
from medattn.radiographs.bodies import Bodies
from medattn.study.schema import read_study


def run(params: MetricsParams, root: Path = Path(".")) -> str:
    """Compute and write every output of the stage below `root`; one line that says what was written."""
    by_id = sample_tables.read(root / paths.MANIFEST, sample_tables.MANIFEST, "prepare")
    answers = inputs.read_answers(root / paths.ANSWERS, by_id)
    with_grid = [sample_id for sample_id, row in answers.items() if row["status"] == "ok"]
    store = inputs.read_store(root / paths.GRIDS_STORE, params.aggregate.profiles, with_grid)
    study = read_study(root / params.study)
    protect(study, root)
    places = Places(Bodies(root / paths.BODIES))
    by_image = defaultdict(list)
    for sample in by_id.values():
        by_image[sample["image_id"]].append(sample)

    rows: list[SampleRow] = []
    with tqdm(total=2 * len(by_id), desc="metrics", unit="sample") as bar:
        for _, some in sorted(by_image.items()):
            rows += evaluate(some, answers, store, places)
            bar.update(len(some))
        rows.sort(key=lambda row: row["sample_id"])
        of = Evaluation(rows, store, place_of_rows(places, by_id), study, params)
        made = {table: table.rows(of) for table in declared() if table.output == paths.GROUPS}
        made |= (safe := publishable(of))
        by_name = {table.name: rows for table, rows in safe.items()}
        compared = published.published(root / paths.PUBLISHED, study.about.name, by_name)
        # Everything is computed; from here on results are replaced.
        grids = export.write_grids(root / paths.GRIDS, of, bar.update)
    write_csv(root / paths.EVALUATION, columns(store), rows)
    for directory in (paths.GROUPS, paths.TABLES):
        with fresh_directory(root / directory) as part:
            for table in made:
                if table.output == directory:
                    write_csv(part / f"{table.name}.csv", table.columns, made[table])
            if directory == paths.TABLES:
                write_csv(part / "published.csv", published.COLUMNS, compared)
    export.write_json(root / paths.METRICS, made[HEADLINE][0])
    outputs = [table.output for table in made]
    counts = f"{outputs.count(paths.GROUPS)} tables by question or image, {outputs.count(paths.TABLES) + 1} aggregate tables"
    return f"{len(rows)} rows, {grids} grids, {counts}"


@click.command(name="metrics")
def command() -> None:
    """Stage 4: grids and answers -> tables."""
    paths.check_root()
    click.echo(f"metrics: wrote {run(load_sections(MetricsParams))}")
