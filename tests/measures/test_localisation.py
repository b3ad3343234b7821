"""Localisation measures at the extremes, with ties, and against brute force and SciPy."""

import itertools

import numpy as np
import pytest
from scipy import stats

from medattn.measures import localisation

UNIFORM = localisation.uniform_map()


def cells_at(*places):
    cells = np.zeros((16, 16), dtype=bool)
    for place in places:
        cells[place] = True
    return cells


def one_cell(row, column):
    return cells_at((row, column)).astype(float)


def random_grid(seed, levels=None):
    rng = np.random.default_rng(seed)
    grid = rng.random((16, 16)) if levels is None else rng.integers(0, levels, (16, 16)).astype(float)
    return grid / grid.sum()


def random_cells(seed, size):
    cells = np.zeros(256, dtype=bool)
    cells[np.random.default_rng(seed).permutation(256)[:size]] = True
    return cells.reshape(16, 16)


def test_the_region_is_every_cell_covered_by_half():
    coverage = np.zeros((16, 16))
    coverage[2, 3], coverage[2, 4], coverage[2, 5] = 0.5, 0.49, 1
    cells, fallback = localisation.region_cells(coverage)
    assert not fallback and np.array_equal(cells, cells_at((2, 3), (2, 5)))


def test_a_small_region_is_the_cells_it_covers_most():
    coverage = np.zeros((16, 16))
    coverage[2, 3], coverage[2, 4], coverage[2, 5] = 0.3, 0.1, 0.3
    cells, fallback = localisation.region_cells(coverage)
    assert fallback and np.array_equal(cells, cells_at((2, 3), (2, 5)))


def test_no_region_is_refused_never_a_miss():
    with pytest.raises(ValueError, match="zero in every cell"):
        localisation.region_cells(np.zeros((16, 16)))
    for measure in (localisation.pointing_game, localisation.rank_accuracy, localisation.region_auroc, localisation.iou_top10):
        with pytest.raises(ValueError, match="no cell"):
            measure(UNIFORM, np.zeros((16, 16), bool))
        with pytest.raises(ValueError, match="region cells are"):
            measure(UNIFORM, np.ones((16, 16)))


def test_pointing_hits_misses_and_shares_ties():
    cells = cells_at((4, 4), (4, 5))
    assert localisation.pointing_game(one_cell(4, 5), cells) == 1
    assert localisation.pointing_game(one_cell(4, 6), cells) == 0
    assert localisation.pointing_game((one_cell(4, 5) + one_cell(9, 9)) / 2, cells) == 0.5
    assert localisation.pointing_game(UNIFORM, cells) == 2 / 256


def test_region_mass_is_one_zero_and_chance():
    coverage = one_cell(3, 3) + 0.5 * one_cell(3, 4)
    assert localisation.region_mass(one_cell(3, 3), coverage) == 1
    assert localisation.region_mass(one_cell(8, 8), coverage) == 0
    assert localisation.region_mass(one_cell(3, 4), coverage) == 0.5
    assert localisation.region_enrichment(UNIFORM, coverage) == pytest.approx(1)
    assert localisation.region_enrichment(one_cell(3, 3), coverage) == pytest.approx(256 / 1.5)
    assert localisation.region_enrichment(one_cell(8, 8), coverage) == 0


def test_rank_accuracy_is_one_when_the_region_holds_the_largest_cells():
    cells = random_cells(1, 12)
    assert localisation.rank_accuracy(np.where(cells, 2.0, 1.0) / (256 + 12), cells) == 1
    assert localisation.rank_accuracy(np.where(cells, 0.0, 1.0) / (256 - 12), cells) == 0
    assert localisation.rank_accuracy(UNIFORM, cells) == pytest.approx(12 / 256)


def test_rank_accuracy_is_the_mean_over_every_order_of_the_tied_cells():
    rng = np.random.default_rng(2)
    for _ in range(30):
        grid = rng.integers(0, 4, (3, 3)) + 1.0
        cells = np.zeros(9, bool)
        cells[rng.permutation(9)[: rng.integers(1, 9)]] = True
        size, values = int(cells.sum()), grid.ravel()
        largest = np.sort(values)[::-1][:size].sum()
        choices = [c for c in itertools.combinations(range(9), size) if values[list(c)].sum() == largest]
        expected = np.mean([cells[list(choice)].mean() for choice in choices])
        assert localisation.rank_accuracy(grid / grid.sum(), cells.reshape(3, 3)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("levels", [None, 2, 5])
def test_auroc_is_the_mann_whitney_statistic(levels):
    for seed in range(4):
        grid, cells = random_grid(seed, levels), random_cells(seed + 9, 20)
        u = stats.mannwhitneyu(grid[cells], grid[~cells]).statistic
        assert localisation.region_auroc(grid, cells) == pytest.approx(u / (20 * 236), abs=1e-12)


def test_auroc_is_one_zero_and_a_half():
    cells = random_cells(3, 20)
    assert localisation.region_auroc(cells / 20, cells) == 1
    assert localisation.region_auroc(~cells / 236, cells) == 0
    assert localisation.region_auroc(UNIFORM, cells) == 0.5
    with pytest.raises(ValueError, match="whole grid"):
        localisation.region_auroc(UNIFORM, np.ones((16, 16), bool))


def test_iou_takes_the_26_largest_cells():
    cells = random_cells(4, 26)
    assert localisation.iou_top10(cells / 26, cells) == 1
    assert localisation.iou_top10(random_cells(5, 26) / 26, ~random_cells(5, 26)) == 0
    grid, region = random_grid(2, 10**6), random_cells(6, 40)
    top = grid >= np.sort(grid.ravel())[-26]
    assert top.sum() == 26 and localisation.iou_top10(grid, region) == pytest.approx(
        (top & region).sum() / (top | region).sum()
    )


def test_no_place_is_preferred_among_tied_cells():
    for cell in ((0, 0), (15, 15), (7, 3)):  # one cell, in the top 26 of 256 with a chance of 26/256; then 1 of 26
        assert localisation.iou_top10(UNIFORM, cells_at(cell)) == pytest.approx(26 / 256 / 26)


def test_iou_of_tied_cells_is_the_mean_over_the_ways_to_break_the_ties():
    grid = np.ones((5, 5))  # the top 2 of 25 cells
    grid[0, :] = 5
    for highest in (5, 9):  # five tied for two places, or one above and four tied for the other
        grid[0, 0] = highest
        above = {0} if highest > 5 else set()
        ties = [cell for cell in range(5) if cell not in above]
        tops = [above | {*chosen} for chosen in itertools.combinations(ties, 2 - len(above))]
        shares = [len(top & {0, 1, 12}) / len(top | {0, 1, 12}) for top in tops]
        region = np.isin(np.arange(25), [0, 1, 12]).reshape(5, 5)
        assert localisation.iou_top10(grid / grid.sum(), region) == pytest.approx(np.mean(shares))


def test_baseline_maps_are_grids():
    for grid in (UNIFORM, localisation.centre_gaussian(), localisation.body_map(np.random.default_rng(6).random((16, 16)))):
        assert grid.shape == (16, 16) and grid.sum() == pytest.approx(1, abs=1e-14) and (grid >= 0).all()


def test_the_gaussian_has_its_width_and_its_middle_in_the_middle():
    grid = localisation.centre_gaussian(sigma_cells=4)
    assert np.array_equal(grid, grid.T) and np.array_equal(grid, grid[::-1]) and np.array_equal(grid, grid[:, ::-1])
    assert (grid == grid.max()).sum() == 4
    assert grid[7, 7] == grid.max()
    assert grid[7, 11] / grid[7, 7] == pytest.approx(np.exp(-(3.5**2 - 0.5**2) / 32))
    with pytest.raises(ValueError, match="sigma_cells"):
        localisation.centre_gaussian(0)


def test_the_body_is_as_enriched_in_the_body_map_as_in_a_uniform_one_over_the_body():
    coverage = np.zeros((16, 16))
    coverage[4:12, 4:12] = 1
    assert localisation.region_enrichment(localisation.body_map(coverage), coverage) == pytest.approx(4)


def test_every_zone_lies_in_the_body_box_and_covers_a_real_part_of_it():
    for finding, (x0, y0, x1, y1) in localisation.ZONES.items():
        assert 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1, finding
        coverage = localisation.zone_coverage(localisation.zone_box(finding), (0.1, 0.0, 0.95, 1.0))
        assert 0.1 < coverage.mean() / 0.85 < 0.7, finding
        assert coverage.mean() == pytest.approx(0.85 * (x1 - x0) * (y1 - y0)), finding


def test_zones_are_where_a_radiologist_looks():
    zone = localisation.zone_box("Pleural Effusion")
    assert zone == localisation.zone_box("pleural_effusion") and zone[1] >= 0.6
    assert localisation.zone_box("pneumothorax")[3] <= 0.5
    heart = localisation.zone_box("cardiomegaly")
    assert (heart[0] + heart[2]) / 2 > 0.5  # towards the patient's left, the image's right


def test_a_zone_is_the_region_itself_when_body_and_cells_align():
    coverage = localisation.zone_coverage((0.5, 0.5, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0))
    expected = np.zeros((16, 16))
    expected[8:, 8:] = 1
    assert np.array_equal(coverage, expected)


def test_a_finding_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="'fracture' has no zone"):
        localisation.zone_box("fracture")


def test_the_zones_hold_the_findings_of_the_phantom():
    from medattn.measures.body import box_in_fractions, cell_coverage, pixel_box
    from medattn.phantom.anatomy import FINDINGS, draw

    enrichment = {finding: [] for finding in FINDINGS}
    for seed in range(12):
        film = draw(np.random.default_rng([3, seed]), np.random.default_rng([4, seed]), dict.fromkeys(FINDINGS, 0.8))
        for lesion in film.lesions:
            region = cell_coverage(lesion.mask)
            body = box_in_fractions(pixel_box(film.body), film.body.shape)
            zone = localisation.zone_coverage(localisation.zone_box(lesion.finding), body)
            enrichment[lesion.finding].append(localisation.region_enrichment(region / region.sum(), zone))
    for finding, values in enrichment.items():
        assert np.mean(values) > 1.3, (finding, values)
