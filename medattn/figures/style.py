"""One look for every figure, and the same bytes on every run.

Sizes are a journal's columns, so text stays 7 to 8 points in print. Colours are Okabe and Ito's, which people with any
common colour vision tell apart; maps of attention use a perceptually uniform map, maps of ratios a diverging one.
"""

import io
import re
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogFormatterSciNotation
from PIL import Image

from medattn.base.printable import printable

COLUMN_MM, PAGE_MM = 85, 180  # one column, and the width of a page
MM = 1 / 25.4
PDF_DPI = 150
SMALL_COLOURS = 128

BLACK, ORANGE, SKY, GREEN, BLUE, VERMILLION = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00",
)  # fmt: skip
GREY = "#6B6B6B"
COLOURS, MARKERS = (BLUE, ORANGE, GREEN, VERMILLION, SKY, BLACK), "os^DvP*X"  # of findings, in alphabetical order
ATTENTION = "inferno"
HEAT = LinearSegmentedColormap.from_list("heat", matplotlib.colormaps["inferno"](range(110, 256)))  # seen over black
RATIO = "PuOr_r"
TRUE_REGION, BODY = SKY, GREEN  # outlines over grey radiographs and over the attention map

SETTINGS: dict[Any, object] = {  # Any: Matplotlib lists the names that it knows as a type
    "font.family": "DejaVu Sans",  # comes with Matplotlib: the same glyphs everywhere
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.0,
    "image.interpolation": "nearest",
    "figure.constrained_layout.use": True,
    "text.parse_math": False,  # a question, an answer, a name may hold "$"; powers are written by power_of_ten
    "pdf.compression": 0,  # the system's zlib differs between machines
    "pdf.fonttype": 42,  # TrueType, so that text in the PDF stays text
    "svg.hashsalt": "medattn",
}
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
NO_DATES = {"CreationDate": None, "Producer": None, "Creator": None}


def figure(width_mm: float, height_mm: float) -> Figure:
    """An empty figure of this size with the project's settings."""
    plt.rcdefaults()
    plt.rcParams.update(SETTINGS)
    return plt.figure(figsize=(width_mm * MM, height_mm * MM))


def power_of_ten(exponent: int) -> str:
    """10⁻³, without mathematical markup."""
    return f"10{str(exponent).translate(SUPERSCRIPTS)}"


class PowersOfTen(LogFormatterSciNotation):
    """Matplotlib's labels of a logarithmic axis, without mathematical markup."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        label = super().__call__(x, pos)
        label = re.sub(r"10\^\{(-?\d+)\}", lambda power: power_of_ten(int(power[1])), label)
        return re.sub(r"\$|\\mathdefault|[{}]", "", label).replace(r"\times", "×")


def _make_printable(fig: Figure) -> None:
    """Write what a font cannot show, and what turns or hides other text, as codes; label logarithmic axes without markup."""
    for axis in (axis for axes in fig.axes for axis in (axes.xaxis, axes.yaxis)):
        for ticker in (axis.major, axis.minor):
            if type(ticker.formatter) is LogFormatterSciNotation:
                plain = PowersOfTen(labelOnlyBase=ticker.formatter.labelOnlyBase)
                plain.set_axis(axis)
                ticker.formatter = plain
    for text in fig.findobj(Text):
        if text.get_text() != (shown := printable(text.get_text())):
            text.set_text(shown)


def save(fig: Figure, path: Path, dpi: int) -> None:
    """Write `path` (.png or .pdf) without date, producer or version."""
    _make_printable(fig)
    metadata = NO_DATES if path.suffix == ".pdf" else {"Software": None}
    fig.savefig(path, dpi=dpi, metadata=metadata)


def annotate(fig: Figure, note: str) -> None:
    """The run's note below the figure, so that it stays with a copy; nothing is changed without one."""
    if note:
        fig.supxlabel(note, fontsize=6, color=GREY, x=0.99, ha="right")


def small_png(fig: Figure, dpi: int) -> bytes:
    """The figure as a PNG of SMALL_COLOURS colours, a third of the size of one with all."""
    _make_printable(fig)
    content, small = io.BytesIO(), io.BytesIO()
    fig.savefig(content, format="png", dpi=dpi)
    with Image.open(content) as image:
        image.convert("RGB").quantize(SMALL_COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


def save_both(fig: Figure, directory: Path, name: str, dpi: int) -> None:
    """Write {name}.png and {name}.pdf, and close the figure. Pictures inside the PDF are PDF_DPI: they are uncompressed."""
    save(fig, directory / f"{name}.png", dpi)
    save(fig, directory / f"{name}.pdf", PDF_DPI)
    plt.close(fig)


def letter(axes: Axes, text: str) -> None:
    """The panel's letter, above its top left corner."""
    axes.set_title(text, loc="left", fontweight="bold", fontsize=8)
