"""A model's files and a study's digest are pinned exactly, and nothing else in params.yaml changes."""

import difflib
import hashlib
import json
import os
import re
from pathlib import Path

import pytest
import yaml

from medattn.base.errors import InputError
from medattn.base.hashes import hashes_of
from medattn.base.params.whole import load
from medattn.study import pins
from medattn.study.schema import read_study
from tests.conftest import CONFIG
from tests.import_closure import ROOT

DIGEST, OTHER = "a" * 64, "0" * 64  # the second would be read as a number if it were not quoted
COMPLETE = ("config.json", "tokenizer.json", "processor_config.json", "model.safetensors", "deeper/notes.txt")


@pytest.fixture
def params(tmp_path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_bytes((ROOT / "params.yaml").read_bytes())
    return path


def changed_lines(before: bytes, after: bytes) -> list[str]:
    lines = difflib.ndiff(before.decode().splitlines(keepends=True), after.decode().splitlines(keepends=True))
    return [line for line in lines if line[0] in "+-"]


def digests_as(params: Path, block: str) -> bytes:
    """Rewrite params.yaml with `block` in place of its study_digests; the new bytes."""
    text = re.sub(r"study_digests:\n(?:  .*\n)+", block, params.read_text(), count=1)
    params.write_bytes(text.encode())
    return text.encode()


# --- params.yaml ------------------------------------------------------------------------------------------------------


def test_pinning_a_study_adds_one_line_and_changes_no_other_byte(params):
    before, text = params.read_bytes(), params.read_text()
    pins.pin_study(params, params.parent / "studies/mimic-cxr", DIGEST)
    assert changed_lines(before, params.read_bytes()) == [f"+   studies/mimic-cxr: {DIGEST}\n"]
    held = yaml.safe_load(text) | {"study_digests": yaml.safe_load(text)["study_digests"] | {"studies/mimic-cxr": DIGEST}}
    assert yaml.safe_load(params.read_text()) == held
    assert sorted(path.name for path in params.parent.iterdir()) == ["params.yaml"]


def test_pinning_a_study_again_replaces_its_digest_and_twice_the_same_changes_nothing(params):
    digests_as(params, f"study_digests:\n  one: {OTHER!r} # first\n  data: {DIGEST}   # second\n")
    before = params.read_bytes()
    pins.pin_study(params, params.parent / "data", DIGEST)
    assert params.read_bytes() == before
    pins.pin_study(params, params.parent / "data", "b" * 64)
    assert changed_lines(before, params.read_bytes()) == [
        f"-   data: {DIGEST}   # second\n", f"+   data: {'b' * 64}   # second\n",
    ]  # fmt: skip


def test_using_a_study_pins_it_and_sets_the_study_line_and_no_other(params):
    before = params.read_bytes()
    pins.use_study(params, params.parent / "studies/mimic-cxr", DIGEST)
    old = load(ROOT / "params.yaml").study
    assert changed_lines(before, params.read_bytes()) == [
        f"- study: {old}\n", "+ study: studies/mimic-cxr\n", f"+   studies/mimic-cxr: {DIGEST}\n",
    ]  # fmt: skip
    assert load(params).study == "studies/mimic-cxr"


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("study_digests: {}\n", "study_digests: {new: DIGEST}\n"),
        ("study_digests: { } # none yet\n", "study_digests: {new: DIGEST} # none yet\n"),
        ("study_digests: {one: x}  # one\n", "study_digests: {one: x, new: DIGEST}  # one\n"),
        ("study_digests: {one: x, }\n", "study_digests: {one: x, new: DIGEST, }\n"),
        ("study_digests: {\n  one: x # a }\n  }\n", "study_digests: {\n  one: x, new: DIGEST # a }\n  }\n"),
        ("study_digests:\n    one: 'x' # a: b\n\n# next\n", "study_digests:\n    one: 'x' # a: b\n    new: DIGEST\n\n# next\n"),
    ],
)  # fmt: skip
def test_the_digests_may_be_written_in_lines_or_braces(params, block, expected):
    before = digests_as(params, block)
    pins.pin_study(params, params.parent / "new", DIGEST)
    assert params.read_bytes() == before.replace(block.encode(), expected.replace("DIGEST", DIGEST).encode())
    assert load(params).study_digests["new"] == DIGEST


def test_line_endings_and_a_missing_last_newline_stay_as_they_are(params):
    windows = params.read_bytes().replace(b"\n", b"\r\n")
    params.write_bytes(windows)
    pins.pin_study(params, params.parent / "new", DIGEST)
    assert changed_lines(windows, params.read_bytes()) == [f"+   new: {DIGEST}\r\n"]
    text = digests_as(params, "").replace(b"\r\n", b"\n").rstrip()
    params.write_bytes(re.sub(rb"study_digests:\n(?:  .*\n)+", b"", text) + b"\nstudy_digests:\n  one: x")
    before = params.read_bytes()
    pins.pin_study(params, params.parent / "new", DIGEST)
    assert params.read_bytes() == before + f"\n  new: {DIGEST}\n".encode()


def test_names_and_digests_that_yaml_would_read_as_something_else_are_quoted(params):
    for name in ("no", "2024", "a: b", "x #y", "ö", "-dash", "null"):
        pins.use_study(params, params.parent / name, OTHER)
        read = load(params)
        assert read.study == name and read.study_digests[name] == OTHER


def test_a_study_outside_is_named_in_full_and_one_inside_by_its_relative_path(params, monkeypatch):
    outside = params.parent.parent / "elsewhere"
    assert pins.study_name(params, outside) == outside.as_posix()
    monkeypatch.chdir(params.parent)
    assert pins.study_name(Path("params.yaml"), Path("./studies/../data/")) == "data"
    pins.use_study(Path("params.yaml"), outside, DIGEST)
    assert load(params).study == outside.as_posix()


def test_params_that_are_not_valid_stay_as_they_are(params):
    params.write_text(params.read_text().replace("allow_unpinned", "allow_unpined"))
    before = params.read_bytes()
    with pytest.raises(InputError, match="allow_unpined: Extra inputs are not permitted"):
        pins.pin_study(params, params.parent / "new", DIGEST)
    assert params.read_bytes() == before


# --- model.json -------------------------------------------------------------------------------------------------------


def complete(directory: Path) -> Path:
    for name in COMPLETE:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(json.dumps(CONFIG) if name == "config.json" else name)
    return directory


def ask(study: Path, model: str, revision: str | None) -> None:
    path = study / "study.yaml"
    about = yaml.safe_load(path.read_text())
    about["defaults"]["model"] |= {"id": model, "revision": revision}
    path.write_text(yaml.safe_dump(about))


def test_every_file_of_the_models_directory_is_pinned_and_then_accepted(study):
    complete(study / "model")
    (study / "model.json").unlink()
    made = pins.pin_model(study)
    by_hand = {
        path.relative_to(study / "model").as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (study / "model").rglob("*")
        if path.is_file()
    }
    assert made.files == by_hand == hashes_of(study / "model") and made.revision is None
    assert json.loads((study / "model.json").read_text()) == {"revision": None, "files": by_hand}
    read_study(study).check_model()
    once = (study / "model.json").read_bytes()
    pins.pin_model(study)
    assert (study / "model.json").read_bytes() == once


def test_a_model_in_the_hugging_face_cache_is_pinned_at_its_revision(study, tmp_path, monkeypatch):
    name, revision = "google/medgemma-4b-it", "f" * 40
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    ask(study, name, revision)
    with pytest.raises(InputError, match=f"hf download {name} --revision {revision}"):
        pins.pin_model(study)
    blobs = complete(tmp_path / "hub/models--google--medgemma-4b-it/blobs")
    snapshot = tmp_path / "hub/models--google--medgemma-4b-it/snapshots" / revision
    for file in COMPLETE:  # the cache holds links
        (snapshot / file).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / file).symlink_to(os.path.relpath(blobs / file, (snapshot / file).parent))
    made = pins.pin_model(study)
    assert made.revision == revision and made.files == hashes_of(blobs)
    read_study(study).check_model()


def test_a_model_that_cannot_be_pinned_leaves_model_json_alone(study):
    before = (study / "model.json").read_bytes()
    with pytest.raises(InputError) as told:  # the study's stand-in model lacks files
        pins.pin_model(study)
    assert str(told.value) == (
        f"model {study / 'model'} is not complete: model.safetensors, processor_config.json, tokenizer.json missing: restore"
        " the directory"
    )
    ask(study, "google/medgemma-4b-it", None)
    with pytest.raises(InputError) as told:
        pins.pin_model(study)
    assert str(told.value) == (
        f"{study / 'study.yaml'}: defaults.model.revision is null: google/medgemma-4b-it may change; name the commit to pin"
    )
    assert (study / "model.json").read_bytes() == before
