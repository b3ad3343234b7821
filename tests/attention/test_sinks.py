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


def test_a_sink_is_one_of_position_where_a_blank_image_has_it_too():
    grids, blank = spread_grids(3), spread_grids(2, seed=1)
    grids[:, [37, 90]] = 0.1
    blank[:, [37, 200]] = 0.1  # 200 is high on the blank image only, so it is no sink
    found = find_sinks(grids / grids.sum(axis=1, keepdims=True), 3, 6, blank / blank.sum(axis=1, keepdims=True))
    assert found.cells == (37, 90) and found.position == (37,)


def test_without_a_blank_image_the_kind_of_a_sink_is_unknown_and_with_one_it_may_be_content():
    grids = spread_grids(3)
    grids[:, 37] = 0.1
    grids /= grids.sum(axis=1, keepdims=True)
    assert find_sinks(grids, 3, 6).position is None
    assert find_sinks(grids, 3, 6, spread_grids(1, seed=2)).position == ()
    assert find_sinks(grids, 2, 6, spread_grids(1, seed=2)).position is None


def test_one_blank_question_that_looks_elsewhere_makes_it_a_content_sink():
    grids, blank = spread_grids(3), spread_grids(2, seed=1)
    grids[:, 37] = blank[0, 37] = 0.1
    assert find_sinks(grids, 3, 6, blank).position == ()
