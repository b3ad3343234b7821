"""results/run/provenance.json says what made the results, however a stage ends, and no output depends on it."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from medattn import cli
from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.imports import closure
from medattn.cli import COMMANDS
from medattn.extract.unit_cache import UnitCache, directory_of
from medattn.phantom.study import write
from medattn.reproduce.machine import processor
from medattn.reproduce.provenance.code import code, of_run
from medattn.reproduce.provenance.environment import environment
from medattn.reproduce.provenance.extraction import Extraction
from medattn.reproduce.provenance.record import PROVENANCE, read, recorded
from medattn.study.schema import read_study
from tests.clones import dvc, fresh_clone, hears_interrupts, run
from tests.conftest import make_model
from tests.import_closure import ROOT

STOP = "stopped"
STAGES = ("prepare", "extract", "aggregate", "metrics", "figures", "describe")
EVERY = {"started", "seconds", "exit", "error", "commit", "dirty"}
EXTRACT = {"changed", "untracked_code", "code_sha256", "image", "dvc_lock", "study", "model", "units", "environment"}


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("provenance")
    write(directory / "data", 2, 3, make_model(directory / "trained"))
    return directory / "data"


@pytest.fixture
def root(made, tmp_path, monkeypatch) -> Path:
    """A working directory in which the code that runs counts as its own."""
    shutil.copytree(made, tmp_path / "data")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "check_root", lambda: tmp_path)
    return tmp_path


def git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "x")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- an entry ---------------------------------------------------------------------------------------------------------


def test_a_stage_that_ends_well_has_its_times_and_its_commit(root):
    commit(root)
    before = datetime.now().astimezone()
    with recorded("metrics", time.monotonic() - 2):
        assert read(root)["metrics"]["exit"] == "unfinished"  # what stays if it is killed now
    entry = read(root)["metrics"]
    assert entry.keys() == EVERY and entry["exit"] == "ok" and entry["error"] is None and entry["seconds"] >= 2
    started = datetime.fromisoformat(entry["started"])
    assert started.utcoffset().total_seconds() == 0 and -4 < (started - before).total_seconds() < 0
    assert re.fullmatch(r"[0-9a-f]{40}", entry["commit"]) and entry["dirty"] is False


@pytest.mark.parametrize(
    ("error", "exit_", "kind"),
    [
        (InputError("image 12345 is bad"), "failed", "InputError"),
        (KeyboardInterrupt(), "interrupted", "KeyboardInterrupt"),
        (SystemExit(1), "failed", "SystemExit"),
    ],
)
def test_how_a_stage_ended_is_recorded_without_the_words_of_the_error(root, error, exit_, kind):
    with pytest.raises(type(error)), recorded("prepare", time.monotonic()):
        raise error
    entry = read(root)["prepare"]
    assert (entry["exit"], entry["error"]) == (exit_, kind) and "12345" not in (root / PROVENANCE).read_text()


def test_stages_keep_their_entries_and_a_new_run_replaces_its_own(root):
    for stage in ("prepare", "metrics", "prepare"):
        with recorded(stage, time.monotonic()):
            pass
    first = read(root)["metrics"]
    with pytest.raises(ValueError, match=STOP), recorded("prepare", time.monotonic()):
        raise ValueError(STOP)
    assert list(read(root)) == ["prepare", "metrics"]
    assert read(root)["metrics"] == first and read(root)["prepare"]["exit"] == "failed"


def test_outside_git_the_commit_is_null_also_inside_another_repository(root):
    with recorded("prepare", time.monotonic()):
        pass
    assert (read(root)["prepare"]["commit"], read(root)["prepare"]["dirty"]) == (None, None)
    commit(root)
    (root / "inner").mkdir()
    assert set(of_run(root / "inner").values()) == {None}


def test_what_the_pipeline_writes_makes_no_tree_dirty_and_code_and_parameters_do(root):
    for name in ("reports/metrics.json", "dvc.lock", "ro-crate-metadata.json", "medattn/a.py"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("1")
    commit(root)
    for name in ("reports/metrics.json", "dvc.lock", "ro-crate-metadata.json"):
        (root / name).unlink()
    assert of_run(root)["dirty"] is False and code(root)["tree"] == "dirty"
    (root / "params.yaml").write_text("changed")
    (root / "medattn/b.py").write_text("new")
    found = of_run(root)
    assert (found["dirty"], found["changed"], found["untracked_code"]) == (True, ["params.yaml"], ["medattn/b.py"])


def test_outside_a_checkout_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with recorded("prepare", time.monotonic()):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_recorded_is_said_and_ends_no_run(root, capsys):
    (root / PROVENANCE).parent.mkdir(parents=True)
    (root / PROVENANCE).write_text("no json")
    with recorded("prepare", time.monotonic()):
        done = True
    assert done and "provenance of prepare is not recorded in full" in capsys.readouterr().err
    assert (root / PROVENANCE).read_text() == "no json"


# --- who may read it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("licence", "file", "directory"), [("open", 0o644, 0o755), ("credentialed", 0o600, 0o700)])
def test_of_a_credentialed_study_it_is_the_owners_alone(root, licence, file, directory):
    about = root / "data/study.yaml"
    about.write_text(about.read_text().replace("licence: open", f"licence: {licence}"))
    before = os.umask(0o022)
    try:
        with recorded("prepare", time.monotonic()):
            pass
        assert os.umask(0o022) == 0o022  # the stage's own files are the stage's business
    finally:
        os.umask(before)
    assert (root / PROVENANCE).stat().st_mode & 0o777 == file
    assert (root / PROVENANCE).parent.stat().st_mode & 0o777 == (root / "results").stat().st_mode & 0o777 == directory


def test_a_study_that_cannot_be_read_counts_as_credentialed(root):
    (root / "params.yaml").write_text("nonsense")
    with recorded("prepare", time.monotonic()):
        pass
    assert (root / PROVENANCE).stat().st_mode & 0o777 == 0o600


# --- extract ----------------------------------------------------------------------------------------------------------


def test_extract_says_what_it_ran_on(root, monkeypatch):
    shutil.copytree(ROOT / "requirements", root / "requirements")
    monkeypatch.setenv("MEDATTN_IMAGE", "sha256:12")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    (root / "dvc.lock").write_text("lock")
    with pytest.raises(ValueError, match=STOP), recorded("extract", time.monotonic()):
        raise ValueError(STOP)
    entry = read(root)["extract"]
    assert entry.keys() == EVERY | EXTRACT and entry["units"] is None
    assert entry["image"] == "sha256:12" and entry["dvc_lock"] == sha256(b"lock")
    assert entry["study"] == {
        "path": "data",
        "name": "phantom",
        "licence": "open",
        "digest": read_study(root / "data").digest(),
    }
    assert entry["model"]["id"] == "model" and entry["model"]["dtype"] == "float64" and len(entry["model"]["sha256"]) == 64
    found = entry["environment"]
    assert found["locks"]["requirements/locked.txt"] == sha256((ROOT / "requirements/locked.txt").read_bytes())
    assert found["locked"] is True and found["switches"]["OMP_NUM_THREADS"] == "3"
    assert found["torch"]["device"] == "cpu" and found["torch"]["gpus"] == [] and found["torch"]["threads"] >= 1


def test_the_units_that_were_reused_are_counted(root, monkeypatch):
    monkeypatch.delenv("MEDATTN_CACHE", raising=False)
    (root / paths.MANIFEST).parent.mkdir(parents=True)
    (root / paths.MANIFEST).write_text(
        "sample_id,image_id,shown_image_id,condition,strength,finding,image_sha256,question\n"
        + "".join(f"s{number},i{number},i{number},clean,,x,{number},A x?\n" for number in range(3))
    )
    cache = UnitCache(directory_of(read_study(root / "data"), root))
    cache.write("old", b"1")
    cache.write("damaged", b"2")
    extraction = Extraction(root)
    assert extraction.cache.resolve() == cache.directory.resolve()
    time.sleep(0.01)
    cache.write("new", b"3")
    cache.write("damaged", b"4")  # an entry that could not be used is computed again
    found = {"total": 3, "computed": 2, "reused": 1, "fewer_rows": 0}
    assert extraction.described(True)["units"] == {"cache": "on"} | found
    monkeypatch.setenv("MEDATTN_CACHE", "off")
    (root / paths.FEWER_ROWS).write_text('{"units": 2}')
    found = {"total": 3, "computed": 3, "reused": 0, "fewer_rows": 2}
    assert Extraction(root).described(True)["units"] == {"cache": "off"} | found


@pytest.mark.parametrize("licence", ["open", "credentialed"])
def test_the_unit_cache_is_looked_for_where_extract_keeps_it(root, licence):
    about = root / "data/study.yaml"
    about.write_text(about.read_text().replace("licence: open", f"licence: {licence}"))
    kept = UnitCache(directory_of(read_study(root / "data"), root))
    assert Extraction(root).cache.resolve() == kept.directory.resolve()


def test_with_parameters_that_are_no_good_extract_is_still_recorded(root):
    (root / "params.yaml").write_text("nonsense")
    with pytest.raises(ValueError, match=STOP), recorded("extract", time.monotonic()):
        raise ValueError(STOP)
    entry = read(root)["extract"]
    assert entry["exit"] == "failed" and entry["study"] is entry["model"] is None and entry["environment"]["python"]


def test_packages_that_are_not_as_locked_are_seen(root):
    (root / "requirements").mkdir()
    (root / "requirements/locked.txt").write_text("click==0.1 \\\n    --hash=sha256:00\n")
    assert environment(root, "cpu")["locked"] is False
    (root / "requirements/locked.txt").unlink()
    assert environment(root, "cpu")["locked"] is False  # nothing is pinned


def test_the_processor_is_the_first_that_the_system_lists(tmp_path):
    listed = tmp_path / "cpuinfo"
    listed.write_text("model name\t: First\nflags\t\t: fpu avx2 avx\n\nmodel name\t: Second\nflags\t\t: fpu\n")
    assert processor(listed) == ("First", ("avx", "avx2", "fpu"))
    listed.write_text("processor\t: 0\nFeatures\t: fp asimd\n")
    assert processor(listed).flags == ("asimd", "fp")
    assert processor(tmp_path / "none").flags == ()


# --- the command line -------------------------------------------------------------------------------------------------


def test_every_stage_is_recorded_and_nothing_else(monkeypatch):
    assert cli.STAGES == STAGES and set(STAGES) <= set(cli.COMMANDS)
    for name in STAGES:
        command = cli.group.get_command(None, name)
        assert command.callback.__wrapped__ is not None and command.help
    assert not hasattr(cli.group.get_command(None, "headline").callback, "__wrapped__")


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_depends_on_the_recorder(stage):
    found = closure(ROOT, "medattn.__main__", COMMANDS[stage][0])
    assert found and not any(path.startswith("medattn/reproduce/provenance") for path in found)


def test_every_field_is_explained():
    page = (ROOT / "docs/provenance.md").read_text(encoding="utf-8")
    found = environment(ROOT, "cpu")
    inner = {f"{name}.{key}" for name in ("python", "platform", "cpu", "torch") for key in found[name]}
    names = (
        EVERY
        | EXTRACT
        | found.keys()
        | inner
        | {"study.digest", "model.sha256", "units.reused", "units.computed", "units.fewer_rows"}
    )
    missing = sorted(name for name in names if f"`{name}`" not in page)
    assert not missing


# --- real runs --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    return fresh_clone(tmp_path_factory.mktemp("provenance") / "medattn")


@pytest.mark.slow
def test_an_interrupted_stage_and_a_refused_one_are_recorded(clone):
    command = [sys.executable, "-m", "medattn", "prepare"]
    process = subprocess.Popen(
        command, cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hears_interrupts
    )
    while process.poll() is None and read(clone).get("prepare", {}).get("exit") != "unfinished":
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert read(clone)["prepare"]["exit"] == "interrupted"
    done = subprocess.run([*command[:-1], "metrics"], cwd=clone, capture_output=True, text=True)
    assert done.returncode == 2 and read(clone)["metrics"]["error"] == "InputError"
    assert read(clone)["prepare"]["exit"] == "interrupted"


@pytest.mark.slow
def test_experiments_in_a_copy_run_and_reused_stages_keep_their_entries(clone):
    said = dvc(clone, "exp", "run", "--temp", "-S", "limit=1").stdout
    assert "Running stage 'describe'" in said and "is not recorded" not in said
    assert run(clone, "git", "status", "--porcelain").stdout == ""
    dvc(clone, "exp", "run", "-S", "limit=2")  # another than above, whose results DVC would restore
    before = read(clone)
    assert set(before) == set(STAGES)
    assert {entry["exit"] for entry in before.values()} == {"ok"} and all(entry["dirty"] for entry in before.values())
    dvc(clone, "exp", "run", "-S", "limit=2", "-S", "aggregate.profiles.decision.layers=[0]")
    after = read(clone)
    assert after["extract"] == before["extract"] and after["aggregate"] != before["aggregate"]
    assert json.loads((clone / PROVENANCE).read_text())["extract"]["changed"] == ["params.yaml"]
