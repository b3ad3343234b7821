"""Distributions of the grids' metrics, apart for right and wrong answers."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from medattn.disclosure.suppression import SUPPRESSED
from medattn.figures import marks, style
from medattn.figures.columns import PREFIX, numbers
from medattn.figures.declarations import LEAST, SAMPLES, Chart, table

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
ANSWERS = (("true", "right answers", style.BLUE), ("false", "wrong answers", style.ORANGE))
TOGETHER = ("all answers", style.GREY)


def draw(clean: pd.DataFrame, correct_incorrect: pd.DataFrame, least: int) -> Figure:
    """One histogram per metric of METRICS over clean study rows: one count is one variant."""
    fig = style.figure(style.PAGE_MM, 88)
    axes = fig.subplots(2, 4)
    counts = correct_incorrect.set_index("metric")[["n_correct", "n_incorrect"]]
    told_apart = set(counts.index[(counts != SUPPRESSED).all(axis=1)])
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
        edges = marks.even_edges(values[there].to_numpy(), BINS, least)
        if edges[0] == edges[-1]:
            edges = np.linspace(edges[0] - 0.5, edges[0] + 0.5, BINS + 1)
        right, wrong, every = (
            marks.Sample(values[some].to_numpy(), list(clean.subject_id[some]), colour)
            for some, colour in (
                *((there & (clean.correct == truth), colour) for truth, _, colour in ANSWERS),
                (there, TOGETHER[1]),
            )
        )
        bars = marks.Bars(True, True, 0.25, every, SAME_ANSWERS.get(metric, metric) in told_apart)
        ends = marks.histogram(panel, [right, wrong], edges, bars, least)
        if ends is None:
            continue
        if uniform is not None and ends[0] <= uniform <= ends[1]:
            panel.axvline(uniform, color=style.GREY, linewidth=0.8, linestyle="--")
        panel.set_ylim(bottom=0)
        panel.xaxis.set_major_locator(MaxNLocator(4))
        marks.note(panel, f"n = {there.sum()}", least)
    fig.supylabel(marks.counted("share of the answers", least), fontsize=7.5)
    handles = [
        *marks.sample_keys(
            [(name, (clean.correct == truth).sum(), colour) for truth, name, colour in ANSWERS], TOGETHER, least
        ),
        Line2D([], [], color=style.BLACK, linewidth=1.4, linestyle=marks.DOTTED, label="median"),
        Line2D([], [], color=style.GREY, linewidth=0.8, linestyle="--", label="uniform map"),
    ]
    fig.legend(handles=handles, loc="outside upper left", ncols=5)
    return fig


CHART = Chart(
    "metric_distributions",
    "Distributions of the attention metrics",
    "One histogram per metric over clean variants, right answers apart from wrong ones{restricted: where both may be shown,"
    " else together in grey}; dotted are medians{restricted: of at least 10 patients}, dashed is what a uniform map would"
    " give.{merged}",
    "Eight histograms of attention metrics, right and wrong answers in two colours.",
    (SAMPLES, table("correct_incorrect"), LEAST),
    draw,
)
