"""Consistency of variants per question, and grouped by text as earlier work did, by counting."""

import itertools

import numpy as np
import pytest

from medattn.metrics.grid_metrics import column
from medattn.metrics.tables import agreement
from medattn.metrics.tables.groups import question_rows
from tests.metrics.handmade import PARAMS, plain, row, spot, store

NO_GRID = store({"other": spot((0, 0))})


def tables(rows: list[dict]) -> dict[tuple[str, str], dict]:
    table = plain(agreement.consistency_table(rows, question_rows(rows, NO_GRID), PARAMS))
    return {(line["grouping"], line["condition"]): line for line in table}


def variants(patient: int, *parsed: str, **more) -> list[dict]:
    made = [row(patient, said, variant=index, **more) for index, said in enumerate(parsed)]
    for one in made[1:]:
        one["flip"], one["hedge_shift"] = {one["parsed_answer"], parsed[0]} == {"yes", "no"}, False
    return made


def test_a_condition_is_the_mean_of_its_questions():
    rows = [*variants(0, "yes", "yes", "yes"), *variants(1, "yes", "no", "no", "no"), *variants(2, "no", "no", "uncertain")]
    found = tables(rows)["question", "clean"]
    assert found["n"] == 3 and found["mean_variants"] == pytest.approx(10 / 3)
    assert found["consistency"] == pytest.approx((1 + 3 / 4 + 2 / 3) / 3) and found["fully_consistent"] == pytest.approx(1 / 3)
    assert found["flip_to_baseline"] == pytest.approx((0 + 1 + 0) / 3) and found["any_flip"] == pytest.approx(1 / 3)
    assert found["flip_all_pairs"] == pytest.approx((0 + 3 / 6 + 0) / 3)
    assert found["consistency_low"] is None or found["consistency_low"] < found["consistency"]


def test_any_flip_among_k_is_averaged_over_questions_that_have_as_many_variants():
    answers = [("yes", "yes", "no"), ("yes", "no", "yes", "unparsed"), ("no",) * 5]
    found = tables([one for patient, parsed in enumerate(answers) for one in variants(patient, *parsed)])["question", "clean"]
    for k in (3, 4, 5):
        shares = [
            np.mean([{"yes", "no"} <= set(subset) for subset in itertools.combinations(parsed, k)])
            for parsed in answers if len(parsed) >= k
        ]  # fmt: skip
        assert found[f"any_flip_{k}"] == pytest.approx(np.mean(shares)), k


def test_grouping_by_text_merges_patients_that_were_asked_the_same():
    rows = [*variants(0, "yes", "yes"), *variants(1, "no", "no"), *variants(2, "yes", "yes", baseline_question="Any edema?")]
    found = tables(rows)
    assert found["question", "clean"]["consistency"] == 1 and found["question", "clean"]["n"] == 3
    text = found["text", "clean"]
    assert text["n"] == 2 and text["consistency"] == pytest.approx((0.5 + 1) / 2) and text["fully_consistent"] == 0.5
    assert text["mean_variants"] == 3 and text["patients"] is None and text["consistency_low"] is None


def test_only_clean_answers_are_grouped_by_text_and_clean_comes_first():
    rows = variants(0, "yes", "yes") + variants(0, "no", "no", condition="no_image") + variants(0, "no", condition="blank")
    table = plain(agreement.consistency_table(rows, question_rows(rows, NO_GRID), PARAMS))
    assert [(line["grouping"], line["condition"]) for line in table] == [
        ("question", "clean"), ("question", "no_image"), ("text", "clean"),  # one variant alone agrees with itself: no row
    ]  # fmt: skip
    assert table[-1]["consistency"] == 1


def test_every_strength_stands_alone_and_expects_what_its_own_answers_do():
    rows = variants(0, "yes", "yes")
    rows += variants(0, "yes", "no", condition="blur", strength="2") + variants(0, "no", "no", condition="blur", strength="10")
    table = plain(agreement.consistency_table(rows, question_rows(rows, NO_GRID), PARAMS))
    found = [
        (line["strength"], line["consistency"], line["expected_consistency"]) for line in table if line["condition"] == "blur"
    ]
    assert found == [("2", 0.5, pytest.approx(0.75)), ("10", 1, pytest.approx(1))]  # two coins agree half of the time


def test_without_answers_there_is_no_table():
    assert plain(agreement.consistency_table([], [], PARAMS)) == [] and plain(agreement.flips([], PARAMS)) == []


def test_every_transition_has_its_own_row_and_hedges_belong_to_none():
    js = column("decision", "js_to_baseline")
    rows = []
    for patient, (before, after) in enumerate(
        [("yes", "yes"), ("yes", "no"), ("no", "yes"), ("no", "no"), ("no", "uncertain")]
    ):
        first, second = variants(patient, before, after, margin=1.0)
        second |= {js: 0.1 * (patient + 1), "margin": 3.0}
        rows += [first, second]
    found = {line["answers"]: line for line in plain(agreement.flips(rows, PARAMS))}
    assert {name: line["n"] for name, line in found.items()} == {
        "yes→yes": 1,
        "yes→no": 1,
        "no→yes": 1,
        "no→no": 1,
        "kept": 2,
        "flipped": 2,
    }
    assert found["no→yes"]["js_to_baseline"] == pytest.approx(0.3) and found["kept"]["js_to_baseline"] == pytest.approx(
        (0.1 + 0.4) / 2
    )
    assert found["flipped"]["informative_patients"] == 0 and found["flipped"]["js_contrast"] is None
    assert found["flipped"]["margin_shift"] == 2


def test_a_shift_needs_two_valid_margins():
    first, second = variants(0, "yes", "no")
    second |= {column("decision", "js_to_baseline"): 0.2}
    for spoiled in (first, second):
        rows = [first | {"margin_valid": spoiled is not first}, second | {"margin_valid": spoiled is not second}]
        assert {line["answers"]: line for line in plain(agreement.flips(rows, PARAMS))}["yes→no"]["margin_shift"] is None
