"""Attention sinks: how many, how much they draw, and what every metric is without them."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from medattn.base import paths
from medattn.base.params.metrics import Metrics
from medattn.base.tables import AnyRow, Row
from medattn.metrics import grid_metrics
from medattn.metrics.columnar import ColumnRow, Columns
from medattn.metrics.grid_metrics import column
from medattn.metrics.inputs import Store
from medattn.metrics.intervals import Intervals
from medattn.metrics.samples import PROFILE, study_rows
from medattn.metrics.table import Table
from medattn.metrics.tables.localisation import Grids, PlaceOf
from medattn.metrics.values import average, count_of_patients, mean_of, present

METRICS = (*grid_metrics.SPATIAL, *grid_metrics.ZONE, *grid_metrics.REGION[:-1])
SINKS = ("metric", "n", "patients", "with_sinks", "without_sinks", "difference", "low", "high", "method", "few_patients")
BOUNDS = ("low", "high", "method")
SINK_IMAGES = ("image_id", "subject_id", "computed", "sinks", "position_sinks", "content_sinks", "least_mass", "mean_mass")


def sink_rows(rows: Sequence[ColumnRow], store: Store) -> list[Row]:
    """SINK_IMAGES, one row per image with a clean study question.

    least_mass: what the sinks draw at the least, whatever is asked; mean_mass: over the image's clean variants.
    Position sinks are also high when the image is blank; without blank samples the kinds are empty.
    """
    by_image: dict[str, list[ColumnRow]] = {}
    for row in study_rows(rows):
        if store.grid(PROFILE, row["sample_id"]) is not None:
            by_image.setdefault(row["image_id"], []).append(row)
    table = []
    for image_id, some in sorted(by_image.items()):
        found = store.sinks.get(image_id)
        cells = dict.fromkeys(SINK_IMAGES[3:])
        if found and found["computed"]:
            position = found["position"]
            grids = (store.grid(PROFILE, row["sample_id"]) for row in some)
            masses = [math.fsum(grid.ravel()[found["cells"]]) for grid in grids if grid is not None]
            cells |= {
                "sinks": len(found["cells"]),
                "position_sinks": None if position is None else len(position),
                "content_sinks": None if position is None else len(found["cells"]) - len(position),
                "least_mass": found["mass"],
                "mean_mass": average(masses),
            }
        table.append(
            {"image_id": image_id, "subject_id": some[0]["subject_id"], "computed": bool(found and found["computed"]), **cells}
        )
    return table


def sinks(rows: Sequence[ColumnRow], images: Sequence[AnyRow], store: Store, place_of: PlaceOf, params: Metrics) -> list[Row]:
    """SINKS: counts and masses of the images' sinks, then every metric of the clean study grids with and without them.

    Only samples whose image's sinks were computed, in both columns. Sinks are zeroed in the finished grid.
    """
    intervals, table = Intervals(params, "sinks"), []
    computed = [row for row in images if row["computed"]]
    for name in SINK_IMAGES[3:]:
        cells = intervals.mean(computed, name, name, "with_sinks", "value")
        table.append(
            {
                "metric": name,
                **count_of_patients(present(computed, name)),
                "with_sinks": cells["with_sinks"],
                "without_sinks": None,
                "difference": None,
                **{bound: cells[f"value_{bound}"] for bound in BOUNDS},
            }
        )
    pairs = Columns.of(compared(rows, store, place_of))
    for name in METRICS:
        some = present(pairs, f"{name}_change")
        cells = intervals.mean(some, f"{name}_change", name, "difference")
        kept, zeroed = mean_of(some, f"{name}_with"), mean_of(some, f"{name}_without")
        table.append(
            {
                "metric": name,
                **count_of_patients(some),
                "with_sinks": kept,
                "without_sinks": zeroed,
                "difference": zeroed.minus(kept),
                **{bound: cells[f"difference_{bound}"] for bound in BOUNDS},
            }
        )
    return table


def compared(rows: Sequence[ColumnRow], store: Store, place_of: PlaceOf) -> Iterator[Row]:
    """Of every clean study row whose image's sinks were computed, METRICS of its grid with and without them.

    {metric}_with, _without, and _change; None where one of them is.
    """
    kept, zeroed = Grids(store, without_sinks=False), Grids(store, without_sinks=True)
    for row in study_rows(rows):
        grid, without = kept(row), zeroed(row)
        if grid is None or without is None:
            continue
        made = {name: row[name] for name in ("subject_id", "question_id", "variant_index")}
        before, after = (_metrics(one, row, place_of) for one in (grid, without))
        for name in METRICS:
            both = before[name], after[name]
            values = (None, None, None) if None in both else (*both, both[1] - both[0])
            made |= zip((f"{name}_with", f"{name}_without", f"{name}_change"), values, strict=True)
        yield made


def _metrics(grid: np.ndarray, row: ColumnRow, place_of: PlaceOf) -> Row:
    place = place_of(row)
    region = place.region_of(row)
    return (
        grid_metrics.spatial_values(grid, place)
        | grid_metrics.zone_values(grid, place, row["zone"])
        | grid_metrics.region_values(grid, region)
    )


def _means(row: AnyRow) -> dict[str, str]:
    return dict.fromkeys(("with_sinks", "without_sinks"), column(PROFILE, row["metric"])) if row["metric"] in METRICS else {}


TABLES = (
    Table("sinks", SINK_IMAGES, lambda of: of.sinks, paths.GROUPS),
    Table(
        "sinks", SINKS, lambda of: sinks(of.rows, of.sinks, of.store, of.place_of, of.settings), keys=("metric",), means=_means
    ),
)
