"""Attention sinks: how many an image has, and what the metrics are without them."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from medattn.figures import dots, marks, style
from medattn.figures.columns import numbers
from medattn.figures.declarations import LEAST, Chart, group, table

METRICS = {
    "entropy_normalised": "entropy ÷ ln 256",
    "focus": "focus",
    "sparseness": "sparseness",
    "inside_body_enrichment": "inside the body ÷ area",
    "border_fraction": "border ring",
    "zone_enrichment": "zone ÷ area",
    "region_enrichment": "true region ÷ area",
}


def draw(images: pd.DataFrame, by_metric: pd.DataFrame, least: int) -> Figure:
    """(a) images by number of sinks; (b) change of each metric when they are zeroed, in %."""
    fig = style.figure(style.PAGE_MM, 66)
    left, right = fig.subplots(1, 2)
    style.letter(left, "a")
    style.letter(right, "b")
    images = images[numbers(images.sinks).notna()]
    counts = numbers(images.sinks).to_numpy(int)
    if not len(counts):
        for panel in (left, right):
            panel.text(0.5, 0.5, "no image was asked about\nthree findings", transform=panel.transAxes, ha="center")
        return fig
    stacks = _stacks(counts, numbers(images.position_sinks))
    marks.tally(left, marks.Sample(counts, list(images.subject_id), style.BLUE), stacks, least)
    if left.get_legend_handles_labels()[0]:
        left.legend()
    left.set_xlabel("sink cells (of 256)")
    left.set_ylabel(marks.counted("images", least))
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.yaxis.set_major_locator(MaxNLocator(integer=True))
    by_metric = by_metric.set_index("metric")
    mass = numbers(by_metric.with_sinks)["mean_mass"]
    if pd.notna(mass):
        left.set_title(f"they draw {100 * mass:.1f} % of the attention", loc="right", fontsize=7, color=style.GREY)
    some = by_metric.reindex([name for name in METRICS if name in by_metric.index])
    changes = (100 * numbers(some[name]) / numbers(some.with_sinks) for name in ("difference", "low", "high"))
    dots.draw(right, dots.Intervals(*changes), style.BLUE)
    dots.rows(right, [METRICS[name] for name in some.index])
    dots.no_effect(right)
    right.set_xlabel("change without the sinks (%), 95 % interval")
    return fig


def _stacks(counts: np.ndarray, position: pd.Series) -> list[marks.Stack]:
    """Images by their number of sinks, those with sinks of position apart where these are known."""
    height = np.bincount(counts)
    if not position.notna().any():
        return [marks.Stack(height, style.BLUE)]
    fixed = np.bincount(counts[position > 0], minlength=len(height))
    with_position = [marks.Stack(fixed, style.ORANGE, "with sinks of position")] if fixed.any() else []
    content = marks.Stack(height - fixed, style.BLUE, "content sinks only", fixed)
    return [content, *with_position, marks.Stack(height[:1], style.GREY, "no sink")]


CHART = Chart(
    "sinks",
    "Attention sinks, and the metrics without them",
    "A sink is a cell that draws attention whatever is asked about the image. (a) How many an image has{open:; sinks of"
    " position are there on a blank image too}.{merged} (b) How much each metric changes when they are zeroed.",
    "Left: histogram of the number of sink cells per image. Right: relative change of seven metrics without sinks.",
    (group("sinks"), table("sinks"), LEAST),
    draw,
)
