"""Figures, report and gallery of a run with samples that could not be computed; their images cannot be read."""

import pandas as pd
import pytest

from medattn.base import paths
from medattn.figures import stage
from medattn.figures.outline import CHARTS
from medattn.metrics.stage import run as run_metrics
from tests.figures.test_figures import settings
from tests.metrics.conftest import make_params
from tests.metrics.failing import failing_root
from tests.metrics.test_failed_samples import SCENARIOS
from tests.report.conftest import read_shards

FAST = ("an image", "what shows an image")


@pytest.mark.parametrize("name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in SCENARIOS])
@pytest.mark.filterwarnings("ignore:Attempting to set identical low and high:UserWarning")
def test_every_chart_is_drawn_and_no_picture_is_made_of_a_sample_that_failed(tmp_path, name):
    root = failing_root(tmp_path, SCENARIOS[name])
    run_metrics(make_params(), root)
    stage.run(settings(), root)
    failed = set(pd.read_csv(root / paths.FAILURES)["sample_id"])
    assert {f"{chart.name}.png" for chart in CHARTS if chart.is_public} <= {
        path.name for path in (root / paths.FIGURES).iterdir()
    }
    assert not {path.stem for path in (root / paths.OVERLAYS).iterdir()} & failed
    shards = (entries for name, entries in read_shards(root / paths.GALLERY).items() if name.startswith("finding-"))
    shown = {row[0] for entries in shards for rows in entries for row in rows}
    rows = pd.read_csv(root / paths.EVALUATION).query("role == 'study'")
    assert shown == set(rows["sample_id"]) - failed
    report = (root / paths.REPORT).read_text(encoding="utf-8")
    assert f"{len(pd.read_csv(root / paths.MANIFEST))} samples, of which {len(failed)} could not be computed" in report
