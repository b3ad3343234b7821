"""The aggregate tables as a credentialed study may publish them: the cells of every table, and what is withheld of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from medattn.base import paths
from medattn.base.tables import Row
from medattn.disclosure import suppression as disclosure
from medattn.measures import contrasts
from medattn.metrics.cells import (
    BY_FINDING,
    BY_STRATEGY,
    CONSISTENCY,
    FLIPS,
    HEADLINE,
    IMAGE_RELIANCE,
    OCCLUSION,
    ROBUSTNESS,
    Cells,
    D,
    holding,
    interval,
    localisation,
)  # fmt: skip
from medattn.metrics.evaluation import Evaluation
from medattn.metrics.grid_metrics import column
from medattn.metrics.intervals import patients
from medattn.metrics.samples import PROFILE, OtherFindings, baseline_rows, study_rows
from medattn.metrics.table import Table, declared
from medattn.metrics.tables.localisation import MAPS, headed
from medattn.metrics.tables.sinks import SINK_IMAGES, compared
from medattn.metrics.tables.summaries import MAIN


def publishable(of: Evaluation) -> dict[Table, list[Row]]:
    """The rows of every aggregate table as they may be published; what is withheld of the headline is None."""
    made = {table: table.rows(of) for table in declared() if table.output != paths.GROUPS}
    if not of.restricted:
        return made
    named = {table.name: rows for table, rows in made.items() if table.name != "js_distribution"}  # made safe
    cells = all_cells(named, of)
    levels = disclosure.levels(cells.cells, cells.partitions, cells.population)
    keys = {table.name: table.keys for table in made}
    safe = disclosure.withhold(named, keys, cells.cells, levels)
    _withhold_extremes(safe["metric_summary"])
    _withhold_differences(safe["exposure_order"], safe["by_strategy"])
    (headline,) = safe["headline"]
    safe["headline"] = [{name: None if value == disclosure.WITHHELD else value for name, value in headline.items()}]
    return {table: safe.get(table.name, rows) for table, rows in made.items()}


def all_cells(tables: Mapping[str, Sequence[Row]], of: Evaluation) -> Cells:
    """Every cell of the tables and of the headline."""
    made, clean = Cells(tables, of.rows), study_rows(of.rows)
    asked = [row for row in of.questions if row["condition"] == "clean"]
    made.add_parts("by_finding", BY_FINDING, "finding", clean, made.samples)
    made.add_parts("image_reliance", IMAGE_RELIANCE, "finding", of.reliance, made.questions)
    made.add_parts("occlusion", OCCLUSION, "finding", of.occlusion, made.questions)
    made.add_parts("by_strategy", BY_STRATEGY, "strategy", clean, made.samples)
    _strategy_tests(made, clean)
    _localisation_cells(made, {"keep": of.localisation, "zero": of.localisation_without_sinks})
    _layer_head_cells(made, of)
    _condition_cells(made, of, clean)
    _flip_cells(made, clean)
    _correctness_cells(made, clean)
    _sink_cells(made, of)
    _summary_cells(made, clean, of)
    _hypothesis_cells(made, of)
    sources = {
        "clean": clean, "baseline": baseline_rows(of.rows), "no_image": study_rows(of.rows, "no_image"), "asked": asked,
        "contrast": of.contrast, "failed": [row for row in of.rows if row["status"] == "failed"],
    }  # fmt: skip
    groups = {"asked": made.questions, "contrast": made.images}
    for name, (source, holds) in HEADLINE.items():
        made.add("headline", 0, (((name,), holds),), sources[source], groups.get(source, made.samples), whole=False)
    return made


def _strategy_tests(made: Cells, clean: Sequence[Row]) -> None:
    """Accuracy differences of by_strategy, and flip differences of exposure_order."""
    baseline = {row["question_id"]: row for row in clean if row["variant_index"] == 0}
    of_strategy: defaultdict[str, dict[str, Row]] = defaultdict(dict)
    for row in clean:
        of_strategy[row["strategy"]][row["question_id"]] = row
    for index, row in enumerate(made.tables["by_strategy"]):
        pairs = [one for one in clean if one["strategy"] == row["strategy"] != "baseline" and one["question_id"] in baseline]
        sums: defaultdict[str, int] = defaultdict(int)
        for one in pairs:
            sums[one["subject_id"]] += int(one["correct"]) - int(baseline[one["question_id"]]["correct"])
        made.add(
            "by_strategy", index, [(interval("accuracy_difference", "difference"), None)], pairs, made.samples, whole=False
        )
        test = (("differing_patients", "smallest_p", "p", "p_adjusted"), lambda one, sums=sums: sums[one["subject_id"]] != 0)
        made.add("by_strategy", index, [test], pairs, made.samples, whole=False)
    for index, row in enumerate(made.tables["exposure_order"]):
        less, more = of_strategy[row["less_exposed"]], of_strategy[row["more_exposed"]]
        both = [one for question, one in less.items() if question in more]  # none for the row "all"
        made.add(
            "exposure_order", index, [((*interval("flip_difference", "difference"), "verdict"), "flip")], both, made.samples
        )


def _localisation_cells(made: Cells, located: Mapping[str, Sequence[Row]]) -> None:
    parts = defaultdict(list)
    for index, row in enumerate(made.tables["localisation"]):
        some = [one for one in located[row["sinks"]] if row["finding"] in ("all", one["finding"])]
        found = made.add("localisation", index, localisation(row["map"]), some, made.questions)
        if row["finding"] != "all":
            parts[row["sinks"], row["map"]].append(found)
    for one in parts.values():
        made.partitions += zip(*one, strict=True)


def _layer_head_cells(made: Cells, of: Evaluation) -> None:
    asked, at, known = OtherFindings(of.rows), defaultdict(list), set(of.store.head_samples)
    found = [row for row, _ in headed(of.rows, of.store, of.place_of)]
    compared_with = {row["question_id"] for row in found if any(one["sample_id"] in known for one in asked(row))}
    spec = ((("n", "patients", "region_enrichment", "region_mass"), None),
            (("other_finding_enrichment",), lambda row: row["question_id"] in compared_with))  # fmt: skip
    for index, row in enumerate(made.tables["layer_head"]):
        at[row["finding"]].append(index)
    parts = []
    for finding, indexes in at.items():
        some = [row for row in found if finding in ("all", row["finding"])]
        groups = made.add("layer_head", indexes, spec, some, made.questions)
        parts += [groups] if finding != "all" else []
    made.partitions += zip(*parts, strict=True)


def _condition_cells(made: Cells, of: Evaluation, clean: Sequence[Row]) -> None:
    """robustness and consistency."""
    answered = {(one["question_id"], one["variant_index"]) for one in clean}

    def compared(one: Row) -> bool:
        """Whether there is an answer about the clean image to compare with: it may be what could not be computed."""
        return (one["question_id"], one["variant_index"]) in answered

    changes = ((("agreement_with_clean",), compared),
               (interval("accuracy_change", "change"), lambda one: one["correct"] is not None and compared(one)))  # fmt: skip
    for index, row in enumerate(made.tables["robustness"]):
        some = [
            one for one in of.rows
            if one["role"] == "study" and one["status"] != "failed" and one["condition"] == row["condition"]
            and (one["strength"] or "") == (row["strength"] or "") and (row["wordings"] == "all" or one["variant_index"] == 0)
        ]  # fmt: skip
        made.add("robustness", index, ROBUSTNESS, some, made.samples)
        made.add("robustness", index, changes, some, made.samples, whole=False)
        made.add("robustness", index, [(("js_other_finding",), "js_other_finding")], of.contrast, made.images, whole=False)
    for index, row in enumerate(made.tables["consistency"]):
        if row["grouping"] == "text":
            made.add(
                "consistency",
                index,
                [(tuple(name for name in row if name not in ("grouping", "condition", "strength")), None)],
                clean,
                made.samples,
            )
            continue
        some = [one for one in of.questions if (one["condition"], one["strength"]) == (row["condition"], row["strength"])]
        made.add("consistency", index, CONSISTENCY, some, made.questions)


def _flip_cells(made: Cells, clean: Sequence[Row]) -> None:
    before = {row["question_id"]: row for row in clean if row["variant_index"] == 0}
    pairs = [row for row in clean if row["flip"] is not None and row[D["js_to_baseline"]] is not None]
    kinds = {f"{one}→{other}": (one, other) for one in ("yes", "no") for other in ("yes", "no")}
    became = {
        name: [row for row in pairs if (before[row["question_id"]]["parsed_answer"], row["parsed_answer"]) == kind]
        for name, kind in kinds.items()
    }
    decided = [row for some in became.values() for row in some]  # as in the table: neither answer is an uncertain one
    became |= {"kept": [row for row in decided if not row["flip"]], "flipped": [row for row in decided if row["flip"]]}
    valid = lambda row: bool(row["margin_valid"] and before[row["question_id"]]["margin_valid"])  # noqa: E731
    contrast = ("informative_patients", *interval("js_contrast", "contrast"))
    for index, row in enumerate(made.tables["flips"]):
        made.add(
            "flips",
            index,
            (*FLIPS, (("margin_shift",), valid)),
            became[row["answers"]],
            made.samples,
            metric=D["js_to_baseline"],
        )
        names = _holding_both(decided, D["js_to_baseline"], "flip", "ground_truth") if row["answers"] == "flipped" else ()
        informative = (contrast, lambda one, names=names: one["subject_id"] in names)
        made.add("flips", index, [informative], became["flipped"], made.samples, whole=False)
    made.partitions += [
        [made.samples(became[name]) for name in parts]
        for parts in (("yes→yes", "no→no"), ("yes→no", "no→yes"), ("kept", "flipped"))
    ]


def _correctness_cells(made: Cells, clean: Sequence[Row]) -> None:
    within = ("informative_patients", *interval("difference"), "smallest_p", "p", "p_adjusted",
              *interval("cliffs_delta", "delta"), "verdict", "few_patients")  # fmt: skip
    alike = ("same_wording_patients", *interval("same_wording_difference", "same_wording"))
    for index, row in enumerate(made.tables["correct_incorrect"]):
        name = column(PROFILE, row["metric"])
        some = [one | {"both": f"{one['ground_truth']}|{one['strategy']}"} for one in clean if one[name] is not None]
        informative, same = (_holding_both(some, name, "correct", strata) for strata in ("ground_truth", "both"))
        means = [
            (("n_correct", "mean_correct"), lambda one: bool(one["correct"])),
            (("n_incorrect", "mean_incorrect"), lambda one: not one["correct"]),
        ]
        differences = [
            (within, lambda one, names=informative: one["subject_id"] in names),
            (alike, lambda one, names=same: one["subject_id"] in names),
        ]  # fmt: skip
        made.partitions.append(made.add("correct_incorrect", index, means, some, made.samples, whole=False, metric=name))
        made.add("correct_incorrect", index, differences, some, made.samples, whole=False)


def _holding_both(rows: Sequence[Row], metric: str, group: str, strata: str) -> set[str]:
    """Patients with rows in the group and out of it, inside one stratum."""
    names, _ = contrasts.within_patients(
        [row[metric] for row in rows], [bool(row[group]) for row in rows], [str(row[strata]) for row in rows], patients(rows)
    )
    return set(names.tolist())


def _sink_cells(made: Cells, of: Evaluation) -> None:
    pairs = compared(of.rows, of.store, of.place_of)
    columns = ("n", "patients", "with_sinks", "without_sinks", "difference", "low", "high", "method", "few_patients")
    for index, row in enumerate(made.tables["sinks"]):
        name = row["metric"]
        if name in SINK_IMAGES:
            made.add("sinks", index, [(columns, name)], [one for one in of.sinks if one["computed"]], made.images)
        else:
            some = [one for one, before, after in pairs if before[name] is not None and after[name] is not None]
            made.add("sinks", index, [(columns, None)], some, made.samples, metric=column(PROFILE, name))


def _summary_cells(made: Cells, clean: Sequence[Row], of: Evaluation) -> None:
    """metric_summary and profiles. Which images have a contrast is the same for every profile: that of PROFILE counts."""
    for index, row in enumerate(made.tables["metric_summary"]):
        columns = tuple(name for name in row if name not in ("profile", "metric"))
        name = column(row["profile"], row["metric"])
        made.add("metric_summary", index, [(columns, name)], clean, made.samples, metric=name)
    for index, row in enumerate(made.tables["profiles"]):
        spec = [
            (("n",), column(row["profile"], "entropy")),
            *(((name,), column(row["profile"], name)) for name in ("gated", *MAIN)),
        ]
        made.add("profiles", index, spec, clean, made.samples)
        of_images = [((name,), name) for name in ("js_other_finding", "js_other_wording")]
        made.add("profiles", index, of_images, of.contrast, made.images, whole=False)
        sunk = (("sink_share",), lambda one: bool(of.store.sinks.get(one["image_id"], {}).get("computed")))
        made.add("profiles", index, [sunk], clean, made.samples, whole=False)


def _hypothesis_cells(made: Cells, of: Evaluation) -> None:
    columns = ("effect", "low", "high", "patients", "p", "p_adjusted", "few_patients", "note")
    heads = set(of.store.head_samples)
    located = {
        kind: [row for row in of.localisation if all(row[f"{name}_{kind}_enrichment"] is not None for name in MAPS)]
        for kind in ("zone", "region")
    }
    about = {
        "H1a": (located["zone"], made.questions), "H1b": (located["region"], made.questions),
        "H2": (holding(of.contrast, "difference"), made.images),
        "H3b": ([row for row in of.rows if row["sample_id"] in heads], made.samples),
    }  # fmt: skip
    for index, row in enumerate(made.tables["hypotheses"]):
        rows, group = about.get(row["hypothesis"], ([], made.samples))  # H3a and H4 are about the model
        made.add("hypotheses", index, [(columns, None)], rows, group)


def _withhold_extremes(table: Sequence[Row]) -> None:
    for row in table:
        row |= {"minimum": None, "maximum": None}
        if row["patients"] == disclosure.WITHHELD or (row["patients"] or 0) < disclosure.LEAST_FOR_MEDIAN:
            row["median"] = None


def _withhold_differences(differences: Sequence[Row], by_strategy: Sequence[Row]) -> None:
    """A difference of flip rates gives a withheld one away if the other is shown."""
    withheld = {row["strategy"] for row in by_strategy if row["flip_rate"] is None}
    for row in differences:
        if {row["less_exposed"], row["more_exposed"]} & withheld:
            row |= dict.fromkeys(("flip_difference", "difference_low", "difference_high", "difference_method", "verdict"))
