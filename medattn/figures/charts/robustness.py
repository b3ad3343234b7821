"""What each condition does to accuracy, answers, margins and attention, against the clean image."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from medattn.figures import dots, style
from medattn.figures.columns import numbers
from medattn.figures.declarations import Chart, table

PANELS = (
    ("accuracy_change", "change", "accuracy, change", style.BLUE),
    ("flip_rate", "flip", "answers flipped", style.VERMILLION),
    ("margin_change", "margin", "margin, change (nats)", style.ORANGE),
    ("js_to_clean", "js", "JS to clean (bits)", style.GREEN),
)


def draw(robustness: pd.DataFrame) -> Figure:
    """One row per condition and strength, four panels; dotted: what asking about another finding changes."""
    rows = robustness[(robustness.condition != "clean") & (robustness.variants == "baseline")].reset_index(drop=True)
    fig = style.figure(style.PAGE_MM, 26 + 4.6 * max(len(rows), 4))
    axes = fig.subplots(1, 4, sharey=True)
    if not len(rows):
        axes[0].text(0.5, 0.5, "no condition but clean", transform=axes[0].transAxes, ha="center")
        return fig
    for panel, (name, short, label, colour) in zip(axes, PANELS, strict=True):
        dots.draw(panel, dots.intervals(rows, name, short), colour)
        panel.set_xlabel(label)
        dots.guides(panel)
        panel.xaxis.set_major_locator(MaxNLocator(3))
        dots.no_effect(panel)
    scale = numbers(rows.js_other_finding).dropna()
    if len(scale):
        axes[3].axvline(scale.iloc[0], color=style.GREY, linewidth=1.0, linestyle=":")
        axes[3].set_title("dotted: other finding", loc="left", fontsize=7, color=style.GREY)
    dots.rows(axes[0], [f"{row.condition.replace('_', ' ')} {row.strength}".strip() for row in rows.itertuples()])
    axes[0].set_title("bars: 95 % intervals over patients", loc="left", fontsize=7, color=style.GREY)
    return fig


CHART = Chart(
    "robustness",
    "What is done to the image, and what it does to answers and attention",
    "Each row is a condition and its strength, compared with the clean image of the same question. A robust model changes"
    " little under noise, and much when the true region is hidden. For a shuffled image the truth is that of the image"
    " shown. Units of the strengths: docs/metrics.md. Dotted at the right: how far attention moves when another finding is"
    " asked about, as a scale.",
    "Four dot plots with intervals: change of accuracy, flip rate, change of margin, divergence of attention per condition.",
    (table("robustness"),),
    draw,
)
