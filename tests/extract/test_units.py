"""Units and batches: what is computed together, and what only once, is decided by the manifest alone."""

from collections import Counter

import numpy as np
import pytest

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.extract.units import SAMPLES_AT_ONCE, ShownImage, Unit, batches, read_units, shown_in, units_of
from tests.extract.conftest import IMAGES, UNITS, manifest

TEMPLATES = ("Is there {}?", "Does this image show {}?", "Any sign of {}?", "Can you see {}?", "Is {} there?", "{}, yes or no?")
FINDINGS = ("a nodule", "cardiomegaly", "an effusion")


def row(sample_id: str, condition: str, image: str, question: str = "A nodule?", **more: str) -> dict[str, str]:
    """A row of a manifest; an image's file has the hash of its first letter."""
    shown = "" if condition == "no_image" else image
    about = {"strength": "", "finding": "nodule", "image_id": image, "shown_image_id": shown, "image_sha256": image[:1]}
    return about | {"sample_id": sample_id, "condition": condition, "question": question} | more


def asked(units: list[Unit]) -> list[tuple[tuple[str, ...], ...]]:
    """The samples of every unit's questions."""
    return [unit.samples for unit in units]


def rows_of(batch: tuple[Unit, ...]) -> int:
    return sum(len(unit.questions) for unit in batch)


def test_units_are_all_that_is_asked_about_one_model_input(pristine):
    units = units_of(manifest(pristine))
    assert len(units) == UNITS
    clean = [unit for unit in units if unit.shown and unit.shown.condition == "clean"]
    assert len(clean) == IMAGES and all(8 <= len(unit.questions) <= 9 for unit in clean)  # six variants, controls, as donor
    assert sum(unit.sample_count for unit in units) == len(manifest(pristine))
    assert all((unit.shown.occluded != "") == unit.shown.condition.startswith("occlude") for unit in units if unit.shown)
    assert units == units_of(reversed(manifest(pristine)))


def test_every_sample_is_of_one_unit_that_asks_its_text(pristine):
    texts = {one["sample_id"]: one["question"] for one in manifest(pristine)}
    found = [
        (sample_id, question)
        for unit in units_of(manifest(pristine))
        for question, sample_ids in unit.question_samples.items()
        for sample_id in sample_ids
    ]
    assert sorted(found) == sorted(texts.items())


@pytest.mark.parametrize("condition", ["no_image", "blank"])
def test_without_a_radiograph_the_same_text_is_asked_once_for_all_images(condition):
    rows = [row("a", condition, "i1"), row("b", condition, "j1"), row("c", condition, "k1", "A mass?")]
    units = units_of(rows)
    assert asked(units) == [(("c",),), (("a", "b"),)]
    assert len({one for batch in batches(units) for one in shown_in(batch)}) == (condition == "blank")


def test_a_donors_image_is_its_own_clean_one():
    rows = [
        row("a", "clean", "i1"),
        row("b", "shuffled_image", "i1", image_id="k1"),
        row("c", "shuffled_image", "i1", "A mass?"),
    ]
    (unit,) = units_of(rows)
    assert unit.shown == ShownImage("i1", "clean", "", "", "i")
    assert unit.question_samples == {"A mass?": ("c",), "A nodule?": ("a", "b")}


@pytest.mark.parametrize(
    ("condition", "shared"),
    [
        ("clean", True), ("contrast", True), ("brightness", True), ("blur", True), ("rotation", True), ("blank", True),
        ("gaussian_noise", False), ("few_pixels", False), ("occlude_region", False), ("occlude_elsewhere", False),
    ],
)  # fmt: skip
def test_one_file_under_two_names_is_one_input_where_its_pixels_decide(condition, shared):
    units = units_of([row("a", condition, "i2", strength="1"), row("b", condition, "i1", strength="1")])
    assert asked(units) == ([(("a", "b"),)] if shared else [(("b",),), (("a",),)])


@pytest.mark.parametrize("change", [{"strength": "2"}, {"condition": "rotation"}, {"image_sha256": "other"}])
def test_another_strength_condition_or_file_is_another_input(change):
    units = units_of([row("a", "blur", "i1", strength="1"), row("b", "blur", "i1", strength="1") | change])
    assert len(units) == 2


def test_batches_hold_images_apart_from_none_and_nothing_twice(pristine):
    units = units_of(manifest(pristine)) * 5
    made = list(batches(units))
    assert max(map(rows_of, made)) <= SAMPLES_AT_ONCE and min(map(rows_of, made)) > 0
    assert all(len({unit.shown is not None for unit in batch}) == 1 for batch in made)
    assert Counter(unit for batch in made for unit in batch) == Counter(units)


def mean_fill(rows: list[dict[str, str]]) -> float:
    return float(np.mean([rows_of(batch) for batch in batches(units_of(rows))])) / SAMPLES_AT_ONCE


def paper(images: int, *perturbed: str) -> list[dict[str, str]]:
    """Six variants of a question about each image, and under other conditions the first of them."""
    made = []
    for number in range(images):
        image = f"{number:04d}"
        finding = FINDINGS[number % len(FINDINGS)]
        asked = [(condition, 0) for condition in perturbed] + [("clean", variant) for variant in range(len(TEMPLATES))]
        for condition, variant in asked:
            text = TEMPLATES[variant].format(finding)
            made.append(row(f"{image}-{condition}-{variant}", condition, image, text, image_sha256=image))
    return made


@pytest.mark.parametrize("perturbed", [(), ("blur", "rotation", "few_pixels")])
def test_batches_of_six_hundred_samples_are_nine_tenths_full(perturbed):
    rows = paper(600 // (len(TEMPLATES) + len(perturbed)), *perturbed)
    assert len(rows) > 590 and mean_fill(rows) >= 0.9


def test_an_images_units_lie_in_batches_side_by_side():
    made = list(batches(units_of(paper(100, "blur", "rotation", "few_pixels"))))
    for image in {one.image_id for batch in made for one in shown_in(batch)}:
        found = [number for number, batch in enumerate(made) if any(one.image_id == image for one in shown_in(batch))]
        assert found[-1] - found[0] <= 1


def test_a_unit_of_many_texts_is_a_batch_of_its_own():
    def unit(texts: int) -> Unit:
        return Unit(ShownImage("image", "clean", "", "", ""), ("A nodule?",) * texts, (("a",),) * texts)

    sizes = [[len(one.questions) for one in batch] for batch in batches([unit(n) for n in (3, 45, 1, 100, 1, 1)])]
    assert sizes == [[3, 45], [1, 1, 1], [100]]


def test_a_shard_is_decided_by_what_is_shown(pristine):
    units = units_of(manifest(pristine))
    dealt = {unit: unit.shard(16) for unit in units}
    for image_id in {unit.shown.image_id for unit in units if unit.shown} - {""}:
        assert len({dealt[unit] for unit in units if unit.shown and unit.shown.image_id == image_id}) == 1
    for condition in (None, "blank"):  # one text each
        assert len({dealt[unit] for unit in units if (unit.shown.condition if unit.shown else None) == condition}) > 1
    assert set(dealt.values()) <= set(range(16))


def test_a_manifest_without_a_row_is_refused(tmp_path):
    path = tmp_path / paths.MANIFEST.name
    path.write_text("sample_id,image_id\n")
    with pytest.raises(InputError, match=r"manifest.csv has no row: run `dvc repro prepare`"):
        read_units(path)
