"""Does attention differ between right and wrong answers? Compared inside patients that gave both."""

from collections.abc import Sequence

import numpy as np

from medattn.measures import contrasts
from medattn.metrics.grid_metrics import column
from medattn.metrics.intervals import Intervals, average, present
from medattn.metrics.samples import PROFILE, Row, study_rows
from medattn.metrics.strategies import adjust
from medattn.params import Metrics

FAMILY = (
    "image_mass", "entropy_normalised", "focus", "sparseness", "inside_body_enrichment", "border_fraction",
    "zone_enrichment", "region_enrichment",
)  # fmt: skip
CORRECT_INCORRECT = (
    "metric", "n_correct", "n_incorrect", "mean_correct", "mean_incorrect", "informative_patients", "difference",
    "difference_low", "difference_high", "difference_method", "smallest_p", "p", "p_adjusted", "cliffs_delta",
    "delta_low", "delta_high", "delta_method", "verdict",
)  # fmt: skip
LEAST_PATIENTS = 6  # below this no p-value can reach 0.05
LEVEL = 0.05


def correct_incorrect(rows: Sequence[Row], params: Metrics) -> list[Row]:
    """CORRECT_INCORRECT over clean study rows of all wordings, one row per metric of FAMILY.

    difference: mean metric of right − wrong answers inside patients holding both, each truth apart; sign-flip over
    these patients, Holm over the family; Cliff's delta on their means.
    """
    intervals, table = Intervals(params, "correct_incorrect"), []
    for metric in FAMILY:
        name = column(PROFILE, metric)
        some = present(study_rows(rows), name)
        right, wrong = ([row[name] for row in some if bool(row["correct"]) == correct] for correct in (True, False))
        _, pairs = contrasts.within_patients(
            np.array([row[name] for row in some], dtype=np.float64),
            np.array([bool(row["correct"]) for row in some], dtype=bool),
            np.array([row["ground_truth"] for row in some]),
            np.array([row["subject_id"] for row in some]),
        )
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
                **intervals.mean_of_patients(gap, metric, "difference"),
                "smallest_p": min(1.0, 2.0 ** (1 - len(pairs))),
                "p": intervals.sign_flip(gap[:, 0], metric) if enough else None,
                "p_adjusted": None,
                **intervals.ranks_of_patients(pairs, contrasts.cliffs_delta, metric, "cliffs_delta", "delta"),
                "verdict": "too few",
            }
        )
    adjust(table)
    for row in table:
        if row["p_adjusted"] is not None:
            row["verdict"] = "differs" if row["p_adjusted"] <= LEVEL else "inconclusive"
    return table
