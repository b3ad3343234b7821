"""What answers say, by class; a contradictory one by its first word."""

import pytest

from medattn.language.answers import ANSWERS
from medattn.metrics.tables.answer_classes import READINGS, answer_classes
from tests.metrics.handmade import PARAMS, plain, row

TEXTS = {
    "Yes, there is a nodule.": "yes",
    "No.": "no",
    "Possibly.": "uncertain",
    "Yes, there is no nodule.": "contradictory",
    "NoNoYes": "unparsed",
}


def answered(patient: int, text: str, variant: int = 0, baseline: str | None = None, **more) -> dict:
    parsed = TEXTS[text]
    flip = None if baseline is None else {parsed, baseline} == {"yes", "no"}
    return row(patient, parsed, variant=variant, answer=text, question="Is there a nodule?", flip=flip, **more)


def test_every_class_has_its_share_and_a_contradictory_answer_counts_by_its_first_word_below():
    rows = [answered(index, text) for index, text in enumerate(TEXTS)]
    whole, first = plain(answer_classes(rows, PARAMS))
    assert [whole["reading"], first["reading"]] == list(READINGS) and whole["n"] == first["n"] == 5
    assert [whole[f"{answer}_share"] for answer in ANSWERS] == [0.2] * 5
    assert [first[f"{answer}_share"] for answer in ANSWERS] == [0.4, 0.2, 0.2, 0, 0.2]
    assert whole["accuracy"] == pytest.approx(0.2) and first["accuracy"] == pytest.approx(0.4)  # the truth is yes


def test_by_the_first_word_a_contradictory_answer_can_flip():
    rows = [answered(0, "No."), answered(0, "Yes, there is no nodule.", 1, "no"), answered(0, "No.", 2, "no")]
    whole, first = plain(answer_classes(rows, PARAMS))
    assert whole["flip_rate"] == 0 and first["flip_rate"] == 0.5


def test_only_answers_about_the_clean_image_count():
    rows = [answered(0, "No."), answered(0, "NoNoYes", condition="no_image")]
    assert [line["n"] for line in plain(answer_classes(rows, PARAMS))] == [1, 1]
    assert answer_classes(rows[1:], PARAMS) == []
