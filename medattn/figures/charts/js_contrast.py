"""Does the question direct attention? The same words about another finding, against other words about the same."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from medattn.disclosure.distributions import divergence_edges, merged_bins
from medattn.figures import marks, style
from medattn.figures.inputs import numbers

SAME = "same finding,\nother wording"
OTHER = "other finding,\nsame wording"


def draw(contrast: pd.DataFrame, in_private: bool = False) -> Figure:
    """(a) one point per image, or hexagons of images; (b) the two distributions with their medians."""
    fig = style.figure(style.PAGE_MM, 72)
    left, right = fig.subplots(1, 2, width_ratios=(1, 1.15))
    wording, finding = numbers(contrast.js_other_wording), numbers(contrast.js_other_finding)
    both = wording.notna() & finding.notna()
    wording, finding = wording[both].to_numpy(), finding[both].to_numpy()
    style.letter(left, "a")
    style.letter(right, "b")
    if not len(wording):
        for panel in (left, right):
            panel.text(0.5, 0.5, "no image with controls\nand other wordings", transform=panel.transAxes, ha="center")
        return fig
    left.set_xlabel("JS divergence, other wording (bits)")
    left.set_ylabel("JS divergence, other finding (bits)")
    right.set_xlabel("JS divergence between attention grids (bits)")
    right.set_ylabel("images, by area" if in_private else "images")
    logarithmic = min(wording.min(), finding.min()) > 0
    if logarithmic:
        left.set(xscale="log", yscale="log")
        right.set_xscale("log")
    if in_private:
        _hexagons(left, wording, finding, list(contrast.subject_id[both]), logarithmic)
        _merged_bars(right, wording, finding, list(contrast.subject_id[both]))
        if logarithmic:  # fewer than one decade: no tick would be labelled, or all
            right.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            right.xaxis.set_minor_formatter(NullFormatter())
    else:
        span = _points(left, wording, finding)
        _bars(right, wording, finding, np.geomspace(*span, 25) if logarithmic else np.linspace(*span, 25))
    right.yaxis.set_major_locator(MaxNLocator(integer=True))
    if right.get_legend_handles_labels()[0]:
        right.legend(loc="center left", bbox_to_anchor=(1, 0.5), labelspacing=1.2)
    return fig


def _points(panel: Axes, wording: np.ndarray, finding: np.ndarray) -> tuple[float, float]:
    """Draws them; the span of both axes."""
    smallest, largest = min(wording.min(), finding.min()), max(wording.max(), finding.max())
    span = (smallest / 1.5, largest * 1.5)
    panel.plot(span, span, color=style.GREY, linewidth=0.8, linestyle="--")
    panel.plot(wording, finding, "o", color=style.BLUE, markersize=3, alpha=0.6, markeredgewidth=0)
    above = int((finding > wording).sum())
    panel.set_title(f"{above} of {len(wording)} images lie above the line", loc="right", fontsize=7, color=style.GREY)
    panel.set(xlim=span, ylim=span)
    panel.set_aspect("equal")
    return span


def _bars(panel: Axes, wording: np.ndarray, finding: np.ndarray, edges: np.ndarray) -> None:
    for values, colour, name in ((wording, style.GREEN, SAME), (finding, style.VERMILLION, OTHER)):
        counts, _ = np.histogram(values, edges)
        panel.stairs(counts, edges, color=colour, fill=True, alpha=0.3)
        panel.stairs(counts, edges, color=colour, label=f"{name}\nmedian {np.median(values):.2g}")
        panel.axvline(np.median(values), color=colour, linewidth=1.4, linestyle=(0, (1, 1)))
    panel.set_xlim(edges[0], edges[-1])


def _hexagons(panel: Axes, wording: np.ndarray, finding: np.ndarray, patients: list[str], logarithmic: bool) -> None:
    to, back = (np.log10, lambda values: 10**values) if logarithmic else (np.asarray, np.asarray)
    marks.hexagons(panel, to(wording), to(finding), patients, "images", back)
    panel.axline((1, 1), (10, 10), color=style.GREY, linewidth=0.8, linestyle="--")


def _merged_bars(panel: Axes, wording: np.ndarray, finding: np.ndarray, patients: list[str]) -> None:
    """The bins of js_distribution.csv."""
    found = merged_bins(divergence_edges(wording, finding), [(values, patients) for values in (wording, finding)])
    if not found:
        marks.no_bars(panel)
        return
    for sample, (values, colour, name) in enumerate(((wording, style.GREEN, SAME), (finding, style.VERMILLION, OTHER))):
        middle = marks.median(values, patients)
        label = name if middle is None else f"{name}\nmedian {middle:.2g}"
        marks.bars(panel, found, colour, sample, label=label)
        if middle is not None:
            panel.axvline(middle, color=colour, linewidth=1.4, linestyle=(0, (1, 1)))
