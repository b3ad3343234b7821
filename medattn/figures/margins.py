"""Margins and flips: how far the model leans, and when another wording tips it over."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from medattn.figures import style
from medattn.figures.inputs import numbers

BINS = 28
TRUTHS = (("yes", "finding is there", style.VERMILLION), ("no", "finding is not there", style.BLUE))


def draw(clean: pd.DataFrame) -> Figure:
    """(a) margins of the baseline wording by truth, (b) every other wording's margin against its baseline's."""
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
    edges = np.linspace(margin[baseline].min(), margin[baseline].max(), BINS + 1)
    for truth, label, colour in TRUTHS:
        counts, _ = np.histogram(margin[baseline & (valid.ground_truth == truth)], edges)
        left.stairs(counts, edges, color=colour, fill=True, alpha=0.3)
        left.stairs(counts, edges, color=colour, label=label)
    left.axvline(0, color=style.GREY, linewidth=0.8, linestyle="--")
    left.set_xlabel("margin, baseline wording (nats): yes → right")
    left.set_ylabel("questions")
    left.legend(loc="upper left", bbox_to_anchor=(0, 1.16), ncols=2)
    before = margin[baseline].set_axis(valid.question_id[baseline])
    others = valid[~baseline & valid.question_id.isin(before.index)]
    x, y = before[others.question_id].to_numpy(), numbers(others.margin).to_numpy()
    flipped = (others.flip == "true").to_numpy()
    for some, colour, label in ((~flipped, style.GREY, "kept"), (flipped, style.VERMILLION, "flipped")):
        right.plot(x[some], y[some], "o", color=colour, markersize=2.8, alpha=0.55, markeredgewidth=0, label=f"{label} ({some.sum()})")
    right.axline((0, 0), slope=1, color=style.GREY, linewidth=0.8, linestyle=":")
    right.axhline(0, color=style.GREY, linewidth=0.8, linestyle="--")
    right.axvline(0, color=style.GREY, linewidth=0.8, linestyle="--")
    right.set_xlabel("margin, baseline wording (nats)")
    right.set_ylabel("margin, other wording (nats)")
    right.legend(loc="upper left", bbox_to_anchor=(0, 1.16), ncols=2)
    return fig
