"""The image-reliance plane: do the wordings agree, and does the answer need the image?"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medattn.figures import marks, style
from medattn.figures.inputs import numbers

SPREAD = 0.035  # of consistency: questions at the same value are drawn beside each other, in the table's order


def draw(questions: pd.DataFrame, table: pd.DataFrame, in_private: bool = False) -> Figure:
    """(a) one point per question, or hexagons of them; (b) reliance per finding with its interval, no image and blank image."""
    fig = style.figure(style.PAGE_MM, 78)
    plane, means = fig.subplots(1, 2, width_ratios=(1.45, 1))
    style.letter(plane, "a")
    style.letter(means, "b")
    reliance, consistency = numbers(questions.reliance_no_image), numbers(questions.consistency)
    there = reliance.notna() & consistency.notna()
    if not there.any():
        for panel in (plane, means):
            panel.text(0.5, 0.5, "no question was asked\nwith and without its image", transform=panel.transAxes, ha="center")
        return fig
    if in_private:
        marks.hexagons(
            plane, reliance[there].to_numpy(), consistency[there].to_numpy(), list(questions.subject_id[there]), "questions"
        )
    else:
        _points(plane, questions, reliance, consistency, there)
    plane.axvline(0, color=style.GREY, linewidth=0.8, linestyle="--")
    plane.set_xlabel("image reliance (nats)")
    plane.set_ylabel("consistency of the wordings")
    if not in_private:
        fig.legend(*plane.get_legend_handles_labels(), loc="outside lower center", ncols=6, handletextpad=0.3, columnspacing=1)
    names = list(table.finding)
    for shift, name, short, colour, label in (
        (-0.14, "reliance_no_image", "no_image", style.BLUE, "against no image"),
        (0.14, "reliance_blank", "blank", style.ORANGE, "against a blank image"),
    ):
        unnamed = True
        for position in range(len(names)):
            value, low, high = (numbers(table[column]).iloc[position] for column in (name, f"{short}_low", f"{short}_high"))
            if pd.notna(value):
                means.plot([low, high], [position + shift] * 2, color=colour, linewidth=1.4, solid_capstyle="butt")
                means.plot(value, position + shift, "o", color=colour, markersize=4, label=label if unnamed else None)
                unnamed = False
    means.set_yticks(range(len(names)), names)
    means.set_ylim(len(names) - 0.5, -0.5)
    means.axvline(0, color=style.GREY, linewidth=0.8, linestyle="--")
    means.grid(axis="x", linewidth=0.3, color="#DDDDDD")
    means.set_xlabel("image reliance (nats), 95 % interval")
    if means.get_legend_handles_labels()[0]:
        means.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, handletextpad=0.3)
    return fig


def _points(plane: Axes, questions: pd.DataFrame, reliance: pd.Series, consistency: pd.Series, there: pd.Series) -> None:
    for index, finding in enumerate(sorted(set(questions.finding[there]))):
        some = there & (questions.finding == finding)
        plane.plot(
            reliance[some], consistency[some] + _beside(consistency[there])[some[there]],
            style.MARKERS[index % len(style.MARKERS)],
            color=style.COLOURS[index % len(style.COLOURS)], markersize=4, alpha=0.75, markeredgewidth=0, label=finding,
        )  # fmt: skip
    blind = there & (questions.consistent_but_blind == "true")
    plane.plot(
        reliance[blind], consistency[blind] + _beside(consistency[there])[blind[there]], "o", markersize=8,
        markerfacecolor="none", markeredgecolor=style.BLACK, markeredgewidth=0.8, label=f"consistent but blind ({blind.sum()})",
    )  # fmt: skip


def _beside(values: pd.Series) -> pd.Series:
    """Small offsets that keep equal values apart: in turn, between −SPREAD and SPREAD."""
    turn = values.groupby(values).cumcount()
    return ((turn % 9) - 4) / 4 * SPREAD
