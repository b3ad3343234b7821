"""What the study finds, from rows made by hand."""

import itertools

import numpy as np
import pytest

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.metrics import published
from medattn.metrics.anatomy import Place, Region
from medattn.metrics.grid_metrics import column
from medattn.metrics.inputs import Store
from medattn.metrics.tables import agreement, correctness, hypotheses, localisation, occlusion, reliance, robustness, strategies
from medattn.metrics.tables.hypotheses import verdict
from tests.import_closure import ROOT
from tests.metrics.handmade import HERE, PARAMS, THERE, place, plain, row, spot, store

# --- strategies -------------------------------------------------------------------------------------------------------


def test_a_strategy_that_harms_half_of_the_patients_is_told_from_one_that_harms_none():
    rows = [row(patient) for patient in range(30)]
    rows += [row(patient, variant=1, flip=False) for patient in range(30)]
    rows += [row(patient, "no" if patient < 15 else "yes", variant=2, flip=patient < 15) for patient in range(30)]
    table = {line["strategy"]: line for line in plain(strategies.by_strategy(rows, PARAMS))}
    assert table["baseline"]["p"] is None and table["baseline"]["accuracy_difference"] is None
    assert table["phrasing"]["p"] == 1 and table["phrasing"]["differing_patients"] == 0
    assert table["synonym"]["accuracy_difference"] == -0.5 and table["synonym"]["differing_patients"] == 15
    assert table["synonym"]["p"] == pytest.approx(2 / 2**15) and table["synonym"]["p_adjusted"] == pytest.approx(4 / 2**15)
    assert table["synonym"]["smallest_p"] == 2 / 2**15


def test_the_order_of_exposure_is_recovered_or_contradicted():
    rows = [row(patient) for patient in range(40)]
    for variant, flipped in ((1, 2), (2, 20)):
        rows += [row(patient, variant=variant, flip=patient % 40 < flipped) for patient in range(40)]
    found = plain(strategies.exposure_order(rows, {"phrasing": 1.0, "synonym": 0.1}, PARAMS))
    assert found[0]["less_exposed"] == "synonym" and found[0]["flip_difference"] == pytest.approx(18 / 40)
    assert [line["verdict"] for line in found] == ["as exposed", "recovered"]
    found = plain(strategies.exposure_order(rows, {"phrasing": 0.1, "synonym": 1.0}, PARAMS))
    assert [line["verdict"] for line in found] == ["contradicts", "not recovered"]
    assert plain(strategies.exposure_order(rows, {}, PARAMS)) == []


def test_an_order_of_exposure_is_neither_told_by_equals_nor_recovered_from_too_little():
    rows = [row(patient) for patient in range(40)]
    for variant, flipped in ((1, 2), (2, 3), (3, 20)):
        rows += [row(patient, variant=variant, flip=patient < flipped) for patient in range(40)]
    assert plain(strategies.exposure_order(rows, {"phrasing": 0.5, "synonym": 0.5}, PARAMS)) == []
    near = plain(strategies.exposure_order(rows, {"phrasing": 1.0, "synonym": 0.5}, PARAMS))
    assert [line["verdict"] for line in near] == ["undecided", "not recovered"]
    found = plain(
        strategies.exposure_order(rows, {"phrasing": 1.0, "synonym": 0.5, "clause": 0.1, "voice": 0.7}, PARAMS)
    )  # voice: not asked
    assert [(line["less_exposed"], line["verdict"]) for line in found] == [
        ("synonym", "undecided"), ("clause", "as exposed"), ("clause", "as exposed"), ("all", "recovered"),
    ]  # fmt: skip


def test_the_test_of_a_strategy_sums_over_the_questions_of_a_patient():
    """Seven patients lose one answer of two, one gains both: sums −1 seven times, +2 once."""
    rows = []
    for patient in range(8):
        for question in ("a", "b"):
            about = {"question_id": f"{question}{patient}", "flip": False}
            gains, loses = patient == 7, patient < 7 and question == "a"
            rows += [
                row(patient, "no" if gains else "yes", **about),
                row(patient, "no" if loses else "yes", variant=1, **about),
            ]
    found = {line["strategy"]: line for line in plain(strategies.by_strategy(rows, PARAMS))}["phrasing"]
    sums = np.array([-1] * 7 + [2])
    signs = np.array(list(itertools.product((-1, 1), repeat=8)))
    assert found["differing_patients"] == 8 and found["accuracy_difference"] == pytest.approx(-5 / 16)
    assert found["p"] == pytest.approx(np.mean(np.abs(signs @ sums) >= abs(sums.sum())))


# --- variants ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("yes, no, other", [(3, 2, 1), (5, 1, 0), (0, 4, 2), (1, 1, 4)])
def test_the_chance_of_a_flip_among_k_variants_is_counted_over_all_subsets(yes, no, other):
    answers = ["yes"] * yes + ["no"] * no + ["unparsed"] * other
    for k in (2, 3, 4, 5):
        subsets = list(itertools.combinations(answers, k))
        expected = np.mean([{"yes", "no"} <= set(subset) for subset in subsets])
        assert agreement.any_flip_among(yes, no, other, k) == pytest.approx(expected)
    assert agreement.any_flip_among(1, 1, 0, 3) is None


def test_flipped_answers_are_compared_with_kept_ones_by_what_they_became():
    js = column("decision", "js_to_baseline")
    rows = [row(patient) for patient in range(8)]
    rows += [row(patient, variant=1, flip=False, **{js: 0.1}) for patient in range(8)]
    rows += [row(patient, "no", variant=2, flip=True, **{js: 0.3 + 0.01 * patient}) for patient in range(8)]
    table = {line["answers"]: line for line in plain(agreement.flips(rows, PARAMS))}
    assert set(table) == {"yes→yes", "yes→no", "kept", "flipped"}
    assert table["yes→no"]["n"] == 8 and table["yes→no"]["js_to_baseline"] == pytest.approx(0.335)
    assert table["flipped"]["js_contrast"] == pytest.approx(0.235) and table["flipped"]["informative_patients"] == 8
    assert table["flipped"]["margin_shift"] == 4 and table["kept"]["js_contrast"] is None


# --- correctness ------------------------------------------------------------------------------------------------------


def test_right_and_wrong_answers_are_compared_inside_patients():
    focus = column("decision", "focus")
    rows = []
    for patient in range(12):
        level = 10 * patient  # patients differ far more than answers do
        rows += [row(patient, "yes", variant=1, **{focus: level + 2.0}), row(patient, "no", variant=2, **{focus: level + 1.0})]
    table = {line["metric"]: line for line in plain(correctness.correct_incorrect(rows, PARAMS))}
    assert table["focus"]["difference"] == pytest.approx(1) and table["focus"]["p"] == pytest.approx(2 / 2**12)
    assert table["focus"]["verdict"] == "differs" and table["focus"]["informative_patients"] == 12
    assert table["image_mass"]["verdict"] == "too few" and table["image_mass"]["p"] is None
    few = {line["metric"]: line for line in plain(correctness.correct_incorrect(rows[:10], PARAMS))}
    assert few["focus"]["informative_patients"] == 5 and few["focus"]["p"] is None and few["focus"]["verdict"] == "too few"


# --- image reliance ---------------------------------------------------------------------------------------------------


def relied(answers: list[str], without: list[str], margins: list[float], other: list[float]) -> dict:
    rows = [
        row(1, said, variant=index, margin=margin) for index, (said, margin) in enumerate(zip(answers, margins, strict=True))
    ]
    rows += [
        row(1, said, variant=index, margin=margin, condition="no_image", status="no_grid")
        for index, (said, margin) in enumerate(zip(without, other, strict=True))
    ]
    questions = [{"question_id": "q1", "condition": "clean", "consistency": 1.0}]
    (found,) = reliance.reliance_rows(rows, questions)
    return found


def test_reliance_is_signed_by_the_answer_given_with_the_image():
    found = relied(["yes", "no"], ["yes", "yes"], [3.0, -2.0], [1.0, 1.0])
    assert found["reliance_all_variants"] == pytest.approx(((3 - 1) + (2 + 1)) / 2) and found["reliance_blank"] is None
    assert found["reliance_no_image"] == 2  # the baseline variant alone, as it is with a blank image
    assert found["text_only_agreement"] == 0.5
    assert relied(["uncertain"], ["yes"], [0.5], [1.0])["reliance_no_image"] is None


@pytest.mark.parametrize("answers, without, blind", [
    (["yes", "yes"], ["yes", "yes"], True), (["yes", "yes"], ["yes", "no"], False), (["yes", "no"], ["yes", "no"], False),
    (["unparsed", "unparsed"], ["unparsed", "unparsed"], False), (["yes", "yes"], ["yes"], None),
])  # fmt: skip
def test_consistent_but_blind_needs_all_variants_and_all_text_only_answers_alike(answers, without, blind):
    assert relied(answers, without, [1.0] * len(answers), [1.0] * len(without))["consistent_but_blind"] is blind


# --- robustness and occlusion -----------------------------------------------------------------------------------------


def test_conditions_are_compared_with_the_same_strategys_clean_row():
    rows = [row(patient) for patient in range(10)]
    noise = {"condition": "gaussian_noise", "strength": "0.1"}
    for patient in range(10):
        flipped = patient < 4
        rows.append(row(patient, "no" if flipped else "yes", flip_to_clean=flipped, margin_change=-4.0 if flipped else 0.0,
                        **noise, **{column("decision", "js_to_clean"): 0.02}))  # fmt: skip
    clean, noisy = plain(robustness.robustness(rows, [{"image_id": "i0", "js_other_finding": 0.5}], PARAMS))
    assert clean["condition"] == "clean" and clean["flip_rate"] is None and clean["accuracy_change"] is None
    assert noisy["flip_rate"] == 0.4 and noisy["accuracy"] == 0.6 and noisy["accuracy_change"] == pytest.approx(-0.4)
    assert noisy["margin_change"] == pytest.approx(-1.6) and noisy["js_to_clean"] == 0.02 and noisy["js_other_finding"] == 0.5
    assert noisy["agreement_with_clean"] == 0.6 and noisy["flip_low"] < 0.4 < noisy["flip_high"]


def test_what_an_occlusion_costs_is_signed_by_the_clean_answer():
    rows = [
        row(1, "no", truth="yes", margin=-3.0), row(1, "no", margin=-1.0, condition="occlude_region", flip_to_clean=False),
        row(1, "no", margin=-3.5, condition="occlude_elsewhere", flip_to_clean=False),
        row(2, "uncertain"), row(2, "yes", condition="occlude_region"), row(2, "yes", condition="occlude_elsewhere"),
        row(3), row(3, "no", margin=-1.0, condition="occlude_region", flip_to_clean=True),
    ]  # fmt: skip
    (pair,) = occlusion.occlusion_rows(rows)  # 2 has no clean answer, 3 was not asked elsewhere
    assert (pair["drop_region"], pair["drop_elsewhere"], pair["effect"]) == (2.0, -0.5, 2.5)


# --- references and hypotheses ----------------------------------------------------------------------------------------


def asked(patients: int, where: dict[str, tuple[int, int]]) -> tuple[list[dict], Store]:
    """A baseline question about a nodule and a control per patient; grids spotted where the role looks."""
    rows, grids = [], {}
    for patient in range(patients):
        for role, finding, truth in (("study", "nodule", "yes"), ("control", "edema", "no")):
            made = row(patient, truth, truth, role=role, finding=finding, sample_id=f"{role}{patient}")
            rows.append(made)
            grids[made["sample_id"]] = spot(where[role], 0.5 + 0.001 * patient)
    return rows, store(grids)


def test_the_reference_maps_are_what_they_are_called():
    rows, made = asked(3, {"study": HERE, "control": THERE})
    located = localisation.localisation_rows(rows, made, place, without_sinks=False)
    assert [one["uniform_region_enrichment"] for one in located] == [1, 1, 1]
    assert [one["body_region_enrichment"] for one in located] == [1, 1, 1]  # the body is the whole picture here
    for patient, one in enumerate(located):
        others = [0.5 + 0.001 * other for other in range(3) if other != patient]
        assert one["other_patients_region_mass"] == pytest.approx(np.mean(others), rel=1e-5)
        assert one["other_finding_region_mass"] == pytest.approx((0.5 - 0.001 * patient) / 255, rel=1e-4)
        assert one["model_pointing_game"] == 1 and one["other_finding_pointing_game"] == 0


def test_zeroed_cells_give_their_mass_to_the_rest():
    grid = localisation.without_cells(spot(HERE), [4 * 16 + 4])
    assert grid[HERE] == 0 and grid.sum() == pytest.approx(1) and grid[0, 0] == pytest.approx(1 / 255)
    assert localisation.without_cells(spot(HERE, 1.0), [4 * 16 + 4]) is None


def decided(rows: list[dict], made: Store, contrast: list[dict] = ()) -> dict[str, dict]:
    located = localisation.localisation_rows(rows, made, place, without_sinks=False)
    return {line["hypothesis"]: line for line in plain(hypotheses.hypotheses(located, contrast, rows, made, PARAMS))}


def test_attention_that_follows_the_question_is_supported_only_beyond_every_reference():
    rng = np.random.default_rng(0)
    rows, made = asked(12, {"study": HERE, "control": THERE})
    weak = {
        name: 0.2 * grid + 0.8 * rng.dirichlet(np.ones(256)).reshape(16, 16)
        for name, grid in zip(made.samples, made.grids["decision"], strict=True)
    }
    found = decided(rows, store({name: weak[name] if name.startswith("control") else made.grids["decision"][index].astype(float)
                                 for index, name in enumerate(made.samples)}))["H1b"]  # fmt: skip
    # other patients asked the same look there as well: the mean map is as good, so the region alone is not enough
    assert found["verdict"] == "not supported" and "best baseline map: other patients" in found["note"]


def test_attention_at_each_patients_own_region_is_supported():
    rng = np.random.default_rng(1)
    cells = [(int(a), int(b)) for a, b in rng.integers(1, 15, (14, 2))]
    rows, grids = [], {}
    for patient, cell in enumerate(cells):
        for role, finding, truth in (("study", "nodule", "yes"), ("control", "edema", "no")):
            made = row(patient, truth, truth, role=role, finding=finding, sample_id=f"{role}{patient}")
            rows.append(made)
            grids[made["sample_id"]] = spot(cell, 0.3) if role == "study" else rng.dirichlet(np.full(256, 50)).reshape(16, 16)

    def own_place(one: dict) -> Place:
        coverage = np.zeros((16, 16))
        coverage[cells[int(one["subject_id"][1:])]] = 1
        return Place(np.ones((16, 16)), (0.0, 0.0, 1.0, 1.0), True, {"nodule": Region(coverage, coverage > 0, False)}, 160, 160)

    located = localisation.localisation_rows(rows, store(grids), own_place, without_sinks=False)
    found = {line["hypothesis"]: line for line in plain(hypotheses.hypotheses(located, [], rows, store(grids), PARAMS))}["H1b"]
    assert found["verdict"] == "supported" and found["effect"] > 1.2 and found["p"] <= 0.01 and found["patients"] == 14


def test_without_controls_regions_or_patients_the_verdict_says_so():
    rows, made = asked(12, {"study": HERE, "control": THERE})
    study = [one for one in rows if one["role"] == "study"]
    assert decided(study, made)["H1b"]["verdict"] == "not applicable" and "control" in decided(study, made)["H1b"]["note"]
    absent = [one | {"ground_truth": "no"} for one in rows]
    assert "region" in decided(absent, made)["H1b"]["note"]
    few, small = asked(5, {"study": HERE, "control": THERE})
    assert decided(few, small)["H1b"]["verdict"] == "too few" and decided(few, small)["H1b"]["p"] is None


def test_variants_that_share_a_pattern_are_told_by_the_mean_difference():
    rows, made = asked(12, {"study": HERE, "control": THERE})
    contrast = [
        {"image_id": f"i{index}", "subject_id": f"p{index:02d}", "difference": 0.1 + 0.001 * index, "js_other_finding": 0.2}
        for index in range(12)
    ]
    found = decided(rows, made, contrast)["H2"]
    assert found["verdict"] == "supported" and found["effect"] == pytest.approx(0.1055)
    small = decided(rows, made, [one | {"difference": one["difference"] / 100} for one in contrast])["H2"]
    assert small["verdict"] == "not supported"


def test_the_checks_of_the_model_pass_or_fail():
    rows, made = asked(6, {"study": HERE, "control": THERE})
    assert decided(rows, made)["H3a"]["verdict"] == "pass" and decided(rows, made)["H4"]["verdict"] == "not applicable"
    wrong = {"difference": 0.3, "tolerance": 1e-4, "power": 0.875, "blind_layers": [2]}
    object.__setattr__(made, "model", {"image_side": 32, "cross_attention": ["cross_attn"], "eager_agreement": wrong})
    assert decided(rows, made)["H3a"]["effect"] == 0.3
    assert "in 88 % of heads, in none of layers 2" in decided(rows, made)["H3a"]["note"]
    assert decided(rows, made)["H3a"]["verdict"] == "fail" and decided(rows, made)["H4"]["verdict"] == "fail"


@pytest.mark.parametrize("p, effect, high, expected", [
    (0.01, 1.3, 1.5, "supported"), (0.01, 1.1, 1.5, "inconclusive"), (0.01, 1.1, 1.19, "not supported"),
    (0.2, 1.3, 1.5, "inconclusive"),
    (0.05, 1.2, 1.4, "supported"), (0.9, 0.8, 0.9, "not supported"), (0.9, 0.8, None, "inconclusive"),
])  # fmt: skip
def test_the_verdict_follows_the_rule(p, effect, high, expected):
    assert verdict({"p_adjusted": p, "effect": effect, "high": high, "minimum_effect": 1.2}) == expected


# --- published numbers ------------------------------------------------------------------------------------------------

PUBLISHED = "quantity,study,published,unit,source,comparable,reason,ours\nflips,mimic-cxr,0.15,share,a paper,{},because,{}\n"
TABLES = {
    "headline": [{"accuracy_all": 0.8, "accuracy_baseline": 0.9, "flip_rate": 0.25}], "metric_summary": [], "consistency": [],
    "flips": [], "image_reliance": [],
}  # fmt: skip


def beside(tmp_path, study: str, comparable: str = "yes", ours: str = "flip_rate") -> list[dict]:
    path = tmp_path / "published.csv"
    path.write_text(PUBLISHED.format(comparable, ours))
    return published.published(path, study, TABLES)


def test_published_numbers_stand_beside_ours_for_their_own_study_only(tmp_path):
    (line,) = beside(tmp_path, "mimic-cxr")
    assert line["ours"] == 0.25 and line["difference"] == pytest.approx(0.1) and line["comparable"] is True
    assert beside(tmp_path, "mimic-cxr", "no")[0]["difference"] is None
    assert beside(tmp_path, "phantom") == []


def test_a_number_that_we_do_not_have_is_an_error_that_names_the_row(tmp_path):
    with pytest.raises(InputError, match=r"published\.csv, row 2: ours is 'fliprate'"):
        beside(tmp_path, "phantom", ours="fliprate")


def test_every_number_that_may_be_named_is_taken_from_its_table():
    tables = TABLES | {
        "metric_summary": [
            {"profile": "decision", "metric": "focus", "mean": 0.5},
            {"profile": "original", "metric": "focus", "mean": 0.25},
        ],
        "consistency": [
            {"grouping": "question", "condition": "no_image", "any_flip_3": 0.9},
            {"grouping": "question", "condition": "clean", "any_flip_3": 0.3, "any_flip_4": 0.4, "any_flip_5": None},
            {"grouping": "text", "consistency": 0.9, "fully_consistent": 0.5, "n": 63},
        ],
        "flips": [{"answers": "yes→no", "js_distance_to_baseline": 0.125}],
        "image_reliance": [{"finding": "nodule", "text_only_agreement": 0.1}, {"finding": "all", "text_only_agreement": 0.6}],
    }
    ours = published.our_numbers(tables)
    assert [ours[f"any_flip_{k}"] for k in (3, 4, 5)] == [0.3, 0.4, None]
    assert (
        ours["consistency_by_text"] == 0.9 and ours["fully_consistent_by_text"] == 31.5 and ours["text_only_agreement"] == 0.6
    )
    assert ours["js_distance_yes_no"] == 0.125 and ours["js_distance_no_no"] is None and ours["focus"] == 0.25
    assert ours["flip_rate"] == 0.25


def test_the_committed_published_numbers_name_only_numbers_that_we_have():
    for study in ("phantom", "mimic-cxr"):
        published.published(ROOT / paths.PUBLISHED, study, TABLES)
