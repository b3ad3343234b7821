import numpy as np
import pytest

from medattn.attention.captures import Capture
from medattn.attention.gating import TermMatch
from medattn.attention.grids import combine, resolve_layers, to_grid, to_group_grids
from medattn.base.params.aggregate import Profile

OFFSETS = ((0, 3), (3, 10), (10, 11))
TERM = [TermMatch("nodule", 4, 10)]
PLAIN = {"rows": [0], "gating": False, "layers": [-1], "layer_weights": None, "gqa": "mean", "sinks": "keep"}


def capture(layers=4, heads=8, rows=4, valid=(1, 1, 1, 0), seed=0) -> Capture:
    noise = np.random.default_rng(seed)
    weights = noise.dirichlet(np.full(256 + 3 + 3, 0.5), (layers, heads, rows)).astype(np.float32)
    image, question, rest = weights[..., :256], weights[..., 256:259], weights[..., 259:]
    totals = np.stack([rest[..., 0], image.sum(-1), question.sum(-1), rest[..., 1], rest[..., 2]], axis=-1)
    keep = np.array(valid, dtype=bool)
    for array in (image, question, totals):
        array[:, :, ~keep] = 0
    return Capture("s", "any nodule?", OFFSETS, keep, image, question, totals)


def profile(**changes) -> Profile:
    return Profile(**(PLAIN | changes))


def made(sample: Capture, settings: Profile, found=()):
    return combine(sample, settings, resolve_layers(settings.layers, sample.totals.shape[0]), 4, found)


def test_an_ungated_single_row_is_the_normalised_head_mean():
    sample = capture()
    expected = sample.image_weights[-1, :, 0].astype(float).mean(axis=0)
    grid = to_grid(made(sample, profile()).layers, profile())
    np.testing.assert_allclose(grid.ravel(), expected / expected.sum(), rtol=1e-12)


def test_token_17_is_row_1_column_1_and_token_15_the_top_right():
    for token, cell in ((0, (0, 0)), (15, (0, 15)), (17, (1, 1)), (240, (15, 0)), (255, (15, 15))):
        sample = capture()
        sample.image_weights[:] = 0
        sample.image_weights[..., token] = 0.5
        grid = to_grid(made(sample, profile()).layers, profile())
        assert np.argwhere(grid == 1).tolist() == [list(cell)]


def test_each_layer_is_normalised_before_the_weighted_mean():
    sample = capture()
    settings = profile(layers=[1, 3], layer_weights=[3.0, 1.0])
    one, two = (sample.image_weights[layer, :, 0].astype(float).mean(axis=0) for layer in (1, 3))
    expected = 0.75 * one / one.sum() + 0.25 * two / two.sum()
    np.testing.assert_allclose(to_grid(made(sample, settings).layers, settings).ravel(), expected, rtol=1e-12)


def test_gated_rows_count_by_the_terms_share():
    sample = capture()
    settings = profile(rows=[1, 2], gating=True)
    result = made(sample, settings, TERM)
    share = [
        sample.question_weights[-1, :, row, 1].astype(float).mean() / sample.totals[-1, :, row, :4].astype(float).sum(-1).mean()
        for row in (1, 2)
    ]
    gate = np.array(share) / sum(share)
    maps = sample.image_weights[-1].astype(float).mean(axis=0)  # [row, 256]
    np.testing.assert_allclose(result.layers[0], gate[0] * maps[1] + gate[1] * maps[2], rtol=1e-12)
    assert (result.gate_count, result.gated, result.terms) == (1, True, ("nodule",))
    mass = sample.totals[-1, :, :, 1].astype(float).mean(axis=0)
    assert result.image_mass == pytest.approx(gate[0] * mass[1] + gate[1] * mass[2], rel=1e-12)


def test_a_question_without_a_term_has_equal_gates_and_says_so():
    sample = capture()
    result = made(sample, profile(rows=[1, 2], gating=True))
    np.testing.assert_allclose(result.layers[0], sample.image_weights[-1, :, 1:3].astype(float).mean(axis=(0, 1)), rtol=1e-12)
    assert (result.gate_count, result.gated, result.terms) == (0, False, ())


def test_rows_that_a_short_answer_lacks_are_left_out():
    sample = capture(valid=(1, 1, 0, 0))
    result = made(sample, profile(rows=[1, 2, 3]))
    assert result.rows == (1,)
    np.testing.assert_allclose(result.layers[0], sample.image_weights[-1, :, 1].astype(float).mean(axis=0), rtol=1e-12)
    with pytest.raises(ValueError, match=r"too short for any of the rows \[2, 3\]"):
        made(sample, profile(rows=[2, 3]))


def test_the_groups_grids_average_to_the_grid():
    sample = capture()
    settings = profile(gqa="per_group", layers=[-3, -2, -1])
    result = made(sample, settings)
    groups = to_group_grids(result, settings)
    assert groups.shape == (4, 16, 16)
    np.testing.assert_allclose(groups.mean(axis=0), to_grid(result.layers, settings), rtol=1e-12)
    mean = made(sample, profile(layers=[-3, -2, -1]))
    np.testing.assert_allclose(groups.mean(axis=0), to_grid(mean.layers, profile(layers=[-3, -2, -1])), rtol=1e-12)


def test_zeroed_cells_are_zero_and_the_rest_still_sums_to_one():
    settings = profile(layers=[-2, -1], sinks="zero")
    sample = capture()
    grid = to_grid(made(sample, settings).layers, settings, without=(3, 200)).ravel()
    assert grid[[3, 200]].tolist() == [0, 0]
    assert grid.sum() == pytest.approx(1, abs=1e-12)
    with pytest.raises(ValueError, match="no attention"):
        to_grid(made(sample, settings).layers, settings, without=range(256))


def test_layers_count_from_either_end():
    assert resolve_layers([-3, -2, -1], 34) == [31, 32, 33]
    with pytest.raises(ValueError, match=r"layer 34 is out of range: the model has layers 0 … 33"):
        resolve_layers([34], 34)
    with pytest.raises(ValueError, match="one layer twice"):
        resolve_layers([5, -1], 6)
