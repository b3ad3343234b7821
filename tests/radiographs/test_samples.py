"""Manifest rows come in order of sample_id, whatever the questions are called."""

import random

import pytest

from medattn.base.params.conditions import Condition
from medattn.base.rows import QuestionRow
from medattn.radiographs.donors import Donors
from medattn.radiographs.samples import Samples

IMAGE = dict.fromkeys(("path", "sha256", "width", "height", "view", "split"), "") | {"subject_id": "p"}
EMPTY = ("study_id", "subject_id", "finding", "zone", "baseline_question", "question", "question_variant")
QUESTION = dict.fromkeys(EMPTY, "") | {"image_id": "i", "role": "study", "strategy": "baseline", "answer": "yes"}
HOSTILE = [
    "q",
    "q-v",
    "q-v0",
    "q-v0-clean",
    "q-v0-clean-v1",
    "q-v1",
    "q0",
    "q-",
    "q--v0",
    "Q",
    "q-w",
    "q-u",
    "q-vv",
    "q_v",
    "qv",
]


@pytest.mark.parametrize("seed", range(30))
def test_rows_are_sorted_though_one_question_is_called_as_another_ones_sample_begins(seed):
    chance = random.Random(seed)
    names = chance.sample(HOSTILE, chance.randint(1, len(HOSTILE))) + [f"q{number}" for number in range(chance.choice([2, 30]))]
    questions = [
        QuestionRow(QUESTION | {"question_id": name, "variant_index": str(variant)})
        for name in dict.fromkeys(names) for variant in chance.sample(range(12), 3)
    ]  # fmt: skip
    images, conditions = {"i": IMAGE | {"image_id": "i"}}, {name: Condition(variants="all") for name in ("clean", "no_image")}
    ids = [row["sample_id"] for row in Samples(questions, images, Donors(images, questions), [], conditions)]
    assert ids == sorted(ids) and len(ids) == 2 * len(questions)
