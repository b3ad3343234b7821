"""Aggregate tables over study rows, the patient as the unit; controls never count here. Safe to publish."""

import math
import statistics
from collections.abc import Mapping, Sequence

from medattn.base.params.aggregate import Profile
from medattn.base.params.metrics import Metrics
from medattn.base.tables import Row
from medattn.metrics.columnar import ColumnRow
from medattn.metrics.grid_metrics import COLUMNS, column
from medattn.metrics.inputs import Store, profile_of
from medattn.metrics.intervals import Intervals
from medattn.metrics.samples import PROFILE, per_finding, study_rows
from medattn.metrics.table import Table, of_findings
from medattn.metrics.tables.groups import contrast_rows
from medattn.metrics.values import Value, count, count_of_patients, mean_of, patient_count, present

BY_FINDING = (
    "finding", "n", "patients", "positives", "accuracy", "accuracy_low", "accuracy_high", "accuracy_method",
    "flip_rate", "flip_low", "flip_high", "flip_method", "n_region", "region_enrichment", "region_enrichment_low",
    "region_enrichment_high", "region_enrichment_method", "pointing_game", "region_auroc", "zone_enrichment",
    "region_patients", "few_patients",
)  # fmt: skip
METRIC_SUMMARY = (
    "profile", "metric", "n", "mean", "low", "high", "sd", "minimum", "median", "maximum", "patients", "method", "few_patients",
)  # fmt: skip
SETTINGS = ("rows", "gating", "layers", "layer_weights", "gqa", "sinks")
MAIN = (
    "image_mass", "entropy_normalised", "focus", "inside_body_enrichment", "zone_enrichment", "region_enrichment",
    "pointing_game", "region_auroc", "js_to_baseline",
)  # fmt: skip
PROFILES = ("profile", *SETTINGS, "n", "gated", *MAIN, "js_other_finding", "js_other_variant", "sink_share")


def by_finding(rows: Sequence[ColumnRow], params: Metrics) -> list[Row]:
    """BY_FINDING over clean study rows of all variants, findings in alphabetical order, then "all"."""
    intervals, table = Intervals(params, "by_finding"), []
    for finding, some in per_finding(study_rows(rows)):
        enrichment = column(PROFILE, "region_enrichment")
        table.append(
            {
                "finding": finding,
                **count_of_patients(some),
                "positives": count([row for row in some if row["ground_truth"] == "yes"]),
                **intervals.share(some, "correct", finding, "accuracy"),
                **intervals.share(some, "flip", finding, "flip_rate", "flip"),
                "n_region": count(present(some, enrichment)),
                "region_patients": patient_count(present(some, enrichment)),
                **intervals.mean(some, enrichment, finding, "region_enrichment"),
                **{name: mean_of(some, column(PROFILE, name)) for name in ("pointing_game", "region_auroc", "zone_enrichment")},
            }
        )
    return table


def metric_summary(rows: Sequence[ColumnRow], store: Store, params: Metrics) -> list[Row]:
    """METRIC_SUMMARY over clean study rows: every metric of every profile that has a value somewhere; true counts 1."""
    intervals, table = Intervals(params, "metric_summary"), []
    clean = study_rows(rows)
    for grid_set in store.grid_sets:
        for metric in COLUMNS:
            name = column(grid_set, metric)
            some = present(clean, name)
            if not some:
                continue
            values = sorted(float(row[name]) for row in some)
            cells = intervals.mean(some, name, f"{grid_set}|{metric}", "mean", "mean")
            spread = {
                "sd": statistics.stdev(values) if len(values) > 1 else None,
                "minimum": values[0],
                "median": statistics.median(values),
                "maximum": values[-1],
            }
            table.append(
                {
                    "profile": grid_set,
                    "metric": metric,
                    **count_of_patients(some),
                    **{of: Value.of(some, number) for of, number in spread.items()},
                    "mean": cells["mean"],
                    **{bound: cells[f"mean_{bound}"] for bound in ("low", "high", "method")},
                }
            )
    return table


def _sink_share(clean: Sequence[ColumnRow], store: Store, grid_set: str) -> Value:
    """Mean mass on the sink cells of the image, over samples of images whose sinks were computed."""
    shares = []
    for row in clean:
        sinks, grid = store.sinks.get(row["image_id"]), store.grid(grid_set, row["sample_id"])
        if grid is not None and sinks is not None and sinks["computed"]:
            shares.append(row | {"sink_share": math.fsum(grid.ravel()[sinks["cells"]])})
    return mean_of(shares, "sink_share")


def profiles(rows: Sequence[ColumnRow], store: Store, settings: Mapping[str, Profile]) -> list[Row]:
    """PROFILES: how far the main results depend on a profile's settings; means over clean study rows."""
    table, clean = [], study_rows(rows)
    for grid_set in store.grid_sets:
        profile = settings[profile_of(grid_set, settings)]
        contrast = contrast_rows(rows, store, grid_set)
        table.append(
            {
                "profile": grid_set,
                "rows": " ".join(map(str, profile.rows)),
                "gating": profile.gating,
                "layers": " ".join(map(str, profile.layers)),
                "layer_weights": " ".join(map(str, profile.layer_weights)) if profile.layer_weights else None,
                "gqa": profile.gqa,
                "sinks": "keep" if grid_set not in settings else profile.sinks,
                "n": count(present(clean, column(grid_set, "entropy"))),
                "gated": mean_of(clean, column(grid_set, "gated")),
                **{name: mean_of(clean, column(grid_set, name)) for name in MAIN},
                "js_other_finding": mean_of(contrast, "js_other_finding"),
                "js_other_variant": mean_of(contrast, "js_other_variant"),
                "sink_share": _sink_share(clean, store, grid_set),
            }
        )
    return table


TABLES = (
    Table("by_finding", BY_FINDING, lambda of: by_finding(of.rows, of.settings), keys=("finding",), parts=of_findings),
    Table(
        "metric_summary",
        METRIC_SUMMARY,
        lambda of: metric_summary(of.rows, of.store, of.settings),
        keys=("profile", "metric"),
        means=lambda row: {"mean": column(row["profile"], row["metric"])},
    ),
    Table(
        "profiles", PROFILES, lambda of: profiles(of.rows, of.store, of.params.aggregate.profiles), keys=("profile", *SETTINGS)
    ),
)
