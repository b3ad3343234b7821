"""Synthetic patients with a known truth, many draws at once.

A draw is one study: patients with 1 to 6 rows each, as likely one as the other. Rows of one patient share an effect:
their intraclass correlation `icc` is 0 (independent) or 0.5. Arrays are [draw, patient, row]; `present` marks the rows
that exist, and what stands where none does is arbitrary. Every random number comes from the generator passed.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import special

from medattn.base.seeding import generator

PATIENTS = (15, 30, 60)
CORRELATIONS = (0.0, 0.5)
MOST_ROWS = 6
WIDTH = {"skewed": 0.5, "heavy": 1.0}  # standard deviation of the logarithm: skewness 1.75 and 6.2
MEAN = {"normal": 0.0, "tied": 0.0, "skewed": 1.0, "heavy": 1.0}


class Rows(NamedTuple):
    values: np.ndarray  # float or bool [draw, patient, row]
    present: np.ndarray  # bool [draw, patient, row]

    def sums(self) -> np.ndarray:
        """float [draw, patient]."""
        return np.where(self.present, self.values, 0.0).sum(axis=-1)

    def means(self) -> np.ndarray:
        """float [draw, patient]."""
        return self.sums() / self.present.sum(axis=-1)

    def flat(self, draw: int) -> tuple[np.ndarray, np.ndarray]:
        """(values [n], patients [n]) of one draw, as the product takes them."""
        present = self.present[draw]
        return self.values[draw][present], np.nonzero(present)[0]


def seed(*ids: object) -> np.random.Generator:
    """The stream of one cell of one table."""
    return generator("calibration", *ids)


def present(draws: int, patients: int, rng: np.random.Generator) -> np.ndarray:
    """Which rows exist, bool [draw, patient, row]: the first 1 to 6."""
    return np.arange(MOST_ROWS) < rng.integers(1, MOST_ROWS + 1, (draws, patients, 1))


def latent(draws: int, patients: int, icc: float, rng: np.random.Generator) -> np.ndarray:
    """Standard normal [draw, patient, row] whose rows of one patient correlate by icc."""
    shared, own = rng.standard_normal((draws, patients, 1)), rng.standard_normal((draws, patients, MOST_ROWS))
    return math.sqrt(icc) * shared + math.sqrt(1 - icc) * own


def shaped(normal: np.ndarray, shape: str) -> np.ndarray:
    """Standard normal numbers turned into a distribution of mean MEAN[shape]; tied: rounded to whole numbers."""
    if shape == "normal":
        return normal
    if shape == "tied":
        return np.round(normal)
    return np.exp(WIDTH[shape] * normal - WIDTH[shape] ** 2 / 2)


def rows(shape: str, icc: float, draws: int, patients: int, rng: np.random.Generator) -> Rows:
    """Values with intraclass correlation icc: of the lognormal values themselves; of the tied ones before rounding."""
    if shape in WIDTH:  # the correlation of the logarithms that gives the values theirs
        variance = WIDTH[shape] ** 2
        icc = math.log1p(icc * math.expm1(variance)) / variance
    return Rows(shaped(latent(draws, patients, icc, rng), shape), present(draws, patients, rng))


def binary(rate: float, icc: float, draws: int, patients: int, rng: np.random.Generator) -> Rows:
    """Events at a rate that varies by patient (beta-binomial): values bool, intraclass correlation icc."""
    rates = np.full((draws, patients, 1), rate)
    if icc:
        rates = rng.beta(rate * (1 / icc - 1), (1 - rate) * (1 / icc - 1), (draws, patients, 1))
    return Rows(rng.random((draws, patients, MOST_ROWS)) < rates, present(draws, patients, rng))


def changes(rate: float, icc: float, up: float, draws: int, patients: int, rng: np.random.Generator) -> Rows:
    """Variant correct − baseline correct per question: ±1 at rate `rate`, else 0; a share `up` of the changes is +1.

    Both whether and where a question changes vary by patient. up = ½: variant and baseline are exchangeable.
    """
    changed = binary(rate, icc, draws, patients, rng)
    sign = np.where(binary(up, icc, draws, patients, rng).values, 1.0, -1.0)
    return Rows(changed.values * sign, changed.present)


def lopsided_changes(draws: int, patients: int, rng: np.random.Generator) -> Rows:
    """Changes of mean 0 that are not symmetric: one patient in five gains 0.6 a question, the others lose 0.15."""
    gains = rng.random((draws, patients, 1)) < 0.2
    changed = rng.random((draws, patients, MOST_ROWS)) < np.where(gains, 0.6, 0.15)
    return Rows(changed * np.where(gains, 1.0, -1.0), present(draws, patients, rng))


def right_and_wrong(values: Rows, right: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """`contrasts.within_patients` for all draws: pairs [draw, patient, 2], NaN for a patient without both answers.

    right and truth are bool [draw, patient, row].
    """
    means = []
    for stratum in (False, True):
        sides = [values.present & (truth == stratum) & (right == side) for side in (True, False)]
        with np.errstate(invalid="ignore", divide="ignore"):
            means.append(np.stack([np.where(side, values.values, 0.0).sum(-1) / side.sum(-1) for side in sides], axis=-1))
    both = np.stack(means)  # [stratum, draw, patient, 2]
    usable = np.isfinite(both).all(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.where(usable, both, 0.0).sum(axis=0) / usable.sum(axis=0)


def maps(
    draws: int, layers: int, heads: int, shared: float, rng: np.random.Generator, groups: int = 4, odd: bool = False
) -> np.ndarray:
    """Attention maps of heads over 16 cells, float [draw, layer, head, cell], sum 1.

    `shared` is the share of a head's variance that its group has in common (0: heads are exchangeable). odd: the last
    head of each layer, which is as likely any other, varies three times as much.
    """
    group = np.repeat(rng.standard_normal((draws, layers, groups, 16)), heads // groups, axis=2)
    own = rng.standard_normal((draws, layers, heads, 16))
    logits = math.sqrt(shared) * group + math.sqrt(1 - shared) * own
    if odd:
        place = rng.integers(0, heads, (draws, layers, 1, 1))
        logits = np.where(np.arange(heads)[:, None] == place, 3 * logits, logits)
    return special.softmax(logits, axis=-1)


def divergences(grids: np.ndarray) -> np.ndarray:
    """Jensen–Shannon divergences in bits between heads: [..., head, cell] -> [..., head, head]."""
    middle = (grids[..., :, None, :] + grids[..., None, :, :]) / 2
    own = special.entr(grids).sum(axis=-1)
    found = (special.entr(middle).sum(axis=-1) - (own[..., :, None] + own[..., None, :]) / 2) / math.log(2)
    return np.clip(found, 0.0, 1.0)


def pairs(shape: str, shift: float, correlation: float, draws: int, patients: int, rng: np.random.Generator) -> np.ndarray:
    """Two normal or tied numbers per patient that correlate (before rounding), the first raised: [draw, patient, 2]."""
    shared, own = rng.standard_normal((draws, patients, 1)), rng.standard_normal((draws, patients, 2))
    return shaped(math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own + np.array([shift, 0.0]), shape)
