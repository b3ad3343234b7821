"""Which layers and heads look at the finding: relative attention in the true region, per layer and query head."""

import numpy as np
import pandas as pd
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from medattn.disclosure.suppression import SUPPRESSED
from medattn.figures import style
from medattn.figures.columns import PROFILE, numbers
from medattn.figures.declarations import Chart, table

FEW_LAYERS = 12  # up to here the numbers fit into the cells


def draw(layer_head: pd.DataFrame, profiles: pd.DataFrame) -> Figure:
    """Heat map, logarithmic colours centred at chance (1); dots mark the layers that the decision profile uses."""
    layer_head = layer_head[layer_head.finding == "all"]
    layer, head = numbers(layer_head.layer).astype(int), numbers(layer_head["head"]).astype(int)
    values = numbers(layer_head.region_enrichment)
    layers, heads = layer.max() + 1, head.max() + 1
    fig = style.figure(style.COLUMN_MM, min(24 + 6.5 * layers, 160))
    axes = fig.subplots()
    if values.isna().all():
        why = "too few patients with a true region" if SUPPRESSED in set(layer_head.n) else "no true region among the samples"
        axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center")
        axes.set_axis_off()
        return fig
    enrichment = np.zeros((layers, heads))
    enrichment[layer, head] = values
    shown = np.log2(np.maximum(enrichment, 2.0**-6))
    reach = max(1.0, np.ceil(np.abs(shown).max()))
    image = axes.imshow(shown, cmap=style.RATIO, norm=TwoSlopeNorm(0, -reach, reach), aspect="auto")
    if layers <= FEW_LAYERS:
        for (row, column), value in np.ndenumerate(enrichment):
            strong = abs(shown[row, column]) > 0.6 * reach
            text = f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color="white" if strong else "black")
    groups = numbers(layer_head.key_value_group).astype(int).max() + 1
    for edge in range(1, groups):
        axes.axvline(edge * heads / groups - 0.5, color="black", linewidth=0.6)
    used = _used_layers(profiles, layers)
    axes.set_yticks(range(layers), [f"{'● ' if number in used else ''}{number}" for number in range(layers)])
    axes.set_xticks(range(heads))
    axes.set_xlabel("query head (lines part the key/value groups)")
    axes.set_ylabel(f"layer (● used by “{PROFILE}”)")
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    ticks = np.arange(-reach, reach + 1, max(1, reach // 3))
    bar = fig.colorbar(image, ax=axes, ticks=ticks, pad=0.02)
    bar.ax.set_yticklabels([f"{2.0**tick:g}" if tick >= 0 else f"1/{2.0**-tick:g}" for tick in ticks])
    bar.set_label("attention in the true region ÷ its area")
    axes.set_title(
        f"questions: {layer_head.n.iloc[0]}, patients: {layer_head.patients.iloc[0]}; 1 = chance", loc="left", fontsize=7
    )
    return fig


def _used_layers(profiles: pd.DataFrame, count: int) -> set[int]:
    layers = profiles.loc[profiles.profile == PROFILE, "layers"].iloc[0]
    return {int(number) % count for number in layers.split()}


CHART = Chart(
    "layer_head",
    "Attention in the true region by layer and head",
    "Attention in the true region ÷ its area for every layer and query head at the last prompt token; 1 is chance. Dots"
    " mark the layers that the grids are made of, on which the hypotheses are decided. This alone does not show that the"
    " question sends attention there: see other_finding_enrichment in the table. Descriptive: no head was picked and tested"
    " on the same data.",
    "Heat map of relative attention in the true region by layer and query head.",
    (table("layer_head"), table("profiles")),
    draw,
)
