"""Charts and report of a credentialed study: no mark, limit or number stands for fewer than 5 patients."""

import re

import numpy as np
import pandas as pd
import pytest

from medattn.base import paths
from medattn.disclosure import hexagons
from medattn.disclosure.distributions import merged_bins, steady_edges
from medattn.disclosure.suppression import LEAST, SUPPRESSED
from medattn.figures import stage, style
from medattn.figures.charts import flips_margins, image_reliance, js_contrast, metric_distributions, occlusion, sinks
from medattn.figures.columns import numbers
from medattn.figures.inputs import read_results
from medattn.figures.outline import CHARTS
from medattn.metrics.stage import run as run_metrics
from medattn.report import latex, sections
from medattn.report.tables import LAYOUTS
from tests.disclosure.test_suppression import planted_root
from tests.figures.test_figures import settings
from tests.metrics.conftest import make_params, make_root

pytestmark = pytest.mark.slow
PUBLIC = {chart.name: chart for chart in CHARTS if chart.is_public}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        root = planted_root(tmp_path_factory.mktemp("planted"), patch)
        stage.run(settings(), root)
    return root


def rows_of(values, patients, **more) -> pd.DataFrame:
    """Clean rows with a margin each, as text: baseline variant and one other."""
    made = [
        {"subject_id": patient, "question_id": f"q{index}", "margin": str(value), "margin_valid": "true",
         "variant_index": str(variant),
         "ground_truth": "yes" if index % 2 else "no", "flip": "false" if variant else "",
         "correct": "true" if index % 3 else "false"}
        for index, (value, patient) in enumerate(zip(values, patients, strict=True)) for variant in (0, 1)
    ]  # fmt: skip
    return pd.DataFrame(made).assign(**more)


def by_finding(counts_of_truths: bool) -> pd.DataFrame:
    """The table that says whether the numbers of either truth are published."""
    return pd.DataFrame({"positives": ["60" if counts_of_truths else SUPPRESSED]})


def spread(count: int = 120) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(5)
    return np.round(rng.normal(size=count), 4), [f"p{index % 60}" for index in range(count)]


@pytest.mark.parametrize("seed", range(20))
def test_every_hexagon_stands_for_five_patients_and_so_does_what_is_left_out(seed):
    rng = np.random.default_rng(seed)
    points = np.round(rng.normal(scale=1.5, size=(rng.integers(1, 150), 2)), 3)
    patients = rng.integers(0, rng.integers(1, 60), len(points)).astype(str)
    shown, left = hexagons.shown_hexagons(points, patients)
    hidden = np.ones(len(points), bool)
    for centre, count in shown:
        # inside a hexagon of width 1: within half a width in each of its three directions
        directions = np.array([(1, 0), (0.5, hexagons.ROOT / 2), (0.5, -hexagons.ROOT / 2)])
        inside = (np.abs((points - centre) @ directions.T) <= 0.5 + 1e-9).all(axis=1)
        assert inside.sum() == count and len(set(patients[inside])) >= LEAST
        hidden &= ~inside
    assert hidden.sum() == left and (left == 0 or len(set(patients[hidden])) >= LEAST or not shown)


SCATTERS = {"flips_margins": 1, "js_contrast": 0, "image_reliance": 0}  # chart -> the panel with a mark per question or image


@pytest.mark.parametrize("name", SCATTERS)
def test_no_chart_draws_single_questions_or_images(drawn, name):
    fig = PUBLIC[name].figure(read_results(drawn, LEAST).given)
    panel = fig.axes[SCATTERS[name]]
    assert not [line for line in panel.lines if line.get_marker() not in ("None", "", None)]
    single = PUBLIC[name].figure(read_results(drawn).given).axes[SCATTERS[name]]
    assert [line for line in single.lines if line.get_marker() not in ("None", "", None)]  # an open study does
    style.plt.close("all")


def test_hiding_the_region_is_drawn_in_hexagons_of_questions():
    values, patients = spread()
    fig = DRAWN["occlusion"](values, patients)
    assert {line.get_marker() for line in fig.axes[1].lines} <= {"None"}
    (found,) = fig.axes[1].collections
    assert found.get_array().min() >= LEAST and found.get_array().sum() <= len(values)
    style.plt.close(fig)


def test_the_bars_of_margins_are_those_of_five_patients():
    values, patients = spread()
    fig = flips_margins.draw(rows_of(values, patients), by_finding(False), LEAST)
    (found,) = {patch.get_data().values.tobytes(): patch for patch in fig.axes[0].patches}.values()
    bars = merged_bins(steady_edges(values, flips_margins.BINS), [(values, patients)])
    assert list(found.get_data().values) == [bar.counts[0] / bar.steps for bar in bars]
    style.plt.close(fig)


def test_truths_are_drawn_together_where_one_is_of_few_patients_or_suppressed():
    values, patients = spread(60)
    rows = rows_of(values, patients)
    few = rows.assign(ground_truth=np.where(rows.question_id.isin(["q0", "q1", "q2"]), "yes", "no"))
    for given, by_truth, labels in ((rows, True, 2), (rows, False, 1), (few, True, 1)):
        fig = flips_margins.draw(given, by_finding(by_truth), LEAST)
        assert len(fig.axes[0].get_legend_handles_labels()[1]) == labels
        style.plt.close(fig)


def texts(fig) -> list[str]:
    fig.canvas.draw()
    return [text.get_text() for text in fig.findobj(style.plt.Text) if text.get_text()]


@pytest.mark.parametrize("chart", ["margins", "contrast", "reliance", "occlusion", "distributions", "sinks"])
def test_a_patient_far_from_all_others_moves_no_axis(chart):
    values, patients = spread()
    far = np.where(np.arange(len(values)) == int(values.argmax()), 1e4, values)
    limits = []
    for some in (values, far):
        fig = DRAWN[chart](some, patients)
        limits.append([(panel.get_xlim(), panel.get_ylim()) for panel in fig.axes[:2]])
        style.plt.close(fig)
    assert limits[0] == limits[1]


def _table(**columns) -> pd.DataFrame:
    return pd.DataFrame({name: [value] for name, value in columns.items()})


EMPTY = dict.fromkeys(
    (
        "region_low",
        "region_high",
        "elsewhere_low",
        "elsewhere_high",
        "correlation_low",
        "correlation_high",
        "correlation_with_region_mass",
    ),
    "",
)
DRAWN = {
    "margins": lambda values, who: flips_margins.draw(rows_of(values, who), by_finding(True), LEAST),
    "contrast": lambda values, who: js_contrast.draw(
        pd.DataFrame({"js_other_variant": np.abs(values).astype(str),
                      "js_other_finding": (2 * np.abs(values) + 0.1).astype(str), "subject_id": who}), LEAST),
    "reliance": lambda values, who: image_reliance.draw(
        pd.DataFrame({"reliance_no_image": values.astype(str), "consistency": "1.0", "subject_id": who,
                      "consistent_but_blind": "true", "finding": "x"}),
        _table(finding="all",
               **dict.fromkeys(("reliance_no_image", "no_image_low", "no_image_high", "reliance_blank", "blank_low",
                                "blank_high"), "")), LEAST),
    "occlusion": lambda values, who: occlusion.draw(
        _table(finding="all", n=SUPPRESSED, drop_region="", drop_elsewhere="", **EMPTY),
        pd.DataFrame({"region_mass": values.astype(str), "effect": values.astype(str), "subject_id": who, "finding": "x"}),
        LEAST),
    "distributions": lambda values, who: metric_distributions.draw(
        rows_of(values, who).assign(
            **{f"decision_{name}": lambda rows: rows.margin for name in metric_distributions.METRICS}),
        pd.DataFrame({"metric": list(metric_distributions.METRICS), "n_correct": "9", "n_incorrect": "9"}), LEAST),
    "sinks": lambda values, who: sinks.draw(
        pd.DataFrame({"sinks": np.abs(values * 3).astype(int).astype(str), "position_sinks": "", "subject_id": who}),
        _table(metric="mean_mass", with_sinks="", difference="", low="", high=""), LEAST),
}  # fmt: skip


def test_no_count_below_five_is_written_into_a_chart(drawn):
    given = read_results(drawn, LEAST).given
    for chart in PUBLIC.values():
        fig = chart.figure(given)
        for text in texts(fig):
            counts = re.findall(r"(?:n = |k = |; |\()(\d+)\)|(\d+) (?:of \d+ )?(?:images|answers|questions)", text)
            assert all(int(one or other) == 0 or int(one or other) >= LEAST for one, other in counts), (chart.name, text)
        style.plt.close(fig)


def test_reports_hold_no_example_and_say_what_is_suppressed(drawn):
    page = (drawn / paths.REPORT).read_text(encoding="utf-8")
    assert not list((drawn / paths.FIGURES).glob("example*")) and 'id="example"' not in page
    assert "Suppressed, or —: fewer than 5 patients, or what would give such a number away." in page
    assert "One point per" not in page and "A hexagon stands for at least 5 patients." in page
    assert len(list((drawn / paths.FIGURES).iterdir())) == 2 * len(PUBLIC)


def test_suppressed_cells_are_a_word_or_a_dash_in_tables_and_no_command_in_values(drawn):
    results = read_results(drawn, LEAST)
    shown = sections.table("by_finding", results.tables, "")
    (row,) = [row for row in shown.rows if row[0].startswith("pneumothorax")]
    assert row[1:] == (SUPPRESSED, "—", "—", "—")
    frames = {name: sections.rows_of(frame) for name, frame in results.tables.items()}
    (line,) = [
        line
        for line in latex.table(frames["by_finding"], LAYOUTS["by_finding"], "").splitlines()
        if line.startswith("pneumothorax")
    ]
    assert line == rf"pneumothorax & {SUPPRESSED} & --- & --- & --- \\"
    values = latex.values(frames, results.headline, "")
    assert SUPPRESSED not in values and "ByFindingPneumothorax" not in values and "ByFindingAll" in values


def test_a_study_of_four_patients_draws_every_chart_and_no_mark(tmp_path):
    root = make_root(tmp_path)
    about = root / "data/study.yaml"
    about.write_text(about.read_text().replace("licence: open", "licence: credentialed"))
    run_metrics(make_params(), root)
    stage.run(settings(), root)
    assert len(list((root / paths.FIGURES).iterdir())) == 2 * len(PUBLIC)
    given = read_results(root, LEAST).given
    for name in ("flips_margins", "js_contrast", "metric_distributions", "sinks"):
        fig = PUBLIC[name].figure(given)
        assert not any(panel.patches or panel.collections for panel in fig.axes), name
        style.plt.close(fig)


def test_suppressed_cells_are_no_numbers():
    assert numbers(pd.Series([SUPPRESSED, "", "7"])).tolist()[2] == 7 and numbers(pd.Series([SUPPRESSED, ""])).isna().all()


def test_a_caption_says_what_its_marks_are():
    said = {least: dict(zip(PUBLIC, (chart.words(least) for chart in PUBLIC.values()), strict=True)) for least in (1, LEAST)}
    assert said[1]["js_contrast"][0] == (
        "(a) One point per image. Above the dashed line, asking about another finding moves attention more than asking the same"
        " in other words. (b) The two distributions, dotted at their medians."
    )
    assert said[LEAST]["js_contrast"][0] == (
        "(a) Images in hexagons. Above the dashed line, asking about another finding moves attention more than asking the same"
        " in other words. A hexagon stands for at least 5 patients. (b) The two distributions, dotted at their medians."
        " Neighbouring bars are merged until each stands for at least 5 patients; its area is what it counts, and the outermost"
        " bars hold whatever lies beyond."
    )
    for least, other in ((1, "5 patients"), (LEAST, "One point per")):
        assert not any(other in text or "{" in text or "  " in text for words in said[least].values() for text in words)
