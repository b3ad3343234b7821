"""Does the question direct attention? The same words about another finding, against other words about the same."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from medattn.figures import marks, style
from medattn.figures.columns import numbers
from medattn.figures.declarations import LEAST, Chart, group

SAME = "same finding,\nother variant"
OTHER = "other finding,\nsame words"
REACH = 1.5  # axes go from the least divergence ÷ this to the largest × this


def draw(contrast: pd.DataFrame, least: int) -> Figure:
    """(a) the images, (b) the two distributions with their medians."""
    fig = style.figure(style.PAGE_MM, 72)
    left, right = fig.subplots(1, 2, width_ratios=(1, 1.15))
    variant, finding = numbers(contrast.js_other_variant), numbers(contrast.js_other_finding)
    both = variant.notna() & finding.notna()
    variant, finding, patients = variant[both].to_numpy(), finding[both].to_numpy(), list(contrast.subject_id[both])
    style.letter(left, "a")
    style.letter(right, "b")
    if not len(variant):
        for panel in (left, right):
            panel.text(0.5, 0.5, "no image with controls\nand other variants", transform=panel.transAxes, ha="center")
        return fig
    left.set_xlabel("JS divergence, other variant (bits)")
    left.set_ylabel("JS divergence, other finding (bits)")
    right.set_xlabel("JS divergence between attention grids (bits)")
    right.set_ylabel(marks.counted("images", least))
    if min(variant.min(), finding.min()) > 0:
        left.set(xscale="log", yscale="log")
        right.set_xscale("log")
    every = marks.Look(np.ones(len(variant), bool), {"marker": "o", "color": style.BLUE, "markersize": 3, "alpha": 0.6})
    points = marks.Points(variant, finding, patients, "images")
    marks.paired(left, points, [every], REACH, least)
    samples = [
        marks.Sample(values, patients, colour, name)
        for values, colour, name in ((variant, style.GREEN, SAME), (finding, style.VERMILLION, OTHER))
    ]
    if ends := marks.histogram(right, samples, marks.paired_edges(points, REACH, least), marks.Bars(medians=True), least):
        right.set_xlim(ends)
    right.yaxis.set_major_locator(MaxNLocator(integer=True))
    if right.get_legend_handles_labels()[0]:
        right.legend(loc="center left", bbox_to_anchor=(1, 0.5), labelspacing=1.2)
    return fig


CHART = Chart(
    "js_contrast",
    "Does the question direct attention?",
    "(a) {points:image}. Above the dashed line, asking about another finding moves attention more than asking the same in other"
    " words.{hexagons} (b) The two distributions, dotted at their medians.{merged}",
    "{open:Scatter}{restricted:Hexagons} and histograms of the divergence between attention maps: other finding against other"
    " variant.",
    (group("js_contrast"), LEAST),
    draw,
)
