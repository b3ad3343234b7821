"""Points and bars of a credentialed study: no mark stands for too few patients (medattn/disclosure/suppression.py).

A scatter becomes hexagons, a histogram bars of merged bins. Where hexagons and bars lie depends on round numbers over
the middle of the values, never on the least or the largest of them.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from medattn.disclosure.distributions import Bin, merged_bins, nice_step
from medattn.disclosure.suppression import LEAST, LEAST_FOR_MEDIAN
from medattn.figures import style

ROOT = math.sqrt(3)
CORNERS = np.array([(math.sin(turn), math.cos(turn)) for turn in np.arange(6) * math.pi / 3]) / ROOT  # of a hexagon of width 1
ACROSS, MOST_LEFT = (14, 12, 10, 8, 7, 6, 5, 4, 3, 2), 0.25  # hexagons beside each other; share of the points in none
TOO_FEW = f"fewer than {LEAST} patients together"


def hexagons(
    panel: Axes, x: np.ndarray, y: np.ndarray, patients: Sequence[str], what: str, back: Callable = lambda values: values
) -> None:
    """Count points [n] in hexagons, coloured by how many there are; with a scale, and a line that says what is not drawn.

    Drawn are hexagons of at least LEAST patients. If all others together stand for fewer, the smallest hexagon goes too,
    so that their points do not follow from a total. what: points are, "questions" say. back: x and y to axis values.
    """
    for across in ACROSS:  # the smallest hexagons that most points are drawn in
        steps = [_step(values, across) for values in (x, y)]
        kept, left = shown_hexagons(np.column_stack([x / steps[0], y / steps[1]]), patients)
        if left <= len(x) * MOST_LEFT:
            break
    if not kept:
        panel.text(0.5, 0.5, TOO_FEW, transform=panel.transAxes, ha="center", color=style.GREY)
        panel.set_xticks([])
        panel.set_yticks([])
        return
    corners = back((np.array([centre for centre, _ in kept])[:, None, :] + CORNERS[None]) * steps)
    counts = np.array([count for _, count in kept])
    drawn = PolyCollection(
        corners, array=counts, cmap="viridis_r", norm=Normalize(0, counts.max()), edgecolors="white", linewidths=0.4
    )
    panel.add_collection(drawn)
    panel.update_datalim(corners.reshape(-1, 2))
    panel.autoscale_view()
    panel.set_autoscale_on(False)  # lines that are drawn later do not move the ends
    bar = panel.figure.colorbar(drawn, ax=panel, pad=0.02, shrink=0.8, ticks=MaxNLocator(4, integer=True))
    bar.set_label(f"{what} in a hexagon")
    bar.outline.set_visible(False)
    if left:
        panel.set_title(f"{left} {what} not drawn:\n{TOO_FEW}", loc="right", fontsize=7, color=style.GREY)


def _step(values: np.ndarray, across: int) -> float:
    """Width of a hexagon, of which about `across` hold the middle nine tenths of the values."""
    low, high = np.quantile(values, (0.05, 0.95))
    return nice_step((high - low) / across or abs(high) / across or 1.0)


def shown_hexagons(points: np.ndarray, patients: Sequence[str]) -> tuple[list[tuple[tuple[float, float], int]], int]:
    """(centre, points inside) of the hexagons of width 1 to be drawn, and how many points [n, 2] lie in none of them."""
    homes: dict[tuple[float, float], list[int]] = {}
    for index, (centre_x, centre_y) in enumerate(hexagon_of(points)):
        homes.setdefault((float(centre_x), float(centre_y)), []).append(index)
    owners = {centre: {patients[index] for index in inside} for centre, inside in homes.items()}
    drawn = sorted(
        (centre for centre in homes if len(owners[centre]) >= LEAST), key=lambda centre: (-len(owners[centre]), centre)
    )

    def left() -> list[tuple[float, float]]:
        return [centre for centre in homes if centre not in drawn]

    while drawn and 0 < len(set().union(*(owners[centre] for centre in left()))) < LEAST:
        drawn.pop()
    return [(centre, len(homes[centre])) for centre in sorted(drawn)], sum(len(homes[centre]) for centre in left())


def hexagon_of(points: np.ndarray) -> np.ndarray:
    """Centre [n, 2] of the hexagon of width 1, one of them centred at 0, that holds each point [n, 2]."""
    lattice = np.array([1.0, ROOT])
    one = np.rint(points / lattice) * lattice
    other = (np.floor(points / lattice) + 0.5) * lattice
    nearer = ((points - one) ** 2).sum(axis=1) <= ((points - other) ** 2).sum(axis=1)
    return np.where(nearer[:, None], one, other)


def bars(
    panel: Axes, found: Sequence[Bin], colour: str, sample: int = 0, share: bool = False, label: str | None = None
) -> None:
    """A histogram of merged bins: a bar's area is what it counts, so that a bar across two steps is half as high."""
    counts = np.array([bar.counts[sample] / bar.steps for bar in found])
    heights = counts / sum(bar.counts[sample] for bar in found) if share else counts
    edges = [found[0].low, *(bar.high for bar in found)]
    panel.stairs(heights, edges, color=colour, fill=True, alpha=0.3)
    panel.stairs(heights, edges, color=colour, label=label)


def histogram(
    panel: Axes,
    values: np.ndarray,
    patients: Sequence[str],
    edges: np.ndarray,
    colour: str,
    share: bool = False,
    label: str | None = None,
) -> bool:
    """Bars of one sample of values, if it has enough patients for two; whether it had."""
    found = merged_bins(edges, [(values, patients)])
    if found:
        bars(panel, found, colour, share=share, label=label)
    return bool(found)


def median(values: np.ndarray, patients: Sequence[str]) -> float | None:
    """The median, where the patients are enough for one."""
    return float(np.median(values)) if len(set(patients)) >= LEAST_FOR_MEDIAN else None


def apart(groups: Sequence[Sequence[str]]) -> bool:
    """Whether groups of patients may be drawn apart: each is nobody or enough, so that none follows from the total."""
    return all(not group or len(set(group)) >= LEAST for group in map(list, groups))


def no_bars(panel: Axes) -> None:
    """What a panel says whose values are of too few patients."""
    panel.text(0.5, 0.5, "too few patients", transform=panel.transAxes, ha="center", color=style.GREY)
    panel.set_xticks([])
