"""One image, one question, no study: with a real, untrained model of the phantom's shape."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from medattn.phantom import shape
from medattn.phantom.cases import make_case
from medattn.phantom.training import learn_tokenizer
from tests.import_closure import ROOT


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    tokenizer = learn_tokenizer()
    shape.save(shape.make_model(tokenizer), shape.make_processor(tokenizer), directory)
    return directory


def ask(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "medattn", "ask", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True
    )


def test_a_question_gives_answer_margin_grid_and_overlay(model, tmp_path):
    radiograph = tmp_path / "radiograph.png"
    Image.fromarray(make_case(5, 0, 0).radiograph.image).save(radiograph)
    done = ask(radiograph, "Is there a nodule?", "--model", model, "--out", tmp_path / "out", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "answer:" in done.stdout and "margin:" in done.stdout
    grid = np.load(tmp_path / "out/radiograph_grid.npy", allow_pickle=False)
    assert grid.shape == (16, 16) and grid.dtype == np.float32 and grid.sum() == pytest.approx(1, abs=1e-5)
    about = json.loads((tmp_path / "out/radiograph_answer.json").read_text())
    assert about["terms"] == ["nodule"] and 0 < about["image_mass"] < 1
    with Image.open(tmp_path / "out/radiograph_overlay.png") as overlay:
        assert overlay.width > 300


@pytest.mark.parametrize(
    ("make", "question", "more", "message"),
    [
        (None, "Is there a nodule?", [], "not found"),
        (lambda path: path.write_bytes(b""), "Is there a nodule?", [], "zero bytes"),
        (lambda path: Image.new("RGBA", (32, 32)).save(path), "Is there a nodule?", [], "mode RGBA"),
        (lambda path: Image.new("L", (32, 32)).save(path), "  ", [], "the question is empty"),
        (lambda path: Image.new("L", (32, 32)).save(path), "A nodule?", ["--profile", "nice"], "'nice' is not in params.yaml"),
        (lambda path: Image.new("L", (32, 32)).save(path), "A nodule?", ["--model", "./nowhere"], "not a directory"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(tmp_path, make, question, more, message):
    path = tmp_path / "radiograph.png"
    if make:
        make(path)
    done = ask(path, question, "--out", tmp_path / "out", *(more or ["--model", tmp_path]))
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
