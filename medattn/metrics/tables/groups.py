"""One row per question (do its variants agree?) and one per image (does the question direct attention?)."""

import functools
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from medattn.base import paths
from medattn.base.rounding import round_number
from medattn.base.tables import AnyRow, Row
from medattn.disclosure.distributions import divergence_edges, merged_bins
from medattn.measures import consistency
from medattn.metrics.columnar import ColumnRow
from medattn.metrics.grid_metrics import column
from medattn.metrics.inputs import Store
from medattn.metrics.samples import PROFILE, OtherFindings, study_rows
from medattn.metrics.table import Table
from medattn.metrics.values import average, average_of

QUESTION_COLUMNS = (
    "question_id", "condition", "strength", "image_id", "subject_id", "finding", "ground_truth", "baseline_parsed",
    "baseline_correct", "variants", "consistency", "expected_consistency", "yes_rate", "flip_to_baseline",
    "flip_all_pairs", "any_flip", "mean_js", "mean_js_to_baseline", "hedge_shift", "fully_consistent", "unparsed",
    "contradictory", "uncertain",
)  # fmt: skip
CONTRAST_COLUMNS = (
    "image_id", "subject_id", "n_other_findings", "js_other_finding", "js_other_variant", "difference", "n_variants",
)  # fmt: skip
DISTRIBUTION = ("divergence", "js_other_finding", "js_other_variant")


def by_question(rows: Sequence[ColumnRow]) -> dict[tuple[str, str, str], list[ColumnRow]]:
    """(question_id, condition, strength) -> the rows of its variants, baseline first; study rows that were answered."""
    groups = defaultdict(list)
    for row in rows:
        if row.is_study and row.answered:
            groups[row["question_id"], *row.setting].append(row)
    return {key: sorted(groups[key], key=lambda row: row["variant_index"]) for key in sorted(groups)}


def answer_counts(rows: Sequence[ColumnRow]) -> dict[tuple[str, str], Counter[str]]:
    """(condition, strength) -> how often each answer was given to its study questions."""
    counts: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row.is_study and row["parsed_answer"]:
            counts[row.setting][row["parsed_answer"]] += 1
    return counts


def _mean_js(variants: Sequence[AnyRow], store: Store) -> float | None:
    """Mean JS divergence over all pairs of a question's variants; None for fewer than two grids."""
    grids = [grid for row in variants if (grid := store.grid(PROFILE, row["sample_id"])) is not None]
    if len(grids) < 2:
        return None
    return average(consistency.pairwise_js(np.stack(grids))[np.triu_indices(len(grids), k=1)])


def question_rows(rows: Sequence[ColumnRow], store: Store) -> list[Row]:
    """QUESTION_COLUMNS, one row per study question and condition that was asked in several variants (clean: always).

    expected_consistency: what the question's number of variants would give if each had its answer from those of the
    whole condition, whatever the question.
    """
    given = answer_counts(rows)
    expected = functools.cache(lambda key, n: consistency.expected_consistency(given[key], n))
    table = []
    for (question_id, condition, strength), variants in by_question(rows).items():
        if condition != "clean" and len(variants) == 1:
            continue  # one variant agrees with itself
        first = variants[0]
        answered = first.is_baseline  # else the baseline variant failed: nothing to compare with
        parsed = [row["parsed_answer"] for row in variants]
        others, counts = parsed[1:], Counter(parsed)
        decided = counts["yes"] + counts["no"]
        agreement = consistency.consistency(parsed)
        table.append(
            {
                **{name: first[name] for name in ("image_id", "subject_id", "finding", "ground_truth")},
                "question_id": question_id,
                "condition": condition,
                "strength": strength or None,
                "baseline_parsed": parsed[0] if answered else None,
                "baseline_correct": first["correct"] if answered else None,
                "variants": len(variants),
                "consistency": agreement,
                "expected_consistency": expected((condition, strength), len(parsed)),
                "yes_rate": counts["yes"] / decided if decided else None,
                "flip_to_baseline": consistency.flip_to_baseline(parsed[0], others) if answered and others else None,
                "flip_all_pairs": consistency.flip_all_pairs(parsed) if others else None,
                "any_flip": consistency.any_flip(parsed) if others else None,
                "mean_js": _mean_js(variants, store),
                "mean_js_to_baseline": average_of(variants, column(PROFILE, "js_to_baseline")),
                "hedge_shift": average_of(variants, "hedge_shift"),
                "fully_consistent": agreement == 1,
                **{answer: counts[answer] for answer in ("unparsed", "contradictory", "uncertain")},
            }
        )
    return table


def contrast_rows(rows: Sequence[ColumnRow], store: Store, grid_set: str = PROFILE) -> list[Row]:
    """CONTRAST_COLUMNS, one row per image with a clean study question.

    js_other_finding: baseline variant against each question that asks in the same words about another finding.
    js_other_variant: baseline variant against its other variants. Without either there is no value.
    """
    asked = OtherFindings(rows)
    images: defaultdict[str, dict[str, list[ColumnRow]]] = defaultdict(lambda: {"baseline": [], "variant": []})
    for row in study_rows(rows):
        if store.grid(grid_set, row["sample_id"]) is not None:
            images[row["image_id"]]["baseline" if row.is_baseline else "variant"].append(row)
    table = []
    for image_id, found in sorted(images.items()):
        if not found["baseline"]:
            continue
        pairs = [(row, other) for row in found["baseline"] for other in asked(row)]
        grids = [(store.grid(grid_set, row["sample_id"]), store.grid(grid_set, other["sample_id"])) for row, other in pairs]
        other_finding = [consistency.js_divergence(p, q) for p, q in grids if p is not None and q is not None]
        js_finding = round_number(average(other_finding)) if other_finding else None
        js_variant = average_of(found["variant"], column(grid_set, "js_to_baseline"))
        js_variant = None if js_variant is None else round_number(js_variant)
        table.append(
            {
                "image_id": image_id,
                "subject_id": found["baseline"][0]["subject_id"],
                "n_other_findings": len(other_finding),
                "js_other_finding": js_finding,
                "js_other_variant": js_variant,
                "difference": None if js_finding is None or js_variant is None else js_finding - js_variant,
                "n_variants": len(found["variant"]),
            }
        )
    return table


def js_distribution(contrast: Sequence[AnyRow], bins: int = 20) -> list[Row]:
    """DISTRIBUTION: share of the images per interval of divergence, both kinds on one axis from 0 to the largest value."""
    kinds = ("js_other_finding", "js_other_variant")
    values = {kind: np.array([row[kind] for row in contrast if row[kind] is not None], dtype=np.float64) for kind in kinds}
    if not all(some.size for some in values.values()):
        return []
    edges = np.linspace(0, max(some.max() for some in values.values()), bins + 1)
    counts = {kind: np.histogram(some, edges)[0] / some.size for kind, some in values.items()}
    return [
        {"divergence": (edges[index] + edges[index + 1]) / 2, **{kind: float(counts[kind][index]) for kind in kinds}}
        for index in range(bins)
    ]


def merged_js_distribution(contrast: Sequence[AnyRow]) -> list[Row]:
    """DISTRIBUTION for a credentialed study: over the images with both values, in intervals of enough patients each."""
    both = [row for row in contrast if row["difference"] is not None]
    variant, finding = (
        np.array([row[kind] for row in both], dtype=np.float64) for kind in ("js_other_variant", "js_other_finding")
    )
    if not both:
        return []
    patients = [row["subject_id"] for row in both]
    bars = merged_bins(divergence_edges(variant, finding), [(finding, patients), (variant, patients)])
    return [
        {
            "divergence": (bar.low + bar.high) / 2,
            "js_other_finding": bar.counts[0] / len(both),
            "js_other_variant": bar.counts[1] / len(both),
        }
        for bar in bars
    ]


TABLES = (
    Table("questions", QUESTION_COLUMNS, lambda of: of.questions, paths.GROUPS),
    Table("js_contrast", CONTRAST_COLUMNS, lambda of: of.contrast, paths.GROUPS),
    Table(
        "js_distribution",
        DISTRIBUTION,
        lambda of: (merged_js_distribution if of.restricted else js_distribution)(of.contrast),
        safe=True,
    ),
)
