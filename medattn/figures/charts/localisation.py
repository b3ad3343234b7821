"""Attention in the true region per finding, beside baseline maps."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from medattn.figures import style
from medattn.figures.columns import numbers
from medattn.figures.declarations import Chart, table

MAPS = {
    "model": ("the model", "o", style.VERMILLION),
    "other_finding": ("same image, other finding", "D", style.BLUE),
    "other_patients": ("other patients, same finding", "s", style.GREEN),
    "body": ("body prior", "^", style.ORANGE),
    "centre": ("centre prior", "v", style.GREY),
    "uniform": ("uniform", "|", style.BLACK),
}
PANELS = (("zone_enrichment", "in the finding's zone ÷ its area"), ("region_enrichment", "in the true region ÷ its area"))


def draw(localisation: pd.DataFrame) -> Figure:
    """(a) zone, all questions; (b) true region, findings that are there. One row per finding, one mark per map."""
    rows = localisation[localisation.sinks == "keep"]
    findings = list(dict.fromkeys(rows.finding))
    fig = style.figure(style.PAGE_MM, 26 + 8 * len(findings))
    axes = fig.subplots(1, 2, sharey=True)
    for panel, (metric, label), letter in zip(axes, PANELS, "ab", strict=True):
        style.letter(panel, letter)
        for index, (name, (said, marker, colour)) in enumerate(reversed(MAPS.items())):
            some = rows[rows["map"] == name].set_index("finding")
            values = numbers(some[metric]).reindex(findings)
            shown = values.notna() & (values > 0)
            shift = (index - (len(MAPS) - 1) / 2) * -0.09
            panel.plot(
                values[shown], [findings.index(finding) + shift for finding in values.index[shown]], marker, color=colour,
                markersize=6 if name == "model" else 4.5, label=said, markeredgewidth=1.2 if marker == "|" else 0,
            )  # fmt: skip
        panel.axvline(1, color=style.GREY, linewidth=0.8, linestyle="--")
        panel.set_xscale("log")
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panel.xaxis.set_minor_formatter(NullFormatter())
        low, high = panel.get_xlim()
        ticks = [tick for tick in (0.1, 0.2, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50) if low <= tick <= high]
        panel.set_xticks(ticks)
        panel.grid(axis="x", linewidth=0.3, color="#DDDDDD")
        panel.set_xlabel(label)
    counts = rows[rows["map"] == "model"].set_index("finding")
    axes[0].set_yticks(
        range(len(findings)), [f"{finding}\n(n = {counts.n[finding]}; {counts.n_region[finding]})" for finding in findings]
    )
    axes[0].set_ylim(len(findings) - 0.5, -0.5)
    handles, names = axes[0].get_legend_handles_labels()
    fig.legend(handles[::-1], names[::-1], loc="outside lower center", ncols=6, handletextpad=0.1, columnspacing=0.6)
    return fig


CHART = Chart(
    "localisation",
    "Attention to the finding beside baseline maps",
    "Attention mass ÷ area share, on a logarithmic axis; dashed is chance. (a) In the part of the body where the finding is"
    " looked for, present or not. (b) In the true region of findings that are there. Only being to the right of the blue"
    " diamond (the same image asked about another finding) can show that the question directs attention, if the interval of"
    " the ratio lies above 1. In brackets: questions; with a region. Ratios are of patients' means, so not quotients of"
    " these values.",
    "Two dot plots: relative attention of the model and of five baseline maps per finding, in zone and true region.",
    (table("localisation"),),
    draw,
)
