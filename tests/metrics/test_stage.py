"""The metrics stage as a whole: same bytes, no stale file, small studies, and messages for bad input."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.metrics.stage import run
from tests.metrics.conftest import make_params, make_root

OUTPUTS = (paths.GRIDS, paths.GROUPS, paths.TABLES, paths.EVALUATION, paths.METRICS)


def contents(root: Path) -> dict[str, bytes]:
    outputs = [root / output for output in OUTPUTS]
    files = [path for output in outputs for path in ([output] if output.is_file() else output.iterdir())]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_a_second_run_gives_the_same_bytes_and_leaves_no_stale_file(root, done):
    (root / paths.GRIDS).mkdir(parents=True)
    (root / paths.GRIDS / "old_grid.npy").write_bytes(b"stale")
    run(make_params(), root)
    assert contents(root) == contents(done)
    assert not list(root.rglob("*.part"))


def test_a_grid_and_its_meta_are_written_exactly_for_the_samples_that_have_one(done):
    manifest = pd.read_csv(done / paths.MANIFEST).query("condition == 'clean'")
    names = {path.name for path in (done / paths.GRIDS).iterdir()}
    assert names == {f"{sample}_{kind}" for sample in manifest["sample_id"] for kind in ("grid.npy", "meta.json")}
    grid = np.load(done / paths.GRIDS / "q1-v0-clean_grid.npy")
    assert grid.dtype == np.float32 and grid.shape == (16, 16) and grid.sum() == pytest.approx(1, abs=1e-5)


def test_the_meta_file_is_the_samples_row_and_how_its_grid_was_made(done):
    meta = json.loads((done / paths.GRIDS / "q1-v1-clean_meta.json").read_text())
    assert meta["flip"] is False and meta["variant_index"] == 1 and meta["finding"] == "pleural effusion"
    assert meta["sinks"] == {"cells": [85], "computed": True, "mass": 0.01, "position": None}
    assert meta["terms"]["original"] == ["pleural effusion"] and meta["profiles"]["original"]["gating"] is True
    x0, y0, x1, y1 = meta["body_box"]
    assert [x0, y0, x1, y1] == pytest.approx([12 / 64, 6 / 48, 52 / 64, 1], abs=0.05)


@pytest.mark.parametrize("images", [("i1",), ("i3",), ("i1", "i4")])
def test_a_study_of_one_or_two_images_gives_empty_intervals_and_no_crash(tmp_path, images):
    root = make_root(tmp_path, images)
    run(make_params(), root)
    strategies = pd.read_csv(root / paths.TABLES / "by_strategy.csv")
    assert (strategies["n"] == len(images)).all() and strategies["few_patients"].all()
    assert strategies["js_low"].isna().all()
    assert ((strategies["accuracy_high"] - strategies["accuracy_low"]) > 0.5).all()


def test_a_profile_without_sinks_reports_every_metric_with_them_too(tmp_path):
    root = make_root(tmp_path, sinks="zero")
    run(make_params("zero"), root)
    rows = pd.read_csv(root / paths.EVALUATION, index_col="sample_id")
    assert rows.columns[-1] == "decision_with_sinks_js_to_clean"
    assert rows.loc["q1-v0-clean", "decision_entropy"] != rows.loc["q1-v0-clean", "decision_with_sinks_entropy"]
    profiles = pd.read_csv(root / paths.TABLES / "profiles.csv").set_index("profile")
    assert profiles.loc["decision", "sink_share"] == 0 < profiles.loc["decision_with_sinks", "sink_share"]


def test_no_image_is_opened(root):
    run(make_params(), root)
    before = contents(root)
    shutil.rmtree(root / "data/images")
    shutil.rmtree(root / "data/masks")
    run(make_params(), root)
    assert contents(root) == before


def without_bodies(root: Path) -> None:
    for path in (root / paths.BODIES).glob("bodies-*"):
        path.unlink()


def damage_bodies(root: Path) -> None:
    for path in (root / paths.BODIES).iterdir():
        path.write_bytes(path.read_bytes()[:100])


def drop_answer(root: Path) -> None:
    path = root / paths.ANSWERS
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / paths.MANIFEST).unlink(), r"manifest.csv not found: run `dvc repro prepare`"),
        (lambda root: (root / paths.GRIDS_STORE).unlink(), r"grids.safetensors not found: run `dvc repro aggregate`"),
        (lambda root: shutil.rmtree(root / paths.BODIES), r"results/bodies not found: run `dvc repro prepare` first"),
        (without_bodies, r"results/bodies does not say where the body is in image 'i1': run `dvc repro -f prepare`"),
        (damage_bodies, r"bodies-\d\d.safetensors is damaged \(.*\): run `dvc repro -f prepare`"),
        (drop_answer, r"answers.csv: sample 'q4c-v0-clean' has no answer \(1 in all\)"),
    ],
)
def test_bad_input_names_the_file_and_the_remedy_and_leaves_earlier_results(root, spoil, message):
    run(make_params(), root)
    before = contents(root)
    spoil(root)
    with pytest.raises(InputError, match=message):
        run(make_params(), root)
    assert contents(root) == before


def test_grids_of_other_profiles_than_the_parameters_are_refused(root):
    params = make_params()
    profiles = {**params.aggregate.profiles, "mine": params.aggregate.profiles["decision"]}
    params = params.model_copy(update={"aggregate": params.aggregate.model_copy(update={"profiles": profiles})})
    with pytest.raises(InputError, match=r"holds profiles .*'decision', 'original'.*: run `dvc repro -f aggregate`"):
        run(params, root)
