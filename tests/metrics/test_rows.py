"""evaluation_results.csv: columns, empty cells, answers, and metrics against independent recomputation."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import logsumexp
from scipy.stats import entropy, pearsonr, spearmanr

from medattn.base import paths

CONTRACT = [
    "sample_id", "question_id", "role", "condition", "strength", "image_id", "shown_image_id", "study_id", "subject_id",
    "view", "split", "finding", "zone", "baseline_question", "question", "question_variant", "variant_index",
    "strategy", "strategies", "answer", "ground_truth", "parsed_answer", "correct", "status", "margin",
    "forms_probability", "margin_valid", "margin_agrees", "flip", "hedge_shift", "flip_to_clean", "margin_change",
]  # fmt: skip
GRID = [
    "gate_count", "gated", "image_mass", "entropy", "entropy_normalised", "entropy_body", "focus", "inside_body_ratio",
    "inside_body_enrichment", "border_fraction", "left_fraction", "right_fraction", "apical_fraction",
    "middle_fraction", "basal_fraction", "sparseness", "zone_mass", "zone_enrichment", "region_mass",
    "region_enrichment", "pointing_game", "rank_accuracy", "region_auroc", "iou_top10", "region_fallback",
    "js_to_baseline", "js_distance_to_baseline", "pearson_to_baseline", "spearman_to_baseline", "cosine_to_baseline",
    "l2_to_baseline", "js_to_clean",
]  # fmt: skip
LOCALISED = [
    "left_fraction",
    "right_fraction",
    "apical_fraction",
    "middle_fraction",
    "basal_fraction",
    "zone_mass",
    "zone_enrichment",
]
REGION = [name for name in GRID if name.startswith(("region", "pointing", "rank", "iou"))]
SIMILARITY = [name for name in GRID if name.endswith("_to_baseline")]


@pytest.fixture(scope="module")
def rows(done) -> pd.DataFrame:
    return pd.read_csv(done / paths.EVALUATION, index_col="sample_id", dtype={"strength": str})


def grid(done, sample_id: str) -> np.ndarray:
    return np.load(done / paths.GRIDS / f"{sample_id}_grid.npy").astype(np.float64)


def test_the_columns_are_the_contract_in_order(done):
    header = (done / paths.EVALUATION).read_text().splitlines()[0].split(",")
    assert header == CONTRACT + GRID + [f"decision_{name}" for name in GRID]


def test_every_manifest_row_is_there_sorted_by_sample_id(done, rows):
    manifest = pd.read_csv(done / paths.MANIFEST)
    assert list(rows.index) == sorted(manifest["sample_id"])


def test_without_an_image_every_grid_metric_is_empty_and_the_answer_is_not(rows):
    text_only = rows[rows["condition"] == "no_image"]
    assert len(text_only) == 12
    assert text_only[GRID + [f"decision_{name}" for name in GRID]].isna().all().all()
    assert text_only["correct"].notna().all() and (text_only["status"] == "no_grid").all()


def test_region_metrics_are_empty_where_the_finding_is_absent(rows):
    absent = rows[(rows["condition"] == "clean") & (rows["ground_truth"] == "no")]
    assert absent[REGION].isna().all().all()
    assert rows.loc["q1-v0-clean", REGION].notna().all()


def test_halves_thirds_and_zone_are_empty_in_a_lateral_view(rows):
    assert rows.loc[["q3-v0-clean", "q3-v1-clean"], LOCALISED].isna().all().all()
    assert rows.loc["q4-v0-clean", LOCALISED].notna().all()
    assert np.isfinite(rows.loc["q3-v0-clean", "inside_body_ratio"])


def test_the_baseline_variant_and_controls_are_compared_with_nothing(rows):
    alone = rows[(rows["variant_index"] == 0) & (rows["condition"] == "clean")]
    assert len(alone) == 8
    assert alone[[*SIMILARITY, "flip", "hedge_shift"]].isna().all().all()


def test_a_constant_grid_has_no_correlation_but_a_divergence(rows):
    row = rows.loc["q3-v1-clean"]
    assert row["decision_entropy_normalised"] == 1
    assert row[["decision_pearson_to_baseline", "decision_spearman_to_baseline"]].isna().all()
    assert row["decision_js_to_baseline"] > 0


def test_a_grid_without_mass_in_the_body_has_no_share_of_it(rows):
    outside = rows.loc["q2-v0-clean"]
    assert outside["decision_inside_body_ratio"] == 0 and outside["decision_border_fraction"] == 1
    assert np.isnan(outside["decision_entropy_body"]) and np.isnan(outside["decision_left_fraction"])


@pytest.mark.parametrize(
    ("sample_id", "parsed", "correct", "flip", "hedge"),
    [
        ("q1-v0-clean", "yes", True, None, None),
        ("q1-v1-clean", "yes", True, False, False),
        ("q1-v2-clean", "no", False, True, False),
        ("q2-v1-clean", "yes", True, True, False),
        ("q2-v2-clean", "uncertain", False, False, True),
        ("q4-v1-clean", "unparsed", False, False, False),
        ("q1-v1-no_image", "no", False, False, False),
    ],
)
def test_answers_flips_and_hedges_by_hand(rows, sample_id, parsed, correct, flip, hedge):
    row = rows.loc[sample_id]
    assert (row["parsed_answer"], row["correct"]) == (parsed, correct)
    for name, expected in (("flip", flip), ("hedge_shift", hedge)):
        assert pd.isna(row[name]) if expected is None else row[name] == expected


def test_the_margin_is_valid_only_where_the_forms_have_half_of_the_probability(rows):
    assert rows.loc["q1-v0-clean", "margin"] == pytest.approx(logsumexp([2, -4]) - logsumexp([1, -4]), rel=1e-5)
    assert rows.loc["q1-v0-clean", "margin_valid"] and rows.loc["q1-v0-clean", "margin_agrees"]
    assert not rows.loc["q4-v1-clean", "margin_valid"]
    assert pd.isna(rows.loc["q4-v1-clean", "margin_agrees"])


def test_grid_metrics_equal_scipys(done, rows):
    p, q = grid(done, "q1-v1-clean"), grid(done, "q1-v0-clean")
    row = rows.loc["q1-v1-clean"]
    assert row["entropy"] == pytest.approx(entropy(p.ravel()), rel=1e-5)
    assert row["js_distance_to_baseline"] == pytest.approx(jensenshannon(p.ravel(), q.ravel(), base=2), rel=1e-5)
    assert row["js_to_baseline"] == pytest.approx(jensenshannon(p.ravel(), q.ravel(), base=2) ** 2, rel=1e-5)
    assert row["pearson_to_baseline"] == pytest.approx(pearsonr(p.ravel(), q.ravel())[0], abs=2e-6)
    assert row["spearman_to_baseline"] == pytest.approx(spearmanr(p.ravel(), q.ravel())[0], abs=2e-6)
    assert row["l2_to_baseline"] == pytest.approx(np.linalg.norm(p - q), rel=1e-5)


def test_region_mass_is_the_grid_summed_over_the_masks_pixels(done, rows):
    p = grid(done, "q1-v0-clean") / grid(done, "q1-v0-clean").sum()
    density = np.kron(p / 12, np.ones((3, 4)))  # 48 x 64 pixels: cells of 3 rows and 4 columns
    assert rows.loc["q1-v0-clean", "region_mass"] == pytest.approx(density[36:45, 16:28].sum(), rel=1e-4)
    assert rows.loc["q1-v0-clean", "region_enrichment"] == pytest.approx(
        density[36:45, 16:28].sum() / (9 * 12 / (48 * 64)), rel=1e-4
    )


def test_a_region_that_covers_half_of_no_cell_is_marked(rows):
    assert not rows.loc["q1-v0-clean", "region_fallback"]
    assert rows.loc["q2-v0-clean", "region_fallback"]
