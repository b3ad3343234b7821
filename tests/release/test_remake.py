"""Reports are made again from a run's own results, byte by byte; a radiograph in a chart's place is not what they make."""

from pathlib import Path

import pytest

from medattn.figures import stage as figures
from medattn.metrics import stage as metrics
from medattn.release import remake
from tests.metrics.conftest import make_params, make_root
from tests.release.conftest import radiograph

AGAIN = f"is not what this run's own results make: {remake.REMEDY}"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = make_root(tmp_path_factory.mktemp("run"))
    params = make_params()
    params = params.model_copy(update={"figures": params.figures.model_copy(update={"dpi": 72})})
    metrics.run(params, root)
    figures.run(params, root)
    (root / remake.CRATE).write_text("{}")
    return root, params


def files(root: Path) -> dict[str, bytes]:
    below = {path.relative_to(root).as_posix(): path.read_bytes() for path in (root / "reports").rglob("*") if path.is_file()}
    return below | {remake.CRATE.as_posix(): (root / remake.CRATE).read_bytes()}


def test_a_run_makes_its_reports_again_and_nothing_else_passes_for_one(run, monkeypatch):
    root, params = run
    monkeypatch.setattr(remake, "described", lambda root: b"{}")
    before = files(root)
    assert len(before) > 40
    assert remake.differences(root, params, before) == []
    planted = {
        "reports/figures/sinks.png": radiograph(),
        "reports/figures/sinks.pdf": before["reports/figures/sinks.pdf"].replace(b"%%EOF", b"% p12345003\n%%EOF"),
        "reports/tables/by_finding.csv": before["reports/tables/by_finding.csv"].replace(b"all,", b"all ,"),
        "reports/index.html": before["reports/index.html"].replace(b"<main", b"<main title='x'"),
        "reports/latex/values.tex": before["reports/latex/values.tex"] + b"\n",
        "reports/metrics.json": b"{}",
        "ro-crate-metadata.json": b"[]",
        "reports/film.png": radiograph(),
    }
    assert sorted(remake.differences(root, params, before | planted)) == sorted(f"{name}: {AGAIN}" for name in planted)
    assert files(root) == before and not list((root / "results/run").iterdir())
