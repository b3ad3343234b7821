"""Does what the model looks at matter? Hiding the true region against hiding as much elsewhere."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medattn.figures import dots, marks, style
from medattn.figures.inputs import numbers


def draw(table: pd.DataFrame, pairs: pd.DataFrame, in_private: bool = False) -> Figure:
    """(a) drop in margin per finding; (b) effect of each question (or hexagons of them) against its region's attention."""
    fig = style.figure(style.PAGE_MM, 72)
    left, right = fig.subplots(1, 2, width_ratios=(1.15, 1))
    style.letter(left, "a")
    style.letter(right, "b")
    if not len(pairs):
        for panel in (left, right):
            panel.text(0.5, 0.5, "no true region was hidden", transform=panel.transAxes, ha="center")
        return fig
    for shift, short, colour, label in (
        (-0.14, "region", style.VERMILLION, "true region hidden"),
        (0.14, "elsewhere", style.BLUE, "as much elsewhere"),
    ):
        values, lows, highs = (numbers(table[name]) for name in (f"drop_{short}", f"{short}_low", f"{short}_high"))
        dots.draw(left, values, lows, highs, colour, shift, label)
    dots.rows(left, [f"{row.finding}\n(n = {row.n})" for row in table.itertuples()])
    dots.no_effect(left)
    if numbers(table.drop_region).notna().any():
        _limit(left, table)
    left.set_xlabel("drop of the margin (nats), 95 % interval")
    if left.get_legend_handles_labels()[0]:
        left.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, handletextpad=0.3)
    if in_private:
        region, effect = (numbers(pairs[name]) for name in ("region_mass", "effect"))
        there = region.notna() & effect.notna()
        marks.hexagons(right, region[there].to_numpy(), effect[there].to_numpy(), list(pairs.subject_id[there]), "questions")
    else:
        _points(right, pairs)
    right.axhline(0, color=style.GREY, linewidth=0.8, linestyle="--")
    right.set_xlabel("attention in the true region (share), clean image")
    right.set_ylabel("effect: region − elsewhere (nats)")
    every = table.iloc[-1]
    if every.correlation_low:  # empty where there is no interval, or where it is withheld
        low, high = float(every.correlation_low), float(every.correlation_high)
        said = f"Spearman ρ over patients {float(every.correlation_with_region_mass):.2f} (95 % {low:.2f} to {high:.2f})"
        right.set_xlabel(f"attention in the true region (share), clean image\n{said}")
    return fig


def _limit(left: Axes, table: pd.DataFrame) -> None:
    """Ends the axis where the points do: an arrow says that a wide interval of few patients goes on."""
    shown = [
        numbers(table[name]) for name in ("drop_region", "drop_elsewhere", "region_low", "elsewhere_low", "elsewhere_high")
    ]
    highs = numbers(table.region_high)
    reach = 1.6 * max(values.abs().max() for values in shown[:2])
    least = min(min(values.min() for values in shown) - 0.1 * reach, -0.1 * reach)
    left.set_xlim(max(least, -reach), max(reach, highs.iloc[-1]))
    for shift, short, colour in ((-0.14, "region", style.VERMILLION), (0.14, "elsewhere", style.BLUE)):
        for side, bound, marker in ((0, "low", "<"), (1, "high", ">")):  # a wide interval of few patients goes on
            edge, ends = left.get_xlim()[side], numbers(table[f"{short}_{bound}"])
            beyond = ends.index[ends > edge] if side else ends.index[ends < edge]
            left.plot([edge] * len(beyond), beyond + shift, marker, color=colour, markersize=4, clip_on=False)


def _points(right: Axes, pairs: pd.DataFrame) -> None:
    for index, finding in enumerate(sorted(set(pairs.finding))):
        some = pairs[pairs.finding == finding]
        marker, colour = style.MARKERS[index % len(style.MARKERS)], style.COLOURS[index % len(style.COLOURS)]
        right.plot(
            numbers(some.region_mass),
            numbers(some.effect),
            marker,
            color=colour,
            markersize=4,
            alpha=0.8,
            markeredgewidth=0,
            label=finding,
        )
    right.legend(loc="upper left", bbox_to_anchor=(1, 1), handletextpad=0.2)
