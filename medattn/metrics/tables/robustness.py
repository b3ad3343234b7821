"""What each condition does to answers, margins and attention, against the clean image."""

from collections import defaultdict
from collections.abc import Sequence

from medattn.base.params.metrics import Metrics
from medattn.base.tables import AnyRow, Row
from medattn.language.answers import NO_POSITION
from medattn.metrics.columnar import ColumnRow
from medattn.metrics.grid_metrics import column
from medattn.metrics.intervals import Intervals
from medattn.metrics.samples import PROFILE, answering, mean_margin, study_rows
from medattn.metrics.table import Table
from medattn.metrics.values import count, count_of_patients, mean_of, present, share

# Table order; strengths in numerical order.
ORDER = (
    "clean", "no_image", "blank", "shuffled_image", "occlude_region", "occlude_elsewhere", "rotation", "gaussian_noise",
    "contrast", "brightness", "blur", "few_pixels",
)  # fmt: skip
ROBUSTNESS = (
    "condition", "strength", "variants", "n", "n_truth", "patients", "accuracy", "accuracy_low", "accuracy_high",
    "accuracy_method",
    "accuracy_change", "change_low", "change_high", "change_method", "flip_rate", "flip_low", "flip_high", "flip_method",
    "margin_change", "margin_low", "margin_high", "margin_method", "js_to_clean", "js_low", "js_high", "js_method",
    "js_other_finding", "agreement_with_clean", "yes_rate", "margin_valid_share", "mean_margin", "few_patients",
)  # fmt: skip


def robustness(rows: Sequence[ColumnRow], contrast: Sequence[AnyRow], params: Metrics) -> list[Row]:
    """ROBUSTNESS over study rows, clean first; changes are against the same variant's row on the clean image.

    One row for the baseline variant of every condition, so that conditions compare, and one for all variants where
    they were asked. flip_rate: yes against no. agreement: the same answer, contradictory and unparsed never.
    js_other_finding is the scale for js_to_clean: what asking about another finding changes in the clean image; none where
    there is nothing to compare, and for rotations, whose grids are smoothed by turning them.
    """
    intervals, asked = Intervals(params, "robustness"), defaultdict(list)
    for row in rows:
        if row.is_study and row.answered:
            asked[*row.setting, "all"].append(row)
            if row.is_baseline:
                asked[*row.setting, "baseline"].append(row)
    groups = {key: some for key, some in asked.items() if key[2] == "baseline" or not all(row.is_baseline for row in some)}
    clean = {row.variant: row for row in study_rows(rows)}
    scale, table = mean_of(contrast, "js_other_finding"), []
    for condition, strength, variants in sorted(
        groups, key=lambda key: (ORDER.index(key[0]), float(key[1] or 0), key[2] == "all")
    ):
        some, key = groups[condition, strength, variants], f"{condition}|{strength}|{variants}"
        pairs = [(row, before) for row in some if condition != "clean" and (before := clean.get(row.variant)) is not None]
        changes = [
            {
                **{name: row[name] for name in ("subject_id", "question_id", "variant_index")},
                "correct": float(row["correct"]) - float(before["correct"]) if row["correct"] is not None else None,
            }
            for row, before in pairs
        ]
        moved = intervals.mean(some, column(PROFILE, "js_to_clean"), key, "js_to_clean", "js")
        agreeing = sum(row["parsed_answer"] == before["parsed_answer"] not in NO_POSITION for row, before in pairs)
        table.append(
            {
                "condition": condition,
                "strength": strength or None,
                "variants": variants,
                "n_truth": count(present(some, "correct")),
                **count_of_patients(some),
                **intervals.share(some, "correct", key, "accuracy"),
                **intervals.mean(changes, "correct", key, "accuracy_change", "change"),
                **intervals.share(some, "flip_to_clean", key, "flip_rate", "flip"),
                **intervals.mean(some, "margin_change", key, "margin_change", "margin"),
                **moved,
                "js_other_finding": None if moved["js_to_clean"].number is None or condition == "rotation" else scale,
                "agreement_with_clean": share([row for row, _ in pairs], agreeing),
                "yes_rate": share(some, len(answering(some, "yes"))),
                "margin_valid_share": mean_of(some, "margin_valid"),
                "mean_margin": mean_margin(some),
            }
        )
    return table


TABLES = (
    Table(
        "robustness",
        ROBUSTNESS,
        lambda of: robustness(of.rows, of.contrast, of.settings),
        keys=("condition", "strength", "variants"),
    ),
)
