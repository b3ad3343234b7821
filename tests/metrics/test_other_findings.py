"""Which questions show that the question directs attention: same image, same words, another finding."""

import pytest

from medattn.metrics.samples import OtherFindings
from medattn.metrics.tables.groups import contrast_rows
from tests.metrics.handmade import HERE, THERE, row, spot, store

ABOUT_NODULE = row(0, finding="nodule", baseline_question="Is there a nodule in this image?")


def other(finding: str, text: str, **more) -> dict:
    return row(0, finding=finding, baseline_question=text, **{"sample_id": f"{finding}|{text}", "question_id": "other"} | more)


def found(*others: dict) -> list[dict]:
    return OtherFindings([ABOUT_NODULE, *others])(ABOUT_NODULE)


@pytest.mark.parametrize("finding, text", [
    ("edema", "Is there edema in this image?"), ("effusion", "Is there an effusion in this image?"),
    ("mass", "Is there a mass in this image?"),
])  # fmt: skip
def test_a_question_in_the_same_words_about_another_finding_counts(finding, text):
    assert len(found(other(finding, text))) == 1


@pytest.mark.parametrize("change", [
    {"text": "Does this film show edema?"}, {"image_id": "i9"}, {"condition": "blank"}, {"variant_index": 1},
    {"status": "failed"},
])  # fmt: skip
def test_other_words_images_conditions_and_variants_do_not_count(change):
    assert found(other("edema", **{"text": "Is there edema in this image?"} | change)) == []


def test_a_control_counts_whatever_its_words_and_the_same_finding_never():
    assert len(found(other("edema", "Edema?", role="control"))) == 1
    assert found(other("nodule", "Is there a nodule in this image?", role="control")) == []
    assert found(other("nodule", "Is there a nodule in this image?")) == []


def test_two_findings_asked_about_one_image_in_the_same_words_are_each_others_contrast():
    rows = [ABOUT_NODULE, other("edema", "Is there edema in this image?")]
    grids = {ABOUT_NODULE["sample_id"]: spot(HERE, 1.0), rows[1]["sample_id"]: spot(THERE, 1.0)}
    (line,) = contrast_rows(rows, store(grids))
    assert line["js_other_finding"] == 1 and line["n_other_findings"] == 2 and line["js_other_variant"] is None


def test_what_has_no_grid_is_no_contrast():
    rows = [ABOUT_NODULE, other("edema", "Is there edema in this image?")]
    (line,) = contrast_rows(rows, store({ABOUT_NODULE["sample_id"]: spot(HERE)}))
    assert line["js_other_finding"] is None and line["n_other_findings"] == 0
