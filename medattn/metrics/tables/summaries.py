"""Aggregate tables over study rows, the patient as the unit; controls never count here. Safe to publish."""

import math
import statistics
from collections.abc import Mapping, Sequence

from medattn.base.params import Metrics, Profile
from medattn.base.rows import SampleRow
from medattn.base.tables import Row
from medattn.measures.statistics import FEW_PATIENTS
from medattn.metrics.grid_metrics import COLUMNS, column
from medattn.metrics.inputs import Store, profile_of
from medattn.metrics.intervals import Intervals, average, count_of_patients, mean_of, patients, present
from medattn.metrics.samples import PROFILE, per_finding, study_rows
from medattn.metrics.table import Table
from medattn.metrics.tables.groups import contrast_rows

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
PROFILES = ("profile", *SETTINGS, "n", "gated", *MAIN, "js_other_finding", "js_other_wording", "sink_share")


def by_finding(rows: Sequence[SampleRow], params: Metrics) -> list[Row]:
    """BY_FINDING over clean study rows of all wordings, findings in alphabetical order, then "all"."""
    intervals, table = Intervals(params, "by_finding"), []
    for finding, some in per_finding(study_rows(rows)):
        enrichment = column(PROFILE, "region_enrichment")
        table.append(
            {
                "finding": finding,
                **count_of_patients(some),
                "positives": sum(row["ground_truth"] == "yes" for row in some),
                **intervals.share(some, "correct", finding, "accuracy"),
                **intervals.share(some, "flip", finding, "flip_rate", "flip"),
                "n_region": len(present(some, enrichment)),
                "region_patients": len(set(patients(present(some, enrichment)))),
                **intervals.mean(some, enrichment, finding, "region_enrichment"),
                **{name: mean_of(some, column(PROFILE, name)) for name in ("pointing_game", "region_auroc", "zone_enrichment")},
            }
        )
    return table


def metric_summary(rows: Sequence[SampleRow], store: Store, params: Metrics) -> list[Row]:
    """METRIC_SUMMARY over clean study rows: every metric of every profile that has a value somewhere; true counts 1."""
    intervals, table = Intervals(params, "metric_summary"), []
    clean = study_rows(rows)
    for variant in store.variants:
        for metric in COLUMNS:
            name = column(variant, metric)
            some = present(clean, name)
            if not some:
                continue
            values = sorted(float(row[name]) for row in some)
            cells = intervals.mean(some, name, f"{variant}|{metric}", "mean", "mean")
            table.append(
                {
                    "profile": variant,
                    "metric": metric,
                    "n": len(values),
                    "mean": cells["mean"],
                    "low": cells["mean_low"],
                    "high": cells["mean_high"],
                    "sd": statistics.stdev(values) if len(values) > 1 else None,
                    "minimum": values[0],
                    "median": statistics.median(values),
                    "maximum": values[-1],
                    "patients": len(set(patients(some))),
                    "method": cells["mean_method"],
                    "few_patients": len(set(patients(some))) < FEW_PATIENTS,
                }
            )
    return table


def _sink_share(clean: Sequence[Row], store: Store, variant: str) -> float | None:
    """Mean mass on the sink cells of the image, over samples of images whose sinks were computed."""
    shares = []
    for row in clean:
        sinks, grid = store.sinks.get(row["image_id"]), store.grid(variant, row["sample_id"])
        if grid is not None and sinks is not None and sinks["computed"]:
            shares.append(math.fsum(grid.ravel()[sinks["cells"]]))
    return average(shares) if shares else None


def profiles(rows: Sequence[SampleRow], store: Store, settings: Mapping[str, Profile]) -> list[Row]:
    """PROFILES: how far the main results depend on a profile's settings; means over clean study rows."""
    table, clean = [], study_rows(rows)
    for variant in store.variants:
        profile = settings[profile_of(variant, settings)]
        contrast = contrast_rows(rows, store, variant)
        table.append(
            {
                "profile": variant,
                "rows": " ".join(map(str, profile.rows)),
                "gating": profile.gating,
                "layers": " ".join(map(str, profile.layers)),
                "layer_weights": " ".join(map(str, profile.layer_weights)) if profile.layer_weights else None,
                "gqa": profile.gqa,
                "sinks": "keep" if variant not in settings else profile.sinks,
                "n": len(present(clean, column(variant, "entropy"))),
                "gated": mean_of(clean, column(variant, "gated")),
                **{name: mean_of(clean, column(variant, name)) for name in MAIN},
                "js_other_finding": mean_of(contrast, "js_other_finding"),
                "js_other_wording": mean_of(contrast, "js_other_wording"),
                "sink_share": _sink_share(clean, store, variant),
            }
        )
    return table


TABLES = (
    Table("by_finding", BY_FINDING, lambda of: by_finding(of.rows, of.settings), keys=("finding",)),
    Table(
        "metric_summary", METRIC_SUMMARY, lambda of: metric_summary(of.rows, of.store, of.settings), keys=("profile", "metric")
    ),
    Table(
        "profiles", PROFILES, lambda of: profiles(of.rows, of.store, of.params.aggregate.profiles), keys=("profile", *SETTINGS)
    ),
)
