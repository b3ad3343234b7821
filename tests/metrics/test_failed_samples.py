"""Samples that could not be computed keep their row and count nowhere; no image that cannot be read is opened."""

import json

import pandas as pd
import pytest

from medattn.base import paths
from medattn.metrics.grid_metrics import COLUMNS, column
from medattn.metrics.rows import ANSWER, IDENTITY
from medattn.metrics.stage import run
from tests.metrics.conftest import make_params
from tests.metrics.failing import failing_root


def is_clean_baseline(row: dict) -> bool:
    return row["condition"] == "clean" and row["variant_index"] == 0


SCENARIOS = {
    "nothing": lambda row: False,
    "an image": lambda row: row["shown_image_id"] == "i1",
    "a baseline variant": lambda row: row["sample_id"] == "q1-v0-clean",
    "every clean baseline variant": is_clean_baseline,
    "every clean sample": lambda row: row["condition"] == "clean",
    "every other variant": lambda row: row["variant_index"] != 0,
    "the controls": lambda row: row["role"] == "control",
    "a finding": lambda row: row["finding"] == "nodule",
    "a condition": lambda row: row["condition"] == "gaussian_noise",
    "one of the two occlusions": lambda row: row["condition"] == "occlude_region",
    "what shows an image": lambda row: row["shown_image_id"] != "",
    "all but one": lambda row: row["sample_id"] != "q1-v0-clean",
    "all": lambda row: True,
}


@pytest.fixture(params=SCENARIOS)
def scenario(request, tmp_path):
    """(the run's directory, ids of the samples that failed)."""
    root = failing_root(tmp_path, SCENARIOS[request.param])
    run(make_params(), root)
    return root, set(pd.read_csv(root / paths.FAILURES)["sample_id"])


def test_failed_samples_keep_their_row_without_answer_or_metrics_and_count_in_no_table(scenario):
    root, failed = scenario
    rows = pd.read_csv(root / paths.EVALUATION, dtype=str).set_index("sample_id")
    assert list(rows.index) == sorted(pd.read_csv(root / paths.MANIFEST)["sample_id"])
    assert set(rows.index[rows.status == "failed"]) == failed
    metrics = [column(profile, name) for profile in ("original", "decision") for name in COLUMNS]
    empty = [*metrics, *(name for name in ANSWER if name not in ("status", "ground_truth"))]
    assert rows.loc[list(failed), empty].isna().all(axis=None)
    manifest = pd.read_csv(root / paths.MANIFEST, dtype=str).set_index("sample_id")
    pd.testing.assert_frame_equal(rows[list(IDENTITY[1:])], manifest[list(IDENTITY[1:])])
    numbers = json.loads((root / paths.METRICS).read_text())
    assert (numbers["n_samples"], numbers["n_failed"]) == (len(rows), len(failed))

    answered = rows[(rows.role == "study") & (rows.status != "failed")]
    clean = answered[answered.condition == "clean"]
    by_strategy = pd.read_csv(root / paths.TABLES / "by_strategy.csv")
    assert dict(zip(by_strategy["strategy"], by_strategy["n"], strict=True)) == clean.groupby("strategy").size().to_dict()
    robustness = pd.read_csv(root / paths.TABLES / "robustness.csv").query("variants == 'baseline'")
    expected = answered[answered.variant_index == "0"].groupby("condition").size().to_dict()
    assert dict(zip(robustness["condition"], robustness["n"], strict=True)) == expected


def test_grids_are_written_for_the_samples_that_have_one_and_no_other(scenario):
    root, _ = scenario
    rows = pd.read_csv(root / paths.EVALUATION, dtype=str)
    names = {path.name for path in (root / paths.GRIDS).iterdir()}
    ok = rows.loc[rows.status == "ok", "sample_id"]
    assert names == {f"{sample}_{kind}" for sample in ok for kind in ("grid.npy", "meta.json")}


def test_an_image_that_cannot_be_read_is_not_opened_for_answers_without_it(tmp_path):
    root = failing_root(tmp_path, SCENARIOS["an image"])
    assert (root / "data/images/i1.png").read_bytes() == b"damaged"
    run(make_params(), root)
    rows = pd.read_csv(root / paths.EVALUATION, dtype=str).set_index("sample_id")
    assert rows.loc["q1-v0-no_image", "status"] == "no_grid" and rows.loc["q1-v0-no_image", "answer"] == "No, it is not."
    assert rows.loc["q1-v0-shuffled_image", "status"] == "ok"  # shows another image, which can be read
    assert rows.loc["q4-v0-shuffled_image", "status"] == "failed"


def test_without_the_clean_baseline_a_question_has_no_comparison_with_it_and_keeps_its_other_answers(tmp_path):
    root = failing_root(tmp_path, SCENARIOS["a baseline variant"])
    run(make_params(), root)
    rows = pd.read_csv(root / paths.EVALUATION, dtype=str).set_index("sample_id")
    assert rows.loc["q1-v1-clean", ["flip", "hedge_shift", "decision_js_to_baseline"]].isna().all()
    changed = rows.loc[["q1-v0-blank", "q1-v0-gaussian_noise", "q1-v0-rotation", "q1-v0-occlude_region"]]
    assert (changed.status == "ok").all() and changed.decision_entropy.notna().all()
    assert changed[["flip_to_clean", "margin_change", "decision_js_to_clean"]].isna().all(axis=None)
    questions = pd.read_csv(root / paths.GROUPS / "questions.csv").query("condition == 'clean'").set_index("question_id")
    assert questions.loc["q1", "variants"] == 2 and pd.isna(questions.loc["q1", "flip_to_baseline"])
    assert questions.loc["q1", "consistency"] == 0.5  # yes and no are left
    reliance = pd.read_csv(root / paths.GROUPS / "reliance.csv").set_index("question_id")
    assert pd.isna(reliance.loc["q1", "reliance_no_image"]) and pd.notna(reliance.loc["q2", "reliance_no_image"])
    assert "q1" not in set(pd.read_csv(root / paths.GROUPS / "occlusion.csv")["question_id"])
    assert "i1" not in set(pd.read_csv(root / paths.GROUPS / "js_contrast.csv")["image_id"])
    blank = pd.read_csv(root / paths.TABLES / "robustness.csv").query("condition == 'blank'").iloc[0]
    # Every image gets the same answers here: the three questions that can be compared agree.
    assert blank["n"] == 4 and blank["agreement_with_clean"] == 1 and blank["accuracy_change"] == 0
