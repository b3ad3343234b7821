"""How well the attention of one grid falls on a region, and what it must be compared with.

p is a grid float [N, N] (see ``spatial.check_grid``), coverage float [N, N] the region's area fraction of each cell.
The region's cells are bool [N, N]. Baseline maps are grids themselves: give them to the same measures. Every measure raises
ValueError for what is not a grid, no coverage or no region of that shape.
"""

import math

import numpy as np
from scipy import stats

from medattn.measures.spatial import DECISION_DIGITS, INSIDE, check_box, check_coverage, check_grid, overlap

CELLS = 16
TOP_SHARE = 0.1  # of the cells, for iou_top10

# Finding -> part of the body's bounding box where it is looked for on a frontal view, as (x0, y0, x1, y1) fractions of
# that box: x from the image's left (the patient's right), y from the top. Coarse on purpose, both sides at once, the
# same for findings that are absent. The body box of a chest radiograph reaches from the neck to the upper abdomen.
LUNGS = (0.10, 0.15, 0.90, 0.80)
ZONES: dict[str, tuple[float, float, float, float]] = {
    "atelectasis": (0.10, 0.45, 0.90, 0.85),  # mostly basal bands
    "cardiomegaly": (0.30, 0.40, 0.80, 0.80),  # the heart lies low and towards the patient's left
    "consolidation": (0.10, 0.25, 0.90, 0.75),  # middle of the lungs
    "edema": (0.15, 0.25, 0.85, 0.75),  # perihilar
    "enlarged cardiomediastinum": (0.30, 0.15, 0.75, 0.80),  # heart and mediastinum
    "lung lesion": LUNGS,
    "lung opacity": LUNGS,
    "nodule": LUNGS,
    "pleural effusion": (0.00, 2 / 3, 1.00, 1.00),  # fluid sinks: lower third, whole width
    "pleural other": LUNGS,
    "pneumonia": (0.10, 0.25, 0.90, 0.80),
    "pneumothorax": (0.00, 0.00, 1.00, 0.50),  # air rises: upper half
}


def zone_box(finding: str) -> tuple[float, float, float, float]:
    """The finding's zone, (x0, y0, x1, y1) in fractions of the body box. Raises ValueError for a finding not in ``ZONES``."""
    key = " ".join(str(finding).lower().replace("_", " ").split())
    if key not in ZONES:
        raise ValueError(f"finding {finding!r} has no zone, expected one of {', '.join(sorted(ZONES))}")
    return ZONES[key]


def zone_coverage(
    zone: tuple[float, float, float, float], body_box: tuple[float, float, float, float], cells: int = CELLS
) -> np.ndarray:
    """Area fraction of a zone (fractions of the body box) per cell → float [cells, cells] in [0, 1]."""
    left, top, right, bottom = check_box(zone, "zone")
    x0, y0, x1, y1 = check_box(body_box)
    width, height = x1 - x0, y1 - y0
    rows = overlap(y0 + top * height, y0 + bottom * height, cells)
    return np.outer(rows, overlap(x0 + left * width, x0 + right * width, cells))


def region_cells(coverage: np.ndarray) -> tuple[np.ndarray, bool]:
    """(cells, fallback): bool [N, N] of the cells covered by half or more.

    A region that covers half of no cell gets the cell or cells it covers most, and fallback is True.
    """
    coverage = np.round(check_coverage(coverage), DECISION_DIGITS)
    cells = coverage >= INSIDE
    if cells.any():
        return cells, False
    return coverage == coverage.max(), True


def _check_cells(p: np.ndarray, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p, cells = check_grid(p), np.asarray(cells)
    if cells.dtype != bool or cells.shape != p.shape:
        raise ValueError(f"region cells are {cells.dtype} {list(cells.shape)}, expected bool {list(p.shape)}")
    if not cells.any():
        raise ValueError("the region has no cell, expected at least one")
    return p, cells


def pointing_game(p: np.ndarray, cells: np.ndarray) -> float:
    """1 if the largest cell of p [N, N] lies in the region, bool [N, N], else 0; of tied largest cells, the share inside.

    Zhang et al. 2018.
    """
    p, cells = _check_cells(p, cells)
    return float(cells[p == p.max()].mean())


def region_mass(p: np.ndarray, coverage: np.ndarray) -> float:
    """Share of the mass of p [N, N] that falls on the region, Σ p · coverage [N, N], in [0, 1]."""
    p = check_grid(p)
    return min(1.0, math.fsum((p * check_coverage(coverage, p.shape)).ravel()))


def region_enrichment(p: np.ndarray, coverage: np.ndarray) -> float:
    """region_mass of p and coverage, [N, N] each, ÷ the region's share of the image: from 0, 1 = chance."""
    p = check_grid(p)
    coverage = check_coverage(coverage, p.shape)
    return math.fsum((p * coverage).ravel()) * p.size / math.fsum(coverage.ravel())


def rank_accuracy(p: np.ndarray, cells: np.ndarray) -> float:
    """Share of the |R| largest cells of p [N, N] that lie in the region R, bool [N, N]: in [0, 1].

    Cells tied at the cut count with their expected value under a random order. Arras et al. 2022 (relevance rank
    accuracy).
    """
    p, cells = _check_cells(p, cells)
    size = np.count_nonzero(cells)
    cut = np.sort(p.ravel())[-size]
    above, tied = p > cut, p == cut
    places = size - np.count_nonzero(above)
    hits = np.count_nonzero(above & cells) + places * np.count_nonzero(tied & cells) / np.count_nonzero(tied)
    return float(hits / size)


def region_auroc(p: np.ndarray, cells: np.ndarray) -> float:
    """Area under the ROC curve of p [N, N] as a score for the region's cells, bool [N, N]: 0 to 1, ½ = chance, ties count ½.

    The Mann–Whitney statistic ÷ its largest value. Raises ValueError if the region is the whole grid.
    """
    p, cells = _check_cells(p, cells)
    inside, outside = np.count_nonzero(cells), np.count_nonzero(~cells)
    if outside == 0:
        raise ValueError("the region is the whole grid, expected at least one cell outside it")
    rank_sum = stats.rankdata(p).reshape(p.shape)[cells].sum()
    return float((rank_sum - inside * (inside + 1) / 2) / (inside * outside))


def iou_top10(p: np.ndarray, cells: np.ndarray) -> float:
    """Intersection over union of the region, bool [N, N], and the top 10 % of cells of p [N, N] (26 of 256): in [0, 1].

    Cells tied at the cut count with their expected value under a random order.
    """
    p, cells = _check_cells(p, cells)
    size, region = max(1, round(TOP_SHARE * p.size)), int(np.count_nonzero(cells))
    cut = np.sort(p.ravel())[-size]
    above, tied = p > cut, p == cut
    places, hits = size - int(np.count_nonzero(above)), int(np.count_nonzero(above & cells))
    inside, ties = int(np.count_nonzero(tied & cells)), int(np.count_nonzero(tied))
    expected = [
        math.comb(inside, k) * math.comb(ties - inside, places - k) * (hits + k) / (size + region - hits - k)
        for k in range(min(inside, places) + 1)
    ]
    return math.fsum(expected) / math.comb(ties, places)


def uniform_map(cells: int = CELLS) -> np.ndarray:
    """The same mass in every cell: float [cells, cells], sum 1."""
    return np.full((cells, cells), 1 / cells**2)


def centre_gaussian(sigma_cells: float = 4, cells: int = CELLS) -> np.ndarray:
    """Gaussian about the middle of the image, σ in cells: float [cells, cells], sum 1. Raises ValueError unless σ > 0."""
    if not sigma_cells > 0 or not math.isfinite(sigma_cells):
        raise ValueError(f"sigma_cells is {sigma_cells!r}, expected a finite value > 0")
    squared = (np.arange(cells) - (cells - 1) / 2) ** 2  # quarters of whole numbers: sums of them are exact
    distances, index = np.unique(np.add.outer(squared, squared), return_inverse=True)
    # One value per distance, cut to digits that every processor agrees on: cells as far from the middle are ties.
    values = np.array([round(math.exp(-distance / (2 * sigma_cells**2)), 12) for distance in distances])
    grid = values[index].reshape(cells, cells)
    return grid / math.fsum(grid.ravel())


def body_map(coverage: np.ndarray) -> np.ndarray:
    """The same density everywhere in the body: coverage [N, N] ÷ its sum, float [N, N]."""
    coverage = check_coverage(coverage, name="body coverage")
    return coverage / math.fsum(coverage.ravel())
