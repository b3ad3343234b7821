"""How attention differs between right and wrong answers of the same patients."""

import pandas as pd
from matplotlib.figure import Figure

from medattn.figures import dots, style
from medattn.figures.inputs import numbers


def draw(table: pd.DataFrame) -> Figure:
    """Cliff's delta per metric with its interval; adjusted p and verdict at the right."""
    fig = style.figure(style.PAGE_MM, 20 + 6 * len(table))
    panel = fig.subplots()
    values, lows, highs = (numbers(table[name]) for name in ("cliffs_delta", "delta_low", "delta_high"))
    dots.draw(panel, values, lows, highs, style.BLUE)
    dots.rows(
        panel,
        [f"{name.replace('_', ' ')}  (k = {k})" for name, k in zip(table.metric, table.informative_patients, strict=True)],
    )
    dots.no_effect(panel)
    panel.set_xlim(-1, 1)
    panel.set_xlabel("Cliff's delta: right against wrong answers, means of the k patients who gave both")
    for position, row in enumerate(table.itertuples()):
        said = f"adjusted p = {float(row.p_adjusted):.2g}: {row.verdict}" if row.p_adjusted else row.verdict or "withheld"
        panel.text(1.02, position, said, va="center", fontsize=7, transform=panel.get_yaxis_transform())
    panel.text(-0.99, -0.75, "← higher when wrong", fontsize=7, color=style.GREY, va="center")
    panel.text(0.99, -0.75, "higher when right →", fontsize=7, color=style.GREY, va="center", ha="right")
    return fig
