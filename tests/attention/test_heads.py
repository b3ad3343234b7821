"""What is kept of every head's map: exact sums, so that the order of the samples changes nothing."""

import numpy as np
import pytest

from medattn.attention.heads import PatientMean, head_maps, region_mass
from tests.attention.test_grids import capture

RNG = np.random.default_rng(0)
MAPS = RNG.dirichlet(np.ones(256), (40, 2, 4)).astype(np.float32)  # [sample, layer, head, 256]


def test_the_map_of_a_head_is_its_last_prompt_rows_weights_as_shares():
    sample = capture()
    weights = sample.image_weights[:, :, 0].astype(np.float64)
    np.testing.assert_allclose(head_maps(sample), weights / weights.sum(axis=-1, keepdims=True), rtol=1e-5)


def test_a_head_that_gives_the_image_nothing_is_refused():
    sample = capture()
    sample.image_weights[1, 2, 0] = 0
    with pytest.raises(ValueError, match="a head gives the image no attention at all"):
        head_maps(sample)


@pytest.mark.parametrize("coverage", [np.ones((16, 16)), np.zeros((16, 16)), RNG.random((16, 16))])
def test_the_mass_in_a_region_is_the_maps_weighted_by_coverage(coverage):
    maps = MAPS[0].astype(np.float64)
    expected = (maps / maps.sum(axis=-1, keepdims=True)) @ coverage.ravel()
    np.testing.assert_allclose(region_mass(MAPS[0], coverage), expected, rtol=1e-13, atol=1e-15)


def test_a_map_on_one_cell_has_the_coverage_of_that_cell():
    maps = np.zeros((1, 1, 256), np.float32)
    maps[..., 37] = 1
    coverage = RNG.random((16, 16))
    assert region_mass(maps, coverage).item() == pytest.approx(coverage[2, 5], rel=1e-15)


@pytest.mark.parametrize("patients", [1, 3, 40])
def test_every_patient_counts_once_whatever_the_order(patients):
    patient = np.arange(40) % patients
    expected = np.mean([MAPS[patient == one].mean(axis=0, dtype=np.float64) for one in range(patients)], axis=0)
    found = []
    for order in (np.arange(40), RNG.permutation(40)):
        mean = PatientMean((2, 4, 256), patients)
        for sample in order:
            mean.add(MAPS[sample], int((patient == patient[sample]).sum()))
        found.append(mean.value())
    np.testing.assert_allclose(found[0], expected, rtol=1e-12, atol=1e-16)
    assert np.array_equal(*found)


def test_the_sums_of_many_patients_have_room():
    mean = PatientMean((1,), 70_000)
    for _ in range(70_000):
        mean.add(np.ones(1, np.float32), 1)
    assert mean.value().item() == 1
