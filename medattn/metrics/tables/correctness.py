"""Does attention differ between right and wrong answers? Compared inside patients that gave both."""

from collections.abc import Sequence

import numpy as np

from medattn.base.params.metrics import Metrics
from medattn.base.tables import AnyRow, Row
from medattn.measures import contrasts
from medattn.measures.statistics import FEW_PATIENTS
from medattn.metrics.columnar import ColumnRow
from medattn.metrics.grid_metrics import column
from medattn.metrics.intervals import Intervals, within_patients
from medattn.metrics.samples import LEAST_PATIENTS, LEVEL, PROFILE, study_rows
from medattn.metrics.table import Table
from medattn.metrics.tables.strategies import adjust
from medattn.metrics.values import Value, count, mean_of, present

FAMILY = (
    "image_mass", "entropy_normalised", "focus", "sparseness", "inside_body_enrichment", "border_fraction",
    "zone_enrichment", "region_enrichment",
)  # fmt: skip
CORRECT_INCORRECT = (
    "metric", "n_correct", "n_incorrect", "mean_correct", "mean_incorrect", "informative_patients", "difference",
    "difference_low", "difference_high", "difference_method", "smallest_p", "p", "p_adjusted", "cliffs_delta",
    "delta_low", "delta_high", "delta_method", "verdict", "same_strategy_patients", "same_strategy_difference",
    "same_strategy_low", "same_strategy_high", "same_strategy_method", "few_patients",
)  # fmt: skip


def correct_incorrect(rows: Sequence[ColumnRow], params: Metrics) -> list[Row]:
    """CORRECT_INCORRECT over clean study rows of all variants, one row per metric of FAMILY.

    difference: mean metric of right − wrong answers inside patients holding both, each truth apart; sign-flip over
    these patients, Holm over the family; Cliff's delta on their means. same_strategy_difference: the same with truth
    and strategy apart, descriptive: where one variant is mostly wrong, right against wrong is also one variant
    against another.
    """
    intervals, table, clean = Intervals(params, "correct_incorrect"), [], study_rows(rows)
    for metric in FAMILY:
        name = column(PROFILE, metric)
        some = present(clean, name)
        right, wrong = ([row for row in some if bool(row["correct"]) == correct] for correct in (True, False))
        pairs = within_patients(some, name, "correct", [str(row["ground_truth"]) for row in some])
        alike = within_patients(some, name, "correct", [f"{row['ground_truth']}|{row['strategy']}" for row in some])
        gap = pairs.gap().means
        test = {
            "informative_patients": len(gap),
            "smallest_p": intervals.smallest_p(int(np.count_nonzero(gap))),
            "p": intervals.sign_flip(gap[:, 0], metric) if len(gap) >= LEAST_PATIENTS else None,
            "verdict": "too few",
            "few_patients": len(gap) < FEW_PATIENTS,
        }
        table.append(
            {
                "metric": metric,
                "n_correct": count(right),
                "n_incorrect": count(wrong),
                "mean_correct": mean_of(right, name),
                "mean_incorrect": mean_of(wrong, name),
                **intervals.of_patients(pairs.gap(), metric, "difference"),
                **{of: Value(number, pairs.selection) for of, number in test.items()},
                "p_adjusted": None,
                **intervals.ranks_of_patients(pairs, contrasts.cliffs_delta, metric, "cliffs_delta", "delta"),
                "same_strategy_patients": Value(len(alike.means), alike.selection),
                **intervals.of_patients(alike.gap(), metric, "same_strategy_difference", "same_strategy"),
            }
        )
    adjust(table)
    for row in table:
        if (adjusted := row["p_adjusted"]) is not None:
            row["verdict"] = Value("differs" if adjusted.number <= LEVEL else "inconclusive", adjusted.selection)
    return table


def _means(row: AnyRow) -> dict[str, str]:
    return dict.fromkeys(("mean_correct", "mean_incorrect"), column(PROFILE, row["metric"]))


TABLES = (
    Table(
        "correct_incorrect",
        CORRECT_INCORRECT,
        lambda of: correct_incorrect(of.rows, of.settings),
        keys=("metric",),
        parts=lambda rows: [[row["n_correct"], row["n_incorrect"]] for row in rows],
        means=_means,
    ),
)
