"""Marks that know what they may show: `least` is how many patients each must stand for.

1, an open study: every point and every bar as it is. More: a scatter becomes hexagons, a histogram bars of merged bins
(medattn/disclosure), and nothing is written that counts single samples. A chart draws with these and asks for nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from medattn.disclosure.distributions import (
    DIVERGENCE_BINS,
    Bin,
    divergence_edges,
    may_be_told_apart,
    merged_bins,
    safe_median,
    steady_edges,
)
from medattn.disclosure.hexagons import hexagons
from medattn.figures import style

DOTTED: Any = (0, (1, 1))
MERGED_OPACITY = 0.3

# --- words ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Field:
    """A field of a caption, which says what `say` makes of its format."""

    say: Callable[[str], str]

    def __format__(self, text: str) -> str:
        return self.say(text)


def caption(text: str, least: int) -> str:
    """A chart's caption or alternative text, with what its marks say of themselves in place of the fields in braces.

    {points:question}, {hexagons}, {merged}: the marks' sentences; {open: …} and {restricted: …}: words where every sample
    is drawn, and where no mark may stand for few patients.
    """
    restricted = least > 1
    hexagons = f" A hexagon stands for at least {least} patients."
    merged = (
        f" Neighbouring bars are merged until each stands for at least {least} patients; its area is what it counts, and the"
        " outermost bars hold whatever lies beyond."
    )
    return text.format(
        open=_Field(lambda words: "" if restricted else words),
        restricted=_Field(lambda words: words if restricted else ""),
        points=_Field(lambda thing: f"{thing.capitalize()}s in hexagons" if restricted else f"One point per {thing}"),
        hexagons=hexagons if restricted else "",
        merged=merged if restricted else "",
    )


def counted(what: str, least: int) -> str:
    """The label of an axis of bars: a merged bar's area is what it counts."""
    return what if least == 1 else f"{what}, by area"


def note(panel: Axes, text: str, least: int) -> None:
    """A line above the panel about how many samples there are: only where each is shown."""
    if least == 1:
        panel.set_title(text, loc="right", fontsize=7, color=style.GREY)


def sample_keys(samples: Sequence[tuple[str, int, str]], together: tuple[str, str], least: int) -> list[Line2D]:
    """Lines of a legend for samples (label, how many, colour), and for all `together` (label, colour) where that can be."""
    if least == 1:
        return [Line2D([], [], color=colour, label=f"{label} ({count})") for label, count, colour in samples]
    drawn = [*((label, colour) for label, _, colour in samples), together]
    return [Line2D([], [], color=colour, label=label) for label, colour in drawn]


# --- points -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Points:
    """x and y [n], NaN where there is none, each of a patient. what: they are, "questions"; spread [n]: added to y where
    single points are drawn, so that equal ones lie beside each other."""

    x: np.ndarray
    y: np.ndarray
    patients: Sequence[str]
    what: str
    spread: np.ndarray | float = 0.0


@dataclass(frozen=True)
class Look:
    """How some of the points, bool [n], are drawn where each is: `style` as Axes.plot takes it."""

    some: np.ndarray
    style: Mapping[str, Any]


def looks_of(findings: np.ndarray, alpha: float) -> list[Look]:
    """A marker and a colour per finding [n], in alphabetical order."""
    markers, colours = style.MARKERS, style.COLOURS
    return [
        Look(findings == finding, {"marker": markers[index % len(markers)], "color": colours[index % len(colours)],
                                   "markersize": 4, "alpha": alpha, "label": finding})
        for index, finding in enumerate(sorted(set(findings)))
    ]  # fmt: skip


def scatter(panel: Axes, points: Points, looks: Sequence[Look], least: int) -> None:
    """The points in their looks, or hexagons that count them."""
    if least > 1:
        _hexagons(panel, points, least)
        return
    y = points.y + points.spread
    for look in looks:
        panel.plot(points.x[look.some], y[look.some], linestyle="none", **{"markeredgewidth": 0, **look.style})


def paired(panel: Axes, points: Points, looks: Sequence[Look], reach: float, least: int) -> None:
    """A scatter about the dashed line where x and y are equal.

    Single points: on axes alike, from the least value ÷ `reach` to the largest × `reach`, with how many lie above the line.
    """
    dashed: dict[str, Any] = {"color": style.GREY, "linewidth": 0.8, "linestyle": "--"}
    if least > 1:
        scatter(panel, points, looks, least)
        panel.axline((1, 1), (10, 10), **dashed)
        return
    ends = _ends(points, reach)
    panel.plot(ends, ends, **dashed)
    scatter(panel, points, looks, least)
    above = int((points.y > points.x).sum())
    note(panel, f"{above} of {len(points.x)} {points.what} lie above the line", least)
    panel.set(xlim=ends, ylim=ends)
    panel.set_aspect("equal")


def paired_edges(points: Points, reach: float, least: int) -> np.ndarray:
    """Edges for histograms of x and of y: as wide as the axes of `paired`, or, of js_contrast, those of js_distribution.csv."""
    if least > 1:
        return divergence_edges(points.x, points.y)
    low, high = _ends(points, reach)
    return (np.geomspace if low > 0 else np.linspace)(low, high, DIVERGENCE_BINS + 1)


def _ends(points: Points, reach: float) -> tuple[float, float]:
    both = np.concatenate([points.x, points.y])
    return both.min() / reach, both.max() * reach


def _hexagons(panel: Axes, points: Points, least: int) -> None:
    """Hexagons coloured by how many points they hold, with a scale, and a line that says what is not drawn."""
    there = np.isfinite(points.x) & np.isfinite(points.y)
    if not there.any():
        return
    both, logarithmic = np.column_stack([points.x[there], points.y[there]]), panel.get_xscale() == "log"
    corners, counts, left = hexagons(np.log10(both) if logarithmic else both, list(np.asarray(points.patients)[there]), least)
    too_few = f"fewer than {least} patients together"
    if not len(counts):
        panel.text(0.5, 0.5, too_few, transform=panel.transAxes, ha="center", color=style.GREY)
        panel.set_xticks([])
        panel.set_yticks([])
        return
    corners = 10**corners if logarithmic else corners
    drawn = PolyCollection(
        list(corners), array=counts, cmap="viridis_r", norm=Normalize(0, counts.max()), edgecolors="white", linewidths=0.4
    )
    panel.add_collection(drawn)
    panel.update_datalim(corners.reshape(-1, 2))
    panel.autoscale_view()
    panel.set_autoscale_on(False)  # lines that are drawn later do not move the ends
    bar = panel.figure.colorbar(drawn, ax=panel, pad=0.02, shrink=0.8, ticks=MaxNLocator(4, integer=True))
    bar.set_label(f"{points.what} in a hexagon")
    bar.outline.set_visible(False)
    if left:
        panel.set_title(f"{left} {points.what} not drawn:\n{too_few}", loc="right", fontsize=7, color=style.GREY)


# --- bars -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """Values [n] of a histogram, each of a patient."""

    values: np.ndarray
    patients: Sequence[str]
    colour: str
    label: str | None = None


@dataclass(frozen=True)
class Bars:
    """How samples are drawn. together: all values, for where the samples may not be told apart; None: they are of the same
    patients, so they share their bins. published: whether the tables say how many each has."""

    share: bool = False  # of the sample's values, else how many
    medians: bool = False  # a dotted line, and in the label
    opacity: float = MERGED_OPACITY  # of single bars
    together: Sample | None = None
    published: bool = True


def even_edges(values: np.ndarray, bins: int, least: int) -> np.ndarray:
    """Edges of equal bins: between the least and the largest value, or where they tell of neither."""
    return np.linspace(values.min(), values.max(), bins + 1) if least == 1 else steady_edges(values, bins)


def histogram(panel: Axes, samples: Sequence[Sample], edges: np.ndarray, bars: Bars, least: int) -> tuple[float, float] | None:
    """Draws the samples between `edges`, merged where bars would stand for few; the axis' ends, None where no bar is drawn."""
    if least == 1:
        for sample in samples:
            if len(sample.values) or not bars.share:
                counts, _ = np.histogram(sample.values, edges)
                _stairs(panel, counts / len(sample.values) if bars.share else counts, edges, sample, bars, least)
        return float(edges[0]), float(edges[-1])
    drawn = [(sample, found, index) for sample, found, index in _merged(samples, edges, bars, least) if found]
    for sample, found, index in drawn:  # a bar's area is what it counts, so that a bar across two steps is half as high
        counts = np.array([bar.counts[index] / bar.steps for bar in found])
        heights = counts / sum(bar.counts[index] for bar in found) if bars.share else counts
        ends = np.array([found[0].low, *(bar.high for bar in found)])
        _stairs(panel, heights, ends, sample, replace(bars, opacity=MERGED_OPACITY), least)
    if not drawn:
        panel.text(0.5, 0.5, "too few patients", transform=panel.transAxes, ha="center", color=style.GREY)
        panel.set_xticks([])
    if panel.get_xscale() == "log":  # fewer than one decade: no tick would be labelled, or all
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panel.xaxis.set_minor_formatter(NullFormatter())
    return panel.get_xlim() if drawn else None


def _merged(samples: Sequence[Sample], edges: np.ndarray, bars: Bars, least: int) -> list[tuple[Sample, list[Bin], int]]:
    """(sample, its bars, its place among their counts)."""
    if bars.together is None:
        found = merged_bins(edges, [(sample.values, sample.patients) for sample in samples], least)
        return [(sample, found, index) for index, sample in enumerate(samples)]
    if not (bars.published and may_be_told_apart([sample.patients for sample in samples], least)):
        samples = [bars.together]
    return [(sample, merged_bins(edges, [(sample.values, sample.patients)], least), 0) for sample in samples]


def _stairs(panel: Axes, heights: np.ndarray, edges: np.ndarray, sample: Sample, bars: Bars, least: int) -> None:
    middle = safe_median(sample.values, sample.patients, least) if bars.medians else None
    label = sample.label if sample.label is None or middle is None else f"{sample.label}\nmedian {middle:.2g}"
    panel.stairs(heights, edges, color=sample.colour, fill=True, alpha=bars.opacity)
    panel.stairs(heights, edges, color=sample.colour, label=label)
    if middle is not None:
        panel.axvline(middle, color=sample.colour, linewidth=1.4, linestyle=DOTTED)


@dataclass(frozen=True)
class Stack:
    """Bars over 0, 1, … for a part of whole numbers: heights and what they stand on."""

    heights: np.ndarray
    colour: str
    label: str | None = None
    bottom: np.ndarray | float = 0.0


def tally(panel: Axes, sample: Sample, stacks: Sequence[Stack], least: int) -> None:
    """How often each whole number is there: in stacks, or all in bars that are merged where they would stand for few."""
    if least > 1:
        histogram(panel, [sample], np.arange(-0.5, np.quantile(sample.values, 0.9) + 2), Bars(), least)
        return
    for stack in stacks:
        places = range(len(stack.heights))
        panel.bar(places, stack.heights, bottom=stack.bottom, color=stack.colour, width=0.8, label=stack.label)
