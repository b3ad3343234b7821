"""How often each test finds one stated effect at the 5 % level: 1,000 studies of 60 patients, or 1,000 models."""

import math

import numpy as np
import pytest

from medattn.measures import contrasts, statistics
from tests.calibration import tables, worlds

pytestmark = pytest.mark.slow

DRAWS, SIGNS, DEALS = 1_000, 999, 999
LEVEL, LEAST, PATIENTS = 0.05, 0.80, 60


def power(numbers: np.ndarray, rng: np.random.Generator) -> float:
    """Share of studies that reject upward: numbers [draw, patient], NaN where the patient is not there."""
    found = [statistics.sign_flip(some[np.isfinite(some)], rng, SIGNS) <= LEVEL and np.nansum(some) > 0 for some in numbers]
    return float(np.mean(found))


@pytest.fixture(scope="module")
def check():
    """check(test, effect, power): at least 80 %; the lines are printed together."""
    lines = []

    def line(test: str, effect: str, share: float) -> None:
        lines.append((test, effect, tables.percent(share)))
        assert share >= LEAST, lines[-1]

    yield line
    tables.show("Power", ("test", "planted effect", "found %"), lines)


def test_a_better_variant_is_found(check):
    rng = worlds.seed("power", "variant")
    sums = worlds.changes(0.25, 0.5, 0.8, DRAWS, PATIENTS, rng).sums()
    check(
        "strategy against the baseline",
        "25 % of the questions change, 80 % of them upward, ICC 0.5: +15 points",
        power(sums, rng),
    )


def test_a_metric_that_follows_correctness_is_found(check):
    rng = worlds.seed("power", "correctness")
    values = worlds.rows("normal", 0.5, DRAWS, PATIENTS, rng)
    right, truth = (worlds.binary(rate, icc, DRAWS, PATIENTS, rng).values for rate, icc in ((0.8, 0.0), (0.4, 0.0)))
    raised = worlds.Rows(values.values + 0.6 * right, values.present)
    pairs = worlds.right_and_wrong(raised, right, truth)
    check(
        "right against wrong answers",
        "right answers 0.6 standard deviations higher, ICC 0.5",
        power(pairs[..., 0] - pairs[..., 1], rng),
    )


def enrichments(ratio: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Model and baseline map, patient means [draw, patient]; skewed, ICC 0.5, the same rows."""
    model, reference = (worlds.rows("skewed", 0.5, DRAWS, PATIENTS, rng) for _ in range(2))
    return ratio * model.means(), worlds.Rows(reference.values, model.present).means()


def test_attention_in_the_zone_is_found(check):
    rng = worlds.seed("power", "H1")
    model, reference = enrichments(1.3, rng)
    check("H1, one baseline map", "ratio of relative attention 1.3, skewed, ICC 0.5", power(model - reference, rng))


def test_attention_in_the_zone_is_found_against_all_five_maps(check):
    rng = worlds.seed("power", "H1", "five")
    model = worlds.rows("skewed", 0.5, DRAWS, PATIENTS, rng)
    found = np.ones(DRAWS, dtype=bool)
    for _ in range(5):
        reference = worlds.Rows(worlds.rows("skewed", 0.5, DRAWS, PATIENTS, rng).values, model.present).means()
        gap = 1.4 * model.means() - reference
        found &= np.array([statistics.sign_flip(some, rng, SIGNS) <= LEVEL and some.sum() > 0 for some in gap])
    check(
        "H1, intersection–union of five",
        "ratio of relative attention 1.4 to each of five maps, skewed, ICC 0.5",
        float(found.mean()),
    )


def test_variants_nearer_than_findings_are_found(check):
    rng = worlds.seed("power", "H2")
    rows = worlds.rows("skewed", 0.5, DRAWS, PATIENTS, rng)
    deviations = (rows.means() - 1) / math.sqrt(math.expm1(0.25))
    check("H2", "mean D 0.02 bits, the minimum, where D of one image has a standard deviation of 0.06; skewed, ICC 0.5",
          power(0.02 + 0.06 * deviations, rng))  # fmt: skip


def test_heads_of_one_group_that_look_alike_are_found(check):
    rng = worlds.seed("power", "H3b")
    models = worlds.divergences(worlds.maps(DRAWS, 6, 8, 0.2, rng))
    found = [contrasts.head_groups(one, 4, DEALS, rng).p <= LEVEL for one in models]
    check(
        "H3b, 8 heads in 4 groups, 6 layers",
        "heads of a group share 20 % of the variance of their maps' logarithms",
        float(np.mean(found)),
    )
