"""Distributions of the grids' metrics, apart for right and wrong answers."""

from collections.abc import Set

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from medattn.disclosure.distributions import steady_edges
from medattn.figures import marks, style
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
SAME_ANSWERS = {"region_auroc": "region_enrichment"}  # metrics of the same answers: one of them is in correct_incorrect.csv
ANSWERS = (("true", "right", style.BLUE), ("false", "wrong", style.ORANGE))


def draw(clean: pd.DataFrame, in_private: bool = False, apart: Set[str] = frozenset(METRICS)) -> Figure:
    """One histogram per metric of METRICS over clean study rows: one count is one wording.

    in_private: merged bars. apart: metrics for which the numbers of right and of wrong answers are published.
    """
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
        if in_private:
            reach = _merged_bars(panel, values[there], clean[there], SAME_ANSWERS.get(metric, metric) in apart)
        else:
            reach = _bars(panel, values, there, clean.correct)
        if reach is None:
            marks.no_bars(panel)
            continue
        if uniform is not None and reach[0] <= uniform <= reach[1]:
            panel.axvline(uniform, color=style.GREY, linewidth=0.8, linestyle="--")
        panel.set_ylim(bottom=0)
        panel.xaxis.set_major_locator(MaxNLocator(4))
        if not in_private:
            panel.set_title(f"n = {there.sum()}", loc="right", fontsize=7, color=style.GREY)
    fig.supylabel("share of the answers" + (", by area" if in_private else ""), fontsize=7.5)
    _legend(fig, clean, in_private)
    return fig


def _bars(panel: Axes, values: pd.Series, there: pd.Series, correct: pd.Series) -> tuple[float, float]:
    """Draws them; the first and the last edge."""
    edges = np.linspace(values.min(), values.max(), BINS + 1)
    if edges[0] == edges[-1]:
        edges = np.linspace(edges[0] - 0.5, edges[0] + 0.5, BINS + 1)
    for truth, _, colour in ANSWERS:
        some = values[there & (correct == truth)]
        if len(some):
            counts, _ = np.histogram(some, edges)
            panel.stairs(counts / len(some), edges, color=colour, fill=True, alpha=0.25)
            panel.stairs(counts / len(some), edges, color=colour)
            panel.axvline(some.median(), color=colour, linewidth=1.4, linestyle=(0, (1, 1)))
    return edges[0], edges[-1]


def _merged_bars(panel: Axes, values: pd.Series, rows: pd.DataFrame, apart: bool) -> tuple[float, float] | None:
    """Draws right and wrong answers, together in grey where they may not be told apart; the axis' ends, None without a bar."""
    edges, drawn = steady_edges(values.to_numpy(), BINS), False
    groups = [(rows.correct == truth, colour) for truth, _, colour in ANSWERS]
    if not (apart and marks.apart([rows.subject_id[some] for some, _ in groups])):
        groups = [(values.notna(), style.GREY)]
    for some, colour in groups:
        if marks.histogram(panel, values[some].to_numpy(), rows.subject_id[some], edges, colour, share=True):
            drawn = True
            if (middle := marks.median(values[some], rows.subject_id[some])) is not None:
                panel.axvline(middle, color=colour, linewidth=1.4, linestyle=(0, (1, 1)))
    return panel.get_xlim() if drawn else None


def _legend(fig: Figure, clean: pd.DataFrame, in_private: bool) -> None:
    handles = [
        Line2D([], [], color=colour, label=f"{name} answers" + ("" if in_private else f" ({(clean.correct == truth).sum()})"))
        for truth, name, colour in ANSWERS
    ]
    if in_private:
        handles.append(Line2D([], [], color=style.GREY, label="all answers"))
    handles.append(Line2D([], [], color=style.BLACK, linewidth=1.4, linestyle=(0, (1, 1)), label="median"))
    handles.append(Line2D([], [], color=style.GREY, linewidth=0.8, linestyle="--", label="uniform map"))
    fig.legend(handles=handles, loc="outside upper left", ncols=5)
