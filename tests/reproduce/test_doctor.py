"""The doctor names every fault with its remedy, whatever else is broken, and its exit code says whether the study can run."""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from medattn.attention import output_bytes
from medattn.attention.output_bytes import CaptureSize
from medattn.base.params.whole import load as load_params
from medattn.base.sizes import directory_size, size
from medattn.checks.workload import workload_of
from medattn.prepare import planned
from medattn.reproduce.doctor import compute, software, storage, study, system
from medattn.reproduce.doctor.command import examine, verdict
from medattn.reproduce.doctor.line import Line, shown
from medattn.reproduce.doctor.plan import needed_room
from medattn.reproduce.locks import Difference
from medattn.reproduce.machine import Card, Processor, cards
from medattn.study.schema import read_study
from tests.import_closure import ROOT
from tests.reproduce.conftest import set_params

GIB = 1 << 30
H100 = Card("NVIDIA H100 80GB HBM3", "580.95.05", 80 * GIB, 79 * GIB)
CPU_BUILD = compute.Torch("2.13.0+cpu", None, "it is a CPU build", "AVX512")
CUDA_BUILD = compute.Torch("2.13.0+cu130", "13.0", None, "AVX512")


def status_and_remedy(line: Line) -> tuple[str, str]:
    return line.status, line.remedy


def about(lines: list[Line], name: str) -> Line:
    (line,) = [line for line in lines if line.about == name]
    return line


# --- the machine ------------------------------------------------------------------------------------------------------


def test_a_python_that_is_not_supported_is_missing_and_the_remedy_names_how_to_choose_another():
    assert system.python_line("3.12.1", ">=3.11,<3.14").status == "ok"
    line = system.python_line("3.10.4", ">=3.11,<3.14")
    assert line.status == "missing" and "PYTHON=" in line.remedy


def test_another_platform_than_linux_x86_64_is_noted():
    assert system.system_line("Linux", "x86_64", "glibc 2.36").status == "ok"
    for other in (("Darwin", "arm64"), ("Linux", "aarch64")):
        assert "medattn verify" in system.system_line(*other, "").remedy


def test_the_processor_shows_the_flags_that_matter():
    line = system.processor_line(Processor("A CPU", ("avx2", "fma", "fpu", "vme")), 8)
    assert line.said == "A CPU, 8 usable; avx2 fma"


def test_the_image_is_known_by_its_variable_and_its_digest_by_dockers():
    assert "not inside" in system.image_line({}, []).said
    inside = {"MEDATTN_VENV": "/opt/venv"}
    assert status_and_remedy(system.image_line(inside, []))[0] == "note"
    assert system.image_line(inside | {"MEDATTN_IMAGE": "sha256:12"}, []) == Line(
        "ok", "image", "inside the container image sha256:12"
    )
    line = system.image_line(inside, ["locked.txt"])
    assert line.status == "missing" and "locked.txt" in line.said and "make image" in line.remedy


def test_an_image_built_from_other_locks_is_seen(tmp_path):
    for place, text in (("image", "a==1\n"), ("here/requirements", "a==2\n")):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "locked.txt").write_text(text)
    (tmp_path / "image/more.txt").write_text("")
    assert system.other_locks(tmp_path / "here", tmp_path / "image") == ["locked.txt"]


# --- software ---------------------------------------------------------------------------------------------------------


def test_packages_that_are_missing_or_other_are_named_and_only_those_a_run_needs_stop_it():
    pinned = {"torch": "2.13.0", "ruff": "1.0", "numpy": "2.0"}
    assert [line.status for line in software.package_lines(pinned, [], {"torch"})] == ["ok"]
    found = [Difference("numpy", "2.0", "2.1"), Difference("ruff", "1.0", None), Difference("torch", "2.13.0", None)]
    lines = software.package_lines(pinned, found, {"torch", "numpy"})
    assert [(line.status, line.said.split(":")[0]) for line in lines] == [
        ("missing", "torch"), ("note", "ruff"), ("note", "numpy 2.1 (pinned 2.0)"),
    ]  # fmt: skip
    assert all("make setup" in line.remedy for line in lines)
    assert software.package_lines({}, [], set())[0].status == "missing"


def test_what_a_run_needs_is_what_pyproject_asks_for():
    requires, needed = software.project(ROOT)
    assert requires == ">=3.11,<3.14" and {"torch", "transformers", "dvc"} <= needed and "pytest" not in needed


def test_a_tool_that_is_not_there_is_noted(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    lines = software.tool_lines()
    assert [line.said for line in lines] == ["git is not on PATH", "make is not on PATH", "dvc is not on PATH"]
    assert all(line.status == "note" and line.remedy for line in lines)


def test_without_history_dvc_needs_to_be_told(tmp_path):
    line = software.history_line(tmp_path, {})
    assert line.status == "missing" and "git clone" in line.remedy and "core.no_scm" in line.remedy
    assert software.history_line(tmp_path, {"core.no_scm": "true"}).status == "note"


def test_a_repository_around_an_unpacked_archive_is_not_its_history(tmp_path):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "inner").mkdir()
    assert software.history_line(tmp_path / "inner", {}).status == "missing"


# --- card, torch, memory ----------------------------------------------------------------------------------------------


def fake_nvidia_smi(monkeypatch, tmp_path: Path, script: str) -> None:
    path = tmp_path / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


def test_cards_are_read_from_nvidia_smi(monkeypatch, tmp_path):
    said = "NVIDIA H100 80GB HBM3, 580.95.05, 81920, 80896\nNVIDIA GB10, 580.95.05, [N/A], [N/A]"
    fake_nvidia_smi(
        monkeypatch, tmp_path, f"[ \"$1\" = --query-gpu=name,driver_version,memory.total,memory.free ] && echo '{said}'"
    )
    assert cards() == [H100, Card("NVIDIA GB10", "580.95.05", None, None)]
    assert [line.said for line in compute.card_lines(cards())] == [
        "NVIDIA H100 80GB HBM3, driver 580.95.05, 84.8 GB of 85.9 GB free", "NVIDIA GB10, driver 580.95.05, memory unknown",
    ]  # fmt: skip


@pytest.mark.parametrize("script", ["exit 9", "echo NVIDIA-SMI has failed"])
def test_a_driver_that_does_not_answer_is_no_card(monkeypatch, tmp_path, script):
    fake_nvidia_smi(monkeypatch, tmp_path, script)
    assert not cards() and compute.card_lines(cards())[0].said.startswith("none")


@pytest.mark.parametrize(
    ("torch", "listed", "remedy"),
    [
        (CPU_BUILD, [H100], "install the CUDA build"),
        (CUDA_BUILD._replace(why_not="Found no NVIDIA driver"), None, "install NVIDIA's driver"),
        (
            CUDA_BUILD._replace(why_not="too old"),
            [H100._replace(driver="535.1")],
            "driver 535.1 is too old for CUDA 13.0: install 580",
        ),
        (CUDA_BUILD._replace(why_not="it sees no card"), [H100], "--gpus all"),
    ],
)
def test_a_card_that_is_asked_for_and_cannot_be_used_is_missing_with_the_reason_and_the_remedy(torch, listed, remedy):
    (line,) = compute.run_lines("cuda", "bfloat16", torch, listed, 4 * 10**9, 64 * GIB)
    assert line.status == "missing" and torch.why_not in line.said
    assert remedy in line.remedy and "model.device=cpu" in line.remedy
    assert [line.status for line in compute.run_lines("auto", "float64", torch, listed, 10**6, 64 * GIB)] == ["ok", "ok"]


def test_a_card_that_nobody_asks_for_is_no_fault():
    assert compute.torch_line(CPU_BUILD, None).status == "ok"
    assert compute.torch_line(CPU_BUILD, [H100]).status == "note"
    assert compute.torch_line(CUDA_BUILD, [H100]).said.endswith("CUDA 13.0 usable")


def test_a_model_that_does_not_fit_is_missing_where_it_would_be_computed():
    small = H100._replace(free=8 * GIB)
    device, fits = compute.run_lines("cuda", "bfloat16", CUDA_BUILD, [small], 43 * 10**8, 256 * GIB)
    assert device.said == "cuda, bfloat16" and fits.status == "missing" and "on the card" in fits.said
    assert compute.run_lines("cuda", "bfloat16", CUDA_BUILD, [H100], 43 * 10**8, 0)[1].status == "ok"
    device, fits = compute.run_lines("cpu", "bfloat16", CPU_BUILD, None, 43 * 10**8, 8 * GIB)
    assert device.status == "note" and "minutes an image" in device.said and fits.status == "missing"
    assert 11e9 < compute.needed_memory(43 * 10**8, "bfloat16") < 16e9


def test_parameters_are_counted_from_the_headers_of_the_weights(tmp_path):
    import torch
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3, 4), "b": torch.zeros(5)}, tmp_path / "model-1.safetensors", {"format": "pt"})
    save_file({"c": torch.zeros(())}, tmp_path / "model-2.safetensors")
    assert compute.parameters_of(tmp_path) == 18


# --- study and model --------------------------------------------------------------------------------------------------


def test_a_study_that_is_here_and_pinned_is_ok_in_every_line(root):
    lines = study.run_inputs(root).lines
    assert [line.about for line in lines] == ["params", "study", "digest", "images", "model"]
    assert {line.status for line in lines} == {"ok"}


def broken_params(root: Path) -> None:
    set_params(root, limit="20")


def no_params(root: Path) -> None:
    (root / "params.yaml").unlink()


def no_study(root: Path) -> None:
    shutil.rmtree(root / "data")


def other_study(root: Path) -> None:
    path = root / "data/questions.csv"
    path.write_bytes(path.read_bytes().replace(b"Is ", b"Was ", 1))


def not_pinned(root: Path) -> None:
    set_params(root, study_digests={})


def no_images(root: Path) -> None:
    shutil.rmtree(root / "data/images")


def spoilt_image(root: Path) -> None:
    next((root / "data/images").iterdir()).write_bytes(b"no image")


def half_a_model(root: Path) -> None:
    (root / "data/model/model.safetensors").unlink()


def no_model(root: Path) -> None:
    set_params(
        root,
        model={**dict.fromkeys(("dtype", "device", "redraw_language")), "id": "google/medgemma-4b-it", "revision": "0" * 40},
    )


@pytest.mark.parametrize(
    ("fault", "name", "remedies"),
    [
        (broken_params, "params", ["limit: Input should be a valid integer, not '20'", "git checkout"]),
        (no_params, "params", ["run this from the repository's root"]),
        (no_study, "study", ["dvc pull data.dvc"]),
        (other_study, "digest", ["study_digests pins"]),
        (not_pinned, "digest", ["study_digests has no digest for study 'data'"]),
        (no_images, "images", ["image_root"]),
        (spoilt_image, "images", ["the table pins"]),
        (half_a_model, "model", ["model.safetensors missing", "restore the directory"]),
        (no_model, "model", ["hf auth login", f"hf download google/medgemma-4b-it --revision {'0' * 40}"]),
    ],
)
def test_what_is_missing_is_named_with_its_remedy_and_the_rest_is_still_examined(root, fault, name, remedies, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(root / "nothing"))
    fault(root)
    line = about(study.run_inputs(root).lines, name)
    assert line.status == "missing"
    for remedy in remedies:
        assert remedy in line.remedy
    lines = examine(root)
    assert line in lines and name in verdict(lines)
    assert {"python", "system", "packages", "tools", "disk", "torch"} <= {line.about for line in lines}


def test_a_study_that_is_not_pinned_but_may_be_run_is_a_note(root):
    set_params(root, study_digests={}, allow_unpinned=True)
    (root / "data/model.json").unlink()
    set_params(root, study_digests={})
    lines = study.run_inputs(root).lines
    assert about(lines, "digest").status == about(lines, "model").status == "note"
    assert "medattn study pin" in about(lines, "model").remedy


def test_no_image_of_a_credentialed_study_is_named(root):
    path = root / "data/study.yaml"
    path.write_text(path.read_text().replace("licence: open", "licence: credentialed"))
    spoilt_image(root)
    text = "\n".join(shown(line) for line in study.run_inputs(root).lines)
    assert "1 of 4 opened cannot be used" in text and not any(
        row["image_id"] in text for row in read_study(root / "data").images()
    )


def masks(root: Path, *doubts: str, known: bool = True) -> None:
    rows = read_study(root / "data").images()
    names = [row["image_id"] if known else "another" for row in rows]
    (root / "results/groups").mkdir(parents=True)
    lines = [f"{name},p,{doubt}" for name, doubt in zip(names, doubts, strict=False)]
    (root / "results/groups/body_masks.csv").write_text("\n".join(["image_id,subject_id,doubt", *lines, ""]))


def test_doubtful_body_masks_of_the_last_run_are_listed(root):
    masks(root, "the body is all", "", "the body is little")
    first, _, third = (row["image_id"] for row in read_study(root / "data").images()[:3])
    line = about(study.run_inputs(root).lines, "body masks")
    assert (line.status, line.said) == ("note", "2 of 3 in the last run are doubtful")
    assert line.remedy.splitlines()[1:] == [f"image {first!r}: the body is all", f"image {third!r}: the body is little"]


def test_no_doubtful_body_mask_of_a_credentialed_study_is_named(root):
    masks(root, "the body is all", "")
    path = root / "data/study.yaml"
    path.write_text(path.read_text().replace("licence: open", "licence: credentialed"))
    line = about(study.run_inputs(root).lines, "body masks")
    assert line.said == "1 of 2 in the last run are doubtful" and "results/groups/body_masks.csv names them" in line.remedy
    assert read_study(root / "data").images()[0]["image_id"] not in line.remedy


def test_body_masks_without_doubt_are_ok_and_those_of_another_study_are_nothing(root):
    masks(root, "", "")
    assert about(study.run_inputs(root).lines, "body masks").status == "ok"
    shutil.rmtree(root / "results")
    masks(root, "doubt", known=False)
    assert "body masks" not in [line.about for line in study.run_inputs(root).lines]


# --- disk and caches --------------------------------------------------------------------------------------------------


def test_room_is_missing_only_if_earlier_results_would_not_make_it():
    assert storage.room_line(10, 0, 5).status == "ok"
    assert storage.room_line(3, 4, 5).status == "note"
    assert storage.room_line(1, 1, 5).status == "missing"
    assert storage.room_line(1, 1, None).status == "note"


def test_the_room_that_a_run_needs_is_the_plans_with_dvcs_cache(root):
    params, found = load_params(root / "params.yaml"), read_study(root / "data")
    kept = needed_room(found, params, root)
    without = needed_room(found, params.model_copy(update={"run": params.run.model_copy(update={"cache": False})}), root)
    work = workload_of(planned(found, params), found)
    assert kept - without == output_bytes.captures(work, CaptureSize(layers=6, heads=8, rows=6)) > 0
    assert without > 2 * (kept - without)


def test_caches_are_measured_and_a_switch_that_is_off_is_said(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").write_bytes(b"123")
    (tmp_path / "a/link").symlink_to(tmp_path)
    assert directory_size(tmp_path) == 3 and directory_size(tmp_path / "none") == 0
    assert storage.cache_lines(3, 0, True, None)[0].status == "ok"
    assert "MEDATTN_CACHE=off" in storage.cache_lines(3, 0, True, "off")[0].said
    assert "run.cache is false" in storage.cache_lines(3, 0, False, None)[0].said


def test_the_remote_is_a_directory_that_is_there(tmp_path):
    known = {"core.remote": "embedded", "remote.embedded.url": str(tmp_path)}
    assert storage.remote_line(known).status == "ok"
    assert storage.remote_line({}).status == storage.remote_line(known | {"remote.embedded.url": "/nowhere"}).status == "note"


def test_sizes_are_readable():
    assert [size(n) for n in (0, 999, 81_300, 8.6e9, 5e15)] == ["0 B", "999 B", "81 kB", "8.6 GB", "5000.0 TB"]


# --- the command ------------------------------------------------------------------------------------------------------


def test_a_check_that_cannot_be_made_is_missing_and_the_others_go_on(monkeypatch, root):
    monkeypatch.setitem(sys.modules, "torch", None)
    lines = examine(root)
    assert about(lines, "torch").status == "missing" and "make setup" in about(lines, "torch").remedy
    assert about(lines, "GPU").status == "ok" and about(lines, "model").status == "ok"


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """The last commit's files, no history, no study: a bare clone before `make data`."""
    place = tmp_path_factory.mktemp("archive") / "medattn"
    packed = place.with_suffix(".zip")
    subprocess.run(["git", "archive", "--output", packed, "HEAD"], cwd=ROOT, check=True)
    shutil.unpack_archive(packed, place)
    shutil.rmtree(place / "medattn")
    shutil.copytree(ROOT / "medattn", place / "medattn")
    return place


def doctor(place: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "medattn", "doctor", *arguments]
    return subprocess.run(command, cwd=place, env=os.environ | environment, capture_output=True, text=True)


def test_the_command_says_in_a_bare_archive_what_is_missing_and_exits_with_1(archive):
    done = doctor(archive)
    assert done.returncode == 1 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[-1] == "The study that params.yaml names cannot run here: see history, study."
    assert any(line.startswith("missing study") for line in lines) and any("dvc pull data.dvc" in line for line in lines)
    report = json.loads(doctor(archive, "--json").stdout)
    assert report["can_run"] is False and report["verdict"] == lines[-1]
    assert {line["status"] for line in report["lines"]} <= {"ok", "note", "missing"}
    assert all(line["remedy"] for line in report["lines"] if line["status"] == "missing")
    assert not (archive / "results").exists()


def test_the_command_exits_with_0_where_the_study_can_run(archive, root):
    for name in ("data", "params.yaml"):
        shutil.move(root / name, archive / name)
    subprocess.run(["git", "init", "--quiet"], cwd=archive, check=True)
    subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "--allow-empty", "-m", "x"],
        cwd=archive, check=True,
    )  # fmt: skip
    done = doctor(archive)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "The study that params.yaml names can run here."


def test_the_command_works_where_nothing_can_be_written_and_outside_a_repository(tmp_path):
    (tmp_path / "empty").mkdir(mode=0o555)
    done = doctor(tmp_path / "empty", PYTHONPATH=str(ROOT))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "run this from the repository's root" in done.stdout and list((tmp_path / "empty").iterdir()) == []
