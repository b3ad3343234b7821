"""Distributions of the grids' metrics, apart for right and wrong answers."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from medattn.figures import style
from medattn.figures.inputs import PREFIX, numbers

BINS = 24
# metric -> its axis label, the value that a uniform map has
METRICS = {
    "entropy_normalised": ("entropy ÷ ln 256", 1.0),
    "focus": ("focus (most in one cell)", 1 / 256),
    "image_mass": ("share on the image", None),
    "inside_body_enrichment": ("inside the body ÷ its area", 1.0),
    "border_fraction": ("share on the border ring", 60 / 256),
    "zone_enrichment": ("in the zone ÷ its area", 1.0),
    "region_enrichment": ("in the true region ÷ its area", 1.0),
    "region_auroc": ("AUROC for the true region", 0.5),
}
ANSWERS = (("true", "right", style.BLUE), ("false", "wrong", style.ORANGE))


def draw(clean: pd.DataFrame) -> Figure:
    """One histogram per metric of METRICS over clean study rows: one count is one wording."""
    fig = style.figure(style.PAGE_MM, 88)
    axes = fig.subplots(2, 4)
    for panel, (metric, (label, uniform)) in zip(axes.ravel(), METRICS.items(), strict=True):
        values = numbers(clean[PREFIX + metric])
        there = values.notna()
        panel.set_xlabel(label)
        panel.tick_params(labelleft=False, left=False)
        panel.spines["left"].set_visible(False)
        if not there.any():
            panel.text(0.5, 0.5, "no value", transform=panel.transAxes, ha="center", color=style.GREY)
            panel.set_xticks([])
            continue
        edges = np.linspace(values.min(), values.max(), BINS + 1)
        if edges[0] == edges[-1]:
            edges = np.linspace(edges[0] - 0.5, edges[0] + 0.5, BINS + 1)
        for truth, _, colour in ANSWERS:
            some = values[there & (clean.correct == truth)]
            if len(some):
                counts, _ = np.histogram(some, edges)
                panel.stairs(counts / len(some), edges, color=colour, fill=True, alpha=0.25)
                panel.stairs(counts / len(some), edges, color=colour)
                panel.axvline(some.median(), color=colour, linewidth=1.4, linestyle=(0, (1, 1)))
        if uniform is not None and edges[0] <= uniform <= edges[-1]:
            panel.axvline(uniform, color=style.GREY, linewidth=0.8, linestyle="--")
        panel.set_ylim(bottom=0)
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panel.set_title(f"n = {there.sum()}", loc="right", fontsize=7, color=style.GREY)
    fig.supylabel("share of the answers", fontsize=7.5)
    _legend(fig, clean)
    return fig


def _legend(fig: Figure, clean: pd.DataFrame) -> None:
    handles = [
        Line2D([], [], color=colour, label=f"{name} answers ({(clean.correct == truth).sum()})")
        for truth, name, colour in ANSWERS
    ]
    handles.append(Line2D([], [], color=style.BLACK, linewidth=1.4, linestyle=(0, (1, 1)), label="median"))
    handles.append(Line2D([], [], color=style.GREY, linewidth=0.8, linestyle="--", label="uniform map"))
    fig.legend(handles=handles, loc="outside upper left", ncols=4)
