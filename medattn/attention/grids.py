"""One sample's attention rows to one 16×16 grid, by the settings of a profile."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from medattn.attention.captures import TOTALS, Capture
from medattn.attention.gating import TermMatch, equal_gates, gates, term_tokens
from medattn.attention.gqa import group_maps
from medattn.base.params.aggregate import Profile

SIDE = 16
PROMPT = [TOTALS.index(name) for name in ("bos", "image", "question", "other_prompt")]
IMAGE = TOTALS.index("image")


@dataclass(frozen=True)
class ProfileMaps:
    """The maps that a profile makes of a sample's attention."""

    layers: np.ndarray  # float64 [layer, 256]: row-weighted maps, unnormalised, of the profile's layers
    groups: np.ndarray  # float64 [layer, group, 256]: their key/value groups'; the mean over groups is `layers`
    rows: tuple[int, ...]  # the profile's rows that the answer was long enough for
    gate_count: int  # question tokens that belong to a term
    gated: bool
    terms: tuple[str, ...]
    image_mass: float


def resolve_layers(layers: Sequence[int], count: int) -> list[int]:
    """0-based layers, negative ones counted from the end. Raises ValueError if out of range or named twice."""
    outside = [layer for layer in layers if not -count <= layer < count]
    if outside:
        raise ValueError(f"layer {outside[0]} is out of range: the model has layers 0 … {count - 1} (or −{count} … −1)")
    resolved = [layer % count for layer in layers]
    if len(set(resolved)) < len(resolved):
        raise ValueError(f"layers {list(layers)} name one layer twice: the model has {count}")
    return resolved


def combine(
    capture: Capture, profile: Profile, layers: Sequence[int], key_value_heads: int, found: Sequence[TermMatch]
) -> ProfileMaps:
    """Reduce heads, gate rows: the layers' maps of one sample. Raises ValueError if none of the rows is valid."""
    rows = [row for row in profile.rows if capture.valid[row]]
    if not rows:
        raise ValueError(
            f"the answer is too short for any of the rows {profile.rows}: add row 0, the last prompt token, to the profile"
        )
    take = _places(tuple(layers), capture.heads, tuple(rows))
    totals = capture.totals[take].astype(np.float64)
    tokens = term_tokens(capture.offsets, found)
    gated = bool(profile.gating and tokens.any())
    if gated:
        term_mass = capture.question_weights[take][..., tokens].astype(np.float64).sum(axis=-1)
        gate = gates(term_mass, totals[..., PROMPT].sum(axis=-1))
    else:
        gate = equal_gates(len(layers), len(rows))
    groups = group_maps(capture.on_image[take].astype(np.float64), key_value_heads, profile.gqa)
    weighted = np.einsum("lgrt,lr->lgt", groups, gate)
    image_share = np.einsum("lr,lr->l", totals[..., IMAGE].mean(axis=1), gate)
    return ProfileMaps(
        layers=weighted.mean(axis=1),
        groups=weighted,
        rows=tuple(rows),
        gate_count=int(tokens.sum()),
        gated=gated,
        terms=tuple(sorted({one.term for one in found})),
        image_mass=float(image_share @ layer_weights(profile)),
    )


@lru_cache
def _places(layers: tuple[int, ...], heads: int, rows: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """What of [layer, head, row, …] a profile takes: the same of nearly every sample."""
    return np.ix_(layers, range(heads), rows)


def layer_weights(profile: Profile) -> np.ndarray:
    """float64 [layer], summing to 1: the profile's layer weights, or equal ones."""
    weights = np.array(profile.layer_weights or [1.0] * len(profile.layers))
    return weights / weights.sum()


def to_grid(maps: np.ndarray, profile: Profile, without: Sequence[int] = ()) -> np.ndarray:
    """float64 [16, 16], sum 1, row 0 the top of the image: each layer of `maps` [layer, 256] to sum 1, then their
    weighted mean. The cells `without` (flat) are zeroed first. Raises ValueError if a layer has no mass left."""
    return _mean_of_layers(maps, _norms(maps, without), profile, without).reshape(SIDE, SIDE)


def to_group_grids(made: ProfileMaps, profile: Profile) -> np.ndarray:
    """float64 [group, 16, 16]: the groups' maps on the scale of the grid, so that their mean is the grid."""
    norms = _norms(made.layers, ())
    return np.stack(
        [_mean_of_layers(made.groups[:, group], norms, profile, ()) for group in range(made.groups.shape[1])]
    ).reshape(-1, SIDE, SIDE)


def _norms(maps: np.ndarray, without: Sequence[int]) -> np.ndarray:
    kept = np.delete(maps, list(without), axis=1) if without else maps
    sums = kept.sum(axis=1, keepdims=True)
    if not np.all(sums > 0):
        raise ValueError("a layer gives the image no attention")
    return sums


def _mean_of_layers(maps: np.ndarray, norms: np.ndarray, profile: Profile, without: Sequence[int]) -> np.ndarray:
    kept = maps.copy()
    kept[:, list(without)] = 0
    return np.einsum("lt,l->t", kept / norms, layer_weights(profile))
