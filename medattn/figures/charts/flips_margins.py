"""Margins and flips: how far the model leans, and when another variant tips it over."""

import pandas as pd
from matplotlib.figure import Figure

from medattn.disclosure.suppression import SUPPRESSED
from medattn.figures import marks, style
from medattn.figures.columns import numbers
from medattn.figures.declarations import LEAST, SAMPLES, Chart, table

BINS = 28
TRUTHS = (("yes", "finding is there", style.VERMILLION), ("no", "finding is not there", style.BLUE))


def draw(clean: pd.DataFrame, by_finding: pd.DataFrame, least: int) -> Figure:
    """(a) margins of the baseline variant by truth, (b) every other variant's margin against its baseline's."""
    fig = style.figure(style.PAGE_MM, 74)
    left, right = fig.subplots(1, 2, width_ratios=(1, 1.1))
    style.letter(left, "a")
    style.letter(right, "b")
    valid = clean[clean.margin_valid == "true"]
    margin = numbers(valid.margin)
    baseline = valid.variant_index == "0"
    if not baseline.any():
        left.text(0.5, 0.5, "no valid margin", transform=left.transAxes, ha="center")
        return fig

    def sample(some: pd.Series, colour: str, label: str) -> marks.Sample:
        return marks.Sample(margin[some].to_numpy(), list(valid.subject_id[some]), colour, label)

    truths = [sample(baseline & (valid.ground_truth == truth), colour, label) for truth, label, colour in TRUTHS]
    bars = marks.Bars(
        together=sample(baseline, style.BLUE, "finding there or not"), published=SUPPRESSED not in set(by_finding.positives)
    )
    marks.histogram(left, truths, marks.even_edges(margin[baseline].to_numpy(), BINS, least), bars, least)
    left.axvline(0, color=style.GREY, linewidth=0.8, linestyle="--")
    left.set_xlabel("margin, baseline variant (nats): yes → right")
    left.set_ylabel(marks.counted("questions", least))
    before = margin[baseline].set_axis(valid.question_id[baseline])
    others = valid[~baseline & valid.question_id.isin(before.index)]
    flipped = (others.flip == "true").to_numpy()
    points = marks.Points(
        before[others.question_id].to_numpy(), numbers(others.margin).to_numpy(), list(others.subject_id), "answers"
    )
    looks = [
        marks.Look(some, {"marker": "o", "color": colour, "markersize": 2.8, "alpha": 0.55, "label": f"{label} ({some.sum()})"})
        for some, colour, label in ((~flipped, style.GREY, "kept"), (flipped, style.VERMILLION, "flipped"))
    ]
    marks.scatter(right, points, looks, least)
    right.axline((0, 0), slope=1, color=style.GREY, linewidth=0.8, linestyle=":")
    right.axhline(0, color=style.GREY, linewidth=0.8, linestyle="--")
    right.axvline(0, color=style.GREY, linewidth=0.8, linestyle="--")
    right.set_xlabel("margin, baseline variant (nats)")
    right.set_ylabel("margin, other variant (nats)")
    for panel in (left, right):
        if panel.get_legend_handles_labels()[0]:
            panel.legend(loc="upper left", bbox_to_anchor=(0, 1.16), ncols=2)
    return fig


CHART = Chart(
    "flips_margins",
    "Margins, and when another variant tips the answer",
    "The margin is the logit of yes minus that of no at the first answer token. (a) Baseline variant, by truth"
    "{restricted: where both may be shown}: a model that knows puts the two apart.{merged} (b) {open:One point per other"
    " variant}{restricted:Every other variant against its baseline variant}: on the dotted line the variant changes nothing;"
    " {open:orange points have crossed to the other answer}{restricted:left of or below one dashed line only, the answer has"
    " crossed to the other}.{hexagons}",
    "Left: histogram of answer margins by truth. Right: {open:scatter}{restricted:hexagons} of other variants' margins against"
    " the baseline variant's.",
    (SAMPLES, table("by_finding"), LEAST),
    draw,
)
