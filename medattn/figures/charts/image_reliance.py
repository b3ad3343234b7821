"""The image-reliance plane: do the variants agree, and does the answer need the image?"""

import pandas as pd
from matplotlib.figure import Figure

from medattn.figures import dots, marks, style
from medattn.figures.columns import numbers
from medattn.figures.declarations import LEAST, Chart, group, table

SPREAD = 0.035  # of consistency: questions at the same value are drawn beside each other, in the table's order


def draw(questions: pd.DataFrame, by_finding: pd.DataFrame, least: int) -> Figure:
    """(a) the questions; (b) reliance per finding with its interval, no image and blank image."""
    fig = style.figure(style.PAGE_MM, 78)
    plane, means = fig.subplots(1, 2, width_ratios=(1.45, 1))
    style.letter(plane, "a")
    style.letter(means, "b")
    questions = questions[numbers(questions.reliance_no_image).notna() & numbers(questions.consistency).notna()]
    if not len(questions):
        for panel in (plane, means):
            panel.text(0.5, 0.5, "no question was asked\nwith and without its image", transform=panel.transAxes, ha="center")
        return fig
    consistency = numbers(questions.consistency)
    points = marks.Points(
        numbers(questions.reliance_no_image).to_numpy(), consistency.to_numpy(), list(questions.subject_id), "questions",
        _beside(consistency).to_numpy(),
    )  # fmt: skip
    blind = (questions.consistent_but_blind == "true").to_numpy()
    ringed = {"marker": "o", "markersize": 8, "markerfacecolor": "none", "markeredgecolor": style.BLACK,
              "markeredgewidth": 0.8, "label": f"consistent but blind ({blind.sum()})"}  # fmt: skip
    marks.scatter(plane, points, [*marks.looks_of(questions.finding.to_numpy(), 0.75), marks.Look(blind, ringed)], least)
    plane.axvline(0, color=style.GREY, linewidth=0.8, linestyle="--")
    plane.set_xlabel("image reliance (nats)")
    plane.set_ylabel("consistency of the variants")
    handles, labels = plane.get_legend_handles_labels()
    if handles:
        fig.legend(handles, labels, loc="outside lower center", ncols=6, handletextpad=0.3, columnspacing=1)
    for shift, short, colour, label in (
        (-0.14, "no_image", style.BLUE, "against no image"),
        (0.14, "blank", style.ORANGE, "against a blank image"),
    ):
        named = None
        for position, (value, low, high) in enumerate(
            zip(*dots.intervals(by_finding, f"reliance_{short}", short), strict=True)
        ):
            if pd.notna(value):
                means.plot([low, high], [position + shift] * 2, color=colour, linewidth=1.4, solid_capstyle="butt")
                named = means.plot(value, position + shift, "o", color=colour, markersize=4, label=None if named else label)
    names = list(by_finding.finding)
    means.set_yticks(range(len(names)), names)
    means.set_ylim(len(names) - 0.5, -0.5)
    means.axvline(0, color=style.GREY, linewidth=0.8, linestyle="--")
    means.grid(axis="x", linewidth=0.3, color="#DDDDDD")
    means.set_xlabel("image reliance (nats), 95 % interval")
    if means.get_legend_handles_labels()[0]:
        means.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, handletextpad=0.3)
    return fig


def _beside(values: pd.Series) -> pd.Series:
    """Small offsets that keep equal values apart: in turn, between −SPREAD and SPREAD."""
    turn = values.groupby(values).cumcount()
    return ((turn % 9) - 4) / 4 * SPREAD


CHART = Chart(
    "image_reliance",
    "Image reliance: do the answers need the image?",
    "(a) {points:question}: consistency of all {open:its }variants, reliance of the baseline variant. To the right, the image"
    " speaks for the answer; at the dashed line it changes nothing. High and far right is what one hopes for; high at the line"
    " is an answer that is consistent without looking.{open: Ringed: all variants agree, and so do all answers without the"
    " image (consistent but blind). Points of equal consistency are spread vertically.}{hexagons} (b) Means per finding.",
    "{open:Scatter}{restricted:Hexagons} of consistency against image reliance{open: per question}, and mean image reliance per"
    " finding with intervals.",
    (group("reliance"), table("image_reliance"), LEAST),
    draw,
)
