"""Accuracy, flips and attention shift by wording strategy, with 95 % intervals over patients."""

import math

import pandas as pd
from matplotlib.figure import Figure

from medattn.disclosure.suppression import WITHHELD
from medattn.figures import dots, style
from medattn.figures.inputs import numbers

PANELS = (
    ("accuracy", "accuracy_low", "accuracy_high", "accuracy", style.BLUE),
    ("flip_rate", "flip_low", "flip_high", "answers flipped against baseline", style.VERMILLION),
    ("js_to_baseline", "js_low", "js_high", "JS divergence to baseline (bits)", style.GREEN),
)


def draw(by_strategy: pd.DataFrame, robustness: pd.DataFrame) -> Figure:
    """Three panels, one row per strategy, the baseline wording on top."""
    fig = style.figure(style.PAGE_MM, 62)
    axes = fig.subplots(1, 3, sharey=True)
    for panel, (name, low, high, label, colour) in zip(axes, PANELS, strict=True):
        values, lows, highs = (numbers(by_strategy[column]) for column in (name, low, high))
        power = _power(max(values.max(), highs.max())) if name == "js_to_baseline" else 0
        dots.draw(panel, values / 10**power, lows / 10**power, highs / 10**power, colour)
        panel.set_xlabel(label.replace("(bits)", f"($10^{{{power}}}$ bits)") if power else label)
        dots.guides(panel)
    names = [f"{row.strategy}\n(n = {row.n})" for row in by_strategy.itertuples()]
    dots.rows(axes[0], names)
    axes[0].axvline(0.5, color=style.GREY, linewidth=0.8, linestyle="--")
    without = robustness[(robustness.condition == "no_image") & (robustness.wordings == "all")]
    without = without[without.accuracy != ""]
    explained = "dashed: guessing;  dotted: no image" if len(without) else "dashed: guessing"
    axes[0].set_title(explained, loc="left", fontsize=7, color=style.GREY)
    if len(without):
        axes[0].axvline(float(without.iloc[0].accuracy), color=style.GREY, linewidth=1.0, linestyle=":")
    axes[0].set_xlim(0, 1)
    for panel in axes[1:]:
        panel.set_xlim(left=0)
    patients = by_strategy.patients.iloc[0] if len(by_strategy) else 0
    counted = "" if patients == WITHHELD else f"{patients} "
    axes[1].set_title(f"bars: 95 % intervals over {counted}patients", loc="left", fontsize=7, color=style.GREY)
    return fig


def _power(most: float) -> int:
    """The power of ten that axis numbers are given in: 0 unless they are small."""
    return math.floor(math.log10(most)) if 0 < most < 0.01 else 0
