"""Tables of the metrics stage against hand-computed values and pandas."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import beta

from medattn.base import paths
from medattn.measures.consistency import consistency
from tests.metrics.conftest import HOT_HEAD, HOT_LAYER


@pytest.fixture(scope="module")
def rows(done) -> pd.DataFrame:
    return pd.read_csv(done / paths.EVALUATION)


@pytest.fixture(scope="module")
def clean(rows) -> pd.DataFrame:
    return rows[(rows["role"] == "study") & (rows["condition"] == "clean")]


def table(done, name: str) -> pd.DataFrame:
    return pd.read_csv(done / paths.TABLES / f"{name}.csv")


def question(done, name: str, condition: str = "clean") -> pd.Series:
    questions = pd.read_csv(done / paths.GROUPS / "questions.csv")
    return questions[(questions["question_id"] == name) & (questions["condition"] == condition)].iloc[0]


def test_no_table_counts_a_control(done):
    assert table(done, "by_strategy")["n"].sum() == 12
    assert table(done, "by_finding").set_index("finding").loc["all", "n"] == 12
    assert table(done, "robustness").groupby("variants")["n"].unique().map(list).to_dict() == {"all": [12], "baseline": [4]}
    assert set(table(done, "metric_summary").query("metric == 'entropy'")["n"]) == {12}
    assert not pd.read_csv(done / paths.GROUPS / "questions.csv")["question_id"].str.contains("c").any()


@pytest.mark.parametrize(
    ("name", "consistency", "to_baseline", "pairs", "any_flip"),
    [
        ("q1", 2 / 3, 1 / 2, 2 / 3, True),  # yes yes no
        ("q2", 1 / 2, 1 / 2, 1 / 3, True),  # no yes uncertain: a three-way tie
        ("q3", 1, 0, 0, False),  # no no no
        ("q4", 2 / 3, 0, 0, False),  # yes unparsed yes
    ],
)
def test_consistency_and_flips_of_a_question_by_hand(done, name, consistency, to_baseline, pairs, any_flip):
    row = question(done, name)
    assert row["consistency"] == pytest.approx(consistency, rel=1e-5)
    assert row["flip_to_baseline"] == pytest.approx(to_baseline, rel=1e-5)
    assert row["flip_all_pairs"] == pytest.approx(pairs, rel=1e-5)
    assert row["any_flip"] == any_flip


def test_expected_consistency_uses_the_answers_of_the_whole_condition(done):
    # clean: five yes, five no, one uncertain, one unparsed of twelve
    shares = {"yes": 5 / 12, "no": 5 / 12, "uncertain": 1 / 12, "unparsed": 1 / 12}
    expected = sum(
        np.prod([shares[answer] for answer in outcome]) * consistency(outcome)
        for outcome in itertools.product(shares, repeat=3)
    )
    assert question(done, "q1")["expected_consistency"] == pytest.approx(expected, rel=1e-5)
    assert question(done, "q1", "no_image")["expected_consistency"] == 1


def test_mean_js_is_over_all_pairs_of_variants(done):
    with_scipy = []
    from safetensors.numpy import load_file

    from medattn.metrics.inputs import read_store
    from tests.metrics.conftest import make_params

    manifest = pd.read_csv(done / paths.MANIFEST).query("condition == 'clean'")
    store = read_store(done / paths.GRIDS_STORE, make_params().aggregate.profiles, sorted(manifest["sample_id"]))
    grids = load_file(done / paths.GRIDS_STORE)["decision"]
    indices = [store.samples[f"q1-v{index}-clean"] for index in range(3)]
    for first in range(3):
        for second in range(first):
            pair = [grids[indices[index]].astype(np.float64).ravel() for index in (first, second)]
            with_scipy.append(jensenshannon(*pair, base=2) ** 2)
    assert question(done, "q1")["mean_js"] == pytest.approx(np.mean(with_scipy), rel=1e-5)


def test_js_contrast_is_per_image_and_the_difference_of_its_columns(done):
    contrast = pd.read_csv(done / paths.GROUPS / "js_contrast.csv")
    assert list(contrast["image_id"]) == ["i1", "i2", "i3", "i4"]
    assert (contrast["n_other_findings"] == 1).all()
    assert np.allclose(contrast["difference"], contrast["js_other_finding"] - contrast["js_other_variant"], atol=2e-6)


def test_accuracy_by_strategy_equals_pandas_and_its_interval_clopper_pearson(done, clean):
    found = table(done, "by_strategy").set_index("strategy")
    assert list(found.index) == ["baseline", "phrasing", "synonym"]
    expected = clean.groupby("strategy")["correct"].mean()
    assert found["accuracy"].to_dict() == pytest.approx(expected.to_dict())
    assert found["accuracy"].to_dict() == {"baseline": 0.5, "phrasing": 0.75, "synonym": 0.25}
    assert found.loc["phrasing", "unparsed_rate"] == 0.25 and found.loc["phrasing", "accuracy_decided"] == 1
    assert found.loc["synonym", "hedge_shift_rate"] == 0.25
    assert np.isnan(found.loc["baseline", "flip_rate"]) and found.loc["phrasing", "flip_rate"] == 0.25
    row = found.loc["phrasing"]
    assert row["accuracy_method"] == "clopper-pearson"
    low, high = beta.ppf(0.025, 3, 2), beta.ppf(0.975, 4, 1)  # of independent rows: the patients can only widen it
    assert row["accuracy_low"] <= low + 1e-6 and row["accuracy_high"] >= high - 1e-6


def test_findings_equal_pandas_and_regions_are_counted(done, clean):
    found = table(done, "by_finding").set_index("finding")
    assert list(found.index) == ["nodule", "pleural effusion", "all"]
    assert found.loc["pleural effusion", ["n", "positives", "n_region"]].tolist() == [6, 3, 3]
    assert found["region_patients"].tolist() == [1, 1, 1]
    assert found.loc["nodule", "accuracy"] == pytest.approx(1 / 6, rel=1e-5)
    for name in ("region_enrichment", "pointing_game", "region_auroc", "zone_enrichment"):
        assert found.loc["all", name] == pytest.approx(clean[f"decision_{name}"].mean(), rel=1e-5)


def test_conditions_are_compared_with_the_clean_answers(done):
    every = table(done, "robustness")
    assert list(zip(every["condition"], every["variants"], strict=True)) == [
        ("clean", "baseline"), ("clean", "all"), ("no_image", "baseline"), ("no_image", "all"),
    ]  # fmt: skip
    found = every[every["variants"] == "all"].set_index("condition")
    baseline = every[every["variants"] == "baseline"].set_index("condition")
    assert baseline.loc["no_image", "agreement_with_clean"] == 0.5 and baseline.loc["clean", "yes_rate"] == 0.5
    assert np.isnan(found.loc["clean", "agreement_with_clean"])
    assert found.loc["no_image", "agreement_with_clean"] == pytest.approx(5 / 12, rel=1e-5)  # five clean answers are no
    assert found.loc["clean", "yes_rate"] == pytest.approx(5 / 12, rel=1e-5) and found.loc["no_image", "yes_rate"] == 0
    assert found.loc["clean", "margin_valid_share"] == pytest.approx(11 / 12, rel=1e-5)


def test_metric_summary_equals_pandas(done, clean):
    found = table(done, "metric_summary").set_index(["profile", "metric"])
    for profile, prefix in (("original", ""), ("decision", "decision_")):
        for metric in ("entropy", "region_mass", "js_to_baseline"):
            values, row = clean[prefix + metric].dropna(), found.loc[profile, metric]
            expected = [len(values), values.mean(), values.std(), values.min(), values.median(), values.max()]
            names = ["n", "mean", "sd", "minimum", "median", "maximum"]
            assert [row[name] for name in names] == pytest.approx(expected, rel=1e-5)
    mean = found.loc["original", "entropy"]
    assert (np.isnan(mean["low"]) and mean["method"] == "no interval") or mean["low"] < mean["mean"] < mean["high"]


def test_the_planted_head_is_the_only_one_enriched_in_the_true_region(done):
    every = table(done, "layer_head")
    assert list(dict.fromkeys(every["finding"])) == ["nodule", "pleural effusion", "all"]
    found = every[every["finding"] == "all"].set_index(["layer", "head"])
    assert len(found) == 8
    hot = found.loc[(HOT_LAYER, HOT_HEAD)]
    others = found.drop((HOT_LAYER, HOT_HEAD))
    # image i1: half the mass on a covered cell; image i2: uniform, so 1
    share = 108 / 3072  # the region's 9 x 12 pixels of 48 x 64
    mass = 0.5 + 0.5 / 255 * (share * 256 - 1)
    assert hot["region_enrichment"] == pytest.approx((mass / share + 1) / 2, rel=1e-5)
    assert others["region_enrichment"].to_numpy() == pytest.approx(np.ones(7), rel=1e-5)
    assert found["key_value_group"].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    assert set(found["n"]) == {2} and set(found["patients"]) == {1}
    assert found["other_finding_enrichment"].to_numpy() == pytest.approx(np.ones(8), rel=1e-5)  # controls: uniform
    effusion = every[every["finding"] == "pleural effusion"].set_index(["layer", "head"]).loc[(HOT_LAYER, HOT_HEAD)]
    assert effusion["region_enrichment"] == pytest.approx(mass / share, rel=1e-5) and effusion["n"] == 1


def test_profiles_name_their_settings(done, clean):
    found = table(done, "profiles").set_index("profile")
    assert found.loc["original", ["rows", "layers", "gqa"]].tolist() == ["1 2 3 4 5", "-3 -2 -1", "mean"]
    assert found.loc["decision", "focus"] == pytest.approx(clean["decision_focus"].mean(), rel=1e-5)
    assert found["sink_share"].between(0, 1).all()


def test_metrics_json_holds_at_most_twelve_flat_numbers_that_agree_with_the_tables(done, rows, clean):
    text = (done / paths.METRICS).read_text()
    numbers = json.loads(text)
    assert text.endswith("}\n") and list(numbers) == sorted(numbers) and len(numbers) <= 12
    assert numbers["n_samples"] == len(rows) and numbers["n_failed"] == 0
    assert numbers["accuracy_all"] == 0.5 and numbers["flip_rate"] == 0.25 and numbers["any_flip_rate"] == 0.5
    assert numbers["consistency"] == pytest.approx((2 / 3 + 1 / 2 + 1 + 2 / 3) / 4, rel=1e-5)
    assert numbers["region_enrichment"] == pytest.approx(clean["decision_region_enrichment"].mean(), rel=1e-5)
