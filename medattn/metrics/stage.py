"""Stage 4: grids and answers -> one row per sample, one per question, and the aggregate tables."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import click
from tqdm import tqdm

from medattn.base import paths
from medattn.base.params.metrics import MetricsParams
from medattn.base.params.reading import load_sections
from medattn.base.rows import SampleRow
from medattn.base.tables import fresh_directory, write_csv
from medattn.disclosure.private_files import protect
from medattn.metrics import export, inputs, published
from medattn.metrics.anatomy import Places
from medattn.metrics.columnar import Columns
from medattn.metrics.evaluation import Evaluation
from medattn.metrics.inputs import Store
from medattn.metrics.protected import publishable
from medattn.metrics.rows import columns, evaluate
from medattn.metrics.samples_by_image import SamplesByImage, samples_by_image
from medattn.metrics.table import declared
from medattn.metrics.tables.headline import HEADLINE
from medattn.radiographs.bodies import Bodies
from medattn.study.caveats import caveat, marked
from medattn.study.schema import read_study


def run(params: MetricsParams, root: Path = Path(".")) -> str:
    """Compute and write every output of the stage below `root`; one line that says what was written."""
    study = read_study(root / params.study)
    protect(study, root)
    with ExitStack() as stack:  # what is written takes its place when everything is computed
        samples = stack.enter_context(samples_by_image(root / paths.MANIFEST, root / paths.ANSWERS))
        store = inputs.read_store(root / paths.GRIDS_STORE, params.aggregate.profiles, samples.with_grid())
        parts = {path: stack.enter_context(fresh_directory(root / path)) for path in (paths.GRIDS, paths.GROUPS, paths.TABLES)}
        places = Places(Bodies(root / paths.BODIES))
        rows = Columns.of(_evaluated(samples, store, places, params, parts[paths.GRIDS]), by="sample_id")
        of = Evaluation(rows, store, places, study, params)
        safe = publishable(of)
        by_name = {table.name: some for table, some in safe.items()}
        compared = published.published(root / paths.PUBLISHED, study.about.name, by_name)
        said = caveat(study, params.limit)
        write_csv(parts[paths.TABLES] / "published.csv", *marked(published.COLUMNS, compared, said))
        outputs = []
        for table in declared():
            outputs.append(table.output)
            if table.output == paths.GROUPS:
                write_csv(parts[paths.GROUPS] / f"{table.name}.csv", table.columns, table.rows(of))
            elif table.output == paths.TABLES:
                marks = marked(table.columns, safe[table], said)
                write_csv(parts[paths.TABLES] / f"{table.name}.csv", *marks)
        write_csv(root / paths.EVALUATION, columns(store), rows.only(columns(store)))
        export.write_json(root / paths.METRICS, safe[HEADLINE][0])
    counts = f"{outputs.count(paths.GROUPS)} tables by question or image, {outputs.count(paths.TABLES) + 1} aggregate tables"
    return f"{len(rows)} rows, {len(store.samples)} grids, {counts}"


def _evaluated(
    samples: SamplesByImage, store: Store, places: Places, params: MetricsParams, grids: Path
) -> Iterator[SampleRow]:
    """Evaluation rows, image by image, each written to `grids` with its grid, with the SHA-256 that `places` asks for."""
    profiles = {name: profile.model_dump() for name, profile in params.aggregate.profiles.items()}
    with tqdm(total=len(samples), desc="metrics", unit="sample") as bar:
        for some, answers in samples:
            for sample, row in zip(some, evaluate(some, answers, store, places), strict=True):
                if row["sample_id"] in store.samples:
                    export.write_grid(grids, row, places(sample), store, profiles)
                yield row | {"image_sha256": sample["image_sha256"]}
            bar.update(len(some))


@click.command(name="metrics")
def command() -> None:
    """Stage 4: grids and answers -> tables."""
    paths.check_root()
    click.echo(f"metrics: wrote {run(load_sections(MetricsParams))}")
