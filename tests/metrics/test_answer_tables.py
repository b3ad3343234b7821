"""Tables about answers under conditions: who was right, what the image was worth, what hiding the region cost."""

import numpy as np
import pytest
from scipy import stats

from medattn.measures.contrasts import cliffs_delta
from medattn.measures.statistics import holm
from medattn.metrics.grid_metrics import column
from medattn.metrics.intervals import Intervals, PatientMeans
from medattn.metrics.tables import correctness, occlusion, reliance, robustness
from medattn.metrics.values import NOBODY, numbers
from tests.metrics.handmade import PARAMS, plain, row

# --- correctness ------------------------------------------------------------------------------------------------------


def pairs_of(metric: str, gaps: list[float]) -> list[dict]:
    """A right and a wrong answer of one patient per gap."""
    name = column("decision", metric)
    return [
        made
        for patient, gap in enumerate(gaps)
        for made in (row(patient, "yes", variant=1, **{name: 1.0 + gap}), row(patient, "no", variant=2, **{name: 1.0}))
    ]


def test_the_p_values_of_the_metrics_are_one_family():
    clear, mixed = [0.5 + 0.01 * index for index in range(10)], [1.0, -0.9, 0.8, -0.7, 0.6, -0.5, 0.4, 0.3, 0.2, 0.1]
    rows = pairs_of("focus", clear) + pairs_of("image_mass", mixed)
    table = {line["metric"]: line for line in plain(correctness.correct_incorrect(rows, PARAMS))}
    tested = [table["image_mass"], table["focus"]]
    assert [line["p_adjusted"] for line in tested] == pytest.approx(list(holm([line["p"] for line in tested])))
    assert table["focus"]["p_adjusted"] == pytest.approx(2 * 2 / 2**10) and table["focus"]["verdict"] == "differs"
    assert table["image_mass"]["verdict"] == "inconclusive" and table["image_mass"]["p"] > 0.3
    assert {line["verdict"] for name, line in table.items() if name not in ("focus", "image_mass")} == {"too few"}


def test_the_smallest_p_is_that_of_all_signs_up_to_twenty_patients_and_of_the_draws_beyond():
    intervals = Intervals(PARAMS, "smallest")
    assert [intervals.smallest_p(count) for count in (0, 1, 2, 6, 20)] == [1, 1, 0.5, 2 / 64, 2 / 2**20]
    assert (
        intervals.smallest_p(21)
        == intervals.sign_flip(np.arange(1.0, 22.0), "all one way")
        == 1 / (PARAMS.permutation_draws + 1)
    )


def test_ranks_of_fewer_than_ten_patients_have_no_interval():
    rng = np.random.default_rng(0)
    for patients in (9, 10):
        pairs = rng.normal(size=(patients, 2))
        cells = Intervals(PARAMS, "ranks").ranks_of_patients(PatientMeans(pairs, NOBODY), cliffs_delta, "key", "delta")
        cells = numbers(cells)
        assert cells["delta"] == cliffs_delta(pairs) and (cells["delta_low"] is None) == (patients == 9)
        assert cells["delta_method"] == ("bca" if patients == 10 else "no interval")


@pytest.mark.parametrize("patients, verdict", [(5, "too few"), (6, "differs")])
def test_six_patients_are_the_fewest_that_can_differ(patients, verdict):
    rows = pairs_of("focus", [0.5 + 0.01 * index for index in range(patients)])
    found = {line["metric"]: line for line in plain(correctness.correct_incorrect(rows, PARAMS))}["focus"]
    assert found["verdict"] == verdict and (found["p"] is None) == (verdict == "too few")
    assert found["smallest_p"] == 2.0 ** (1 - patients) and found["difference"] > 0.5


def test_a_variant_that_is_mostly_wrong_is_told_from_answers_that_are():
    """Every patient is right in variant 1 and wrong in variant 2, where attention differs; nobody is both in one variant."""
    name = column("decision", "focus")
    rows = pairs_of("focus", [0.5 + 0.01 * index for index in range(8)])
    found = {line["metric"]: line for line in plain(correctness.correct_incorrect(rows, PARAMS))}["focus"]
    assert found["verdict"] == "differs" and found["same_strategy_patients"] == 0 and found["same_strategy_difference"] is None
    second = [
        one | {"question_id": "other", "parsed_answer": "no", "correct": False, name: 0.25} for one in rows if one["correct"]
    ]
    found = {line["metric"]: line for line in plain(correctness.correct_incorrect(rows + second, PARAMS))}["focus"]
    assert found["same_strategy_patients"] == 8 and found["same_strategy_difference"] == pytest.approx(0.75 + 0.5 + 0.035)
    absent = [
        one | {"ground_truth": "no", "parsed_answer": "yes"} for one in second
    ]  # wrong in that variant, about absent findings
    found = {line["metric"]: line for line in plain(correctness.correct_incorrect(rows + absent, PARAMS))}["focus"]
    assert found["same_strategy_patients"] == 0


def test_each_truth_is_compared_apart():
    name = column("decision", "focus")
    # right answers are all about present findings, wrong ones about absent: the truth differs, attention does not
    rows = [row(patient, "yes", "yes", **{name: 5.0}) for patient in range(8)]
    rows += [row(patient, "yes", "no", variant=1, **{name: 1.0}) for patient in range(8)]
    found = {line["metric"]: line for line in plain(correctness.correct_incorrect(rows, PARAMS))}["focus"]
    assert (found["n_correct"], found["n_incorrect"], found["informative_patients"]) == (8, 8, 0)
    assert found["difference"] is None and found["mean_correct"] == 5 and found["verdict"] == "too few"


# --- image reliance ---------------------------------------------------------------------------------------------------


def asked(patient: int, finding: str, clean: float, without: float, blank: float | None = None) -> list[dict]:
    """One yes with the image, its margins; no when the margin without it is negative."""
    rows = [row(patient, "yes", margin=clean, finding=finding)]
    rows.append(
        row(patient, "yes" if without > 0 else "no", margin=without, finding=finding, condition="no_image", status="no_grid")
    )
    if blank is not None:
        rows.append(row(patient, "yes" if blank > 0 else "no", margin=blank, finding=finding, condition="blank"))
    return rows


def relied(rows: list[dict]) -> list[dict]:
    questions = [
        {"question_id": one["question_id"], "condition": "clean", "consistency": 1.0}
        for one in rows
        if one["condition"] == "clean"
    ]
    return reliance.reliance_rows(rows, questions)


def test_a_blank_image_and_none_are_measured_apart():
    (found,) = relied(asked(0, "nodule", 3.0, 1.0, blank=-2.0))
    assert found["reliance_no_image"] == 2 and found["reliance_blank"] == 5 and found["text_only_agreement"] == 1


def test_an_answer_that_the_image_speaks_against_has_negative_reliance():
    (found,) = relied([row(0, "no", margin=-1.0), row(0, "no", margin=-3.0, condition="no_image", status="no_grid")])
    assert found["reliance_no_image"] == -2


def test_reliance_on_a_blank_image_is_of_the_baseline_variant_as_that_without_one_is():
    rows = asked(0, "nodule", 3.0, 1.0, blank=-2.0)
    rows += [row(0, "yes", margin=9.0, variant=1), row(0, "yes", margin=1.0, variant=1, condition="blank")]
    rows.append(row(0, "yes", margin=1.0, variant=1, condition="no_image", status="no_grid"))
    questions = [{"question_id": "q0", "condition": "clean", "consistency": 1.0}]
    (found,) = reliance.reliance_rows(rows, questions)
    assert (found["reliance_no_image"], found["reliance_blank"], found["reliance_all_variants"]) == (2, 5, (2 + 8) / 2)


@pytest.mark.parametrize("spoiled", [0, 1])
def test_a_margin_that_is_not_valid_says_nothing_about_reliance(spoiled):
    rows = asked(0, "nodule", 3.0, 1.0)
    rows[spoiled]["margin_valid"] = False
    assert relied(rows)[0]["reliance_no_image"] is None and relied(rows)[0]["text_only_agreement"] == 1


def test_reliance_is_averaged_per_finding_and_over_all():
    rows = asked(0, "nodule", 3.0, 1.0) + asked(1, "nodule", 3.0, -1.0) + asked(2, "edema", 3.0, -6.0)
    table = {line["finding"]: line for line in plain(reliance.image_reliance(relied(rows), PARAMS))}
    assert list(table) == ["edema", "nodule", "all"]
    assert [table[name]["reliance_no_image"] for name in table] == pytest.approx([9, 3, 5])
    assert [table[name]["text_only_agreement"] for name in table] == pytest.approx([0, 0.5, 1 / 3])
    assert table["all"]["reliance_blank"] is None and table["all"]["n"] == 3
    assert table["all"]["consistent_but_blind"] == 0  # one variant cannot be consistent


# --- robustness -------------------------------------------------------------------------------------------------------


def test_conditions_stand_in_order_and_strengths_as_numbers():
    changed = [("rotation", "10"), ("gaussian_noise", "0.2"), ("rotation", "-10"), ("gaussian_noise", "0.05"), ("no_image", ""),
               ("blank", ""), ("few_pixels", "16"), ("few_pixels", "4")]  # fmt: skip
    js = {column("decision", "js_to_clean"): 0.1}
    rows = [
        row(0),
        *(row(0, condition=name, strength=strength or None, flip_to_clean=False, **js) for name, strength in changed),
    ]
    found = [(line["condition"], line["strength"]) for line in plain(robustness.robustness(rows, [], PARAMS))]
    assert found == [
        ("clean", None), ("no_image", None), ("blank", None), ("rotation", "-10"), ("rotation", "10"),
        ("gaussian_noise", "0.05"), ("gaussian_noise", "0.2"), ("few_pixels", "4"), ("few_pixels", "16"),
    ]  # fmt: skip


def test_a_strength_is_compared_by_variant_and_unparsed_answers_agree_with_nothing():
    rows = [row(0, "yes"), row(0, "no", variant=1), row(1, "unparsed")]
    rows += [
        row(0, "no", condition="blank", flip_to_clean=True, margin_change=-4.0),
        row(0, "no", variant=1, condition="blank", flip_to_clean=False, margin_change=1.0),
        row(1, "unparsed", condition="blank", flip_to_clean=False),
    ]
    table = plain(robustness.robustness(rows, [], PARAMS))
    assert [(line["condition"], line["variants"], line["n"]) for line in table] == [
        ("clean", "baseline", 2), ("clean", "all", 3), ("blank", "baseline", 2), ("blank", "all", 3),
    ]  # fmt: skip
    *_, baseline, blank = table
    assert baseline["flip_rate"] == 0.5 and baseline["margin_change"] == -4 and baseline["n_truth"] == 2
    assert blank["agreement_with_clean"] == pytest.approx(1 / 3) and blank["flip_rate"] == pytest.approx(1 / 3)
    assert blank["margin_change"] == -1.5 and blank["accuracy_change"] == pytest.approx(-1 / 3) and blank["yes_rate"] == 0


def test_what_nobody_knows_the_truth_of_has_no_accuracy():
    rows = [row(0), row(1), row(0, "no", condition="shuffled_image", correct=None, ground_truth=None, flip_to_clean=True),
            row(1, "no", truth="no", condition="shuffled_image", flip_to_clean=True)]  # fmt: skip
    _, shuffled = plain(robustness.robustness(rows, [], PARAMS))
    assert shuffled["accuracy"] == 1 and shuffled["accuracy_change"] == 0 and shuffled["flip_rate"] == 1
    assert (shuffled["n"], shuffled["n_truth"]) == (2, 1)


def test_another_findings_divergence_is_no_scale_for_grids_that_were_turned_back():
    changed = ("blank", ""), ("rotation", "10"), ("contrast", "0.4")
    js = {column("decision", "js_to_clean"): 0.1}
    rows = [
        row(0),
        *(row(0, condition=name, strength=strength or None, flip_to_clean=False, **js) for name, strength in changed),
    ]
    contrast = [{"image_id": "i0", "js_other_finding": 0.3}]
    table = plain(robustness.robustness(rows, contrast, PARAMS))
    found = {line["condition"]: line["js_other_finding"] for line in table}
    assert found == {"clean": None, "blank": 0.3, "rotation": None, "contrast": 0.3}


# --- occlusion --------------------------------------------------------------------------------------------------------


def hidden(patient: int, mass: float, effect: float, finding: str = "nodule") -> list[dict]:
    """A yes that costs `effect` nats more without its region than without another area, which costs 0.5."""
    about = {"finding": finding, column("decision", "region_mass"): mass}
    return [
        row(patient, margin=4.0, **about),
        row(patient, margin=3.5 - effect, condition="occlude_region", flip_to_clean=effect > 3, **about),
        row(patient, margin=3.5, condition="occlude_elsewhere", flip_to_clean=False, **about),
    ]


def test_the_cost_of_a_hidden_region_is_compared_with_where_the_model_looked():
    masses, effects = (
        [0.1, 0.4, 0.2, 0.8, 0.3, 0.6, 0.5, 0.7, 0.05, 0.9, 0.15, 0.35],
        [0, 2, 1, 4, 3, 5, 2.5, 1.5, 0.5, 6, 0.2, 2.2],
    )
    rows = [
        one
        for patient in range(12)
        for one in hidden(patient, masses[patient], effects[patient], "nodule" if patient else "edema")
    ]
    table = {line["finding"]: line for line in plain(occlusion.occlusion(occlusion.occlusion_rows(rows), PARAMS))}
    assert list(table) == ["edema", "nodule", "all"] and table["edema"]["n"] == 1
    found = table["all"]
    assert found["effect"] == pytest.approx(np.mean(effects)) and found["drop_elsewhere"] == 0.5
    assert found["drop_region"] == pytest.approx(np.mean(effects) + 0.5) and found["flip_region"] == pytest.approx(3 / 12)
    assert found["correlation_with_region_mass"] == pytest.approx(stats.spearmanr(masses, effects).statistic)
    assert found["correlation_low"] < found["correlation_with_region_mass"] < found["correlation_high"] <= 1


def test_where_every_question_costs_the_same_there_is_no_correlation():
    rows = [one for patient in range(12) for one in hidden(patient, 0.1 * patient, 1.0)]
    assert plain(occlusion.occlusion(occlusion.occlusion_rows(rows), PARAMS))[-1]["correlation_with_region_mass"] is None


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_pair_needs_three_valid_margins(which):
    rows = hidden(0, 0.5, 1.0)
    assert len(occlusion.occlusion_rows(rows)) == 1
    rows[which]["margin_valid"] = False
    assert occlusion.occlusion_rows(rows) == []
