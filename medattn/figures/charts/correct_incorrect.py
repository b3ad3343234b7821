"""How attention differs between right and wrong answers of the same patients."""

import pandas as pd
from matplotlib.figure import Figure

from medattn.figures import dots, style
from medattn.figures.declarations import Chart, table


def draw(by_metric: pd.DataFrame) -> Figure:
    """Cliff's delta per metric with its interval; adjusted p and verdict at the right."""
    fig = style.figure(style.PAGE_MM, 20 + 6 * len(by_metric))
    panel = fig.subplots()
    dots.draw(panel, dots.intervals(by_metric, "cliffs_delta", "delta"), style.BLUE)
    dots.rows(panel, [f"{row.metric.replace('_', ' ')}  (k = {row.informative_patients})" for row in by_metric.itertuples()])
    dots.no_effect(panel)
    panel.set_xlim(-1, 1)
    panel.set_xlabel("Cliff's delta: right against wrong answers, means of the k patients who gave both")
    for position, row in enumerate(by_metric.itertuples()):
        said = f"adjusted p = {float(row.p_adjusted):.2g}: {row.verdict}" if row.p_adjusted else row.verdict or "suppressed"
        panel.text(1.02, position, said, va="center", fontsize=7, transform=panel.get_yaxis_transform())
    panel.text(-0.99, -0.75, "← higher when wrong", fontsize=7, color=style.GREY, va="center")
    panel.text(0.99, -0.75, "higher when right →", fontsize=7, color=style.GREY, va="center", ha="right")
    return fig


CHART = Chart(
    "correct_incorrect",
    "Right against wrong answers of the same patients",
    "Cliff's delta of each metric between a patient's right and wrong answers, each truth apart; k patients gave both."
    " Zero: no difference. p tests the mean difference, not delta. Where one variant is mostly wrong, this also compares"
    " variants: the table has the difference within the same strategy. p-values are of sign-flip tests, adjusted over the"
    " metrics (Holm).",
    "Dot plot of Cliff's delta with intervals for eight metrics, right against wrong answers.",
    (table("correct_incorrect"),),
    draw,
)
