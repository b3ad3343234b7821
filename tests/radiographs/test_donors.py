"""Whose image is shown under shuffled_image: the rule, and that no size of the study changes it or makes it slow."""

import random

import pytest

from medattn.base.seeding import choose
from medattn.radiographs.donors import Donors


def image_of(patient: str, view: str = "PA") -> dict[str, str]:
    return dict.fromkeys(("path", "sha256", "width", "height", "split"), "") | {"subject_id": patient, "view": view}


def asked_about(image: str, answer: str, finding: str = "nodule") -> dict[str, str]:
    return {"question_id": f"q-{image}", "image_id": image, "finding": finding, "answer": answer}


@pytest.mark.parametrize(
    "others, expected",
    [
        ({"b": "no", "c": "yes", "d": ""}, "b"),  # the opposite truth, where it is known
        ({"c": "yes", "d": ""}, "d"),  # else an unknown one
        ({"c": "yes"}, "c"),  # else the same
    ],
)
def test_a_donor_is_of_the_opposite_truth_else_of_an_unknown_else_of_the_same(others, expected):
    own = asked_about("a", "yes")
    questions = [own, *(asked_about(image, answer) for image, answer in others.items() if answer)]
    questions += [asked_about(image, "no", "edema") for image in others]  # what is known of another finding does not count
    images = {name: image_of(name) for name in ("a", *others)}
    found = Donors(images, questions).of(own)
    assert found["shown_image_id"] == expected and found["answer"] == others[expected]


def test_a_donor_is_neither_the_same_patient_nor_seen_from_another_side():
    own = asked_about("a", "yes")
    images = {"a": image_of("one"), "b": image_of("one"), "c": image_of("two", "LATERAL"), "d": image_of("three")}
    questions = [own, asked_about("b", "no"), asked_about("c", "no"), asked_about("d", "yes")]
    assert Donors(images, questions).of(own)["shown_image_id"] == "d"


def brute_force(images: dict[str, dict], questions: list[dict], question: dict) -> tuple[str, str] | None:
    """The rule as it reads: look at every image of the study, for every question."""
    own, truth = images[question["image_id"]], {(row["image_id"], row["finding"]): row["answer"] for row in questions}
    others = [
        image_id for image_id, image in sorted(images.items())
        if image["subject_id"] != own["subject_id"] and image["view"] == own["view"]
    ]  # fmt: skip
    for wanted in ({"yes", "no"} - {question["answer"]}, {""}, {question["answer"]}):
        if fitting := [name for name in others if truth.get((name, question["finding"]), "") in wanted]:
            donor = choose(fitting, "shuffled_image", question["question_id"])
            return donor, truth.get((donor, question["finding"]), "")
    return None


@pytest.mark.parametrize("seed", range(60))
def test_the_choice_is_that_of_looking_at_every_image(seed):
    chance = random.Random(seed)
    patients, views = chance.choice([1, 2, 3, 20]), chance.choice([["PA"], ["PA", "AP", "LATERAL"]])
    names = [f"{chance.choice('abc')}{number}" for number in range(chance.randint(1, 40))]
    images = {name: image_of(f"p{chance.randrange(patients)}", chance.choice(views)) for name in names}
    findings = ["nodule", "edema", "effusion"][: chance.randint(1, 3)]
    answers = chance.choice([["yes"], ["yes", "no"], ["yes", "no", ""]])
    questions = [
        asked_about(name, chance.choice(answers), finding) | {"question_id": f"q{name}{finding}"}
        for name in names for finding in findings if chance.random() < 0.6
    ]  # fmt: skip
    donors = Donors(images, questions)
    for question in questions:
        found = donors.of(question)
        expected = brute_force(images, questions, question)
        assert (found and (found["shown_image_id"], found["answer"])) == expected


def test_a_choice_looks_at_no_more_images_in_a_larger_study():
    class Counted(dict):
        looked = 0

        def __getitem__(self, key):
            Counted.looked += 1
            return super().__getitem__(key)

    counts = []
    for size in (50, 400):
        images = Counted({f"i{number:04d}": image_of(f"p{number}") for number in range(size)})
        questions = [asked_about(name, "yes" if number % 2 else "no") for number, name in enumerate(images)]
        donors = Donors(images, questions)
        Counted.looked = 0
        for question in questions[:20]:
            donors.of(question)
        counts.append(Counted.looked)
    assert counts[0] == counts[1]
