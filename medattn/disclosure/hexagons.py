"""Points of few patients, counted in hexagons of which each stands for enough. Pure functions.

Where hexagons lie depends on round numbers over the middle of the values, never on the least or the largest of them.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from medattn.disclosure.distributions import nice_step
from medattn.disclosure.suppression import LEAST

ROOT = math.sqrt(3)
CORNERS = np.array([(math.sin(turn), math.cos(turn)) for turn in np.arange(6) * math.pi / 3]) / ROOT  # of a hexagon of width 1
ACROSS, MOST_LEFT = (14, 12, 10, 8, 7, 6, 5, 4, 3, 2), 0.25  # hexagons beside each other; share of the points in none


class Hexagons(NamedTuple):
    """The hexagons to be drawn. corners: float [hexagon, 6, 2]; counts: int [hexagon], points inside; left: points in none."""

    corners: np.ndarray
    counts: np.ndarray
    left: int


def hexagons(points: np.ndarray, patients: Sequence[str], least: int = LEAST) -> Hexagons:
    """Points [n, 2], n > 0, counted in the smallest hexagons that most of them are drawn in; see `shown_hexagons`."""
    for across in ACROSS:
        steps = np.array([_step(values, across) for values in points.T])
        shown, left = shown_hexagons(points / steps, patients, least)
        if left <= len(points) * MOST_LEFT:
            break
    centres = np.array([centre for centre, _ in shown]).reshape(-1, 1, 2)
    return Hexagons((centres + CORNERS) * steps, np.array([count for _, count in shown]), left)


def _step(values: np.ndarray, across: int) -> float:
    """Width of a hexagon, of which about `across` hold the middle nine tenths of the values."""
    low, high = np.quantile(values, (0.05, 0.95))
    return nice_step((high - low) / across or abs(high) / across or 1.0)


def shown_hexagons(
    points: np.ndarray, patients: Sequence[str], least: int = LEAST
) -> tuple[list[tuple[tuple[float, float], int]], int]:
    """(centre, points inside) of the hexagons of width 1 to be drawn, and how many points [n, 2] lie in none of them.

    Drawn are hexagons of at least `least` patients. If all others together stand for fewer, the smallest hexagon goes
    too, so that their points do not follow from a total.
    """
    homes: dict[tuple[float, float], list[int]] = {}
    for index, (centre_x, centre_y) in enumerate(hexagon_of(points)):
        homes.setdefault((float(centre_x), float(centre_y)), []).append(index)
    owners = {centre: {patients[index] for index in inside} for centre, inside in homes.items()}
    drawn = sorted(
        (centre for centre in homes if len(owners[centre]) >= least), key=lambda centre: (-len(owners[centre]), centre)
    )

    def left() -> list[tuple[float, float]]:
        return [centre for centre in homes if centre not in drawn]

    while drawn and 0 < len(set().union(*(owners[centre] for centre in left()))) < least:
        drawn.pop()
    return [(centre, len(homes[centre])) for centre in sorted(drawn)], sum(len(homes[centre]) for centre in left())


def hexagon_of(points: np.ndarray) -> np.ndarray:
    """Centre [n, 2] of the hexagon of width 1, one of them centred at 0, that holds each point [n, 2]."""
    lattice = np.array([1.0, ROOT])
    one = np.rint(points / lattice) * lattice
    other = (np.floor(points / lattice) + 0.5) * lattice
    nearer = ((points - one) ** 2).sum(axis=1) <= ((points - other) ** 2).sum(axis=1)
    return np.where(nearer[:, None], one, other)
