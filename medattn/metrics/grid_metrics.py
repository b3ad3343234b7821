"""Every number about one grid, or about two grids of the same question. Rounded; None where there is none."""

import math
from collections.abc import Mapping

import numpy as np

from medattn.base.rounding import round_number
from medattn.base.rows import SampleRow
from medattn.measures import consistency, localisation, spatial
from medattn.measures.rotation import comparable_pair
from medattn.metrics.anatomy import Place, Region

NOTES = ("gate_count", "gated", "image_mass")  # what aggregate noted about the grid
SPATIAL = (
    "entropy", "entropy_normalised", "entropy_body", "focus", "inside_body_ratio", "inside_body_enrichment",
    "border_fraction", "left_fraction", "right_fraction", "apical_fraction", "middle_fraction", "basal_fraction",
    "sparseness",
)  # fmt: skip
ZONE = ("zone_mass", "zone_enrichment")
REGION = (
    "region_mass", "region_enrichment", "pointing_game", "rank_accuracy", "region_auroc", "iou_top10", "region_fallback",
)  # fmt: skip
SIMILARITY = (
    "js_to_baseline", "js_distance_to_baseline", "pearson_to_baseline", "spearman_to_baseline", "cosine_to_baseline",
    "l2_to_baseline",
)  # fmt: skip
COLUMNS = NOTES + SPATIAL + ZONE + REGION + SIMILARITY + ("js_to_clean",)


def column(grid_set: str, metric: str) -> str:
    """The column of evaluation_results.csv: the profile `original` has no prefix."""
    return metric if grid_set == "original" else f"{grid_set}_{metric}"


def _rounded(values: Mapping[str, float | bool | None]) -> dict[str, float | bool | None]:
    return {name: value if value is None or isinstance(value, bool) else round_number(value) for name, value in values.items()}


def spatial_values(p: np.ndarray, place: Place) -> dict[str, float | None]:
    """SPATIAL of a grid [16, 16]; thirds and halves of the body only in a frontal view."""
    values: dict[str, float | None] = dict.fromkeys(SPATIAL)
    values |= {
        "entropy": spatial.entropy(p),
        "entropy_normalised": spatial.entropy_normalised(p),
        "inside_body_ratio": spatial.inside_body_ratio(p, place.body),
        "inside_body_enrichment": spatial.inside_body_enrichment(p, place.body),
        "border_fraction": spatial.border_fraction(p),
        "sparseness": spatial.gini(p),
    }
    if (np.round(place.body, spatial.DECISION_DIGITS) >= spatial.INSIDE).any():
        values["focus"] = spatial.focus(p, place.body)
    if (p[place.body > 0] > 0).any():  # a grid with no mass in the body has no distribution there
        values["entropy_body"] = spatial.entropy_body(p, place.body)
        if place.frontal:
            values["left_fraction"], values["right_fraction"] = spatial.left_right(p, place.box)
            thirds = spatial.apical_basal(p, place.box)
            values["apical_fraction"], values["middle_fraction"], values["basal_fraction"] = thirds
    return _rounded(values)


def zone_values(p: np.ndarray, place: Place, zone: str) -> dict[str, float | None]:
    """ZONE of a grid [16, 16]: the part of the body box where the finding is looked for, in frontal views."""
    if not (place.frontal and zone):
        return dict.fromkeys(ZONE)
    coverage = localisation.zone_coverage(localisation.zone_box(zone), place.box)
    return _rounded(
        {
            "zone_mass": localisation.region_mass(p, coverage),
            "zone_enrichment": localisation.region_enrichment(p, coverage),
        }
    )


def region_values(p: np.ndarray, region: Region | None) -> dict[str, float | bool | None]:
    """REGION of a grid [16, 16] and the finding's true region; all None without a region."""
    if region is None:
        return dict.fromkeys(REGION)
    return _rounded(
        {
            "region_mass": localisation.region_mass(p, region.coverage),
            "region_enrichment": localisation.region_enrichment(p, region.coverage),
            "pointing_game": localisation.pointing_game(p, region.cells),
            "rank_accuracy": localisation.rank_accuracy(p, region.cells),
            "region_auroc": None if region.cells.all() else localisation.region_auroc(p, region.cells),
            "iou_top10": localisation.iou_top10(p, region.cells),
            "region_fallback": region.fallback,
        }
    )


def similarity_values(p: np.ndarray, baseline: np.ndarray) -> dict[str, float | None]:
    """SIMILARITY of a variant's grid to its baseline variant's; a constant grid has no correlation."""
    divergence = consistency.js_divergence(p, baseline)
    varied = (p != p.flat[0]).any() and (baseline != baseline.flat[0]).any()
    return _rounded(
        {
            "js_to_baseline": divergence,
            "js_distance_to_baseline": math.sqrt(divergence),
            "pearson_to_baseline": consistency.pearson(p, baseline) if varied else None,
            "spearman_to_baseline": consistency.spearman(p, baseline) if varied else None,
            "cosine_to_baseline": consistency.cosine(p, baseline),
            "l2_to_baseline": consistency.l2(p, baseline),
        }
    )


def js_to_clean(p: np.ndarray, clean: np.ndarray | None, row: SampleRow, place: Place) -> float | None:
    """JS divergence to the same variant's grid on the clean image, bits; of a rotated image on the common support."""
    if clean is None:
        return None
    if row.is_rotated:
        p, clean = comparable_pair(p, clean, place.width, place.height, float(row["strength"]))
    return round_number(consistency.js_divergence(p, clean))
