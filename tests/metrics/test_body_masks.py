"""Whose body mask may be wrong: image by image, and as the page counts them."""

from dataclasses import replace

import pandas as pd
import pytest

from medattn.metrics.tables.body_masks import body_masks
from medattn.report.sections import doubtful_masks
from tests.metrics.handmade import place, row


def test_every_image_that_is_shown_as_it_is_has_one_row_with_the_doubt_about_its_mask():
    rows = [row(0), row(1), row(1, variant=1), row(2, condition="blank")]
    found = body_masks(rows, lambda one: replace(place(one), doubt="all" if one["image_id"] == "i1" else ""))
    assert [(line["image_id"], line["doubt"]) for line in found] == [("i0", ""), ("i1", "all")]
    assert [line["subject_id"] for line in found] == [row(0)["subject_id"], row(1)["subject_id"]]


def masks(doubtful: int, sound: int, images: int = 1) -> pd.DataFrame:
    """So many patients with doubtful masks and with sound ones, of so many images each."""
    patients = [(f"d{n}", "all") for n in range(doubtful)] + [(f"s{n}", "") for n in range(sound)]
    return pd.DataFrame([(*patient, n) for patient in patients for n in range(images)], columns=["subject_id", "doubt", "n"])


@pytest.mark.parametrize(
    ("doubtful", "sound", "least", "told"),
    [
        (1, 9, 1, "2 of 20"), (5, 5, 5, "10 of 20"), (10, 0, 5, "20 of 20"), (4, 16, 5, "some"), (1, 9, 5, "some"),
        (16, 4, 5, "some"),
    ],
)  # fmt: skip
def test_the_page_counts_doubtful_masks_unless_they_or_the_others_are_of_few_patients(doubtful, sound, least, told):
    (said,) = doubtful_masks(masks(doubtful, sound, images=2), least)
    assert said.startswith(f"Body masks: {told} are doubtful")


def test_the_page_says_nothing_where_no_mask_is_doubtful():
    assert doubtful_masks(masks(0, 10), 5) == []
