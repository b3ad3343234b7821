"""CONTRIBUTING's recipes hold: a table is a module and a line of the report, a figure a module and its place on the page."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.import_closure import ROOT

pytestmark = pytest.mark.slow

COPIED = ("medattn", "tests", "requirements", "reference", "dvc.yaml", "params.yaml", "pyproject.toml", "medical_terms.txt")
TABLE = '''"""Accuracy by the view of the image."""

from medattn.base.tables import Row
from medattn.metrics.evaluation import Evaluation
from medattn.metrics.samples import study_rows
from medattn.metrics.table import Table
from medattn.metrics.values import count_of_patients, mean_of

COLUMNS = ("view", "n", "patients", "accuracy", "few_patients")


def by_view(of: Evaluation) -> list[Row]:
    clean = study_rows(of.rows)
    views = {view: [row for row in clean if row["view"] == view] for view in sorted({row["view"] for row in clean})}
    return [
        {"view": view, **count_of_patients(some), "accuracy": mean_of(some, "correct")} for view, some in views.items()
    ]


TABLES = (Table("by_view", COLUMNS, by_view, keys=("view",)),)
'''
LAYOUT = """    "by_view": Layout(
        ("view",),
        (Column("View", "view"), Column("n", "n", "count"), _share("Accuracy", "accuracy")),
        "Answers by view.",
        section="correct",
    ),
"""
CHART = '''"""Accuracy by the view of the image."""

import pandas as pd
from matplotlib.figure import Figure

from medattn.figures import style
from medattn.figures.columns import numbers
from medattn.figures.declarations import Chart, table


def draw(by_view: pd.DataFrame) -> Figure:
    fig = style.figure(style.PAGE_MM, 40)
    fig.subplots().bar(by_view.view, numbers(by_view.accuracy))
    return fig


CHART = Chart("by_view", "Accuracy by view", "One bar per view.", "Bars.", (table("by_view"),), draw)
'''
PROGRAM = """
import json, sys
from pathlib import Path
from medattn.figures import stage as figures
from medattn.metrics import stage as metrics
from medattn.release import members
from medattn.reproduce.verify.sources import sources
from tests.metrics.conftest import make_params, make_root

root = make_root(Path(sys.argv[1]))
params = make_params()
metrics.run(params, root)
figures.run(params.model_copy(update={"figures": params.figures.model_copy(update={"dpi": 72})}), root)
found, problems = members.read(root, "open")
print(json.dumps({
    "code": metrics.__file__, "sources": sources("reports/figures/by_view.pdf"), "files": sorted(found), "problems": problems,
    "table": (root / "reports/tables/by_view.csv").read_text(), "page": (root / "reports/index.html").read_text(),
}))
"""


def insert(path: Path, before: str, text: str) -> None:
    content = path.read_text(encoding="utf-8")
    assert content.count(before) == 1
    path.write_text(content.replace(before, text + before), encoding="utf-8")


def run(copy: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(copy)}
    done = subprocess.run([sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


def test_a_table_and_a_figure_are_added_by_two_files_each_and_everybody_follows(tmp_path):
    copy = tmp_path / "copy"
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    (copy / "medattn/metrics/tables/by_view.py").write_text(TABLE)
    insert(copy / "medattn/report/tables.py", '    "by_strategy": Layout(\n', LAYOUT)
    (copy / "medattn/figures/charts/by_view.py").write_text(CHART)
    outline = copy / "medattn/figures/outline.py"
    insert(outline, "    correct_incorrect,\n", "    by_view,\n")
    insert(outline, "metric_distributions.CHART)),\n", "by_view.CHART, ")

    assert run(copy, "-m", "requirements.modules", "--check", check=False).returncode != 0
    run(copy, "-m", "requirements.modules")
    run(copy, "-m", "requirements.modules", "--check")
    listed = (copy / "dvc.yaml").read_text()
    assert "- medattn/metrics/tables/by_view.py\n" in listed and "- medattn/figures/charts/by_view.py\n" in listed

    done = json.loads(run(copy, "-c", PROGRAM, str(tmp_path / "root")).stdout.splitlines()[-1])
    assert done["code"].startswith(str(copy))
    assert done["sources"] == ["reports/tables/by_view.csv"]
    assert done["table"].splitlines()[0] == "view,n,patients,accuracy,few_patients" and len(done["table"].splitlines()) > 1
    made = {
        "reports/tables/by_view.csv",
        "reports/latex/by_view.tex",
        "reports/figures/by_view.pdf",
        "reports/figures/by_view.png",
    }
    assert made <= set(done["files"]) and done["problems"] == []
    assert "Accuracy by view" in done["page"] and "Answers by view." in done["page"]
