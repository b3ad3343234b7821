"""What each figure is drawn from. A PDF is judged by these files: the same table always gives the same drawing."""

from pathlib import PurePosixPath

from medattn.figures.outline import CHARTS

FIGURES = {chart.name: chart.files for chart in CHARTS}


def sources(path: str) -> tuple[str, ...]:
    """The files that a PDF of the figures is drawn from; none for a figure that nobody knows."""
    return FIGURES.get(PurePosixPath(path).stem, ())
