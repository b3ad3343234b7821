"""The script for all of MIMIC-CXR's images, on a few: its shrunk study is sound, and its table holds what it measured."""

import json

import numpy as np
import pytest
from PIL import Image

from medattn.base.errors import InputError
from medattn.bench import speed, whole_archive
from medattn.bench.command import SHAPES
from medattn.checks.study_check import check
from medattn.measures.silhouette import body_mask, doubt
from medattn.study.schema import read_study
from tests.clones import medattn
from tests.conftest import read
from tests.import_closure import ROOT


def test_the_choice_of_shapes_is_that_of_what_can_be_measured():
    assert set(SHAPES) == set(speed.SHAPES)


def test_a_shrunk_study_is_sound_and_its_bodies_are_found(study, tmp_path):
    small = whole_archive.shrunk(read_study(study), tmp_path / "small")
    before, after = check(study), check(small.directory)
    assert (after.questions, after.regions, after.images) == (before.questions, before.regions, before.images)
    for row in small.images():
        image = Image.open(small.image_root / row["path"])
        assert doubt(body_mask(np.asarray(image))) == ""
    assert {row["width"] for row in read(small.directory / "images.csv")} == {str(whole_archive.WIDTH)}


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(InputError, match=r"images take .* TB below .* are free: make room, or measure fewer with --images"):
        whole_archive.measured(10**12)


@pytest.mark.slow
def test_the_command_measures_and_leaves_nothing_behind(tmp_path):
    before = set((ROOT / "results/run").glob("archive-*"))
    done = medattn(ROOT, "bench", "--mimic-cxr", "--images", "300", "--json", tmp_path / "measured.json")
    found = json.loads((tmp_path / "measured.json").read_text())
    stages = {one["stage"]: one for one in found["stages"]}
    assert list(stages) == ["prepare", "aggregate", "metrics"]
    assert stages["prepare"]["images"] == 300 and stages["prepare"]["samples"] > 28 * 300
    assert stages["metrics"]["images"] == 3
    assert all(one["own"] > 1e7 and one["seconds"] > 0.1 and one["disk"] > 1e5 for one in found["stages"])
    assert "377,110 in one process" in done.stdout
    assert set((ROOT / "results/run").glob("archive-*")) == before
