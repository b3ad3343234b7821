"""A repository's root that is ready for a run, but for history and results."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from medattn.checks.study_check import digest
from medattn.phantom.study import write
from tests.conftest import CONFIG
from tests.import_closure import ROOT


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """A study with a model that is complete as far as files go."""
    directory = tmp_path_factory.mktemp("doctor")
    model = directory / "trained"
    model.mkdir()
    config = CONFIG | {"text_config": {"num_hidden_layers": 6, "num_attention_heads": 8}}
    for name in ("tokenizer.json", "processor_config.json"):
        (model / name).write_text("{}")
    (model / "config.json").write_text(json.dumps(config))
    header = json.dumps({"a": {"dtype": "F32", "shape": [1000], "data_offsets": [0, 4000]}}).encode()
    (model / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 4000)
    write(directory / "data", 4, 3, model)
    return directory / "data"


@pytest.fixture
def root(made, tmp_path) -> Path:
    """What a repository's root has: everything for a run, no history and no results."""
    shutil.copytree(made, tmp_path / "data")
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    for name in ("params.yaml", "pyproject.toml", "dvc.yaml", "medical_terms.txt"):
        shutil.copy(ROOT / name, tmp_path)
    set_params(tmp_path, study_digests={"data": digest(tmp_path / "data")})
    return tmp_path


def set_params(root: Path, **changes) -> None:
    raw = yaml.safe_load((root / "params.yaml").read_text()) | changes
    (root / "params.yaml").write_text(yaml.safe_dump(raw))
