"""A PDF is judged by what it is drawn from: a chart is given exactly what it declares, and uses all of it."""

import dis
import inspect

import pytest

from medattn.base import paths
from medattn.figures.outline import CHARTS
from medattn.reproduce.verify.sources import FIGURES, sources


def test_every_figure_has_its_sources_and_they_are_results():
    assert FIGURES.keys() == {chart.name for chart in CHARTS} and all(FIGURES.values())
    assert sources("reports/figures/sinks.pdf") == FIGURES["sinks"] and sources("reports/figures/other.pdf") == ()
    assert FIGURES["example"] == (paths.EVALUATION.as_posix(), paths.GRIDS_STORE.as_posix())
    assert FIGURES["occlusion"] == ("reports/tables/occlusion.csv", "results/groups/occlusion.csv")


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_a_chart_uses_everything_that_it_declares(chart):
    parameters = list(inspect.signature(chart.draw).parameters)
    assert len(parameters) == len(chart.sources)
    read = {step.argval for step in dis.get_instructions(chart.draw) if step.opname.startswith("LOAD")}
    assert set(parameters) <= read


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_a_chart_reads_no_file_itself(chart):
    """What it draws is what it was given: its module knows no path of a result."""
    module = inspect.getmodule(chart.draw)
    assert not {"paths", "read_csv", "read_results", "open"} & {*vars(module), *chart.draw.__code__.co_names}
    assert module.__name__ == f"medattn.figures.charts.{chart.name}"
