"""Does what the model looks at matter? The true region hidden, against as large an area elsewhere in the body."""

from collections.abc import Sequence

from medattn.base import paths
from medattn.base.params.metrics import Metrics
from medattn.base.tables import AnyRow, Row
from medattn.measures import contrasts
from medattn.metrics.columnar import ColumnRow
from medattn.metrics.grid_metrics import column
from medattn.metrics.intervals import Intervals, by_patient
from medattn.metrics.samples import PROFILE, baseline_rows, per_finding
from medattn.metrics.table import Table, of_findings
from medattn.metrics.tables.reliance import SIGN
from medattn.metrics.values import count_of_patients, mean_of

PAIRS = (
    "question_id", "image_id", "subject_id", "finding", "clean_answer", "region_mass", "region_enrichment",
    "drop_region", "drop_elsewhere", "effect", "flip_region", "flip_elsewhere",
)  # fmt: skip
OCCLUSION = (
    "finding", "n", "patients", "drop_region", "region_low", "region_high", "region_method", "drop_elsewhere",
    "elsewhere_low", "elsewhere_high", "elsewhere_method", "effect", "effect_low", "effect_high", "effect_method",
    "flip_region", "flip_elsewhere", "correlation_with_region_mass", "correlation_low", "correlation_high",
    "correlation_method", "few_patients",
)  # fmt: skip


def occlusion_rows(rows: Sequence[ColumnRow]) -> list[Row]:
    """PAIRS, one row per baseline question asked with both areas hidden, clean answer yes or no, all margins valid.

    drop: margin on the clean image − with the area hidden, signed by the clean answer, nats; > 0: hiding it speaks
    against the answer. effect: drop of the region − drop elsewhere.
    """
    hidden = {
        name: {row["question_id"]: row for row in baseline_rows(rows, name)} for name in ("occlude_region", "occlude_elsewhere")
    }
    table = []
    for row in baseline_rows(rows):
        there, away = (hidden[name].get(row["question_id"]) for name in ("occlude_region", "occlude_elsewhere"))
        if there is None or away is None or row["parsed_answer"] not in SIGN:
            continue
        if not (row["margin_valid"] and there["margin_valid"] and away["margin_valid"]):
            continue
        drops = [SIGN[row["parsed_answer"]] * (row["margin"] - other["margin"]) for other in (there, away)]
        table.append(
            {
                **{name: row[name] for name in ("question_id", "image_id", "subject_id", "finding")},
                "clean_answer": row["parsed_answer"],
                "region_mass": row[column(PROFILE, "region_mass")],
                "region_enrichment": row[column(PROFILE, "region_enrichment")],
                "drop_region": drops[0],
                "drop_elsewhere": drops[1],
                "effect": drops[0] - drops[1],
                "flip_region": there["flip_to_clean"],
                "flip_elsewhere": away["flip_to_clean"],
            }
        )
    return table


def occlusion(pairs: Sequence[AnyRow], params: Metrics) -> list[Row]:
    """OCCLUSION, per finding and for all; Spearman correlation of effect and clean region mass over patients' means."""
    intervals, table = Intervals(params, "occlusion"), []
    for finding, some in per_finding(pairs):
        both = by_patient(some, "region_mass", "effect")
        table.append(
            {
                "finding": finding,
                **count_of_patients(some),
                **intervals.mean(some, "drop_region", finding, "drop_region", "region"),
                **intervals.mean(some, "drop_elsewhere", finding, "drop_elsewhere", "elsewhere"),
                **intervals.mean(some, "effect", finding, "effect"),
                "flip_region": mean_of(some, "flip_region"),
                "flip_elsewhere": mean_of(some, "flip_elsewhere"),
                **intervals.ranks_of_patients(
                    both, contrasts.rank_correlation, finding, "correlation_with_region_mass", "correlation"
                ),
            }
        )
    return table


TABLES = (
    Table("occlusion", PAIRS, lambda of: of.occlusion, paths.GROUPS),
    Table("occlusion", OCCLUSION, lambda of: occlusion(of.occlusion, of.settings), keys=("finding",), parts=of_findings),
)
