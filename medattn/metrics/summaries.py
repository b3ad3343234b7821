"""Aggregate tables over study rows, the patient as the unit; controls never count here. Safe to publish."""

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence

from medattn.measures import localisation
from medattn.metrics.grid_metrics import COLUMNS, column
from medattn.metrics.groups import PROFILE, contrast_rows
from medattn.metrics.inputs import Store, profile_of
from medattn.metrics.intervals import Intervals, average, count_of_patients, mean_of, patients, present
from medattn.metrics.places import Place
from medattn.params import Metrics, Profile
from medattn.rounding import round_number

STRATEGIES = ("baseline", "phrasing", "synonym", "clause", "register", "voice")
BY_STRATEGY = (
    "strategy", "n", "patients", "accuracy", "accuracy_low", "accuracy_high", "accuracy_method", "accuracy_decided",
    "flip_rate", "flip_low", "flip_high", "flip_method", "hedge_shift_rate", "unparsed_rate", "mean_margin",
    "js_to_baseline", "js_low", "js_high", "js_method", "few_patients",
)  # fmt: skip
BY_FINDING = (
    "finding", "n", "patients", "positives", "accuracy", "accuracy_low", "accuracy_high", "accuracy_method",
    "flip_rate", "flip_low", "flip_high", "flip_method", "n_region", "region_enrichment", "region_enrichment_low",
    "region_enrichment_high", "region_enrichment_method", "pointing_game", "region_auroc", "zone_enrichment",
    "few_patients",
)  # fmt: skip
BY_CONDITION = (
    "condition", "strength", "n", "patients", "accuracy", "accuracy_low", "accuracy_high", "accuracy_method",
    "yes_rate", "margin_valid_share", "mean_margin", "agreement_with_clean", "few_patients",
)  # fmt: skip
METRIC_SUMMARY = (
    "profile", "metric", "n", "mean", "low", "high", "sd", "minimum", "median", "maximum", "patients", "method",
)  # fmt: skip
LAYER_HEAD = ("layer", "head", "key_value_group", "n", "patients", "region_enrichment", "region_mass")
SETTINGS = ("rows", "gating", "layers", "layer_weights", "gqa", "sinks")
MAIN = (
    "image_mass", "entropy_normalised", "focus", "inside_body_enrichment", "zone_enrichment", "region_enrichment",
    "pointing_game", "region_auroc", "js_to_baseline",
)  # fmt: skip
PROFILES = ("profile", *SETTINGS, "n", "gated", *MAIN, "js_other_finding", "js_other_wording", "sink_share")
Row = dict[str, object]


def study_rows(rows: Sequence[Row], condition: str = "clean") -> list[Row]:
    """Answered rows of study questions in one condition."""
    return [row for row in rows if row["role"] == "study" and row["condition"] == condition and row["status"] != "failed"]


def _share(rows: Sequence[Row], true: int) -> float | None:
    return true / len(rows) if rows else None


def _answered(rows: Sequence[Row], *answers: str) -> list[Row]:
    return [row for row in rows if row["parsed_answer"] in answers]


def _mean_margin(rows: Sequence[Row]) -> float | None:
    return mean_of([row for row in rows if row["margin_valid"]], "margin")


def by_strategy(rows: Sequence[Row], params: Metrics) -> list[Row]:
    """BY_STRATEGY over clean study rows; the baseline wording has no flips and no divergence to itself."""
    intervals, table = Intervals(params, "by_strategy"), []
    for strategy in STRATEGIES:
        some = [row for row in study_rows(rows) if row["strategy"] == strategy]
        if not some:
            continue
        decided = _answered(some, "yes", "no")
        table.append(
            {
                "strategy": strategy,
                **count_of_patients(some),
                **intervals.share(some, "correct", strategy, "accuracy"),
                "accuracy_decided": mean_of(decided, "correct"),
                **intervals.share(some, "flip", strategy, "flip_rate", "flip"),
                "hedge_shift_rate": mean_of(some, "hedge_shift"),
                "unparsed_rate": _share(some, len(_answered(some, "unparsed"))),
                "mean_margin": _mean_margin(some),
                **intervals.mean(some, column(PROFILE, "js_to_baseline"), strategy, "js_to_baseline", "js"),
            }
        )
    return table


def by_finding(rows: Sequence[Row], params: Metrics) -> list[Row]:
    """BY_FINDING over clean study rows of all wordings, findings in alphabetical order, then "all"."""
    intervals, table = Intervals(params, "by_finding"), []
    clean = study_rows(rows)
    for finding in [*sorted({row["finding"] for row in clean}), "all"]:
        some = [row for row in clean if finding in ("all", row["finding"])]
        enrichment = column(PROFILE, "region_enrichment")
        table.append(
            {
                "finding": finding,
                **count_of_patients(some),
                "positives": sum(row["ground_truth"] == "yes" for row in some),
                **intervals.share(some, "correct", finding, "accuracy"),
                **intervals.share(some, "flip", finding, "flip_rate", "flip"),
                "n_region": len(present(some, enrichment)),
                **intervals.mean(some, enrichment, finding, "region_enrichment"),
                **{name: mean_of(some, column(PROFILE, name)) for name in ("pointing_game", "region_auroc", "zone_enrichment")},
            }
        )
    return table


def by_condition(rows: Sequence[Row], params: Metrics) -> list[Row]:
    """BY_CONDITION over study rows, clean first. Agreement: the same answer as the wording's clean one, unparsed never."""
    intervals, groups = Intervals(params, "by_condition"), defaultdict(list)
    for row in rows:
        if row["role"] == "study" and row["status"] != "failed":
            groups[row["condition"], row["strength"] or ""].append(row)
    clean = {(row["question_id"], row["variant_index"]): row["parsed_answer"] for row in study_rows(rows)}
    table = []
    for condition, strength in sorted(groups, key=lambda key: (key[0] != "clean", key)):
        some = groups[condition, strength]
        pairs = [
            (row["parsed_answer"], clean[row["question_id"], row["variant_index"]])
            for row in some
            if condition != "clean" and (row["question_id"], row["variant_index"]) in clean
        ]
        agreeing = sum(here == there != "unparsed" for here, there in pairs)
        table.append(
            {
                "condition": condition,
                "strength": strength or None,
                **count_of_patients(some),
                **intervals.share(some, "correct", f"{condition}|{strength}", "accuracy"),
                "yes_rate": _share(some, len(_answered(some, "yes"))),
                "margin_valid_share": mean_of(some, "margin_valid"),
                "mean_margin": _mean_margin(some),
                "agreement_with_clean": _share(pairs, agreeing),
            }
        )
    return table


def metric_summary(rows: Sequence[Row], store: Store, params: Metrics) -> list[Row]:
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
                }
            )
    return table


def layer_head(rows: Sequence[Row], store: Store, places: Mapping[str, Place]) -> list[Row]:
    """LAYER_HEAD: last prompt row of every head, over clean baseline-wording study samples with a true region.

    Descriptive: no best head may be picked and tested on the same data.
    """
    index = {sample_id: position for position, sample_id in enumerate(store.head_samples)}
    samples = [
        (row, region)
        for row in study_rows(rows)
        if row["variant_index"] == 0 and row["ground_truth"] == "yes" and row["sample_id"] in index
        if (region := places[row["image_id"]].regions.get(row["finding"])) is not None
    ]
    _, layers, heads, tokens = store.heads.shape
    side = round(tokens**0.5)
    table = []
    for layer in range(layers):
        for head in range(heads):
            grids = [store.heads[index[row["sample_id"]], layer, head].reshape(side, side) for row, _ in samples]
            pairs = [(grid, region.coverage) for grid, (_, region) in zip(grids, samples, strict=True)]
            enrichments = [round_number(localisation.region_enrichment(*pair)) for pair in pairs]
            masses = [round_number(localisation.region_mass(*pair)) for pair in pairs]
            table.append(
                {
                    "layer": layer,
                    "head": head,
                    "key_value_group": head // (heads // store.key_value_heads),
                    "n": len(samples),
                    "patients": len({row["subject_id"] for row, _ in samples}),
                    "region_enrichment": average(enrichments) if samples else None,
                    "region_mass": average(masses) if samples else None,
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


def profiles(rows: Sequence[Row], store: Store, settings: Mapping[str, Profile]) -> list[Row]:
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


def headline(rows: Sequence[Row], questions: Sequence[Row], contrast: Sequence[Row]) -> dict[str, float | int | None]:
    """The twelve numbers of reports/metrics.json; None where there is nothing to average."""
    clean, asked = study_rows(rows), [row for row in questions if row["condition"] == "clean"]
    numbers = {
        "accuracy_baseline": mean_of([row for row in clean if row["variant_index"] == 0], "correct"),
        "accuracy_all": mean_of(clean, "correct"),
        "flip_rate": mean_of(clean, "flip"),
        "any_flip_rate": mean_of(asked, "any_flip"),
        "consistency": mean_of(asked, "consistency"),
        "margin_valid_share": mean_of(clean, "margin_valid"),
        "js_other_wording": mean_of(contrast, "js_other_wording"),
        "js_other_finding": mean_of(contrast, "js_other_finding"),
        "region_enrichment": mean_of(clean, column(PROFILE, "region_enrichment")),
        "accuracy_no_image": mean_of(study_rows(rows, "no_image"), "correct"),
    }
    counts = {"n_samples": len(rows), "n_failed": sum(row["status"] == "failed" for row in rows)}
    return counts | {name: None if value is None else round_number(value) for name, value in numbers.items()}
