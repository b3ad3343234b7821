"""What a run takes is told beforehand: counts as in the manifest, bytes as in real files, and a refusal of what cannot fit."""

import json
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from medattn.attention import captures, output_bytes
from medattn.attention.output_bytes import CaptureSize
from medattn.base import paths, sample_tables
from medattn.base.errors import InputError
from medattn.base.params.terms import read_terms
from medattn.base.params.whole import load as load_params
from medattn.base.sizes import directory_size
from medattn.bench import growth
from medattn.bench.processes import run_measured
from medattn.checks import workload
from medattn.checks.workload import content_of, workload_of
from medattn.prepare import planned
from medattn.prepare import run as prepare
from medattn.reproduce.doctor import plan, system
from medattn.study.schema import read_study
from tests.clones import medattn
from tests.import_closure import ROOT
from tests.reproduce.conftest import set_params
from tests.stored_study import stored_model

Usage = namedtuple("Usage", "total used free")
FULL = Usage(10**12, 10**12, 0)


def counted(root: Path) -> output_bytes.Workload:
    study, params = read_study(root / "data"), load_params(root / "params.yaml")
    return workload_of(planned(study, params), study)


def test_inputs_that_are_the_same_to_the_model_are_counted_once(root):
    study, params = read_study(root / "data"), load_params(root / "params.yaml")
    rows = list(planned(study, params))
    work = workload_of(rows, study)
    assert (work.samples, work.images) == (len(rows), 4)
    assert work.grids == sum(row["condition"] != "no_image" for row in rows)
    texts = {row["question"] for row in rows if row["condition"] == "no_image"}
    assert work.blind == len(texts) and work.inputs == len({(content_of(row), row["question"]) for row in rows})
    clean = next(row for row in rows if row["condition"] == "clean")
    shuffled = next(row for row in rows if row["shown_image_id"] == clean["image_id"] and row["condition"] == "shuffled_image")
    assert content_of(shuffled) == content_of(clean)
    blank = {content_of(row) for row in rows if row["condition"] == "blank"}
    assert len(blank) == 1


def test_prepare_says_what_is_asked_of_model_and_disk_and_refuses_what_cannot_fit(root, monkeypatch):
    params = load_params(root / "params.yaml")
    said = prepare(params, root)
    assert f"{counted(root).inputs:,} different model inputs, captures of " in said
    before = (root / paths.MANIFEST).read_bytes()
    monkeypatch.setattr(workload.shutil, "disk_usage", lambda _: FULL)
    with pytest.raises(InputError, match=r"the captures of \d+ samples take .* MB, and .* has room for .*: make room"):
        prepare(params, root)
    assert (root / paths.MANIFEST).read_bytes() == before


def test_captures_that_no_header_can_name_are_refused_with_the_number_of_files_that_can(root):
    many = replace(counted(root), samples=4_000_000, inputs=3_000_000)
    with pytest.raises(InputError, match=r"extract.shards is 16: .*: set it to (\d+) or more") as refused:
        workload.check_shards(many, 16)
    least = int(str(refused.value).split()[-3])
    workload.check_shards(many, least)
    with pytest.raises(InputError):
        workload.check_shards(many, least - 1)


def test_the_plan_names_files_bytes_and_hours_and_says_where_its_rate_is_from(root):
    shutil.copy(ROOT / "medical_terms.txt", root)
    work, said = counted(root), plan.plan(root)
    assert f"{work.samples:,}, {work.grids:,} of them with an image" in said
    assert all(
        f"disk       {name} " in said for name in ("captures", "grids.safetensors", "grids", "gallery", "finished units")
    )
    assert "not measured here; MedGemma-4b" in said
    model = {"id": "model", "revision": None, "dtype": "float64", "device": "cpu", "redraw_language": None}
    units = {"computed": 10, "total": 40}
    entry = {"exit": "ok", "seconds": 50.0, "started": "2026-01-02T03:04:05+00:00", "model": model, "units": units}
    (root / paths.RUN).mkdir(parents=True)
    (root / paths.RUN / "provenance.json").write_text(json.dumps({"extract": entry}))
    (root / paths.ANSWERS).write_text("header\n" + "row\n" * work.samples)
    rate = 50 / (work.inputs / 4)  # a quarter of what the run had was computed
    assert f"at {rate:.3g} s an input (measured here on 2026-01-02: model, float64, cpu)" in plan.plan(root)
    entry["model"] = model | {"dtype": "float32"}
    (root / paths.RUN / "provenance.json").write_text(json.dumps({"extract": entry}))
    assert "not measured here" in plan.plan(root)


def test_a_plan_that_cannot_fit_is_one_message_and_exit_code_2(root, monkeypatch):
    shutil.copy(ROOT / "medical_terms.txt", root)
    monkeypatch.setattr(system, "memory", lambda: (500_000_000, 500_000_000))
    with pytest.raises(InputError, match=r"the model needs about .*, this machine has 500.0 MB: take a larger one"):
        plan.plan(root)
    set_params(root, study="nowhere")
    shutil.copytree(ROOT / "medattn", root / "medattn", ignore=shutil.ignore_patterns("__pycache__"))
    done = medattn(root, "doctor", "--plan", check=False)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.count("medattn: ") == 1 and "Traceback" not in done.stderr


OUTPUTS = (
    "captures",
    "grids.safetensors",
    "manifest.csv",
    "answers.csv",
    "evaluation_results.csv",
    "grids",
    "bodies",
    "gallery",
)


@pytest.fixture(scope="module")
def told_and_real(tmp_path_factory) -> dict[str, tuple[int, int]]:
    """Bytes of every output of a drawn study, told and on the disk; captures are of the phantom's shape."""
    place = tmp_path_factory.mktemp("plan")
    (place / "model").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        root = growth.make_roots(place, 12, stored_model(place / "model"), (1,))[1]
    for stage in ("prepare", "aggregate", "metrics", "figures"):
        growth.make_ready({1: root}, stage)
        run_measured(root, stage)
    params, stored = load_params(root / paths.PARAMS), list(captures.read(root / paths.CAPTURES))
    rows = sample_tables.read(root / paths.MANIFEST, sample_tables.MANIFEST, "prepare").values()
    work = replace(
        workload_of(rows, read_study(root / params.study)),
        inputs=len(stored), blind=sum(one.image_weights is None for one in stored),
    )  # fmt: skip
    shape = CaptureSize(growth.PHANTOM.layers, growth.PHANTOM.heads, growth.PHANTOM.rows)
    told = plan.byte_counts(work, shape, params.aggregate.profiles, len(read_terms(root / paths.TERMS)))
    return {name: (count, bytes_at(root / "results", name)) for name, count in told.items()}


def bytes_at(results: Path, name: str) -> int:
    if name == "gallery":  # the page, and the files beside it if there are any
        return directory_size(results / name) + (results / "gallery.html").stat().st_size
    return (results / name).stat().st_size if (results / name).is_file() else directory_size(results / name)


@pytest.mark.slow
@pytest.mark.parametrize("name", OUTPUTS)
def test_every_formula_gives_what_real_files_take(told_and_real, name):
    assert set(told_and_real) == set(OUTPUTS)
    told, real = told_and_real[name]
    assert told == pytest.approx(real, rel=0.05)
