"""Do a question's variants agree, in answers and in attention?"""

import math
from collections import defaultdict
from collections.abc import Sequence

from medattn.base.params.metrics import Metrics
from medattn.base.tables import AnyRow, Row
from medattn.measures import consistency
from medattn.metrics.columnar import ColumnRow
from medattn.metrics.grid_metrics import column
from medattn.metrics.intervals import Intervals, within_patients
from medattn.metrics.samples import PROFILE, study_rows
from medattn.metrics.table import Parts, Table
from medattn.metrics.values import Value, average, count_of_patients, mean_of

CONSISTENCY = (
    "grouping", "condition", "strength", "n", "patients", "mean_variants", "consistency", "consistency_low", "consistency_high",
    "consistency_method", "expected_consistency", "fully_consistent", "fully_low", "fully_high", "fully_method",
    "flip_to_baseline", "flip_low", "flip_high", "flip_method", "flip_all_pairs", "any_flip", "any_low", "any_high",
    "any_method", "any_flip_3", "any_flip_4", "any_flip_5", "hedge_shift", "few_patients",
)  # fmt: skip
FLIPS = (
    "answers", "n", "patients", "js_to_baseline", "js_low", "js_high", "js_method", "js_distance_to_baseline",
    "pearson_to_baseline", "spearman_to_baseline", "cosine_to_baseline", "margin_shift", "informative_patients",
    "js_contrast", "contrast_low", "contrast_high", "contrast_method", "few_patients",
)  # fmt: skip


def any_flip_among(yes: int, no: int, other: int, k: int) -> float | None:
    """Chance that k of a question's variants, drawn without replacement, hold both a yes and a no; None for fewer than k."""
    every = yes + no + other
    if every < k:
        return None
    all_ways = math.comb(every, k)
    without = math.comb(every - yes, k) + math.comb(every - no, k) - math.comb(other, k)
    return 1 - without / all_ways


def consistency_table(rows: Sequence[ColumnRow], questions: Sequence[ColumnRow], params: Metrics) -> list[Row]:
    """CONSISTENCY: questions of one image each, per condition; and grouped by question text alone, for comparison only.

    Grouping by text merges patients, as earlier work did; such groups have no patient, so no interval.
    """
    intervals, table = Intervals(params, "consistency"), []
    keys = {(row["condition"], row["strength"]) for row in questions}
    for condition, strength in sorted(keys, key=lambda key: (key[0] != "clean", key[0], float(key[1] or 0))):
        some = [row for row in questions if (row["condition"], row["strength"]) == (condition, strength)]
        key = f"{condition}|{strength or ''}"
        among = [row | {f"any_flip_{k}": _any_among(row, k) for k in (3, 4, 5)} for row in some]
        table.append(
            {
                "grouping": "question",
                "condition": condition,
                "strength": strength,
                **count_of_patients(some),
                "mean_variants": mean_of(some, "variants"),
                **intervals.mean(some, "consistency", key, "consistency"),
                "expected_consistency": mean_of(some, "expected_consistency"),
                **intervals.share(some, "fully_consistent", key, "fully_consistent", "fully"),
                **intervals.mean(some, "flip_to_baseline", key, "flip_to_baseline", "flip"),
                "flip_all_pairs": mean_of(some, "flip_all_pairs"),
                **intervals.share(some, "any_flip", key, "any_flip", "any"),
                **{f"any_flip_{k}": mean_of(among, f"any_flip_{k}") for k in (3, 4, 5)},
                "hedge_shift": mean_of(some, "hedge_shift"),
            }
        )
    return [*table, *_by_text(study_rows(rows))]


def _any_among(row: AnyRow, k: int) -> float | None:
    decided = row["variants"] - row["unparsed"] - row["contradictory"] - row["uncertain"]
    yes = round((row["yes_rate"] or 0) * decided)
    return any_flip_among(yes, decided - yes, row["variants"] - decided, k)


def _by_text(clean: Sequence[ColumnRow]) -> list[Row]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for row in clean:
        groups[row["baseline_question"]].append(row["parsed_answer"])
    if not groups:
        return []
    values = [consistency.consistency(answers) for _, answers in sorted(groups.items())]
    cells = {
        "n": len(groups),
        "mean_variants": average([len(answers) for answers in groups.values()]),
        "consistency": average(values),
        "fully_consistent": sum(value == 1 for value in values) / len(values),
    }
    of_all = {name: Value.of(clean, number) for name, number in cells.items()}
    return [dict.fromkeys(CONSISTENCY) | {"grouping": "text", "condition": "clean"} | of_all]


def flips(rows: Sequence[ColumnRow], params: Metrics) -> list[Row]:
    """FLIPS: attention of clean variants against their baseline variant's, by what became of the answer.

    js_contrast: mean divergence of flipped − kept answers inside patients (and truths) that hold both. Descriptive.
    """
    intervals, table = Intervals(params, "flips"), []
    clean = study_rows(rows)
    before = {row["question_id"]: row for row in clean if row.is_baseline}
    js = column(PROFILE, "js_to_baseline")
    pairs = [
        row | {"before": before[row["question_id"]]["parsed_answer"], "margin_shift": _shift(row, before[row["question_id"]])}
        for row in clean
        if row["flip"] is not None and row[js] is not None
    ]
    kinds = {f"{one}→{other}": (one, other) for one in ("yes", "no") for other in ("yes", "no")}
    groups = {name: [row for row in pairs if (row["before"], row["parsed_answer"]) == kind] for name, kind in kinds.items()}
    decided = [row for some in groups.values() for row in some]
    groups |= {"kept": [row for row in decided if not row["flip"]], "flipped": [row for row in decided if row["flip"]]}
    contrast = _contrast(decided, js, intervals)
    for name, some in groups.items():
        if not some:
            continue
        table.append(
            {
                "answers": name,
                **count_of_patients(some),
                **intervals.mean(some, js, name, "js_to_baseline", "js"),
                **{metric: mean_of(some, column(PROFILE, metric)) for metric in FLIPS[7:11]},
                "margin_shift": mean_of(some, "margin_shift"),
                **(contrast if name == "flipped" else dict.fromkeys(contrast)),
            }
        )
    return table


def _shift(row: AnyRow, before: AnyRow) -> float | None:
    """How far the margin moved, either way, in nats."""
    return abs(row["margin"] - before["margin"]) if row["margin_valid"] and before["margin_valid"] else None


def _contrast(decided: Sequence[AnyRow], js: str, intervals: Intervals) -> Row:
    pairs = within_patients(decided, js, "flip", [row["ground_truth"] for row in decided])
    cells = intervals.of_patients(pairs.gap(), "flipped", "js_contrast", "contrast")
    return {"informative_patients": Value(len(pairs.means), pairs.selection), **cells}


def _flip_parts(rows: Sequence[AnyRow]) -> Parts:
    counts = {row["answers"]: row["n"] for row in rows}
    wholes = (("yes→yes", "no→no"), ("yes→no", "no→yes"), ("kept", "flipped"))
    return [[counts[name] for name in parts if name in counts] for parts in wholes]


TABLES = (
    Table(
        "consistency",
        CONSISTENCY,
        lambda of: consistency_table(of.rows, of.questions, of.settings),
        keys=("grouping", "condition", "strength"),
    ),
    Table(
        "flips",
        FLIPS,
        lambda of: flips(of.rows, of.settings),
        keys=("answers",),
        parts=_flip_parts,
        means=lambda row: {"js_to_baseline": column(PROFILE, "js_to_baseline")},
    ),
)
