"""What each condition does to accuracy, answers, margins and attention, against the clean image."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from medattn.figures import dots, style
from medattn.figures.inputs import numbers

PANELS = (
    ("accuracy_change", "change", "accuracy, change", style.BLUE),
    ("flip_rate", "flip", "answers flipped", style.VERMILLION),
    ("margin_change", "margin", "margin, change (nats)", style.ORANGE),
    ("js_to_clean", "js", "JS to clean (bits)", style.GREEN),
)


def draw(robustness: pd.DataFrame) -> Figure:
    """One row per condition and strength, four panels; dotted: what asking about another finding changes."""
    table = robustness[(robustness.condition != "clean") & (robustness.wordings == "baseline")].reset_index(drop=True)
    fig = style.figure(style.PAGE_MM, 26 + 4.6 * max(len(table), 4))
    axes = fig.subplots(1, 4, sharey=True)
    if not len(table):
        axes[0].text(0.5, 0.5, "no condition but clean", transform=axes[0].transAxes, ha="center")
        return fig
    for panel, (name, short, label, colour) in zip(axes, PANELS, strict=True):
        values, lows, highs = (numbers(table[column]) for column in (name, f"{short}_low", f"{short}_high"))
        dots.draw(panel, values, lows, highs, colour)
        panel.set_xlabel(label)
        dots.guides(panel)
        panel.xaxis.set_major_locator(MaxNLocator(3))
        dots.no_effect(panel)
    scale = numbers(table.js_other_finding).dropna()
    if len(scale):
        axes[3].axvline(scale.iloc[0], color=style.GREY, linewidth=1.0, linestyle=":")
        axes[3].set_title("dotted: other finding", loc="left", fontsize=7, color=style.GREY)
    dots.rows(axes[0], [f"{row.condition.replace('_', ' ')} {row.strength}".strip() for row in table.itertuples()])
    axes[0].set_title("bars: 95 % intervals over patients", loc="left", fontsize=7, color=style.GREY)
    return fig
