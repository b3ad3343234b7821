"""An image that cannot be read, in the whole pipeline: by default the end of the run, on request a row with its reason."""

import csv
import json

import pytest

from tests.clones import dvc, fresh_clone, medattn

pytestmark = pytest.mark.slow


def rows(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_an_image_that_cannot_be_read_ends_the_run_or_is_recorded_and_reported(tmp_path):
    clone = fresh_clone(tmp_path / "medattn")
    params = clone / "params.yaml"
    quick = params.read_text().replace("limit: null", "limit: 4", 1)
    params.write_text(quick)
    image = min(rows(clone / "data/questions.csv"), key=lambda row: row["question_id"])["image_id"]
    (relative,) = (row["path"] for row in rows(clone / "data/images.csv") if row["image_id"] == image)
    path = next(clone.glob(f"data/**/{relative}"))
    whole = path.read_bytes()
    path.unlink()  # DVC may have linked it to its cache
    path.write_bytes(whole[:1000])

    done = dvc(clone, "repro", check=False)
    assert done.returncode != 0 and f"{relative}" in done.stdout + done.stderr
    assert medattn(clone, "status", check=False).returncode == 2

    params.write_text(quick.replace("on_error: raise", "on_error: record", 1))
    dvc(clone, "repro")
    failed = {row["sample_id"] for row in rows(clone / "results/failures.csv")}
    evaluated = rows(clone / "results/evaluation_results.csv")
    shown = {row["sample_id"] for row in evaluated if row["shown_image_id"] == image}
    assert failed == shown and failed
    for row in evaluated:
        assert (row["status"] == "failed") == (row["sample_id"] in failed)
        assert row["sample_id"] not in failed or row["entropy"] == row["correct"] == ""
    assert json.loads((clone / "reports/metrics.json").read_text())["n_failed"] == len(failed)
    said = medattn(clone, "status", check=False)
    assert said.returncode == 4 and f"{len(failed)} failed, listed in results/failures.csv" in said.stdout
    assert "results/failures.csv" in medattn(clone, "headline").stdout

    path.write_bytes(whole)
    dvc(clone, "repro")  # the study has changed: what had failed is computed
    assert rows(clone / "results/failures.csv") == []
    assert medattn(clone, "status").returncode == 0
