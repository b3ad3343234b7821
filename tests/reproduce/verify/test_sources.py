"""A PDF is judged by its source table, so the list of tables must be what each figure really reads."""

from collections.abc import Mapping
from dataclasses import fields

import pytest

from medattn.base import paths
from medattn.figures import stage as figures
from medattn.figures.catalogue import CHARTS
from medattn.figures.inputs import Results, read_results
from medattn.metrics.stage import run as run_metrics
from medattn.radiographs.films import Films
from medattn.reproduce.verify.sources import FIGURES, sources
from medattn.study.schema import read_study
from tests.metrics.conftest import make_params, make_root

READ: set[str] = set()


class Watched(dict):
    """Tables that note which of them is read."""

    def __init__(self, directory, tables: Mapping) -> None:
        super().__init__(tables)
        self.directory = directory

    def __getitem__(self, name):
        READ.add((self.directory / f"{name}.csv").as_posix())
        return super().__getitem__(name)


class WatchedResults(Results):
    def __getattribute__(self, name):
        if name in ("evaluation", "grids"):
            READ.add({"evaluation": paths.EVALUATION, "grids": paths.GRIDS_STORE}[name].as_posix())
        return super().__getattribute__(name)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = make_root(tmp_path_factory.mktemp("sources"))
    run_metrics(make_params(), root)
    results = read_results(root)
    held = {field.name: getattr(results, field.name) for field in fields(results)}
    held |= {"tables": Watched(paths.TABLES, results.tables), "groups": Watched(paths.GROUPS, results.groups)}
    return root, WatchedResults(**held)


def test_every_figure_has_its_sources():
    assert FIGURES.keys() == {chart.name for chart in CHARTS} | {"example"}
    assert sources("reports/figures/sinks.pdf") == FIGURES["sinks"] and sources("reports/figures/other.pdf") == ()


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_a_chart_reads_its_sources_and_nothing_else(drawn, chart):
    READ.clear()
    chart.draw(drawn[1])
    assert set(FIGURES[chart.name]) == READ


def test_the_example_reads_its_sources_and_a_radiograph(drawn, tmp_path):
    root, results = drawn
    params = make_params()
    READ.clear()
    figures._example(results, Films(read_study(root / params.study)), params, tmp_path, [])
    assert set(FIGURES["example"]) == READ
