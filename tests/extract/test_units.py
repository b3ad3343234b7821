"""Units and batches: what is computed together is decided by the manifest alone."""

import pytest

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.extract.units import SAMPLES_AT_ONCE, Unit, UnitSample, batches, by_shard, read_units, units_of
from tests.extract.conftest import IMAGES, UNITS, manifest


def test_units_are_all_that_is_asked_about_one_image_under_one_condition(pristine):
    units = units_of(manifest(pristine))
    assert len(units) == UNITS
    assert [len(unit.samples) for unit in units if unit.condition == "clean"] == [8] * IMAGES  # six variants, two controls
    assert [len(unit.samples) for unit in units if not unit.shown] == [6] * IMAGES
    assert {len(unit.samples) for unit in units if unit.condition not in ("clean", "no_image")} == {1}
    assert all((unit.occluded != "") == unit.condition.startswith("occlude") for unit in units)
    assert units == units_of(reversed(manifest(pristine)))


def test_batches_hold_images_apart_from_none_and_nothing_twice(pristine):
    units = units_of(manifest(pristine)) * 5
    made = list(batches(units))
    sizes = [sum(len(unit.samples) for unit in batch) for batch in made]
    assert SAMPLES_AT_ONCE - 8 < max(sizes) <= SAMPLES_AT_ONCE and min(sizes) > 0
    assert all(len({unit.shown != "" for unit in batch}) == 1 for batch in made)
    assert [unit for batch in made for unit in batch] == sorted(units, key=lambda unit: unit.shown == "")


def test_a_unit_of_many_samples_is_a_batch_of_its_own():
    def unit(samples: int) -> Unit:
        return Unit("image", "clean", "", "image", "", "", (UnitSample("a", "A nodule?"),) * samples)

    sizes = [[len(one.samples) for one in batch] for batch in batches([unit(n) for n in (3, 45, 1, 100, 1, 1)])]
    assert sizes == [[3, 45], [1], [100], [1, 1]]


def test_every_unit_is_in_the_shard_of_its_image(pristine):
    units = units_of(manifest(pristine))
    dealt = by_shard(units, 16)
    assert sorted(map(str, units)) == sorted(str(unit) for some in dealt.values() for unit in some)
    for unit in units:
        assert sum(unit in some for some in dealt.values()) == 1


def test_a_manifest_without_a_row_is_refused(tmp_path):
    path = tmp_path / paths.MANIFEST.name
    path.write_text("sample_id,image_id\n")
    with pytest.raises(InputError, match=r"manifest.csv has no row: run `dvc repro prepare`"):
        read_units(path)
