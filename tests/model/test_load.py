"""Loading reads local files only, and says in one message what to do about a model that is not here or not whole."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from medattn.base.errors import InputError
from medattn.model.load import load, prepare_model
from medattn.model.published_models import MEDGEMMA, MEDGEMMA_1_5
from medattn.phantom import shape
from medattn.study.model_files import local_directory, missing_files
from tests.import_closure import ROOT

# Imported by every Python that finds it: refuses every connection and look-up, and leaves a trace.
NO_NETWORK = """
import os, socket
def refused(*arguments, **more):
    open(os.environ["TRACE"], "a").write(repr(arguments[1:]) + "\\n")
    raise OSError("no network in this test")
socket.socket.connect = socket.socket.connect_ex = refused
socket.getaddrinfo = refused
"""


@pytest.fixture(scope="module")
def saved(tokenizer, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("model")
    shape.save(shape.make_model(tokenizer), shape.make_processor(tokenizer), directory)
    return directory


@pytest.fixture
def model(saved, tmp_path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def ask_without_network(tmp_path: Path, model: str) -> subprocess.CompletedProcess:
    """`medattn ask` in a fresh process: no network, an empty Hugging Face home, none of its switches set."""
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard/sitecustomize.py").write_text(NO_NETWORK)
    Image.new("L", (48, 32), 90).save(tmp_path / "radiograph.png")
    command = [sys.executable, "-m", "medattn", "ask", tmp_path / "radiograph.png", "Is there a nodule?", "--model", model]
    command += ["--device", "cpu", "--out", tmp_path / "out"]
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    more = {"PYTHONPATH": str(tmp_path / "guard"), "HF_HOME": str(tmp_path / "hf"), "TRACE": str(tmp_path / "trace")}
    return subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, env=bare | more)


def put_into_cache(model: Path, home: Path, name: str, revision: str) -> None:
    """`model` as `hf download` leaves it, with that revision as the main branch."""
    place = home / f"hub/models--{name.replace('/', '--')}"
    shutil.copytree(model, place / "snapshots" / revision, symlinks=True)
    (place / "refs").mkdir()
    (place / "refs/main").write_text(revision)


# --- no network -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_local_model_is_loaded_and_asked_without_a_single_connection(model, tmp_path):
    done = ask_without_network(tmp_path, str(model))
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "trace").exists(), (tmp_path / "trace").read_text()


def test_a_cached_model_is_loaded_by_name_without_a_single_connection(model, tmp_path):
    put_into_cache(model, tmp_path / "hf", MEDGEMMA.name, MEDGEMMA.revision)
    done = ask_without_network(tmp_path, MEDGEMMA.name)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "trace").exists(), (tmp_path / "trace").read_text()


def test_a_gated_model_that_is_not_here_is_one_message_with_two_commands_and_exit_code_2(tmp_path):
    name = MEDGEMMA_1_5.name
    done = ask_without_network(tmp_path, name)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == (
        f"medattn: model {name} (revision {MEDGEMMA_1_5.revision}) is not on this machine, and nothing is fetched during a run."
        " Fetch it once; if it is gated, accept its terms on its page first:\n"
        "  hf auth login\n"
        f"  hf download {name} --revision {MEDGEMMA_1_5.revision}\n"
    )
    assert not (tmp_path / "trace").exists() and not (tmp_path / "out").exists()


# --- what is missing --------------------------------------------------------------------------------------------------


def test_the_message_names_the_pinned_revision_and_what_an_interrupted_download_lacks(model, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf/hub"))
    with pytest.raises(InputError) as told:
        load(MEDGEMMA.name, "bfloat16", "cpu", MEDGEMMA.revision)
    commands = f"  hf auth login\n  hf download {MEDGEMMA.name} --revision {MEDGEMMA.revision}"
    assert str(told.value).endswith(commands)
    (model / "model.safetensors").rename(model / "unrelated")
    parts = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    (model / parts["a"]).symlink_to(model / "unrelated")
    (model / parts["b"]).symlink_to(tmp_path / "a blob that never came")
    put_into_cache(model, tmp_path / "hf", MEDGEMMA.name, MEDGEMMA.revision)
    with pytest.raises(InputError) as told:
        load(MEDGEMMA.name, "bfloat16", "cpu", MEDGEMMA.revision)
    assert str(told.value) == (
        f"model {MEDGEMMA.name} (revision {MEDGEMMA.revision}) is not on this machine ({parts['b']} missing), and nothing is"
        f" fetched during a run. Fetch it once; if it is gated, accept its terms on its page first:\n{commands}"
    )


def test_another_revision_than_the_cached_one_is_not_taken_for_it(model, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf/hub"))
    put_into_cache(model, tmp_path / "hf", MEDGEMMA.name, "0" * 40)
    assert local_directory(MEDGEMMA.name, "0" * 40) == local_directory(MEDGEMMA.name, None)
    with pytest.raises(InputError, match=f"revision {MEDGEMMA.revision}\\) is not on this machine, and"):
        local_directory(MEDGEMMA.name, MEDGEMMA.revision)


def test_a_name_that_is_none_is_an_error():
    with pytest.raises(
        InputError, match=r"^model a/b/c is neither a directory nor a Hugging Face name \(owner/name\): fix it$"
    ):
        local_directory("a/b/c", None)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "processor_config.json", "model.safetensors"])
def test_a_directory_that_lacks_a_file_is_an_error_that_names_it(model, name):
    assert missing_files(model) == []
    (model / name).unlink()
    with pytest.raises(InputError) as told:
        load(model, "float32", "cpu")
    assert str(told.value) == f"model {model} is not complete: {name} missing: restore the directory"


def test_a_weight_file_that_lacks_a_tensor_is_an_error_not_a_random_tensor(model):
    tensors = load_file(model / "model.safetensors")
    name = next(name for name in sorted(tensors) if name.endswith("k_proj.weight"))
    del tensors[name]
    save_file(tensors, model / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"the weight files hold [0-9,]+: they do not belong together, or weights are missing"):
        load(model, "float32", "cpu")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_file_cut_short_is_an_input_error(model, name):
    content = (model / name).read_bytes()
    (model / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"cannot be loaded: |is not JSON: "):
        load(model, "float32", "cpu")


def test_a_model_without_chat_template_is_an_error(model):
    (model / "chat_template.jinja").unlink()
    with pytest.raises(InputError, match=r"has no chat template: restore chat_template\.jinja$"):
        load(model, "float32", "cpu")


# --- what cannot be captured ------------------------------------------------------------------------------------------


def test_a_model_that_cannot_be_captured_is_an_input_error_with_a_remedy(tokenizer):
    capped = shape.make_model(tokenizer)
    capped.config.text_config.attn_logit_softcapping = 50.0
    with pytest.raises(InputError) as told:
        prepare_model(capped, torch.device("cpu"))
    assert str(told.value) == (
        "the model caps its attention logits, which capture does not reproduce: set model.id to a Gemma 3 model"
    )
    stretched = shape.make_model(tokenizer).double()
    rope = stretched.model.language_model.rotary_emb.config.rope_parameters["full_attention"]
    rope |= {"rope_type": "yarn", "factor": 8.0}
    with pytest.raises(InputError) as told:
        prepare_model(stretched, torch.device("cpu"))
    assert str(told.value) == (
        "rope type 'yarn' of full_attention layers has no float64 version: set model.dtype to float32 or bfloat16"
    )
