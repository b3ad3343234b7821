"""Does the question direct attention? The same words about another finding, against other words about the same."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from medattn.figures import style
from medattn.figures.inputs import numbers

SAME = "same finding,\nother wording"
OTHER = "other finding,\nsame wording"


def draw(contrast: pd.DataFrame) -> Figure:
    """(a) one point per image, (b) the two distributions with their medians."""
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
    smallest = min(wording.min(), finding.min())
    logarithmic = smallest > 0
    span = (smallest / 1.5, max(wording.max(), finding.max()) * 1.5)
    left.plot(span, span, color=style.GREY, linewidth=0.8, linestyle="--")
    left.plot(wording, finding, "o", color=style.BLUE, markersize=3, alpha=0.6, markeredgewidth=0)
    above = int((finding > wording).sum())
    left.set_title(f"{above} of {len(wording)} images lie above the line", loc="right", fontsize=7, color=style.GREY)
    left.set_xlabel("JS divergence, other wording (bits)")
    left.set_ylabel("JS divergence, other finding (bits)")
    left.set(xlim=span, ylim=span)
    left.set_aspect("equal")
    if logarithmic:
        left.set(xscale="log", yscale="log")
        right.set_xscale("log")
    edges = np.geomspace(*span, 25) if logarithmic else np.linspace(*span, 25)
    for values, colour, name in ((wording, style.GREEN, SAME), (finding, style.VERMILLION, OTHER)):
        counts, _ = np.histogram(values, edges)
        right.stairs(counts, edges, color=colour, fill=True, alpha=0.3)
        right.stairs(counts, edges, color=colour, label=f"{name}\nmedian {np.median(values):.2g}")
        right.axvline(np.median(values), color=colour, linewidth=1.4, linestyle=(0, (1, 1)))
    right.set_xlabel("JS divergence between attention grids (bits)")
    right.set_ylabel("images")
    right.yaxis.set_major_locator(MaxNLocator(integer=True))
    right.set_xlim(span)
    right.legend(loc="center left", bbox_to_anchor=(1, 0.5), labelspacing=1.2)
    return fig
