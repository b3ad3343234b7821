"""What is said of planted curves is what they are; copies are the same study again; a process is measured whole."""

import io

import numpy as np
import pytest
from PIL import Image

from medattn.attention import captures
from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.params.whole import Params
from medattn.bench import copies, drawn_captures, growth, roots
from medattn.bench.growth import Point
from medattn.bench.processes import Cost, run_measured
from medattn.checks.study_check import check
from medattn.prepare import run as prepare
from medattn.study.schema import read_study
from tests.conftest import IMAGES, read
from tests.extract.conftest import raw_settings
from tests.import_closure import ROOT

SHAPE = drawn_captures.CaptureShape(layers=3, heads=2, key_value_heads=1)


def points(seconds, own=lambda copies: 100e6) -> list[Point]:
    return [Point(n, 300 * n, Cost(seconds(n), seconds(n), own(n), 2 * own(n))) for n in growth.COPIES]


@pytest.mark.parametrize("power", [0.5, 1.0, 1.5, 2.0])
def test_the_exponent_is_that_of_the_planted_curve_whatever_the_fixed_start(power):
    for start in (0.0, 5.0):
        assert growth.exponent(points(lambda n, start=start: start + 0.7 * n**power)) == pytest.approx(power, abs=0.01)


def test_a_linear_stage_has_no_surplus_and_a_quadratic_one_has():
    assert growth.surplus(points(lambda n: 9 + 0.5 * n)) == pytest.approx(1.0)
    assert growth.surplus(points(lambda n: 9 + 0.5 * n + 0.1 * n * n)) > 1.25
    assert growth.surplus(points(lambda n: 2 + n**0.9)) < 1


def test_memory_is_told_a_sample_and_the_table_names_every_stage():
    found = {"aggregate": points(lambda n: 1 + n, lambda n: 50e6 + 300 * n * 4000)}
    assert growth.bytes_a_sample(found["aggregate"]) == pytest.approx(4000)
    shown = growth.table(found)
    assert shown.splitlines()[-1].split() == ["aggregate", "1.00", "1.00", "3.33", "4,000", "16", "%"]


def test_copies_are_the_same_study_again_under_ids_and_in_files_of_their_own(study, tmp_path):
    many = 2 * IMAGES + 3
    copies.multiply(read_study(study), many, tmp_path / "larger")
    summary, small = check(tmp_path / "larger"), check(study)
    assert summary.images == many and summary.questions == many and summary.patients > 2 * small.patients
    rows, own = read(tmp_path / "larger/images.csv"), read(study / "images.csv")
    assert len({row["sha256"] for row in rows}) == many
    for row, of in zip(rows, own * 3, strict=False):
        pixels = [np.asarray(Image.open(io.BytesIO(path.read_bytes()))) for path in (
            tmp_path / "larger/images" / row["path"], study / "images" / of["path"])]  # fmt: skip
        np.testing.assert_array_equal(*pixels)
    regions = {(row["image_id"], row["finding"]) for row in read(tmp_path / "larger/regions.csv")}
    assert len(regions) > 2 * len(read(study / "regions.csv")) and regions <= {
        (r["image_id"], f) for r in rows for _, f in regions
    }


def test_drawn_captures_are_of_every_sample_and_each_row_of_them_sums_to_one(study, tmp_path):
    params = Params.model_validate(raw_settings())
    prepare(params, tmp_path)
    drawn_captures.draw(tmp_path, SHAPE, shards=3)
    manifest = {row["sample_id"]: row for row in read(tmp_path / paths.MANIFEST)}
    found = list(captures.read(tmp_path / paths.CAPTURES))
    assert sorted(one for capture in found for one in capture.sample_ids) == sorted(manifest)
    for capture in found:
        np.testing.assert_allclose(capture.totals.sum(axis=-1), 1, rtol=1e-6)
        parts = {name: capture.totals[..., index] for index, name in enumerate(captures.TOTALS)}
        np.testing.assert_allclose(capture.question_weights.sum(axis=-1), parts["question"], rtol=1e-5)
        if manifest[capture.sample_id]["shown_image_id"]:
            np.testing.assert_allclose(capture.on_image.sum(axis=-1), parts["image"], rtol=1e-5)
        else:
            assert capture.image_weights is None and not parts["image"].any()
    assert [row["sample_id"] for row in read(tmp_path / paths.ANSWERS)] == sorted(manifest)
    assert read(tmp_path / paths.FAILURES) == []


BUSY = """
import subprocess, sys, time
if sys.argv[1] == "fails":
    sys.exit("the last words")
if sys.argv[1] == "parent":
    subprocess.run([sys.executable, "-m", "medattn", "child"], check=True)
else:
    held = bytes(200_000_000)
    held = bytearray(b"x") * 200_000_000
    until = time.process_time() + 1
    while time.process_time() < until:
        pass
"""


@pytest.fixture
def busy(tmp_path):
    (tmp_path / "medattn").mkdir()
    (tmp_path / "medattn/__main__.py").write_text(BUSY)
    return tmp_path


def test_a_process_is_measured_with_all_that_it_starts(busy):
    cost = run_measured(busy, "parent")
    assert 1 <= cost.seconds < 3 and cost.wall >= 1
    assert 200e6 < cost.own < 300e6 and cost.own < cost.resident < cost.own + 100e6


def test_a_process_that_fails_is_an_error_with_its_last_words(busy):
    with pytest.raises(InputError, match=r"`medattn fails` in .* ended with 1: the last words"):
        run_measured(busy, "fails")


def test_a_root_holds_what_the_stages_need(study, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    roots.make_root(tmp_path / "root", read_study(study), 3, shards=5)
    run_measured(tmp_path / "root", "params", "check")
    params = roots.load(tmp_path / "root" / paths.PARAMS)
    assert (params.study, params.extract.shards, params.limit) == (roots.STUDY, 5, None)
    roots.set_limit(tmp_path / "root", 2)
    assert roots.load(tmp_path / "root" / paths.PARAMS).limit == 2
