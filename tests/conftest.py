"""A small phantom study with a stand-in for its model, and ways to spoil a copy of it."""

import csv
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from medattn.base.tables import replaced_files
from medattn.phantom.study import write
from medattn.radiographs.bodies import Bodies
from medattn.radiographs.survey import Survey
from medattn.study.schema import read_study

IMAGES, SEED = 8, 3
CONFIG = {"model_type": "gemma3", "text_config": {"num_hidden_layers": 6}, "vision_config": {"patch_size": 14}}


def make_model(directory: Path, image_tokens: int = 256) -> Path:
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps(CONFIG | {"mm_tokens_per_image": image_tokens}))
    (directory / "weights.safetensors").write_bytes(b"weights")
    return directory


@pytest.fixture(scope="session")
def pristine(tmp_path_factory) -> Path:
    """The study; not to be changed."""
    directory = tmp_path_factory.mktemp("study")
    write(directory / "data", IMAGES, SEED, make_model(directory / "trained"))
    return directory / "data"


@pytest.fixture
def study(pristine, tmp_path) -> Path:
    """A copy of the study that a test may change."""
    return Path(shutil.copytree(pristine, tmp_path / "data"))


def surveyed(study: Path, directory: Path) -> Bodies:
    """What prepare leaves in results/bodies, here in `directory`."""
    opened = read_study(study)
    with replaced_files(directory) as part:
        survey = Survey(opened, None, 1, part)
        survey.images(opened.images())
        survey.regions(opened.regions())
    return Bodies(directory)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def change(path: Path, edit: Callable[[list[dict]], object]) -> None:
    """Rewrite a table after `edit` has changed its rows in place."""
    rows = read(path)
    edit(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
