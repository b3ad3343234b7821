"""docs/metrics.md names every column, and its zones are those of the code."""

from pathlib import Path

import pytest

from medattn.measures.localisation import ZONES
from medattn.metrics.grid_metrics import COLUMNS
from medattn.metrics.rows import ANSWER
from medattn.metrics.tables import groups, headline

PAGE = Path("docs/metrics.md").read_text(encoding="utf-8")
ZONE_TABLE = PAGE.split("## Zones")[1].split("\n## ")[0]


def test_every_column_of_a_sample_and_of_a_question_is_explained():
    own = set(groups.QUESTION_COLUMNS) - {"question_id", "condition", "strength", "image_id", "subject_id", "finding",
                                          "ground_truth", "baseline_parsed", "baseline_correct"}  # fmt: skip
    shortened = {"pearson_to_baseline": "pearson_…", "cosine_to_baseline": "cosine_…"}
    for name in {*ANSWER, *COLUMNS, *own}:
        assert f"`{shortened.get(name, name)}`" in PAGE, name


def test_every_number_of_metrics_json_is_explained():
    for name in headline.headline([], [], []):
        assert f"`{name}`" in PAGE.split("## `reports/metrics.json`")[1], name


@pytest.mark.parametrize("finding", sorted(ZONES))
def test_the_zone_table_equals_the_code(finding):
    lines = [line.split("|")[1:4] for line in ZONE_TABLE.splitlines() if line.startswith("| ")]
    found = [cells[1:] for cells in lines if finding in [name.strip() for name in cells[0].split(",")]]
    edges = [
        2 / 3 if edge == "⅔" else float(edge)
        for cell in found[0]
        for edge in cell.strip().split("–")
    ]  # fmt: skip
    x0, y0, x1, y1 = ZONES[finding]
    assert edges == pytest.approx([x0, x1, y0, y1])
