"""Grouped-query attention: query heads to one map, by way of the key/value groups they share.

Query head h reads key/value head h // (H / K), as in Ainslie et al. 2023 (arXiv:2305.13245) and in Gemma 3.
"""

import numpy as np

REDUCTIONS = ("mean", "max", "per_group")


def group_maps(weights: np.ndarray, key_value_heads: int, how: str) -> np.ndarray:
    """Reduce query heads inside each key/value group.

    `weights` [layer, head, row, token] -> [layer, group, row, token], with the mean inside a group for `how`
    mean and per_group, the maximum for max. Raises ValueError if the heads do not divide into the groups.
    """
    layers, heads, rows, tokens = weights.shape
    if key_value_heads < 1 or heads % key_value_heads:
        raise ValueError(f"{heads} query heads do not divide into {key_value_heads} key/value groups")
    if how not in REDUCTIONS:
        raise ValueError(f"unknown reduction {how!r}; known: {', '.join(REDUCTIONS)}")
    grouped = weights.reshape(layers, key_value_heads, heads // key_value_heads, rows, tokens)
    return grouped.max(axis=2) if how == "max" else grouped.mean(axis=2)
