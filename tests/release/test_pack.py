"""A release holds aggregates and nothing else: what passes, what is packed, and the nets that are no matter of content."""

import getpass
import hashlib
import json
import re
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest

from medattn import cli
from medattn.base.errors import InputError
from medattn.release import pack
from medattn.release.members import allowed
from tests.import_closure import ROOT
from tests.release.conftest import ANSWER, QUESTION, SUBJECT, added, chart, radiograph, record, refusal, study_tables, write

A_PATIENT = f"{SUBJECT!r}, an identifier of the study"


# --- what passes ------------------------------------------------------------------------------------------------------


def test_a_clean_run_is_packed_and_the_same_run_gives_the_same_bytes(repository):
    out = repository.parent / "release.tar.gz"
    lines = pack.run(out, repository)
    first = out.read_bytes()
    time.sleep(1.1)  # a time in the archive would now be another
    assert pack.run(out, repository) == lines and out.read_bytes() == first
    assert lines[-1] == f"{out}: {len(first):,} bytes, SHA-256 {hashlib.sha256(first).hexdigest()}"
    assert lines[-2].startswith("looked for ") and " texts of study tiny" in lines[-2]
    with tarfile.open(out) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}
        assert {(member.mtime, member.uid, member.gid, member.uname, member.gname) for member in tar} == {(0, 0, 0, "", "")}
    assert list(members) == sorted(members) == [
        "CITATION.cff", "LICENSE", "MANIFEST.json", "code.json", "dvc.lock", "dvc.yaml", "environment.json",
        "medical_terms.txt", "params.yaml", "reports/figures/sinks.pdf", "reports/figures/sinks.png", "reports/index.html",
        "reports/latex/by_finding.tex", "reports/metrics.json", "reports/tables/by_finding.csv", "requirements/locked.txt",
        "ro-crate-metadata.json",
    ]  # fmt: skip
    listed = json.loads(members["MANIFEST.json"])
    assert (listed["study"], listed["licence"]) == ("tiny", "credentialed")
    assert {entry["path"]: (entry["size"], entry["sha256"]) for entry in listed["members"]} == {
        name: (len(content), hashlib.sha256(content).hexdigest())
        for name, content in members.items()
        if name != "MANIFEST.json"
    }
    assert [line.split()[-1] for line in lines[:-2]] == list(members)


def test_the_environment_names_packages_and_device_but_no_host_user_or_path(repository):
    found = pack.collect(repository).files["environment.json"].decode()
    content = json.loads(found)
    assert content["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert content["packages"]["click"]["pinned"] == "8.1.0" and content["packages"]["numpy"]["installed"] == np.__version__
    assert content["torch"]["device"] == "cpu" and content["torch"]["driver"] is None
    words = set(re.findall(r"[\w.-]+", found))
    assert socket.gethostname() not in words and getpass.getuser() not in words
    assert str(repository) not in found and str(Path.home()) not in found and "/" not in content["platform"]["system"]


def test_the_code_digest_follows_the_files_and_says_whether_the_tree_is_clean(repository):
    def code() -> dict:
        return json.loads(pack.collect(repository).files["code.json"])

    before = code()
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert before["commit"] == head and before["tree"] == "clean" and before["changed"] == []
    lines = "".join(
        f"{name} {hashlib.sha256((repository / name).read_bytes()).hexdigest()}\n"
        for name in ("dvc.yaml", "medattn/make.py", "requirements/locked.txt")
    )
    assert before["sha256"] == hashlib.sha256(lines.encode()).hexdigest()
    added(repository, "medattn/make.py", "# changed\n")
    write(repository / "medattn/more.py", "")
    after = code()
    assert (
        after["tree"] == "dirty" and after["changed"] == ["medattn/make.py"] and after["untracked_code"] == ["medattn/more.py"]
    )
    assert after["sha256"] != before["sha256"] and after["commit"] == head


def test_an_open_study_may_publish_its_own_identifiers_and_texts_but_none_of_mimics_form(repository):
    about = repository / "studies/tiny/study.yaml"
    about.write_text(about.read_text().replace("licence: credentialed", "licence: open"))
    added(repository, "reports/latex/by_finding.tex", f"% {SUBJECT}: {QUESTION} {ANSWER}\n")
    shutil.copytree(repository / "reports", repository / "made/reports", dirs_exist_ok=True)
    record(repository)
    assert "looked for identifiers of MIMIC's forms only" in pack.run(repository.parent / "o.tar.gz", repository)[-2]
    added(repository, "reports/latex/by_finding.tex", f"% p{SUBJECT}\n")
    record(repository)
    assert refusal(repository) == [
        f"reports/latex/by_finding.tex: line 4: holds 'p{SUBJECT}', which has the form of a patient of MIMIC-CXR"
    ]


# --- the net of names -------------------------------------------------------------------------------------------------

REMOVE = "that no stage writes to be published: remove it"
UNEXPECTED = {
    "reports/figures/overlay.png": (radiograph(), f"a PNG image {REMOVE}"),
    "reports/figures/example.png": (radiograph(), f"a PNG image {REMOVE}"),
    "reports/figures/film.jpg": (radiograph("JPEG"), f"a JPEG image {REMOVE}"),
    "reports/film.dcm": (b"\0" * 128 + b"DICM", f"a DICOM image {REMOVE}"),
    "reports/tables/x_grid.npy": (b"\x93NUMPY\1\0", f"a NumPy array (a grid) {REMOVE}"),
    "reports/shard-00.safetensors": (
        struct.pack("<Q", 16) + b'{"a":{"dtype":""' + b"\0" * 8, f"tensors (safetensors: captures, grids or weights) {REMOVE}",
    ),
    "reports/tables/answers.csv": (b"sample_id,answer\n", f"a file {REMOVE}"),
    "reports/.hidden": (b"", f"a file {REMOVE}"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNEXPECTED)
def test_a_file_that_no_stage_writes_is_refused_even_if_dvc_records_it(repository, name):
    content, said = UNEXPECTED[name]
    write(repository / name, content)
    record(repository)
    assert refusal(repository) == [f"{name}: {said}"]


@pytest.mark.parametrize(
    ("link", "target"), [("reports/results", "../results"), ("reports/tables/by_strategy.csv", "../../results/answers.csv")]
)
def test_a_link_is_refused_wherever_it_leads(repository, link, target):
    (repository / link).symlink_to(target)
    assert f"{link}: is a link to {target}: a release holds no links" in refusal(repository)


@pytest.mark.parametrize("name", ["reports", "params.yaml"])
def test_what_is_packed_may_not_be_a_link_itself(repository, name):
    (repository / name).rename(repository / "elsewhere")
    (repository / name).symlink_to("elsewhere")
    with pytest.raises(InputError, match=f"{name}:? is a link to elsewhere: a release holds no links"):
        pack.run(repository.parent / "release.tar.gz", repository)


def test_the_names_are_those_that_the_pipeline_writes():
    tracked = subprocess.run(
        ["git", "ls-files", "reports"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(tracked) <= allowed("open")
    assert allowed("open") - allowed("credentialed") == {"reports/figures/example.png", "reports/figures/example.pdf"}


# --- the net of bytes -------------------------------------------------------------------------------------------------


def test_a_radiograph_under_the_name_of_a_chart_is_named(repository):
    (repository / "reports/figures/sinks.png").write_bytes(radiograph())
    assert refusal(repository) == ["reports/figures/sinks.png: differs from what dvc.lock records: run `dvc repro`"]


def test_without_a_commit_of_the_run_dvcs_listing_tells_the_file_and_without_that_the_directory_is_named(repository):
    chart(repository / "made/reports/figures", "Another title")
    shutil.copytree(repository / "made/reports", repository / "reports", dirs_exist_ok=True)
    record(repository)
    (repository / "reports/figures/sinks.png").write_bytes(radiograph())
    assert refusal(repository) == ["reports/figures/sinks.png: differs from what dvc.lock records: run `dvc repro`"]
    shutil.rmtree(repository / ".dvc/cache")
    assert refusal(repository) == [
        "reports/figures: its files are not those that the working tree records (2 files, recorded 2); which, cannot be told:"
        " DVC's cache has no sound listing of them: run `dvc repro`"
    ]


def test_an_output_that_is_absent_is_named(repository):
    (repository / "reports/metrics.json").unlink()
    (repository / "reports/latex/by_finding.tex").unlink()
    assert refusal(repository) == [
        "reports/metrics.json: not found: run `dvc repro`",
        "reports/latex/by_finding.tex: is missing: run `dvc repro`",
    ]


def test_code_or_parameters_that_changed_since_the_run_are_named(repository):
    added(repository, "medattn/make.py", "# changed\n")
    path = repository / "params.yaml"
    path.write_text(path.read_text().replace("dpi: 300", "dpi: 200"))
    code, parameter = refusal(repository)
    assert re.fullmatch(
        r"medattn/make.py: MD5 \w+ is recorded, the working tree has \w+ \(dvc.lock, stage figures\): run `dvc repro`", code
    )
    assert parameter == "params.yaml: figures.dpi: 200, was 300 when it ran (dvc.lock, stage figures): run `dvc repro`"


def test_a_stage_that_dvc_yaml_asks_for_otherwise_than_it_ran_is_named(repository):
    pipeline = repository / "dvc.yaml"
    pipeline.write_text(pipeline.read_text().replace("cmd: python medattn/make.py", "cmd: python medattn/more.py"))
    assert refusal(repository) == [
        "dvc.yaml: cmd is python medattn/more.py, recorded python medattn/make.py (dvc.lock, stage figures): run `dvc repro`"
    ]


# --- the run made again -----------------------------------------------------------------------------------------------

AGAIN = "is not what this run's own results make: run `dvc repro --force metrics figures describe`"


@pytest.mark.parametrize(
    "name", ["reports/figures/sinks.png", "reports/figures/sinks.pdf", "reports/index.html", "reports/latex/by_finding.tex"]
)
def test_what_the_run_does_not_make_again_is_refused_even_if_dvc_records_it(repository, name):
    path = repository / name
    path.write_bytes(path.read_bytes() + b"\n")
    record(repository)
    assert refusal(repository) == [f"{name}: {AGAIN}"]


def test_a_report_that_the_run_makes_and_that_was_removed_is_named(repository):
    (repository / "reports/figures/sinks.pdf").unlink()
    record(repository)
    assert refusal(repository) == ["reports/figures/sinks.pdf: is missing: run `dvc repro --force metrics figures describe`"]


# --- the run ----------------------------------------------------------------------------------------------------------


def test_a_run_of_fewer_than_five_patients_is_not_released(repository):
    for name, content in study_tables(4).items():
        write(repository / name.removeprefix("made/"), content)
    record(repository)
    assert refusal(repository) == [
        "results/manifest.csv: 4 patients: whoever holds the list of identifiers can undo a hash over fewer than 5, and"
        " dvc.lock has such hashes: publish a larger run"
    ]


def test_without_the_runs_answers_nobody_can_tell_so_nothing_is_released(repository):
    (repository / "results/answers.csv").unlink()
    with pytest.raises(
        InputError,
        match=r"results/answers\.csv not found: run `dvc repro`; without it nobody can tell whether its rows are in ",
    ):
        pack.run(repository.parent / "release.tar.gz", repository)


def test_answers_of_another_run_are_refused(repository):
    added(repository, "results/answers.csv", "x,ok,Yes.\n")
    assert refusal(repository) == ["results/answers.csv: differs from what dvc.lock records: run `dvc repro`"]


def test_a_path_of_this_machine_among_the_parameters_is_refused(repository):
    study = repository / "studies/tiny"
    path = repository / "params.yaml"
    path.write_text(path.read_text().replace("study: studies/tiny", f"study: {study}"))
    said = "a path of this machine: name the study relative to the repository (studies/…) and run again"
    assert f"params.yaml: holds '{study}', {said}" in refusal(repository)


def test_the_command_exits_with_2_and_says_what_was_found(repository, monkeypatch, capsys):
    added(repository, "params.yaml", f"# {SUBJECT}\n")
    monkeypatch.chdir(repository)
    monkeypatch.setattr("medattn.base.paths.check_root", lambda: repository)
    monkeypatch.setattr(sys, "argv", ["medattn", "release", "--out", "out/release.tar.gz"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2 and not (repository / "out").exists()
    assert re.fullmatch(
        rf"medattn: nothing was written:\nparams.yaml: line \d+: holds {re.escape(A_PATIENT)}\n", capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("out", "said"), [("release.zip", "the file is a .tar.gz"), ("reports/release.tar.gz", "not inside reports/")]
)
def test_the_file_has_the_right_type_and_lies_outside_of_what_is_packed(repository, out, said):
    with pytest.raises(InputError, match=said):
        pack.run(repository / out, repository)
