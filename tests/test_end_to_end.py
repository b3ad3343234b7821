"""The embedded study from a fresh clone: real git, real DVC, real model, real processes. Minutes."""

import csv
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml

from tests.clones import dvc, fresh_clone, medattn, run

pytestmark = pytest.mark.slow

VARIANTS = {
    "gating": "aggregate.profiles.original.gating=false",
    "terms": "aggregate.terms=[effusion]",
    "layers": "aggregate.profiles.decision.layers=[0]",
    "gqa": "aggregate.profiles.decision.gqa=max",
    "rows": "aggregate.profiles.decision.rows=[1]",
}


def tables(clone: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((clone / "reports/tables").iterdir())}


def captures_hash(clone: Path) -> str:
    lock = yaml.safe_load((clone / "dvc.lock").read_text())
    return next(out["md5"] for out in lock["stages"]["extract"]["outs"] if out["path"] == "results/captures")


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A fresh clone of the last commit, its study pulled, everything recomputed twice and compared with dvc.lock."""
    place = fresh_clone(tmp_path_factory.mktemp("clone") / "medattn")
    done = medattn(place, "exact", check=False)
    print(done.stdout[-6000:])
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return place


def test_a_clone_recomputes_every_byte_that_the_lock_records_also_on_the_slowest_code_paths(clone):
    assert run(clone, "git", "status", "--porcelain").stdout == ""


def test_running_again_recomputes_nothing(clone):
    said = dvc(clone, "repro").stdout
    assert "Running stage" not in said and "up to date" in said
    assert run(clone, "git", "status", "--porcelain").stdout == ""


def test_the_results_are_complete(clone):
    with (clone / "results/evaluation_results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    study = [row for row in rows if row["role"] == "study"]
    assert len([row for row in study if row["condition"] == "clean"]) == 600
    assert len([row for row in study if row["condition"] == "no_image"]) == 600
    assert len(rows) - len(study) == 200
    asked = Counter(row["condition"] for row in study)
    strengths = {
        "gaussian_noise": 3,
        "contrast": 3,
        "brightness": 2,
        "rotation": 2,
        "blur": 1,
        "few_pixels": 1,
        "blank": 1,
        "shuffled_image": 1,
    }
    assert all(asked[name] == 100 * count for name, count in strengths.items())
    assert asked["occlude_region"] == asked["occlude_elsewhere"] == 50
    grids = {path.name for path in (clone / "results/grids").iterdir()}
    assert len(grids) == 2 * 2300 and {f"{row['sample_id']}_grid.npy" for row in rows if row["condition"] == "clean"} <= grids
    numbers = json.loads((clone / "reports/metrics.json").read_text())
    assert numbers["n_samples"] == 2900 and numbers["n_failed"] == 0 and len(numbers) <= 12


def test_metrics_and_plots_are_shown(clone, tmp_path):
    assert "accuracy_baseline" in dvc(clone, "metrics", "show").stdout
    dvc(clone, "plots", "show", "-o", str(tmp_path / "plots"))
    shown = (tmp_path / "plots/index.html").read_text()
    assert "flip rate" in shown and "js_other_variant" in shown


def hypotheses(clone: Path) -> dict[str, dict[str, str]]:
    with (clone / "reports/tables/hypotheses.csv").open(newline="") as file:
        return {row["hypothesis"]: row for row in csv.DictReader(file)}


def test_the_report_says_what_was_found_and_stays_small(clone):
    report = (clone / "reports/index.html").read_text()
    assert len(report.encode()) <= 1_000_000
    assert "The order was recovered: no pair" in report  # of exposure, which is known for this model
    found = hypotheses(clone)
    assert found["H3a"]["verdict"] == "pass" and found["H4"]["verdict"] == "not applicable"
    assert (clone / "reports/tables/published.csv").read_text().count("\n") == 1  # of another study


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_does_not_extract_again_and_changes_the_results(clone, name):
    before, captured = tables(clone), captures_hash(clone)
    said = dvc(clone, "exp", "run", "-S", VARIANTS[name]).stdout
    try:
        assert "Running stage 'aggregate'" in said and "Running stage 'extract'" not in said
        assert captures_hash(clone) == captured
        assert tables(clone) != before
    finally:
        run(clone, "git", "checkout", "--quiet", ".")
        dvc(clone, "checkout")
    assert tables(clone) == before


def test_experiments_are_shown_beside_each_other_by_what_changed(clone):
    dropped = re.search(r"--drop '([^']+)'", (clone / "Makefile").read_text()).group(1).replace("$$", "$")
    shown = dvc(clone, "exp", "show", "--only-changed", "--drop", dropped, "--csv").stdout.splitlines()
    header = shown[0].split(",")
    assert len(header) < 25 and "region_enrichment" in header and "aggregate.profiles.decision.gqa" in header
    assert len(shown) > len(VARIANTS)


def test_layers_that_look_support_the_hypothesis_and_random_weights_do_not(clone):
    """The same pipeline: trained weights in the layers that look, and the negative control in the same layers."""
    clean_only = [
        f"conditions.{name}=null"
        for name in yaml.safe_load((clone / "params.yaml").read_text())["conditions"]
        if name != "clean"
    ]
    settings = ["aggregate.profiles.decision.layers=[0,1]", *clean_only]
    verdicts = {}
    for name, more in (("trained", []), ("re-drawn", ["model.redraw_language=1"])):
        try:
            dvc(clone, "exp", "run", *(part for one in settings + more for part in ("-S", one)))
            verdicts[name] = {key: row["verdict"] for key, row in hypotheses(clone).items()}
        finally:
            run(clone, "git", "checkout", "--quiet", ".")
            dvc(clone, "checkout")
    assert verdicts["trained"]["H1b"] == verdicts["trained"]["H2"] == "supported"
    assert verdicts["re-drawn"]["H1a"] == verdicts["re-drawn"]["H1b"] == "not supported"


def test_a_quick_run_keeps_whole_questions(clone):
    dvc(clone, "exp", "run", "-S", "limit=4")
    try:
        with (clone / "results/manifest.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        questions = {row["question_id"] for row in rows if row["role"] == "study"}
        asked = Counter(row["condition"] for row in rows if row["role"] == "study")
        assert len(questions) == 4 and asked["clean"] == asked["no_image"] == 4 * 6 and asked["gaussian_noise"] == 4 * 3
    finally:
        run(clone, "git", "checkout", "--quiet", ".")
        dvc(clone, "checkout")


@pytest.mark.parametrize("what", ["study", "parameter"])
def test_bad_input_ends_the_run_before_any_result_is_touched(clone, what):
    before = {path: path.read_bytes() for path in (clone / "results").rglob("*.csv")}
    params, about = clone / "params.yaml", clone / "data/study.yaml"
    kept = params.read_text(), about.read_text()
    try:
        if what == "study":
            about.unlink()  # DVC may have linked it to its cache
            about.write_text(kept[1].replace("title: ", "title: Other ", 1))
        else:
            wrong = kept[0].replace("gqa: mean, sinks", "gqa: median, sinks", 1)
            assert wrong != kept[0]
            params.write_text(wrong)
        done = dvc(clone, "repro", check=False)
        assert done.returncode != 0
        said = done.stdout + done.stderr
        assert ("study_digests pins" if what == "study" else "aggregate.profiles.original.gqa") in said
        assert {path: path.read_bytes() for path in (clone / "results").rglob("*.csv")} == before
    finally:
        params.write_text(kept[0])
        about.write_text(kept[1])
        run(clone, "git", "checkout", "--quiet", ".")
    assert "Running stage 'extract'" not in dvc(clone, "repro").stdout


def test_the_frozen_model_is_as_difficult_as_designed(clone):
    done = medattn(clone, "study", "assess-phantom", "data/model", check=False)
    assert done.returncode == 0, done.stdout


def test_the_embedded_study_is_what_its_command_writes(clone, tmp_path):
    made = tmp_path / "again"
    medattn(clone, "study", "phantom", "--out", str(made), "--model", "data/model")
    for path in sorted((clone / "data").rglob("*")):
        if path.is_file():
            assert (made / path.relative_to(clone / "data")).read_bytes() == path.read_bytes(), path


def test_an_archive_without_history_is_told_to_clone(clone, tmp_path):
    archive = shutil.copytree(clone, tmp_path / "zip", ignore=shutil.ignore_patterns(".git", "results", ".dvc"), symlinks=True)
    done = run(archive, "make", "repro", "PYTHON=false", check=False)
    assert done.returncode != 0 and "git clone the repository" in done.stdout + done.stderr
