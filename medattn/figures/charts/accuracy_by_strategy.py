"""Accuracy, flips and attention shift by strategy, with 95 % intervals over patients."""

import math

import pandas as pd
from matplotlib.figure import Figure

from medattn.disclosure.suppression import SUPPRESSED
from medattn.figures import dots, style
from medattn.figures.declarations import Chart, table

PANELS = (
    ("accuracy", "accuracy", "accuracy", style.BLUE),
    ("flip_rate", "flip", "answers flipped against baseline", style.VERMILLION),
    ("js_to_baseline", "js", "JS divergence to baseline (bits)", style.GREEN),
)


def draw(by_strategy: pd.DataFrame, robustness: pd.DataFrame) -> Figure:
    """Three panels, one row per strategy, the baseline variant on top."""
    fig = style.figure(style.PAGE_MM, 62)
    axes = fig.subplots(1, 3, sharey=True)
    for panel, (name, short, label, colour) in zip(axes, PANELS, strict=True):
        found = dots.intervals(by_strategy, name, short)
        power = _power(max(found.values.max(), found.highs.max())) if name == "js_to_baseline" else 0
        dots.draw(panel, dots.Intervals(*(numbers / 10**power for numbers in found)), colour)
        panel.set_xlabel(label.replace("(bits)", f"({style.power_of_ten(power)} bits)") if power else label)
        dots.guides(panel)
    names = [f"{row.strategy}\n(n = {row.n})" for row in by_strategy.itertuples()]
    dots.rows(axes[0], names)
    axes[0].axvline(0.5, color=style.GREY, linewidth=0.8, linestyle="--")
    without = robustness[(robustness.condition == "no_image") & (robustness.variants == "all")]
    without = without[without.accuracy != ""]
    explained = "dashed: guessing;  dotted: no image" if len(without) else "dashed: guessing"
    axes[0].set_title(explained, loc="left", fontsize=7, color=style.GREY)
    if len(without):
        axes[0].axvline(float(without.iloc[0].accuracy), color=style.GREY, linewidth=1.0, linestyle=":")
    axes[0].set_xlim(0, 1)
    for panel in axes[1:]:
        panel.set_xlim(left=0)
    patients = by_strategy.patients.iloc[0] if len(by_strategy) else 0
    counted = "" if patients == SUPPRESSED else f"{patients} "
    axes[1].set_title(f"bars: 95 % intervals over {counted}patients", loc="left", fontsize=7, color=style.GREY)
    return fig


def _power(most: float) -> int:
    """The power of ten that axis numbers are given in: 0 unless they are small."""
    return math.floor(math.log10(most)) if 0 < most < 0.01 else 0


CHART = Chart(
    "accuracy_by_strategy",
    "Accuracy, flips and attention by strategy",
    "The first row is the baseline variant, each other row a rewording. Left: share of right answers; dashed is guessing,"
    " dotted the accuracy without the image, where answers that are neither yes nor no count as wrong. Middle: answers that"
    " turn from yes to no or back against the baseline variant. Right: how far attention moves (Jensen–Shannon divergence)."
    " Bars are 95 % intervals over patients.",
    "Three dot plots with intervals: accuracy, flip rate and divergence of attention for every strategy.",
    (table("by_strategy"), table("robustness")),
    draw,
)
