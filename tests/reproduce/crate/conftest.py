"""A repository whose stages have run, as far as the crate is concerned: a small study, and invented outputs."""

import csv
import shutil
from pathlib import Path

import pytest
import yaml

from medattn.base.params.whole import load as load_params
from medattn.phantom.study import write
from medattn.reproduce.crate.stage import declared_stages
from medattn.reproduce.locks import LOCKS
from tests.conftest import make_model
from tests.import_closure import ROOT

PATIENTS = 6
SECRET = "0a1b2c3d-4e5f6071-8293a4b5-c6d7e8f9-00000003"  # names files of results/
INSIDE = {
    "results/captures": "shard-00.safetensors", "results/grids": f"{SECRET}_grid.npy", "results/groups": "questions.csv",
    "results/overlays": f"{SECRET}.png", "results/visualizations": f"{SECRET}.png", "reports/tables": "by_finding.csv",
    "reports/figures": "sinks.pdf", "reports/latex": "values.tex",
}  # fmt: skip


@pytest.fixture(scope="session")
def described(tmp_path_factory) -> Path:
    """Not to be changed."""
    root = tmp_path_factory.mktemp("described")
    write(root / "data", 3, 3, make_model(root / "trained"))
    shutil.rmtree(root / "trained")
    for name in ("params.yaml", "medical_terms.txt", "dvc.yaml", "dvc.lock", "CITATION.cff", "LICENSE", *map(str, LOCKS)):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    for path in (
        path
        for stage in declared_stages(root, load_params(root / "params.yaml"))
        for path in stage.outs
        if path != "ro-crate-metadata.json"
    ):
        file = root / path / INSIDE[path] if path in INSIDE else root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"what {path} holds\n")
    set_patients(root, PATIENTS)
    return root


def set_patients(root: Path, count: int) -> None:
    with (root / "results/manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["subject_id"], *([f"1234500{number}"] for number in range(count))])


@pytest.fixture
def root(described, tmp_path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(described, tmp_path / "repository"))


def make_credentialed(root: Path) -> None:
    about = root / "data/study.yaml"
    about.write_text(about.read_text().replace("licence: open", "licence: credentialed"))


def set_params(root: Path, **changes) -> None:
    raw = yaml.safe_load((root / "params.yaml").read_text()) | changes
    (root / "params.yaml").write_text(yaml.safe_dump(raw))


def tracked_only(root: Path, place: Path) -> Path:
    """A copy without what is not distributed: no study, no results."""
    return Path(shutil.copytree(root, place, ignore=shutil.ignore_patterns("data", "results")))
