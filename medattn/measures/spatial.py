"""Where the attention mass of one grid lies, and how concentrated it is.

A grid ``p`` is float [N, N] (16 x 16 here): row 0 is the top of the image, column 0 its left edge, values are
non-negative and sum to 1. Every function raises ValueError where that does not hold, and works on the float64 grid
divided by its own sum. Coverage is float [N, N]: the area fraction of each cell that a region covers. A box is
(x0, y0, x1, y1) in fractions of the image's width and height.
"""

import math

import numpy as np

SUM_TOLERANCE = 1e-4
INSIDE = 0.5  # a cell belongs to a region from this area fraction on
DECISION_DIGITS = 9  # coverage is rounded to this before it is compared, so that the last bit decides nothing


def check_grid(p: np.ndarray, name: str = "grid") -> np.ndarray:
    """Return ``p`` as float64 [N, N] with sum exactly renormalised to 1.

    Raises ValueError if p is not square, not finite, negative anywhere, or sums to 1 no closer than 1e-4.
    """
    p = np.asarray(p, dtype=np.float64)
    if p.ndim != 2 or p.shape[0] != p.shape[1] or p.shape[0] == 0:
        raise ValueError(f"{name} has shape {p.shape}, expected a square [N, N] array")
    if not np.isfinite(p).all():
        raise ValueError(f"{name} holds {np.count_nonzero(~np.isfinite(p))} values that are not finite, expected none")
    if (p < 0).any():
        raise ValueError(f"{name} holds the negative value {p.min()!r}, expected values >= 0")
    total = math.fsum(p.ravel())  # exactly rounded: the same on every processor
    if abs(total - 1) > SUM_TOLERANCE:
        raise ValueError(f"{name} sums to {total!r}, expected 1 within {SUM_TOLERANCE}")
    return p / total


def check_coverage(coverage: np.ndarray, shape: tuple[int, ...] | None = None, name: str = "coverage") -> np.ndarray:
    """Return coverage as float64 [N, N] in [0, 1].

    Raises ValueError if out of range, of another shape, or zero everywhere.
    """
    coverage = np.asarray(coverage, dtype=np.float64)
    if coverage.ndim != 2 or coverage.shape[0] != coverage.shape[1] or coverage.size == 0:
        raise ValueError(f"{name} has shape {coverage.shape}, expected a square [N, N] array")
    if shape is not None and coverage.shape != shape:
        raise ValueError(f"{name} has shape {coverage.shape}, expected that of the grid, {shape}")
    if not np.isfinite(coverage).all() or coverage.min() < -1e-12 or coverage.max() > 1 + 1e-12:
        raise ValueError(f"{name} lies in [{coverage.min()!r}, {coverage.max()!r}], expected area fractions between 0 and 1")
    if not (coverage > 0).any():
        raise ValueError(f"{name} is zero in every cell, expected a region that covers some of the image")
    return np.clip(coverage, 0.0, 1.0)


def check_box(box: tuple[float, float, float, float], name: str = "body box") -> tuple[float, float, float, float]:
    """Return box as four floats. Raises ValueError unless 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1."""
    try:
        x0, y0, x1, y1 = (float(value) for value in box)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {box!r}, expected four numbers (x0, y0, x1, y1)") from None
    if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
        raise ValueError(f"{name} is {(x0, y0, x1, y1)!r}, expected 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1")
    return x0, y0, x1, y1


def overlap(low: float, high: float, cells: int) -> np.ndarray:
    """Share of each of ``cells`` equal intervals of [0, 1] that lies within [low, high]: float [cells] in [0, 1]."""
    edges = np.arange(cells + 1, dtype=np.float64)
    shared = np.minimum(edges[1:], high * cells) - np.maximum(edges[:-1], low * cells)
    return np.clip(shared, 0.0, 1.0)


def _nats(p: np.ndarray) -> float:
    positive = p[p > 0]
    return max(0.0, -math.fsum(positive * np.log(positive)))


def entropy(p: np.ndarray) -> float:
    """Shannon entropy of p [N, N] in nats: 0 (one cell) to ln N² (uniform). Shannon 1948."""
    return _nats(check_grid(p))


def entropy_normalised(p: np.ndarray) -> float:
    """Entropy of p [N, N] ÷ ln of the number of cells, in [0, 1]. Raises ValueError for a single cell."""
    p = check_grid(p)
    if p.size == 1:
        raise ValueError("grid has one cell, expected at least four: its entropy cannot be normalised")
    return min(1.0, _nats(p) / math.log(p.size))


def entropy_body(p: np.ndarray, body_coverage: np.ndarray) -> float:
    """Entropy in nats of p · coverage, [N, N] each, renormalised to 1. Raises ValueError if no mass lies inside the body."""
    p = check_grid(p)
    inside = p * check_coverage(body_coverage, p.shape, "body coverage")
    total = math.fsum(inside.ravel())
    if total <= 0:
        raise ValueError("the grid has no mass inside the body, expected some: its entropy there is undefined")
    return _nats(inside / total)


def focus(p: np.ndarray, body_coverage: np.ndarray) -> float:
    """Largest cell of p [N, N] among those at least half inside the body, in [0, 1]; a uniform grid gives 1/N².

    Raises ValueError if no cell is.
    """
    p = check_grid(p)
    coverage = check_coverage(body_coverage, p.shape, "body coverage")
    inside = np.round(coverage, DECISION_DIGITS) >= INSIDE
    if not inside.any():
        raise ValueError(f"no cell has body coverage >= {INSIDE} (largest: {coverage.max()!r}), expected at least one")
    return float(p[inside].max())


def inside_body_ratio(p: np.ndarray, body_coverage: np.ndarray) -> float:
    """Share of the mass inside the body, Σ p · coverage, [N, N] each: in [0, 1]."""
    p = check_grid(p)
    return min(1.0, math.fsum((p * check_coverage(body_coverage, p.shape, "body coverage")).ravel()))


def inside_body_enrichment(p: np.ndarray, body_coverage: np.ndarray) -> float:
    """inside_body_ratio of p and coverage, [N, N] each, ÷ the body's share of the image: from 0, 1 = chance."""
    p = check_grid(p)
    coverage = check_coverage(body_coverage, p.shape, "body coverage")
    return math.fsum((p * coverage).ravel()) * p.size / math.fsum(coverage.ravel())


def border_fraction(p: np.ndarray) -> float:
    """Mass of p [N, N] on the outer ring of cells, each counted once, in [0, 1]; a uniform 16 x 16 grid gives 60/256."""
    p = check_grid(p)
    ring = np.ones(p.shape, dtype=bool)
    ring[1:-1, 1:-1] = False
    return min(1.0, math.fsum(p[ring]))


def _shares(p: np.ndarray, boxes: list[tuple[float, float, float, float]]) -> list[float]:
    """Mass of p in each box ÷ their total, a straddling cell split by area."""
    cells = p.shape[0]
    masses = [math.fsum((p * np.outer(overlap(y0, y1, cells), overlap(x0, x1, cells))).ravel()) for x0, y0, x1, y1 in boxes]
    total = math.fsum(masses)
    if total <= 0:
        raise ValueError("the grid has no mass inside the body box, expected some: its parts have no shares")
    return [mass / total for mass in masses]


def left_right(p: np.ndarray, body_box: tuple[float, float, float, float]) -> tuple[float, float]:
    """(patient_left, patient_right): shares of the mass of p [N, N] inside the body box, in [0, 1], sum 1.

    For frontal views as radiographs are hung: the patient's left is the image's right half.
    A cell on the midline is split by area. Raises ValueError if no mass lies in the box.
    """
    p = check_grid(p)
    x0, y0, x1, y1 = check_box(body_box)
    middle = (x0 + x1) / 2
    patient_left, patient_right = _shares(p, [(middle, y0, x1, y1), (x0, y0, middle, y1)])
    return patient_left, patient_right


def apical_basal(p: np.ndarray, body_box: tuple[float, float, float, float]) -> tuple[float, float, float]:
    """(apical, middle, basal): shares of the mass of p [N, N] in the upper, middle and lower third of the body box, sum 1.

    Raises ValueError if no mass lies in the box.
    """
    p = check_grid(p)
    x0, y0, x1, y1 = check_box(body_box)
    upper, lower = y0 + (y1 - y0) / 3, y0 + 2 * (y1 - y0) / 3
    apical, middle, basal = _shares(p, [(x0, y0, x1, upper), (x0, upper, x1, lower), (x0, lower, x1, y1)])
    return apical, middle, basal


def gini(p: np.ndarray) -> float:
    """Sparseness of p [N, N]: Gini index Σ(2i − N − 1)·p₍ᵢ₎ / N over p ascending, N the number of cells.

    0 (uniform) to 1 − 1/N (one cell). Hurley and Rickard 2009.
    """
    ascending = np.sort(check_grid(p).ravel())
    n = ascending.size
    return max(0.0, math.fsum((2 * np.arange(1, n + 1) - n - 1) * ascending) / n)
