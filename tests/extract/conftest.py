"""A small study with an untrained model, and extraction run on it: in this process, or as the command in others."""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from medattn import prepare
from medattn.base import paths
from medattn.base.params.whole import Params
from medattn.extract import stage
from medattn.extract.ranks import WorkerGroup
from medattn.phantom import shape
from medattn.phantom.study import write
from medattn.phantom.training import learn_tokenizer
from medattn.study.schema import read_study
from tests.clones import hears_interrupts
from tests.import_closure import ROOT

ALONE = WorkerGroup(0, 1, None, {})
IMAGES = 3
CONDITIONS = {  # one of each kind, so that the files stay few
    "clean": {"variants": "all"},
    "no_image": {"variants": "all"},
    "gaussian_noise": {"variants": "baseline", "strengths": [0.1, 0.2]},
    "blank": {"variants": "baseline"},
    "shuffled_image": {"variants": "baseline"},
    "occlude_region": {"variants": "baseline"},
}
# Of every image: clean (for its own question and as a donor), two of noise, one with the finding's region hidden (all three
# findings are there); of every question: six variants without an image, and a blank one.
UNITS = IMAGES * (4 + 6 + 1)


def raw_settings(**run: object) -> dict:
    """params.yaml of the small study; `run` changes its section run."""
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    raw |= {"study": "data", "study_digests": {}, "allow_unpinned": True, "conditions": CONDITIONS}
    raw["prompt"]["max_new_tokens"] = raw["extract"]["generated_rows"] + 1
    raw["run"] |= run
    return raw


def settings(**run: object) -> Params:
    return Params.model_validate(raw_settings(**run))


@pytest.fixture(scope="session")
def pristine(tmp_path_factory) -> Path:
    """The study of three images with its manifest. Not to be changed."""
    root = tmp_path_factory.mktemp("extract")
    tokenizer = learn_tokenizer()
    shape.save(shape.make_model(tokenizer), shape.make_processor(tokenizer), root / "model")
    write(root / "data", IMAGES, 1, root / "model")
    prepare.run(settings(), root)
    return root


@pytest.fixture(scope="session")
def undisturbed(pristine, tmp_path_factory) -> dict[str, bytes]:
    """Every output of one run from beginning to end, without the cache."""
    root = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("undisturbed") / "root"))
    with pytest.MonkeyPatch.context() as patch:
        return extracted(root, patch, "off")


@pytest.fixture
def root(pristine, tmp_path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(pristine, tmp_path / "root"))


@pytest.fixture
def checkout(root) -> Path:
    """The same with the code and params.yaml beside it, for the command itself."""
    shutil.copytree(ROOT / "medattn", root / "medattn", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", root)
    set_run(root)
    return root


def set_run(root: Path, **run: object) -> None:
    (root / paths.PARAMS).write_text(yaml.safe_dump(raw_settings(**run)))


def manifest(root: Path) -> list[dict[str, str]]:
    with (root / paths.MANIFEST).open(newline="") as file:
        return list(csv.DictReader(file))


def outputs(directory: Path) -> dict[str, bytes]:
    """Name -> bytes of what extract leaves in a directory of results."""
    files = [*directory.glob("captures/*"), directory / "answers.csv", directory / "failures.csv"]
    return {path.name: path.read_bytes() for path in sorted(files)}


def extracted(root: Path, monkeypatch, switch: str, params: Params | None = None) -> dict[str, bytes]:
    """Outputs of the stage, run in this process with MEDATTN_CACHE=`switch`."""
    monkeypatch.setenv("MEDATTN_CACHE", switch)
    monkeypatch.chdir(root)
    stage.run(read_study(root / "data"), params or settings(), ALONE, root / paths.MANIFEST, root / "out")
    return outputs(root / "out")


def units(root: Path) -> list[Path]:
    return sorted((root / paths.RUN / "units").iterdir())


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"} | more


def command(root: Path, *launcher: str, **more: str) -> subprocess.CompletedProcess:
    """`python -m medattn extract` in `root`, behind a launcher if there is one."""
    run = [sys.executable, *launcher, "-m", "medattn", "extract"]
    return subprocess.run(run, cwd=root, env=environment(**more), capture_output=True, text=True, timeout=600)


Started = Callable[..., subprocess.Popen]


@pytest.fixture
def started() -> Started:
    """Starts the command and ends it with the test, whatever happens."""
    running: list[subprocess.Popen] = []

    def start(root: Path, *launcher: str, **more: str) -> subprocess.Popen:
        running.append(
            subprocess.Popen(
                [sys.executable, *launcher, "-m", "medattn", "extract"], cwd=root, env=environment(**more),
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hears_interrupts,
            )
        )  # fmt: skip
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()
