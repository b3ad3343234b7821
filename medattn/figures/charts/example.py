"""One question with its radiograph, and where the model looks: the first sample that the rules of params.yaml choose."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from medattn.base.params.figures import Examples
from medattn.figures import examples, panels, style
from medattn.figures.declarations import GRIDS, RADIOGRAPHS, RULES, SAMPLES, Chart
from medattn.radiographs.reader import Radiograph


def draw(
    clean: pd.DataFrame, grids: Mapping[str, np.ndarray], radiograph_of: Callable[[str], Radiograph], rules: Sequence[Examples]
) -> Figure | None:
    """(a) radiograph with its body mask and the true region, (b) the 16×16 grid, (c) the overlay; None without a sample."""
    row = examples.first_with_region(clean, rules)
    if row is None:
        return None
    radiograph, grid = radiograph_of(row.image_id), grids[row.sample_id]
    fig = style.figure(style.PAGE_MM, 72)
    left, middle, right = fig.subplots(1, 3)
    region = radiograph.regions.get(row.finding) if row.ground_truth == "yes" else None

    panels.show_radiograph(left, radiograph)
    panels.outline(left, radiograph.body, style.BODY, dashed=True)
    handles = [Line2D([], [], color=style.BODY, linestyle="--", label="body mask")]
    panels.show_radiograph(right, radiograph)
    panels.show_attention(right, radiograph, grid)
    if region is not None:
        for axes in (left, right):
            panels.outline(axes, region, style.TRUE_REGION)
        handles.append(Line2D([], [], color=style.TRUE_REGION, label=f"true {row.finding}"))
    height, width = radiograph.pixels.shape
    shown = middle.imshow(grid * panels.CELLS, cmap=style.ATTENTION, vmin=0, extent=(0, width, height, 0))
    if region is not None:
        panels.outline(middle, region, style.TRUE_REGION)
    middle.set_xticks([]), middle.set_yticks([])
    fig.colorbar(shown, ax=middle, shrink=0.8, pad=0.02, label="attention ÷ uniform")
    for axes, text in ((left, "a  radiograph"), (middle, "b  attention, 16 × 16"), (right, "c  overlay (above uniform)")):
        axes.set_title(text, loc="left")
    fig.legend(handles=handles, loc="outside lower center", ncols=2)
    fig.suptitle(panels.caption(row), fontsize=8, x=0.01, ha="left")
    return fig


CHART = Chart(
    "example",
    "One question, and where the model looks",
    "(a) The radiograph, body mask dashed, true region outlined. (b) Attention of the last prompt token on the 16 × 16 image"
    " tokens, as a multiple of an even spread. (c) What exceeds an even spread, over the radiograph. The patient's left is on"
    " the right.",
    "A chest radiograph with body mask and true region, its attention map, and both overlaid.",
    (SAMPLES, GRIDS, RADIOGRAPHS, RULES),
    draw,
)
