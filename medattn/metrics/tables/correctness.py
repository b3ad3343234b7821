"""Does attention differ between right and wrong answers? Compared inside patients that gave both."""

from collections.abc import Sequence

import numpy as np

from medattn.base.params import Metrics
from medattn.base.rows import SampleRow
from medattn.base.tables import Row
from medattn.measures import contrasts
from medattn.measures.statistics import FEW_PATIENTS
from medattn.metrics.grid_metrics import column
from medattn.metrics.intervals import Intervals, average, patients, present
from medattn.metrics.samples import LEAST_PATIENTS, LEVEL, PROFILE, study_rows
from medattn.metrics.table import Table
from medattn.metrics.tables.strategies import adjust

FAMILY = (
    "image_mass", "entropy_normalised", "focus", "sparseness", "inside_body_enrichment", "border_fraction",
    "zone_enrichment", "region_enrichment",
)  # fmt: skip
CORRECT_INCORRECT = (
    "metric", "n_correct", "n_incorrect", "mean_correct", "mean_incorrect", "informative_patients", "difference",
    "difference_low", "difference_high", "difference_method", "smallest_p", "p", "p_adjusted", "cliffs_delta",
    "delta_low", "delta_high", "delta_method", "verdict", "same_wording_patients", "same_wording_difference",
    "same_wording_low", "same_wording_high", "same_wording_method", "few_patients",
)  # fmt: skip


def correct_incorrect(rows: Sequence[SampleRow], params: Metrics) -> list[Row]:
    """CORRECT_INCORRECT over clean study rows of all wordings, one row per metric of FAMILY.

    difference: mean metric of right − wrong answers inside patients holding both, each truth apart; sign-flip over
    these patients, Holm over the family; Cliff's delta on their means. same_wording_difference: the same with truth
    and wording strategy apart, descriptive: where one wording is mostly wrong, right against wrong is also one wording
    against another.
    """
    intervals, table = Intervals(params, "correct_incorrect"), []
    for metric in FAMILY:
        name = column(PROFILE, metric)
        some = present(study_rows(rows), name)
        strategy = np.array([f"{row['ground_truth']}|{row['strategy']}" for row in some])
        right, wrong = ([row[name] for row in some if bool(row["correct"]) == correct] for correct in (True, False))
        values = np.array([row[name] for row in some], dtype=np.float64)
        correct = np.array([bool(row["correct"]) for row in some], dtype=bool)
        truth = np.array([row["ground_truth"] for row in some])
        _, pairs = contrasts.within_patients(values, correct, truth, patients(some))
        _, alike = contrasts.within_patients(values, correct, strategy, patients(some))
        gap = pairs[:, :1] - pairs[:, 1:]
        enough = len(pairs) >= LEAST_PATIENTS
        table.append(
            {
                "metric": metric,
                "n_correct": len(right),
                "n_incorrect": len(wrong),
                "mean_correct": average(right) if right else None,
                "mean_incorrect": average(wrong) if wrong else None,
                "informative_patients": len(pairs),
                **intervals.of_patients(gap, metric, "difference"),
                "smallest_p": intervals.smallest_p(int(np.count_nonzero(gap))),
                "p": intervals.sign_flip(gap[:, 0], metric) if enough else None,
                "p_adjusted": None,
                **intervals.ranks_of_patients(pairs, contrasts.cliffs_delta, metric, "cliffs_delta", "delta"),
                "verdict": "too few",
                "same_wording_patients": len(alike),
                **intervals.of_patients(alike[:, :1] - alike[:, 1:], metric, "same_wording_difference", "same_wording"),
                "few_patients": len(pairs) < FEW_PATIENTS,
            }
        )
    adjust(table)
    for row in table:
        if row["p_adjusted"] is not None:
            row["verdict"] = "differs" if row["p_adjusted"] <= LEVEL else "inconclusive"
    return table


TABLES = (Table("correct_incorrect", CORRECT_INCORRECT, lambda of: correct_incorrect(of.rows, of.settings), keys=("metric",)),)
