"""Step 2 in real clones: what was reproduced is called identical or equivalent, and what only a cache says is found out."""

import csv
import hashlib
import json
import os
import shutil
import stat
from dataclasses import replace as with_fields
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors import safe_open
from safetensors.numpy import save

from medattn.attention import captures
from medattn.reproduce.verify.verification import RECORD
from tests.clones import dvc, medattn, run
from tests.reproduce.verify.conftest import commit, everything, recorded, replace, verify

pytestmark = pytest.mark.slow


def record(tree: Path) -> dict:
    return json.loads((tree / RECORD).read_text())


def verdicts(tree: Path) -> dict[str, str]:
    return {one["path"]: one["verdict"] for one in record(tree)["outputs"]}


def last(done) -> str:
    return done.stdout.splitlines()[-1]


def test_a_run_that_is_reproduced_is_identical(small, tmp_path):
    """With bounds that nothing else would pass, and without a trace in the workspace."""
    before = run(small, "git", "status", "--porcelain", "--ignored").stdout
    done = verify(small, "--absolute", "0", "--relative", "0", "--pixels", "0", "--work", tmp_path / "work")
    assert done.returncode == 0
    assert last(done).startswith(f"identical: {everything(small)}HEAD (")
    found = record(small)
    assert {one["name"]: one["status"] for one in found["stages"]} == dict.fromkeys(recorded(small), "re-run")
    assert verdicts(small) == dict.fromkeys((path for outputs in recorded(small).values() for path in outputs), "identical")
    assert found["verdict"] == "identical" and found["exit_code"] == 0 and found["tolerance"]["relative"] == 0
    assert list((tmp_path / "work").iterdir()) == []
    assert run(small, "git", "status", "--porcelain", "--ignored").stdout == before


def perturb(tree: Path) -> None:
    """Record a run whose numbers differ in their last digit, as another processor might have made them."""
    grid = sorted((tree / "results/grids").glob("*_grid.npy"))[0]
    values = np.load(grid)
    values[3, 5] = np.nextafter(values[3, 5], np.float32(1))
    grid.unlink()
    np.save(grid, values)
    table = tree / "reports/tables/layer_head.csv"
    with table.open(newline="") as file:
        rows = list(csv.reader(file))
    number = float(rows[1][rows[0].index("region_mass")])
    rows[1][rows[0].index("region_mass")] = f"{number + 1e-6:.6g}"
    with table.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    dvc(tree, "commit", "--force")


def test_a_run_that_deviates_in_its_last_digits_is_equivalent_and_the_cell_is_named(tree):
    perturb(tree)
    commit(tree, "A run on another processor")
    done = verify(tree)
    assert done.returncode == 3 and last(done).startswith(
        "equivalent: largest deviation absolute 1e-06 (reports/tables: layer_head.csv: row 2 ("
    )
    assert "column region_mass" in last(done)
    changed = {path: verdict for path, verdict in verdicts(tree).items() if verdict != "identical"}
    assert changed == {"reports/tables": "equivalent", "results/grids": "equivalent"}
    grids = next(one for one in record(tree)["outputs"] if one["path"] == "results/grids")
    assert "_grid.npy: grid [3, 5]: " in grids["relative"]["place"] and 0 < grids["relative"]["value"] < 1e-6
    # Where the results are not at hand nobody can say how far they are apart, unless reports/ are to decide.
    shutil.rmtree(tree / "results")
    shutil.rmtree(tree / ".dvc/cache")
    against = ("--audit-only", "--against", "HEAD~1")
    done = verify(tree, *against)
    assert done.returncode == 2 and last(done).startswith("not comparable: ") and "is not here: results/grids (" in last(done)
    assert verdicts(tree)["reports/tables"] == "equivalent" and verdicts(tree)["results/captures"] == "identical"
    done = verify(tree, *against, "--by-reports")
    assert done.returncode == 3 and "; not compared: results/grids" in last(done)


def poison_units(tree: Path) -> tuple[Path, str]:
    """Let the unit cache hold other attention, with a right checksum, and record a run that was served by it.

    Its entry and the first sample that has it.
    """
    for entry in sorted((tree / "results/run/units").iterdir()):
        stored, shared = captures.decode(entry.read_bytes()[32:])
        if stored[0].image_weights is not None:
            break
    weights = stored[0].image_weights.copy()
    weights[-1, :, 0, 7] += 0.25
    stored[0] = with_fields(stored[0], image_weights=weights)
    content = captures.encode(stored, shared)
    entry.write_bytes(hashlib.sha256(content).digest() + content)
    dvc(tree, "repro", "--force")
    served = (one for one in captures.read(tree / "results/captures") if one.question == stored[0].question)
    return entry, next(one.sample_id for one in served if np.array_equal(one.image_weights, stored[0].image_weights))


def test_a_wrong_entry_of_the_unit_cache_is_found_out_and_named(tree):
    entry, sample_id = poison_units(tree)
    commit(tree, "A run that the cache decided")
    done = verify(tree)
    assert done.returncode == 1 and last(done).startswith("different: ") and last(done).endswith("it began in stage extract")
    assert (
        f"results/run/units/{entry.name}: the unit cache has attention that the model does not give: {sample_id}" in done.stdout
    )
    found = record(tree)
    assert found["audit"]["mismatches"] == [] and found["began_in"] == ["extract"]
    why = next(one["why"] for one in found["outputs"] if one["path"] == "results/captures")
    assert f"tensor {sample_id}|image" in why[0] and "0, 7]" in why[0]


def poison_run_cache(tree: Path) -> Path:
    """Let DVC's run cache answer aggregate with other grids, all hashes right, and record a run that was served by it."""
    runs = {entry: yaml.safe_load(entry.read_text()) for entry in (tree / ".dvc/cache/runs").glob("*/*/*")}
    entry = next(path for path, held in runs.items() if held["cmd"].endswith("aggregate"))
    store = tree / "results/grids.safetensors"
    with safe_open(store, framework="np") as file:
        held, about = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    held["decision"] = held["decision"][::-1].copy()  # each sample has another's grid
    content = save(held, metadata=about)
    hash = hashlib.md5(content).hexdigest()
    object = tree / ".dvc/cache/files/md5" / hash[:2] / hash[2:]
    object.parent.mkdir(exist_ok=True)
    object.write_bytes(content)
    (out,) = runs[entry]["outs"]
    out |= {"md5": hash, "size": len(content)}
    entry.write_text(yaml.safe_dump(runs[entry]))
    lock = yaml.safe_load((tree / "dvc.lock").read_text())
    del lock["stages"]["aggregate"]
    (tree / "dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))
    store.unlink()
    assert "Stage 'aggregate' is cached" in dvc(tree, "repro").stdout
    return entry


def test_a_wrong_but_valid_entry_of_dvcs_cache_is_found_out_and_named(tree):
    entry = poison_run_cache(tree)
    commit(tree, "A run that the cache decided")
    done = verify(tree)
    assert done.returncode == 1 and last(done).endswith("it began in stage aggregate")
    said = "DVC's run cache has other outputs for these inputs of aggregate: results/grids.safetensors"
    assert f"{entry.relative_to(tree).as_posix()}: {said}" in record(tree)["suspects"] and said in done.stdout
    assert verdicts(tree)["results/captures"] == "identical" and verdicts(tree)["results/grids.safetensors"] == "different"
    assert "tensor decision [phantom-" in done.stdout


def test_a_stage_that_fails_is_named_and_its_clone_is_kept(tree, tmp_path):
    replace(tree / "params.yaml", "data: 9", "data: 8")
    commit(tree, "another study is pinned")
    assert verify(tree).returncode == 1  # the audit has it already
    done = verify(tree, "--keep-going", "--work", tmp_path / "work")
    assert done.returncode == 1 and last(done).startswith("tampered: ")
    assert "study_digests pins" in done.stdout
    assert [one["status"] for one in record(tree)["stages"]] == ["failed", *["skipped"] * (len(recorded(tree)) - 1)]
    assert set(verdicts(tree).values()) == {"different"}
    (kept,) = (tmp_path / "work").iterdir()
    assert f"kept: {kept}" in done.stdout and "study_digests pins" in (kept / "repro.log").read_text()


def test_a_credentialed_study_is_verified_in_private(tree, tmp_path):
    """A study that nothing tracks is copied without its unit cache; nobody else can read the copy, nor the record."""
    own = tree / "studies/own"
    shutil.copytree(tree / "data", own)
    replace(own / "study.yaml", "licence: open", "licence: credentialed")
    medattn(tree, "study", "use", "studies/own")
    dvc(tree, "repro")
    assert (own / ".cache").is_dir()
    commit(tree, "An own study")
    done = verify(tree, "--keep", "--work", tmp_path / "work")
    assert done.returncode == 0 and last(done).startswith("identical: ")
    (kept,) = (tmp_path / "work").iterdir()
    copied = kept / "repository/studies/own"
    assert (copied / "questions.csv").exists() and not (copied / ".cache").exists()
    private = [
        kept,
        copied,
        kept / "repository/results",
        kept / "repository/results/answers.csv",
        kept / "repro.log",
        tree / RECORD,
    ]
    assert {oct(stat.S_IMODE(os.stat(path).st_mode) & 0o077) for path in private} == {"0o0"}
    (own / "questions.csv").write_text((own / "questions.csv").read_text().replace(",yes,", ",no,", 1))
    done = verify(tree, "--audit-only")
    assert done.returncode == 1 and "studies/own: its files are not those that dvc.lock records" in done.stdout
    assert "studies/own: its tables have digest" in done.stdout
