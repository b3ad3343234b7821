import numpy as np

from medattn.attention.sinks import find_sinks


def spread_grids(questions: int, seed: int = 0) -> np.ndarray:
    grids = np.random.default_rng(seed).uniform(0.8, 1.2, (questions, 256))
    return grids / grids.sum(axis=1, keepdims=True)


def test_a_cell_that_every_question_looks_at_is_a_sink():
    grids = spread_grids(3)
    grids[:, 37] = 0.2
    found = find_sinks(grids / grids.sum(axis=1, keepdims=True), findings=3, threshold=6)
    assert found.computed and found.cells == (37,)
    assert 0.1 < found.mass < 0.2


def test_a_cell_that_one_question_does_not_look_at_is_none():
    grids = spread_grids(3)
    grids[:2, 37] = 0.2
    assert find_sinks(grids / grids.sum(axis=1, keepdims=True), findings=3, threshold=6).cells == ()


def test_the_score_is_the_least_mass_and_its_z_is_robust():
    grids = spread_grids(4)
    grids[:, 5] = 0.006
    score = grids.min(axis=0)
    deviation = score - np.median(score)
    z = deviation / (1.4826 * np.median(np.abs(deviation)))
    for threshold in (z[5] - 0.01, z[5] + 0.01):
        assert (5 in find_sinks(grids, findings=4, threshold=threshold).cells) == (z[5] > threshold)


def test_without_spread_a_sink_holds_more_than_ten_cells_share():
    grids = np.full((3, 256), (1 - 0.041) / 255)
    grids[:, 9] = 0.041
    assert find_sinks(grids, findings=3, threshold=6).cells == (9,)
    grids[:, 9] = 10 / 256
    assert find_sinks(grids, findings=3, threshold=6).cells == ()


def test_fewer_than_three_findings_are_not_enough():
    found = find_sinks(spread_grids(5), findings=2, threshold=6)
    assert (found.computed, found.cells, found.mass) == (False, (), None)
