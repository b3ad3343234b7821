"""Samples and images for the gallery: all that were answered, each image once, in the order in which they are shown."""

import csv

import numpy as np
import pytest

from medattn.base.errors import InputError
from medattn.figures.gallery_samples import COLUMNS, Perturbation, sorted_samples

GRID = np.full((16, 16), 1 / 256)


def row(question_id: str, /, **more: str) -> dict[str, str]:
    given = {
        "question_id": question_id, "role": "study", "condition": "clean", "finding": "nodule", "shown_image_id": "one",
        "question": "Is there one?", "variant_index": "0", "strategy": "baseline", "answer": "Yes.", "ground_truth": "yes",
        "parsed_answer": "yes", "correct": "true", "status": "ok",
    } | more  # fmt: skip
    name = "-".join((question_id, given["variant_index"], given["condition"], given.get("strength", "")))
    return dict.fromkeys(COLUMNS, "") | {"sample_id": name} | given


def write(path, rows, columns=COLUMNS) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*columns, "entropy"], restval="0.5", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def read(tmp_path):
    """Rows -> (image_id and perturbations, questions with their samples)."""

    def read(*rows):
        write(tmp_path / "table.csv", rows)
        with sorted_samples(tmp_path / "table.csv", tmp_path / "run") as samples:
            images = list(samples.images())
            assert samples.count_images() == len(images)
            for number, (image_id, perturbations) in enumerate(images):
                samples.place(image_id, perturbations, (7, number))
            return images, list(samples.questions({rows[0]["sample_id"]: GRID}))

    return read


def test_questions_come_by_finding_and_samples_by_condition_strength_and_variant(read):
    settings = [
        ("brightness", "-0.15"), ("brightness", "0.15"), ("clean", ""), ("few_pixels", "4"), ("noise", "0.05"),
        ("noise", "0.1"), ("noise", "10"), ("rotation", "-10"), ("rotation", "5"),
    ]  # fmt: skip
    rows = [
        row(question, finding=finding, condition=condition, strength=strength, variant_index=variant)
        for question, finding in (("b", "nodule"), ("a", "nodule"), ("c", "effusion"))
        for condition, strength in reversed(settings) for variant in ("10", "0", "2")
    ]  # fmt: skip
    _, questions = read(*rows)
    assert [(some[0].finding, some[0].question_id) for some in questions] == [
        ("effusion", "c"), ("nodule", "a"), ("nodule", "b")
    ]  # fmt: skip
    expected = [(name.replace("_", " "), strength, variant) for name, strength in settings for variant in (0, 2, 10)]
    assert [[(one.condition, one.strength, one.variant_index) for one in some] for some in questions] == [expected] * 3


def test_controls_and_samples_that_failed_are_left_out_with_their_images(read):
    images, questions = read(
        row("a"), row("b", role="control", shown_image_id="two"), row("c", status="failed", shown_image_id="three"),
        row("d", status="no_grid", condition="no_image", shown_image_id=""),
    )  # fmt: skip
    assert [one.question_id for (one,) in questions] == ["a", "d"]
    assert [image_id for image_id, _ in images] == ["one"]


def test_what_was_shown_is_made_once_and_every_sample_points_to_it(read):
    images, questions = read(
        row("a"), row("a", variant_index="1"), row("b", finding="effusion"),
        row("c", shown_image_id="two", condition="shuffled_image"), row("d", shown_image_id="two"),
        row("a", condition="occlude_region"), row("b", finding="effusion", condition="occlude_region"),
        row("a", condition="blur", strength="0.2"), row("b", finding="effusion", condition="blur", strength="0.2"),
        row("a", condition="no_image", shown_image_id=""),
    )  # fmt: skip
    assert dict(images) == {
        "one": [Perturbation("blur", "0.2", ""), Perturbation("clean", "", ""), Perturbation("occlude_region", "", "effusion"),
                Perturbation("occlude_region", "", "nodule")],
        "two": [Perturbation("clean", "", "")],
    }  # fmt: skip
    places = {(one.question_id, one.condition, one.variant_index): one.shown for some in questions for one in some}
    assert places == {
        ("a", "blur", 0): (7, 0, 0), ("a", "clean", 0): (7, 0, 1), ("a", "clean", 1): (7, 0, 1),
        ("a", "occlude region", 0): (7, 0, 3), ("b", "blur", 0): (7, 0, 0), ("b", "clean", 0): (7, 0, 1),
        ("b", "occlude region", 0): (7, 0, 2), ("c", "shuffled image", 0): (7, 1, 0), ("d", "clean", 0): (7, 1, 0),
        ("a", "no image", 0): None,
    }  # fmt: skip


def test_a_sample_is_what_its_row_says(read):
    text = "“Purple”, 3 < 4,\nand\ttwo 🫁"
    _, (samples,) = read(
        row("a", answer=text, question=text, margin="-0.25", ground_truth="", correct=""),
        row("a", variant_index="1", strategy="phrasing", flip="true", correct="false", parsed_answer="no", margin="1e-3"),
        row("a", condition="blur", strength="0.2", flip_to_clean="false"),
    )  # fmt: skip
    blurred, baseline, other = samples
    assert (baseline.asked, baseline.answer, baseline.truth) == (text, text, "")
    assert (baseline.correct, baseline.flip, baseline.margin) == (None, None, -0.25)
    assert (other.correct, other.flip, other.parsed, other.strategy, other.margin) == (False, True, "no", "phrasing", 0.001)
    assert (blurred.flip, blurred.margin) == (False, None)
    assert baseline.grid is GRID and other.grid is None


def test_nothing_stays_of_the_sorted_samples(read, tmp_path):
    read(row("a"))
    assert list((tmp_path / "run").iterdir()) == []


def test_a_table_that_is_not_there_or_of_another_version_is_told(tmp_path):
    remedy = "run `dvc repro metrics` first"
    path = tmp_path / "table.csv"
    with pytest.raises(InputError, match=f"{path} not found: {remedy}"), sorted_samples(path, tmp_path):
        pass
    write(path, [row("a")], [name for name in COLUMNS if name != "flip_to_clean"])
    said = f"column flip_to_clean is missing; it has .*: {remedy}"
    with pytest.raises(InputError, match=said), sorted_samples(path, tmp_path):
        pass
