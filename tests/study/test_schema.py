"""Settings resolve from params.yaml over study.yaml; tables are read as text; the model is found and pinned."""

import json
from pathlib import Path

import pytest
import yaml

from medattn.base.errors import InputError
from medattn.base.hashes import hashes_of
from medattn.base.params import whole as parameters
from medattn.base.params.whole import Params
from medattn.study.schema import IMAGE_COLUMNS, read_study, settings
from tests.conftest import make_model, sha256

ROOT = Path(__file__).parents[2]


def params(**changes: dict) -> Params:
    """The repository's params.yaml with nothing set for model and prompt but `changes`."""
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    raw["model"] = dict.fromkeys(raw["model"]) | changes.pop("model", {})
    raw["prompt"] = dict.fromkeys(raw["prompt"]) | changes.pop("prompt", {})
    return parameters.Params.model_validate(raw | changes)


def test_the_study_decides_what_the_parameters_leave_open(study):
    model, prompt = settings(read_study(study), params())
    assert model.model_dump() == {"id": "model", "revision": None, "dtype": "float64", "device": "cpu", "redraw_language": None}
    assert prompt.model_dump() == {
        "system": "", "template": "{question}", "order": "question_first", "max_new_tokens": 24
    }  # fmt: skip


def test_explicit_parameters_win(study):
    model, prompt = settings(
        read_study(study), params(model={"dtype": "float32"}, prompt={"order": "image_first", "system": "Be brief."})
    )
    assert (model.id, model.dtype, model.device) == ("model", "float32", "cpu")
    assert (prompt.order, prompt.system, prompt.template) == ("image_first", "Be brief.", "{question}")


def test_a_setting_that_nobody_gives_is_an_error(study):
    text = (study / "study.yaml").read_text()
    (study / "study.yaml").write_text(text.replace("device: cpu", "device: null"))
    with pytest.raises(InputError, match=r"model\.device is null, and so is defaults\.model\.device of .*study\.yaml"):
        settings(read_study(study), params())


def test_another_model_does_not_inherit_the_studys_revision(study):
    text = (study / "study.yaml").read_text()
    (study / "study.yaml").write_text(text.replace("revision: null", "revision: abc"))
    assert settings(read_study(study), params())[0].revision == "abc"
    assert settings(read_study(study), params(model={"id": "google/medgemma-4b-it"}))[0].revision is None


def test_the_model_is_a_directory_of_the_study_or_a_hugging_face_name(study):
    read = read_study(study)
    assert read.model_location(settings(read, params())[0]) == study / "model"
    assert read.model_location(settings(read, params(model={"id": "someone/model"}))[0]) == "someone/model"
    with pytest.raises(InputError, match="not a directory and this is not a Hugging Face name"):
        read.model_location(settings(read, params(model={"id": "./nowhere"}))[0])


def test_the_pins_of_the_studys_model_are_not_asked_of_another(study):
    make_model(study / "other")
    (study / "other/weights.safetensors").write_bytes(b"other weights")
    read = read_study(study)
    other = settings(read, params(model={"id": "other"}))[0]
    read.check_model(other)
    assert read.model_files(other) == hashes_of(study / "other")
    assert read.model_files() == json.loads((study / "model.json").read_text())["files"] == hashes_of(study / "model")


def test_a_hugging_face_model_that_is_not_here_ends_a_run_with_the_two_commands_that_fetch_it(study):
    read = read_study(study)
    absent = settings(read, params(model={"id": "nobody/no-such-model", "revision": "abc"}))[0]
    with pytest.raises(InputError, match=r"hf auth login\n  hf download nobody/no-such-model --revision abc$"):
        read.check_model(absent)
    assert read.model_files(absent) == {}


def test_a_study_can_be_checked_where_its_hugging_face_model_is_not(study):
    text = (study / "study.yaml").read_text().replace("{id: model, ", "{id: nobody/no-such-model, ")
    (study / "study.yaml").write_text(text)
    read_study(study).check_model()


def test_a_hugging_face_model_that_is_here_is_checked_before_it_is_loaded(study, tmp_path, monkeypatch):
    cached = tmp_path / "hub/models--someone--model"
    snapshot = make_model(cached / "snapshots/abc", image_tokens=64)
    (cached / "refs").mkdir()
    (cached / "refs/main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    read = read_study(study)
    here = settings(read, params(model={"id": "someone/model"}))[0]
    with pytest.raises(InputError, match="mm_tokens_per_image is 64"):
        read.check_model(here)
    assert read.model_files(here) == hashes_of(snapshot)


def test_hashes_are_those_of_the_files(study):
    assert hashes_of(study / "model")["config.json"] == sha256(study / "model/config.json")


def test_images_hold_the_documented_columns(study):
    assert tuple(read_study(study).images()[0]) == IMAGE_COLUMNS


def test_a_second_licence_does_not_switch_the_first_one_off(study):
    path = study / "study.yaml"
    path.write_text(path.read_text().replace("licence: open", "licence: credentialed") + "licence: open\n")
    with pytest.raises(InputError, match=r"study\.yaml, line \d+: key 'licence' is on line \d+, too: remove one of them$"):
        read_study(study)


def test_a_name_that_older_yaml_takes_for_no_is_a_name(study):
    path = study / "study.yaml"
    path.write_text("".join("title: no\n" if line.startswith("title:") else line for line in path.open()))
    assert read_study(study).about.title == "no"
