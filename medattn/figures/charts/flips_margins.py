"""Margins and flips: how far the model leans, and when another wording tips it over."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medattn.disclosure.distributions import steady_edges
from medattn.figures import marks, style
from medattn.figures.inputs import numbers

BINS = 28
TRUTHS = (("yes", "finding is there", style.VERMILLION), ("no", "finding is not there", style.BLUE))


def draw(clean: pd.DataFrame, in_private: bool = False, by_truth: bool = True) -> Figure:
    """(a) margins of the baseline wording by truth, (b) every other wording's margin against its baseline's.

    in_private: merged bars and hexagons. by_truth: whether the numbers of either truth are published.
    """
    fig = style.figure(style.PAGE_MM, 74)
    left, right = fig.subplots(1, 2, width_ratios=(1, 1.1))
    style.letter(left, "a")
    style.letter(right, "b")
    valid = clean[clean.margin_valid == "true"]
    margin = numbers(valid.margin)
    baseline = valid.variant_index == "0"
    if not baseline.any():
        left.text(0.5, 0.5, "no valid margin", transform=left.transAxes, ha="center")
        return fig
    if in_private:
        _merged_bars(left, valid[baseline], by_truth)
    else:
        _bars(left, margin, baseline, valid.ground_truth)
    left.axvline(0, color=style.GREY, linewidth=0.8, linestyle="--")
    left.set_xlabel("margin, baseline wording (nats): yes → right")
    left.set_ylabel("questions, by area" if in_private else "questions")
    if left.get_legend_handles_labels()[0]:
        left.legend(loc="upper left", bbox_to_anchor=(0, 1.16), ncols=2)
    before = margin[baseline].set_axis(valid.question_id[baseline])
    others = valid[~baseline & valid.question_id.isin(before.index)]
    x, y = before[others.question_id].to_numpy(), numbers(others.margin).to_numpy()
    if in_private and len(x):
        marks.hexagons(right, x, y, list(others.subject_id), "answers")
    elif not in_private:
        _points(right, x, y, (others.flip == "true").to_numpy())
    right.axline((0, 0), slope=1, color=style.GREY, linewidth=0.8, linestyle=":")
    right.axhline(0, color=style.GREY, linewidth=0.8, linestyle="--")
    right.axvline(0, color=style.GREY, linewidth=0.8, linestyle="--")
    right.set_xlabel("margin, baseline wording (nats)")
    right.set_ylabel("margin, other wording (nats)")
    if not in_private:
        right.legend(loc="upper left", bbox_to_anchor=(0, 1.16), ncols=2)
    return fig


def _bars(panel: Axes, margin: pd.Series, baseline: pd.Series, truths: pd.Series) -> None:
    edges = np.linspace(margin[baseline].min(), margin[baseline].max(), BINS + 1)
    for truth, label, colour in TRUTHS:
        counts, _ = np.histogram(margin[baseline & (truths == truth)], edges)
        panel.stairs(counts, edges, color=colour, fill=True, alpha=0.3)
        panel.stairs(counts, edges, color=colour, label=label)


def _merged_bars(panel: Axes, rows: pd.DataFrame, by_truth: bool) -> None:
    margin = numbers(rows.margin).to_numpy()
    edges = steady_edges(margin, BINS)
    groups = {truth: (rows.ground_truth == truth).to_numpy() for truth, *_ in TRUTHS}
    drawn = False
    if by_truth and marks.apart([rows.subject_id[some] for some in groups.values()]):
        for truth, label, colour in TRUTHS:
            some = groups[truth]
            drawn |= marks.histogram(panel, margin[some], rows.subject_id[some], edges, colour, label=label)
    else:
        drawn = marks.histogram(panel, margin, rows.subject_id, edges, style.BLUE, label="finding there or not")
    if not drawn:
        marks.no_bars(panel)


def _points(panel: Axes, x: np.ndarray, y: np.ndarray, flipped: np.ndarray) -> None:
    for some, colour, label in ((~flipped, style.GREY, "kept"), (flipped, style.VERMILLION, "flipped")):
        panel.plot(
            x[some], y[some], "o", color=colour, markersize=2.8, alpha=0.55, markeredgewidth=0, label=f"{label} ({some.sum()})"
        )
