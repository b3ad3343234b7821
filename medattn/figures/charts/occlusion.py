"""Does what the model looks at matter? Hiding the true region against hiding as much elsewhere."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medattn.figures import dots, marks, style
from medattn.figures.columns import numbers
from medattn.figures.declarations import LEAST, Chart, group, table


def draw(by_finding: pd.DataFrame, pairs: pd.DataFrame, least: int) -> Figure:
    """(a) drop in margin per finding; (b) effect of the questions against their regions' attention."""
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
        dots.draw(left, dots.intervals(by_finding, f"drop_{short}", short), colour, shift, label)
    dots.rows(left, [f"{row.finding}\n(n = {row.n})" for row in by_finding.itertuples()])
    dots.no_effect(left)
    if numbers(by_finding.drop_region).notna().any():
        _limit(left, by_finding)
    left.set_xlabel("drop of the margin (nats), 95 % interval")
    if left.get_legend_handles_labels()[0]:
        left.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, handletextpad=0.3)
    points = marks.Points(
        numbers(pairs.region_mass).to_numpy(), numbers(pairs.effect).to_numpy(), list(pairs.subject_id), "questions"
    )
    marks.scatter(right, points, marks.looks_of(pairs.finding.to_numpy(), 0.8), least)
    if right.get_legend_handles_labels()[0]:
        right.legend(loc="upper left", bbox_to_anchor=(1, 1), handletextpad=0.2)
    right.axhline(0, color=style.GREY, linewidth=0.8, linestyle="--")
    right.set_xlabel("attention in the true region (share), clean image")
    right.set_ylabel("effect: region − elsewhere (nats)")
    every = by_finding.iloc[-1]
    if every.correlation_low:  # empty where there is no interval, or where it is suppressed
        low, high = float(every.correlation_low), float(every.correlation_high)
        said = f"Spearman ρ over patients {float(every.correlation_with_region_mass):.2f} (95 % {low:.2f} to {high:.2f})"
        right.set_xlabel(f"attention in the true region (share), clean image\n{said}")
    return fig


def _limit(left: Axes, by_finding: pd.DataFrame) -> None:
    """Ends the axis where the points do: an arrow says that a wide interval of few patients goes on."""
    shown = [
        numbers(by_finding[name]) for name in ("drop_region", "drop_elsewhere", "region_low", "elsewhere_low", "elsewhere_high")
    ]
    highs = numbers(by_finding.region_high)
    reach = 1.6 * max(values.abs().max() for values in shown[:2])
    least = min(min(values.min() for values in shown) - 0.1 * reach, -0.1 * reach)
    left.set_xlim(max(least, -reach), max(reach, highs.iloc[-1]))
    for shift, short, colour in ((-0.14, "region", style.VERMILLION), (0.14, "elsewhere", style.BLUE)):
        for side, bound, marker in ((0, "low", "<"), (1, "high", ">")):  # a wide interval of few patients goes on
            edge, ends = left.get_xlim()[side], numbers(by_finding[f"{short}_{bound}"])
            beyond = ends.index[ends > edge] if side else ends.index[ends < edge]
            left.plot([edge] * len(beyond), beyond + shift, marker, color=colour, markersize=4, clip_on=False)


CHART = Chart(
    "occlusion",
    "Does hiding the finding change the answer?",
    "(a) How far the margin drops when the true region is filled with its surroundings' mean, against as large an area"
    " elsewhere in the body. Zero: hiding it does not matter; an arrow: the interval goes on. (b) {points:question}: does"
    " hiding the region cost more where it had more attention? Findings differ in area, so the correlation over all is not one"
    " within a finding.{hexagons}",
    "Left: drop of the margin per finding, region against elsewhere. Right: {open:effect of each question against its region's"
    " attention}{restricted:hexagons of effect against the region's attention}.",
    (table("occlusion"), group("occlusion"), LEAST),
    draw,
)
