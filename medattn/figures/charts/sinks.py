"""Attention sinks: how many an image has, and what the metrics are without them."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from medattn.disclosure.distributions import merged_bins
from medattn.figures import dots, marks, style
from medattn.figures.inputs import numbers

METRICS = {
    "entropy_normalised": "entropy ÷ ln 256",
    "focus": "focus",
    "sparseness": "sparseness",
    "inside_body_enrichment": "inside the body ÷ area",
    "border_fraction": "border ring",
    "zone_enrichment": "zone ÷ area",
    "region_enrichment": "true region ÷ area",
}


def draw(images: pd.DataFrame, table: pd.DataFrame, in_private: bool = False) -> Figure:
    """(a) images by number of sinks, merged where they are few; (b) change of each metric when they are zeroed, in %."""
    fig = style.figure(style.PAGE_MM, 66)
    left, right = fig.subplots(1, 2)
    style.letter(left, "a")
    style.letter(right, "b")
    counts = numbers(images.sinks).dropna().astype(int)
    if not len(counts):
        for panel in (left, right):
            panel.text(0.5, 0.5, "no image was asked about\nthree findings", transform=panel.transAxes, ha="center")
        return fig
    if in_private:
        found = merged_bins(
            np.arange(-0.5, counts.quantile(0.9) + 2), [(counts.to_numpy(), list(images.subject_id[counts.index]))]
        )
        (marks.bars(left, found, style.BLUE) if found else marks.no_bars(left))
    else:
        _bars(left, images, counts)
    left.set_xlabel("sink cells (of 256)")
    left.set_ylabel("images, by area" if in_private else "images")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.yaxis.set_major_locator(MaxNLocator(integer=True))
    mass = numbers(table.set_index("metric").with_sinks)["mean_mass"]
    if pd.notna(mass):
        left.set_title(f"they draw {100 * mass:.1f} % of the attention", loc="right", fontsize=7, color=style.GREY)
    some = (
        table[table.metric.isin(METRICS)].set_index("metric").reindex([name for name in METRICS if name in set(table.metric)])
    )
    before = numbers(some.with_sinks)
    values, lows, highs = (100 * numbers(some[name]) / before for name in ("difference", "low", "high"))
    dots.draw(right, values, lows, highs, style.BLUE)
    dots.rows(right, [METRICS[name] for name in some.index])
    dots.no_effect(right)
    right.set_xlabel("change without the sinks (%), 95 % interval")
    return fig


def _bars(left: Axes, images: pd.DataFrame, counts: pd.Series) -> None:
    height = np.bincount(counts)
    position = numbers(images.position_sinks)
    if position.notna().any():
        fixed = np.bincount(counts[position[counts.index] > 0], minlength=len(height))
        left.bar(range(len(height)), height - fixed, bottom=fixed, color=style.BLUE, width=0.8, label="content sinks only")
        if fixed.any():
            left.bar(range(len(height)), fixed, color=style.ORANGE, width=0.8, label="with sinks of position")
        left.bar(0, height[0], color=style.GREY, width=0.8, label="no sink")
        left.legend()
    else:
        left.bar(range(len(height)), height, color=style.BLUE, width=0.8)
