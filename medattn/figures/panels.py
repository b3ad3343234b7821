"""Pictures with a radiograph in them: overlays, and all variants of a question side by side.

The patient's left is on the image's right, as radiographs are looked at. Row 0, column 0 of a grid is the top left.
"""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medattn.base.printable import printable
from medattn.figures import style
from medattn.radiographs.reader import Radiograph

CELLS = 256
MOST_LINES = 6  # of a question or an answer in a title
STRONGEST = 0.75  # opacity of the cell with most attention
LEAST_TOP = 2.0  # attention ÷ uniform: weaker maps are not stretched to full strength
MARKS = {"true": "right", "false": "wrong", "": "not asked"}


def show_radiograph(axes: Axes, radiograph: Radiograph) -> None:
    """The radiograph in grey, with the patient's sides marked in a frontal view."""
    height, width = radiograph.pixels.shape
    axes.imshow(radiograph.pixels, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0), interpolation="bilinear")
    for side, x, align in (("R", 0.02, "left"), ("L", 0.98, "right")) if radiograph.frontal else ():
        axes.text(x, 0.02, side, transform=axes.transAxes, color="white", fontsize=7, ha=align, va="bottom")
    axes.set_axis_off()


def show_attention(axes: Axes, radiograph: Radiograph, grid: np.ndarray, top: float | None = None) -> None:
    """The grid [16, 16] over the radiograph: the more a cell has above its even share, the less transparent it is.

    `top` is the attention ÷ uniform that is drawn strongest; a map that is nearly uniform stays nearly invisible.
    """
    height, width = radiograph.pixels.shape
    strength = np.clip((grid * CELLS - 1) / (max(top or highest(grid), LEAST_TOP) - 1), 0, 1)
    axes.imshow(strength, cmap=style.HEAT, vmin=0, vmax=1, alpha=STRONGEST * strength, extent=(0, width, height, 0))


def highest(grid: np.ndarray) -> float:
    """Attention ÷ uniform of the cell with most attention."""
    return float(grid.max() * CELLS)


def outline(axes: Axes, mask: np.ndarray, colour: str, dashed: bool = False) -> None:
    """The border of a mask bool [H, W]."""
    if mask.any() and not mask.all():
        height, width = mask.shape
        grid = np.pad(mask.astype(float), 1)  # a region at the image's edge is closed there
        x, y = np.arange(-0.5, width + 1), np.arange(-0.5, height + 1)
        axes.contour(x, y, grid, levels=[0.5], colors=[colour], linewidths=0.9, linestyles="--" if dashed else "-")
    axes.set_xlim(0, mask.shape[1])
    axes.set_ylim(mask.shape[0], 0)


def caption(row: pd.Series) -> str:
    """Question, answer and truth of a sample, in two lines."""
    question, answer = shortened(row.question, 120), shortened(row.answer, 60)
    return f"“{question}”\nModel: {answer}  ·  truth: {row.ground_truth} ({MARKS[row.correct]})"


def overlay(title: str, radiograph: Radiograph, grid: np.ndarray, finding: str | None = None) -> Figure:
    """One sample: the radiograph and its attention, the true region of `finding` outlined if there is one."""
    height, width = radiograph.pixels.shape
    fig = style.figure(style.COLUMN_MM, style.COLUMN_MM * height / width + 9)
    axes = fig.subplots()
    show_radiograph(axes, radiograph)
    show_attention(axes, radiograph, grid)
    if finding is not None and finding in radiograph.regions:
        outline(axes, radiograph.regions[finding], style.TRUE_REGION)
    axes.set_title(wrapped(title), loc="left", fontsize=7)
    return fig


def shortened(text: str, most: int) -> str:
    """`text` on one line, of at most `most` characters."""
    text = " ".join(printable(text).split())
    return text if len(text) <= most else text[: most - 1] + "…"


def wrapped(text: str, width: int = 62) -> str:
    """`text` with its lines wrapped at `width` characters, none of them longer than MOST_LINES lines."""
    parts = [shortened(part, MOST_LINES * width * 9 // 10) for part in text.split("\n")]
    return "\n".join(line for part in parts for line in textwrap.wrap(part, width))


def variants(rows: pd.DataFrame, radiograph: Radiograph, grids: list[np.ndarray]) -> Figure:
    """All variants of one question on one image, side by side, on one scale of opacity."""
    columns = 3
    lines = -(-len(rows) // columns)
    height, width = radiograph.pixels.shape
    fig = style.figure(style.PAGE_MM, 12 + lines * (57 * height / width + 16))
    top = max(map(highest, grids))
    every = fig.subplots(lines, columns, squeeze=False).ravel()
    for axes, (_, row), grid in zip(every, rows.iterrows(), grids, strict=False):  # the last line of axes may not be full
        show_radiograph(axes, radiograph)
        show_attention(axes, radiograph, grid, top)
        if row.ground_truth == "yes" and row.finding in radiograph.regions:
            outline(axes, radiograph.regions[row.finding], style.TRUE_REGION)
        flipped = row.flip == "true"
        heading = f"{shortened(row.strategy, 40)}{'  —  flipped' if flipped else ''}"
        axes.set_title(
            wrapped("\n".join([heading, f"“{shortened(row.question, 200)}”", f"Model: {shortened(row.answer, 200)}"]), 44),
            loc="left", fontsize=7, color=style.VERMILLION if flipped else style.BLACK,
        )  # fmt: skip
    for axes in every[len(rows) :]:
        axes.set_axis_off()
    first = rows.iloc[0]
    region = "; outlined: the true region" if first.ground_truth == "yes" and first.finding in radiograph.regions else ""
    asked = shortened(f"{first.question_id}: {first.finding}", 100)
    fig.suptitle(f"{asked}, truth {first.ground_truth}{region}", fontsize=8, x=0.01, ha="left")
    return fig
