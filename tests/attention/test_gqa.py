import numpy as np
import pytest

from medattn.attention.gqa import group_maps

WEIGHTS = np.random.default_rng(0).random((3, 8, 2, 5))  # [layer, head, row, token]


def test_mean_inside_and_across_groups_is_the_plain_head_mean():
    grouped = group_maps(WEIGHTS, 4, "mean")
    assert grouped.shape == (3, 4, 2, 5)
    np.testing.assert_allclose(grouped.mean(axis=1), WEIGHTS.mean(axis=1), rtol=1e-15)


def test_query_heads_2k_and_2k_plus_1_share_key_value_head_k():
    grouped = group_maps(WEIGHTS, 4, "per_group")
    for group in range(4):
        expected = (WEIGHTS[:, 2 * group] + WEIGHTS[:, 2 * group + 1]) / 2
        np.testing.assert_allclose(grouped[:, group], expected, rtol=1e-15)


def test_max_is_taken_inside_a_group():
    grouped = group_maps(WEIGHTS, 4, "max")
    np.testing.assert_array_equal(grouped[:, 1], np.maximum(WEIGHTS[:, 2], WEIGHTS[:, 3]))


def test_heads_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="8 query heads do not divide into 3"):
        group_maps(WEIGHTS, 3, "mean")
    with pytest.raises(ValueError, match="unknown reduction 'median'"):
        group_maps(WEIGHTS, 4, "median")
