"""Localisation of attention beside five baseline maps: is it the question that directs it?

Uniform, a Gaussian about the centre, the body, the mean map of other patients asked about the same finding, and the
same image asked about another finding. Only the last shows that the question matters.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from medattn.base.params.metrics import Metrics
from medattn.base.tables import AnyRow, Row
from medattn.measures import localisation
from medattn.metrics import grid_metrics
from medattn.metrics.anatomy import Place, PlaceOf, Region
from medattn.metrics.columnar import ColumnRow
from medattn.metrics.inputs import Store
from medattn.metrics.intervals import Intervals, PatientMeans, by_patient
from medattn.metrics.samples import PROFILE, OtherFindings, baseline_rows
from medattn.metrics.table import Parts, Table, of_findings
from medattn.metrics.values import (
    NOBODY,
    Value,
    average,
    average_of,
    count,
    count_of_patients,
    mean_of,
    patient_count,
    present,
    questions_of,
)

MAPS = ("model", "uniform", "centre", "body", "other_patients", "other_finding")
REFERENCES = MAPS[1:]
NO_PAIRS = PatientMeans(np.zeros((0, 2)), NOBODY)  # the model has no ratio to itself
METRICS = ("zone_enrichment", "region_enrichment", "region_mass", "region_auroc", "pointing_game", "rank_accuracy", "iou_top10")
LOCALISATION = (
    "finding", "sinks", "map", "n", "patients", "n_region", "region_patients", *METRICS, "zone_ratio", "zone_ratio_low",
    "zone_ratio_high",
    "zone_ratio_method", "region_ratio", "region_ratio_low", "region_ratio_high", "region_ratio_method", "few_patients",
)  # fmt: skip
LAYER_HEAD = (
    "finding", "layer", "head", "key_value_group", "n", "patients", "region_enrichment", "region_mass",
    "other_finding_enrichment",
)  # fmt: skip


def without_cells(p: np.ndarray, cells: Sequence[int]) -> np.ndarray | None:
    """A grid [16, 16] with these flat cells zeroed, renormalised; None if nothing is left."""
    kept = p.ravel().copy()
    kept[list(cells)] = 0
    total = math.fsum(kept)
    return (kept / total).reshape(p.shape) if total > 0 else None


class Grids:
    """Decision grids of clean questions, as they are or without their image's sinks."""

    def __init__(self, store: Store, without_sinks: bool) -> None:
        self._store, self._without = store, without_sinks

    def __call__(self, row: ColumnRow) -> np.ndarray | None:
        """float64 [16, 16]; None without a grid, or if sinks are to go and the image's were not computed."""
        grid = self._store.grid(PROFILE, row["sample_id"])
        if grid is None or not self._without:
            return grid
        sinks = self._store.sinks.get(row["image_id"])
        return without_cells(grid, sinks["cells"]) if sinks and sinks["computed"] else None


class OtherPatients:
    """Mean maps of the other patients who were asked about the same finding in as frontal a view, each patient once."""

    def __init__(self, rows: Sequence[ColumnRow], grids: Grids, place_of: PlaceOf) -> None:
        self._grids, self._place_of = grids, place_of
        self._asked: defaultdict[tuple[str, bool], defaultdict[str, list[ColumnRow]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            if row.is_clean and row.is_baseline and grids(row) is not None:
                self._asked[self._key(row)][row["subject_id"]].append(row)
        self._sums = {key: sum(self._mean(some) for _, some in sorted(same.items())) for key, same in self._asked.items()}

    def __call__(self, row: ColumnRow) -> np.ndarray | None:
        """float64 [16, 16], of a row with a grid; None where nobody else was asked.

        What the others have is what all have without the patient's own: summed anew for each row, it would take as many sums
        as the square of the patients.
        """
        key = self._key(row)
        same = self._asked[key]
        return (self._sums[key] - self._mean(same[row["subject_id"]])) / (len(same) - 1) if len(same) > 1 else None

    def _key(self, row: ColumnRow) -> tuple[str, bool]:
        return row["finding"], self._place_of(row).frontal

    def _mean(self, some: Sequence[ColumnRow]) -> np.ndarray:
        return np.mean([grid for row in some if (grid := self._grids(row)) is not None], axis=0)


def localisation_rows(rows: Sequence[ColumnRow], store: Store, place_of: PlaceOf, without_sinks: bool) -> list[Row]:
    """One row per clean baseline question with a grid and every map: METRICS of each as {map}_{metric}."""
    grids = Grids(store, without_sinks)
    asked = OtherFindings(rows)
    others, table = OtherPatients(rows, grids, place_of), []
    for row in baseline_rows(rows):
        grid = grids(row)
        if grid is None:
            continue
        place = place_of(row)
        maps = {
            "model": [grid],
            "uniform": [localisation.uniform_map()],
            "centre": [localisation.centre_gaussian()],
            "body": [localisation.body_map(place.body)],
            "other_patients": [] if (mean := others(row)) is None else [mean],
            "other_finding": [other for one in asked(row) if (other := grids(one)) is not None],
        }
        values = {name: _mean_metrics(some, row, place) for name, some in maps.items()}
        table.append(
            {name: row[name] for name in ("sample_id", "question_id", "image_id", "subject_id", "finding")}
            | {f"{name}_{metric}": value for name, metrics in values.items() for metric, value in metrics.items()}
        )
    return table


def _mean_metrics(maps: Sequence[np.ndarray], row: AnyRow, place: Place) -> dict[str, float | None]:
    """METRICS, averaged over maps (several controls of one image)."""
    region = place.region_of(row)
    each = [grid_metrics.zone_values(p, place, row["zone"]) | grid_metrics.region_values(p, region) for p in maps]
    return {metric: average_of(each, metric) for metric in METRICS}


def localisation_table(with_sinks: Sequence[AnyRow], without: Sequence[AnyRow], params: Metrics) -> list[Row]:
    """LOCALISATION: findings, then all; every map; ratio: the model's enrichment ÷ the map's, means over patients."""
    intervals, table = Intervals(params, "localisation"), []
    for finding in [*sorted({row["finding"] for row in with_sinks}), "all"]:
        for sinks, table_rows in (("keep", with_sinks), ("zero", without)):
            some = [row for row in table_rows if finding in ("all", row["finding"])]
            if not some:
                continue
            for name in MAPS:
                key = f"{finding}|{sinks}|{name}"
                cells: Row = {}
                for metric, short in (("zone_enrichment", "zone_ratio"), ("region_enrichment", "region_ratio")):
                    pairs = by_patient(some, f"model_{metric}", f"{name}_{metric}")
                    pairs = NO_PAIRS if name == "model" else pairs
                    cells |= intervals.of_patients(pairs, key, short)
                table.append(
                    {
                        "finding": finding,
                        "sinks": sinks,
                        "map": name,
                        **count_of_patients(some),
                        "n_region": count(present(some, f"{name}_region_enrichment")),
                        "region_patients": patient_count(present(some, f"{name}_region_enrichment")),
                        **{metric: mean_of(some, f"{name}_{metric}") for metric in METRICS},
                        **cells,
                    }
                )
    return table


def headed(rows: Sequence[ColumnRow], store: Store, place_of: PlaceOf) -> list[tuple[ColumnRow, Region]]:
    """Clean baseline questions with a grid and a true region."""
    placed = ((row, place_of(row).region_of(row)) for row in baseline_rows(rows) if row["sample_id"] in store.samples)
    return [(row, region) for row, region in placed if region is not None]


class HeadMasses(NamedTuple):
    """Mass of every head's map in a question's true region: [layer, head], about its own finding and about others."""

    row: ColumnRow
    own: np.ndarray
    others: Sequence[np.ndarray]
    area: float  # of the image


def layer_head(rows: Sequence[ColumnRow], store: Store, place_of: PlaceOf) -> list[Row]:
    """LAYER_HEAD: last prompt row of every head, clean baseline questions with a true region; findings, then all.

    other_finding_enrichment: the same head and region when the same image is asked about another finding.
    Descriptive: no best head may be picked and tested on the same data.
    """
    asked = OtherFindings(rows)
    found: list[HeadMasses] = []
    for row, region in headed(rows, store, place_of):
        finding, samples = row["finding"], [row, *(one for one in asked(row) if one["sample_id"] in store.samples)]
        own, *others = (store.region_masses[one["sample_id"]][finding] for one in samples)
        found.append(HeadMasses(row, own, others, float(region.coverage.mean())))
    layers, heads, groups = store.heads
    table = []
    for finding in [*sorted({one.row["finding"] for one in found}), "all"]:
        some = [one for one in found if finding in ("all", one.row["finding"])]
        with_other = [one for one in some if one.others]
        every, both = (questions_of(one.row for one in these) for these in (some, with_other))
        patients = len({one.row["subject_id"] for one in some})
        for layer, head in np.ndindex(layers, heads):
            mass = [one.own.item(layer, head) for one in some]
            enriched = [one.own.item(layer, head) / one.area for one in some]
            other = [average([one_other.item(layer, head) for one_other in one.others]) / one.area for one in with_other]
            table.append(
                {
                    "finding": finding,
                    "layer": layer,
                    "head": head,
                    "key_value_group": head // (heads // groups),
                    "n": Value(len(some), every),
                    "patients": Value(patients, every),
                    "region_enrichment": Value(average(enriched) if some else None, every),
                    "region_mass": Value(average(mass) if some else None, every),
                    "other_finding_enrichment": Value(average(other) if other else None, both),
                }
            )
    return table


def _parts_of_maps(rows: Sequence[AnyRow]) -> Parts:
    """The rows of one map, with or without sinks, are parts of one total."""
    maps: defaultdict[tuple[str, str], list[AnyRow]] = defaultdict(list)
    for row in rows:
        maps[row["sinks"], row["map"]].append(row)
    return [values for some in maps.values() for values in of_findings(some)]


def _parts_of_heads(rows: Sequence[AnyRow]) -> Parts:
    """Those of one head: every head has the same questions."""
    return of_findings([row for row in rows if (row["layer"], row["head"]) == (0, 0)])


TABLES = (
    Table(
        "localisation",
        LOCALISATION,
        lambda of: localisation_table(of.localisation, of.localisation_without_sinks, of.settings),
        keys=("finding", "sinks", "map"),
        parts=_parts_of_maps,
    ),
    Table(
        "layer_head",
        LAYER_HEAD,
        lambda of: layer_head(of.rows, of.store, of.place_of),
        keys=("finding", "layer", "head", "key_value_group"),
        parts=_parts_of_heads,
    ),
)
