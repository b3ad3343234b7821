"""Rows of points with their 95 % intervals, one row per table line, the first on top."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from medattn.figures import style
from medattn.figures.columns import numbers


class Intervals(NamedTuple):
    """A value per row with its bounds, NaN where there is none."""

    values: pd.Series
    lows: pd.Series
    highs: pd.Series


def intervals(table: pd.DataFrame, name: str, short: str) -> Intervals:
    """A table's column `name`, with its bounds in {short}_low and {short}_high."""
    return Intervals(*(numbers(table[column]) for column in (name, f"{short}_low", f"{short}_high")))


def draw(panel: Axes, found: Intervals, colour: str, shift: float = 0.0, label: str | None = None) -> None:
    """A point per value at rows 0, 1, …, moved down by `shift`; an interval where there is one, nothing where no value."""
    shown = False
    for position, (value, least, most) in enumerate(zip(*found, strict=True)):
        if pd.isna(value):
            continue
        where = position + shift
        if pd.notna(least):
            panel.plot([least, most], [where, where], color=colour, linewidth=1.4, solid_capstyle="butt")
        panel.plot(value, where, "o", color=colour, markersize=4, label=None if shown else label)
        shown = True


def rows(panel: Axes, names: Sequence[str]) -> None:
    """Name the rows 0, 1, … from the top, with light guides."""
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.5, -0.5)
    guides(panel)


def guides(panel: Axes) -> None:
    panel.xaxis.set_major_locator(MaxNLocator(5))
    panel.grid(axis="x", linewidth=0.3, color="#DDDDDD")
    panel.set_axisbelow(True)


def no_effect(panel: Axes, at: float = 0.0) -> None:
    """The dashed line of no effect."""
    panel.axvline(at, color=style.GREY, linewidth=0.8, linestyle="--")
