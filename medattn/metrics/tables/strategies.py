"""Strategies: accuracy and flips of each, tested against the baseline variant, and the order of exposure."""

import functools
import itertools
import operator
from collections.abc import Mapping, Sequence

import numpy as np

from medattn.base.params.metrics import Metrics
from medattn.base.tables import AnyRow, Row
from medattn.language.strategy_labels import BASELINE, CANONICAL, OTHER
from medattn.measures.statistics import holm
from medattn.metrics.columnar import ColumnRow
from medattn.metrics.grid_metrics import column
from medattn.metrics.intervals import Intervals
from medattn.metrics.samples import PROFILE, answering, mean_margin, study_rows
from medattn.metrics.table import Table, columnwise
from medattn.metrics.values import Value, count_of_patients, mean_of, patient_count, share

STRATEGIES = (BASELINE, *CANONICAL, OTHER)
BY_STRATEGY = (
    "strategy", "n", "patients", "accuracy", "accuracy_low", "accuracy_high", "accuracy_method", "accuracy_decided",
    "flip_rate", "flip_low", "flip_high", "flip_method", "hedge_shift_rate", "contradictory_rate", "unparsed_rate",
    "mean_margin", "margin_valid_share", "margin_agreement",
    "js_to_baseline", "js_low", "js_high", "js_method", "accuracy_difference", "difference_low", "difference_high",
    "difference_method", "differing_patients", "smallest_p", "p", "p_adjusted", "few_patients",
)  # fmt: skip
EXPOSURE_ORDER = (
    "less_exposed", "more_exposed", "less_exposure", "more_exposure", "flip_difference", "difference_low",
    "difference_high", "difference_method", "verdict",
)  # fmt: skip


def by_strategy(rows: Sequence[ColumnRow], params: Metrics) -> list[Row]:
    """BY_STRATEGY over clean study rows; the baseline variant has no flips, no difference and no test.

    p: sign-flip over patients of the sum of (variant correct − baseline correct); adjusted by Holm over the strategies.
    """
    intervals, table = Intervals(params, "by_strategy"), []
    clean = study_rows(rows)
    baseline = {row["question_id"]: row for row in clean if row.is_baseline}
    for strategy in STRATEGIES:
        some = [row for row in clean if row["strategy"] == strategy]
        if not some:
            continue
        pairs = [] if strategy == "baseline" else _differences(some, baseline)
        sums = _sums(pairs)
        differing = [pair for pair in pairs if sums[pair["subject_id"]]]  # the others' zeros change no p-value
        patients = patient_count(differing)
        table.append(
            {
                "strategy": strategy,
                **count_of_patients(some),
                **intervals.share(some, "correct", strategy, "accuracy"),
                "accuracy_decided": mean_of(answering(some, "yes", "no"), "correct"),
                **intervals.share(some, "flip", strategy, "flip_rate", "flip"),
                "hedge_shift_rate": mean_of(some, "hedge_shift"),
                "contradictory_rate": share(some, len(answering(some, "contradictory"))),
                "unparsed_rate": share(some, len(answering(some, "unparsed"))),
                "mean_margin": mean_margin(some),
                "margin_valid_share": mean_of(some, "margin_valid"),
                "margin_agreement": mean_of(some, "margin_agrees"),
                **intervals.mean(some, column(PROFILE, "js_to_baseline"), strategy, "js_to_baseline", "js"),
                **intervals.mean(pairs, "difference", strategy, "accuracy_difference", "difference"),
                "differing_patients": patients if pairs else None,
                "smallest_p": Value(intervals.smallest_p(patients.number), patients.selection) if pairs else None,
                "p": Value(intervals.sign_flip(np.array(list(sums.values())), strategy), patients.selection) if pairs else None,
                "p_adjusted": None,
            }
        )
    adjust(table)
    return table


def adjust(table: Sequence[Row]) -> None:
    """Fill p_adjusted (Holm) of the rows that have a p."""
    tested = [row for row in table if row["p"] is not None and row["p"].number is not None]
    for row, adjusted in zip(tested, holm([row["p"].number for row in tested]), strict=True):
        row["p_adjusted"] = Value(float(adjusted), row["p"].selection)


def _differences(some: Sequence[ColumnRow], baseline: Mapping[str, ColumnRow]) -> list[ColumnRow]:
    return [
        row | {"difference": float(row["correct"]) - float(baseline[row["question_id"]]["correct"])}
        for row in some
        if row["question_id"] in baseline
    ]


def _sums(pairs: Sequence[AnyRow]) -> dict[str, float]:
    """Patient -> the sum of its differences, in the patients' order."""
    sums: dict[str, float] = {}
    for pair in pairs:
        sums[pair["subject_id"]] = sums.get(pair["subject_id"], 0.0) + pair["difference"]
    return dict(sorted(sums.items()))


def exposure_order(rows: Sequence[ColumnRow], exposure: Mapping[str, float], params: Metrics) -> list[Row]:
    """EXPOSURE_ORDER: does the strategy seen less in training flip more? Known for a trained phantom only.

    One row per pair of strategies with different exposure, then "all": `recovered` if no pair contradicts the order
    (95 % interval of the difference in flip rates wholly below 0) and at least one confirms it (wholly above).
    """
    intervals, table = Intervals(params, "exposure_order"), []
    flips = {(row["question_id"], row["strategy"]): row for row in study_rows(rows) if row["flip"] is not None}
    known = [strategy for strategy in STRATEGIES if strategy in exposure and any(key[1] == strategy for key in flips)]
    for more, less in itertools.combinations(sorted(known, key=lambda name: -exposure[name]), 2):
        if exposure[more] == exposure[less]:
            continue
        pairs = [
            row | {"flip": float(row["flip"]) - float(flips[question, more]["flip"])}
            for (question, strategy), row in sorted(flips.items())
            if strategy == less and (question, more) in flips
        ]
        cells = intervals.mean(pairs, "flip", f"{less}|{more}", "flip_difference", "difference")
        low, high = cells["difference_low"].number, cells["difference_high"].number
        verdict = "undecided" if low is None or low <= 0 <= high else "as exposed" if low > 0 else "contradicts"
        table.append(
            {
                "less_exposed": less,
                "more_exposed": more,
                "less_exposure": exposure[less],
                "more_exposure": exposure[more],
                **cells,
                "verdict": Value(verdict, cells["flip_difference"].selection),
            }
        )
    if table:
        verdicts = {row["verdict"].number for row in table}
        recovered = "as exposed" in verdicts and "contradicts" not in verdicts
        every = functools.reduce(operator.or_, (row["verdict"].selection for row in table))
        overall = Value("recovered" if recovered else "not recovered", every)
        table.append(dict.fromkeys(EXPOSURE_ORDER) | {"less_exposed": "all", "verdict": overall})
    return table


def _gives_a_flip_rate_away(row: AnyRow, tables: Mapping[str, Sequence[AnyRow]]) -> bool:
    """A difference of flip rates tells a suppressed one if the other is shown."""
    suppressed = {one["strategy"] for one in tables["by_strategy"] if one["flip_rate"] is None}
    return not suppressed.isdisjoint({row["less_exposed"], row["more_exposed"]})


TABLES = (
    Table("by_strategy", BY_STRATEGY, lambda of: by_strategy(of.rows, of.settings), keys=("strategy",), parts=columnwise),
    Table(
        "exposure_order",
        EXPOSURE_ORDER,
        lambda of: exposure_order(of.rows, of.study.about.strategy_exposure or {}, of.settings),
        keys=("less_exposed", "more_exposed", "less_exposure", "more_exposure"),
        differences=_gives_a_flip_rate_away,
    ),
)
