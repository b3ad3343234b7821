"""The few numbers of reports/metrics.json: the run at a glance."""

from collections.abc import Sequence

from medattn.base import paths
from medattn.base.rounding import round_number
from medattn.base.tables import AnyRow, Row
from medattn.metrics.columnar import ColumnRow
from medattn.metrics.grid_metrics import column
from medattn.metrics.samples import PROFILE, study_rows
from medattn.metrics.table import Table
from medattn.metrics.values import Value, count, mean_of

NUMBERS = (
    "n_samples", "n_failed", "accuracy_baseline", "accuracy_all", "flip_rate", "any_flip_rate", "consistency",
    "margin_valid_share", "js_other_variant", "js_other_finding", "region_enrichment", "accuracy_no_image",
)  # fmt: skip


def headline(rows: Sequence[ColumnRow], questions: Sequence[AnyRow], contrast: Sequence[AnyRow]) -> Row:
    """The twelve numbers of reports/metrics.json; None where there is nothing to average."""
    clean, asked = study_rows(rows), [row for row in questions if row["condition"] == "clean"]
    numbers = {
        "accuracy_baseline": mean_of([row for row in clean if row.is_baseline], "correct"),
        "accuracy_all": mean_of(clean, "correct"),
        "flip_rate": mean_of(clean, "flip"),
        "any_flip_rate": mean_of(asked, "any_flip"),
        "consistency": mean_of(asked, "consistency"),
        "margin_valid_share": mean_of(clean, "margin_valid"),
        "js_other_variant": mean_of(contrast, "js_other_variant"),
        "js_other_finding": mean_of(contrast, "js_other_finding"),
        "region_enrichment": mean_of(clean, column(PROFILE, "region_enrichment")),
        "accuracy_no_image": mean_of(study_rows(rows, "no_image"), "correct"),
    }
    counts = {"n_samples": len(rows), "n_failed": count([row for row in rows if not row.answered])}
    return counts | {
        name: value if value.number is None else Value(round_number(value.number), value.selection)
        for name, value in numbers.items()
    }


HEADLINE = Table(
    "headline", NUMBERS, lambda of: [headline(of.rows, of.questions, of.contrast)], paths.METRICS, keys=("n_samples",)
)
TABLES = (HEADLINE,)
