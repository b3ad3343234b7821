"""The study's hypotheses, decided by the rules that docs/hypotheses.md states before looking."""

import math
from collections.abc import Sequence

import numpy as np

from medattn.base.params.metrics import Metrics
from medattn.base.seeding import generator
from medattn.base.tables import AnyRow, Row
from medattn.measures import consistency, contrasts
from medattn.measures.statistics import FEW_PATIENTS
from medattn.metrics.columnar import ColumnRow
from medattn.metrics.inputs import Store
from medattn.metrics.intervals import Intervals, PatientMeans, by_patient
from medattn.metrics.samples import LEAST_PATIENTS, LEVEL
from medattn.metrics.table import Table
from medattn.metrics.tables.localisation import MAPS, REFERENCES
from medattn.metrics.tables.strategies import adjust
from medattn.metrics.values import NOBODY, Selection, Value, average, numbers, present, selection_of

COLUMNS = (
    "hypothesis", "claim", "statistic", "effect", "low", "high", "minimum_effect", "patients", "p", "p_adjusted", "verdict",
    "few_patients", "rule", "note",
)  # fmt: skip
LEAST_RATIO, LEAST_DIVERGENCE = 1.2, 0.02  # enrichment ratio; bits
BY_RULE = (
    "supported: adjusted p ≤ 0.05 and effect ≥ minimum; not supported: the interval lies wholly below the minimum;"
    " else inconclusive"
)
KEYS = ("hypothesis", "claim", "statistic", "minimum_effect", "verdict", "rule")
CHECKED = "a check of the loaded model, not a test"


def hypotheses(
    localised: Sequence[AnyRow], contrast: Sequence[AnyRow], rows: Sequence[ColumnRow], store: Store, params: Metrics
) -> list[Row]:
    """COLUMNS: H1a, H1b, H2, H3a, H3b, H4. p-values of H1, H2 and H3b are adjusted together (Holm)."""
    intervals = Intervals(params, "hypotheses")
    table = [
        _h1("H1a", "Attention falls in the zone of the finding that is asked about", "zone", localised, intervals),
        _h1("H1b", "Attention falls in the true region of a finding that is there", "region", localised, intervals),
        _h2(contrast, intervals),
        _h3a(store),
        _h3b(rows, store, params),
        _h4(store),
    ]
    adjust(table)
    for row in table:
        row["verdict"] = row["verdict"] or verdict(numbers(row))
        if (patients := row["patients"]) is not None:
            row["few_patients"] = Value(patients.number < FEW_PATIENTS, patients.selection)
    return table


def verdict(row: AnyRow) -> str:
    """BY_RULE, for the numbers of a row with a p-value."""
    if row["p_adjusted"] is not None and row["p_adjusted"] <= LEVEL and row["effect"] >= row["minimum_effect"]:
        return "supported"
    if row["high"] is not None and row["high"] < row["minimum_effect"]:
        return "not supported"
    return "inconclusive"


def _row(about: tuple[str, str, str], selection: Selection = NOBODY, **values: object) -> Row:
    """A row about (hypothesis, claim, statistic): its values, computed from the selection."""
    row = dict.fromkeys(COLUMNS) | dict(zip(KEYS, about, strict=False)) | {"rule": BY_RULE}
    return row | {name: value if name in KEYS else Value(value, selection) for name, value in values.items()}


def _h1(name: str, claim: str, kind: str, localised: Sequence[AnyRow], intervals: Intervals) -> Row:
    """Intersection–union over the five baseline maps: all must pass, so p is the largest.

    One mean per patient and map, over the questions that have every map; effect: mean of the patients' enrichments ÷
    mean of the reference's; p: sign-flip of the differences, 1 where the reference has more. The row shows the
    reference with the smallest effect.
    """
    metric, found = f"{kind}_enrichment", []
    about = (name, claim, f"{kind} enrichment ÷ that of the best baseline map")
    needed = [f"{one}_{metric}" for one in MAPS]
    for column in needed:
        if all(row[column] is None for row in localised):
            why = {
                "other_patients": "no other patient was asked about the same finding",
                "other_finding": "no control questions",
            }
            reason = why.get(
                column.removesuffix(f"_{metric}"), "no true regions" if kind == "region" else "no zone in a frontal view"
            )
            return _row(about, minimum_effect=LEAST_RATIO, verdict="not applicable", note=reason)
    every = by_patient(localised, *needed)
    patients = len(every.means)
    if patients < LEAST_PATIENTS:
        return _row(about, every.selection, minimum_effect=LEAST_RATIO, patients=patients, verdict="too few")
    for index, reference in enumerate(REFERENCES, start=1):
        key, pairs = f"{name}|{reference}", PatientMeans(every.means[:, [0, index]], every.selection)
        cells = numbers(intervals.of_patients(pairs, key, "effect"))
        found.append(cells | {"p": upward(pairs.gap().means[:, 0], key, intervals), "reference": reference})
    found = [one for one in found if one["effect"] is not None]  # a map that is 0 in every region is not a baseline
    weakest = min(found, key=lambda one: one["effect"])
    return _row(
        about, every.selection,
        effect=weakest["effect"], low=weakest["effect_low"], high=weakest["effect_high"], minimum_effect=LEAST_RATIO,
        patients=patients, p=max(one["p"] for one in found),
        note="best baseline map: " + weakest["reference"].replace("_", " ")
        + "; effects against each: " + ", ".join(f"{one['reference'].replace('_', ' ')} {one['effect']:.3g}" for one in found),
    )  # fmt: skip


def upward(numbers: np.ndarray, key: str, intervals: Intervals) -> float:
    """Sign-flip p-value of one number per patient; 1 where their mean does not point the way that is claimed."""
    p = intervals.sign_flip(numbers, key) if math.fsum(numbers) > 0 else None
    return 1.0 if p is None else p


def _h2(contrast: Sequence[AnyRow], intervals: Intervals) -> Row:
    about = (
        "H2",
        "Variants of one question share a pattern of attention",
        "JS(other finding, same words) − JS(same finding, other variant), bits",
    )
    some = present(contrast, "difference")
    if not some:
        return _row(
            about,
            minimum_effect=LEAST_DIVERGENCE,
            verdict="not applicable",
            note="no control questions or no other variants",
        )
    every = by_patient(some, "difference")
    patients = len(every.means)
    if patients < LEAST_PATIENTS:
        return _row(about, every.selection, minimum_effect=LEAST_DIVERGENCE, patients=patients, verdict="too few")
    cells = numbers(intervals.of_patients(every, "H2", "effect"))
    return _row(
        about, every.selection,
        effect=cells["effect"], low=cells["effect_low"], high=cells["effect_high"], minimum_effect=LEAST_DIVERGENCE,
        patients=patients, p=upward(every.means[:, 0], "H2", intervals),
        note=f"the effect cannot exceed JS(other finding), here {average([row['js_other_finding'] for row in some]):.3g} bits",
    )  # fmt: skip


def _h3a(store: Store) -> Row:
    about = (
        "H3a",
        "Aggregation handles the groups of query heads as the model does",
        "largest difference between captured and the library's eager maps, per head and group",
    )
    found = store.model["eager_agreement"]
    if found is None:
        return _row(about, verdict="not applicable", rule=CHECKED, note="no question about a clean image")
    blind, passes = found["blind_layers"], found["difference"] <= found["tolerance"]
    return _row(
        about, effect=found["difference"], verdict="pass" if passes else "fail", rule=CHECKED,
        note=f"at most {found['tolerance']:g} passes; a map upside down, transposed or exchanged would fail in"
        f" {100 * found['power']:.0f} % of heads" + (f", in none of layers {', '.join(map(str, blind))}" if blind else ""),
    )  # fmt: skip


def _h3b(rows: Sequence[ColumnRow], store: Store, params: Metrics) -> Row:
    about = (
        "H3b",
        "Heads that share keys and values look more alike than heads that do not",
        "mean JS between groups − within groups, summed over layers, bits",
    )
    _, heads, groups = store.heads
    divergences = head_divergences(store)
    if divergences is None or groups < 2 or heads // groups < 2:
        note = "no grids" if divergences is None else "one head per group, or one group"
        return _row(about, minimum_effect=0.0, verdict="not applicable", note=note)
    rng = generator(params.seed, "head groups")
    found = contrasts.head_groups(divergences, groups, params.permutation_draws, rng)
    return _row(
        about, selection_of(row for row in rows if row.is_clean and row.is_baseline and row["sample_id"] in store.samples),
        effect=found.statistic, low=found.low, high=found.high, minimum_effect=0.0, p=found.p,
        note="the unit is this model's heads; p: heads dealt into groups at random, one-sided",
    )  # fmt: skip


def head_divergences(store: Store) -> np.ndarray | None:
    """JS divergences between heads [layer, head, head]: of maps averaged over patients within a finding, then over findings."""
    found = []
    for _, mean in sorted(store.head_means.items()):
        layers, heads, tokens = mean.shape
        side = round(tokens**0.5)
        found.append(np.stack([consistency.pairwise_js(layer) for layer in mean.reshape(layers, heads, side, side)]))
    return np.round(np.stack(found).mean(axis=0), 12) if found else None  # so that ties are ties on every processor


def _h4(store: Store) -> Row:
    cross = store.model["cross_attention"]
    return _row(
        ("H4", "There is no cross-attention: the image is seen through self-attention alone", "modules with cross-attention"),
        effect=float(len(cross)), verdict="fail" if cross else "not applicable", rule=CHECKED,
        note=", ".join(cross) if cross else "checked: no module of the loaded model is named or marked as cross-attention",
    )  # fmt: skip


TABLES = (
    Table(
        "hypotheses",
        COLUMNS,
        lambda of: hypotheses(of.localisation, of.contrast, of.rows, of.store, of.settings),
        keys=KEYS,
    ),
)
