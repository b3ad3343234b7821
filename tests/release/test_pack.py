"""A release holds aggregates and nothing else: every kind of restricted thing is planted in a small run and refused by name."""

import base64
import contextlib
import getpass
import hashlib
import io
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import yaml
from matplotlib import pyplot as plt
from PIL import Image

from medattn import cli
from medattn.base.errors import InputError
from medattn.figures import style
from medattn.release import pack
from medattn.release.file_kinds import look
from medattn.release.members import allowed
from medattn.release.scan import FEWEST_WORDS, make, of_mimic_form, of_study
from medattn.report.page import Figure, Section, html
from tests.import_closure import ROOT

PATIENTS = 6
SUBJECT, STUDY = "12345003", "59876003"  # patient 3 of a study of invented patients
IMAGE = "0a1b2c3d-4e5f6071-8293a4b5-c6d7e8f9-00000003"
QUESTION_ID = f"{IMAGE}-effusion"
QUESTION = "Is there evidence of a small effusion in this image?"
ANSWER = "Yes, a small effusion is visible on the left."
STUDY_YAML = {
    "name": "tiny", "title": "A tiny study", "licence": "credentialed", "image_root": "images", "source": "invented",
    "defaults": {
        "model": {"id": "google/medgemma-4b-it", "revision": "0" * 40, "dtype": "bfloat16", "device": "cpu"},
        "prompt": {"system": "", "template": "{question}", "order": "question_first", "max_new_tokens": 20},
    },
}  # fmt: skip
MAKE = """\
import shutil
for name in ("results", "reports"):
    shutil.copytree("made/" + name, name, dirs_exist_ok=True)
shutil.copy("made/ro-crate-metadata.json", ".")
"""
PIPELINE = """\
stages:
  figures:
    cmd: python medattn/make.py
    deps: [medattn/make.py, requirements/locked.txt]
    params: [study, figures]
    outs:
      - results/manifest.csv: {push: false}
      - results/answers.csv: {push: false}
      - reports/tables: {cache: false}
      - reports/figures: {cache: false}
      - reports/latex: {cache: false}
      - reports/index.html: {cache: false}
      - ro-crate-metadata.json: {cache: false}
    metrics:
      - reports/metrics.json: {cache: false}
"""


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def environment(tmp: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    who = {f"GIT_{role}_{what}": "nobody@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return (
        clean
        | who
        | {"PATH": path, "DVC_SITE_CACHE_DIR": str(tmp / "site"), "DVC_NO_ANALYTICS": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    )


def study_tables(patients: int = PATIENTS) -> dict[str, str]:
    header = (
        "question_id,role,image_id,study_id,subject_id,finding,zone,baseline_question,question,answer,question_variant"
        ",variant_index,strategy"
    )
    questions, images, samples, answers = [header], ["image_id,path,sha256,width,height,subject_id,study_id,view,split"], [], []
    for number in range(1, patients + 1):
        image, study, subject = f"{IMAGE[:-1]}{number}", f"{STUDY[:-1]}{number}", f"{SUBJECT[:-1]}{number}"
        questions.append(
            f"{image}-effusion,study,{image},{study},{subject},effusion,effusion,{QUESTION},{QUESTION},yes,original,0,baseline"
        )
        images.append(f"{image},{image}.jpg,{'0' * 64},10,10,{subject},{study},PA,test")
        samples.append(
            f"{image}-effusion-v0-clean,{image}-effusion,{image},{image},{study},{subject},effusion,effusion,{QUESTION},{QUESTION},yes"
        )
        answers.append(f'{image}-effusion-v0-clean,ok,"{ANSWER if number == 3 else "Yes."}"')
    manifest = (
        "sample_id,question_id,image_id,shown_image_id,study_id,subject_id,finding,zone,baseline_question,question,answer"
    )
    return {
        "studies/tiny/questions.csv": "\n".join([*questions, ""]),
        "studies/tiny/images.csv": "\n".join([*images, ""]),
        "made/results/manifest.csv": "\n".join([manifest, *samples, ""]),
        "made/results/answers.csv": "\n".join(["sample_id,status,answer_text", *answers, ""]),
    }


def chart(folder: Path, text: str = "Sinks per image") -> bytes:
    """A chart as the pipeline draws it, once as PNG and PDF, and the PNG that the page shows."""
    folder.mkdir(parents=True, exist_ok=True)
    fig = style.figure(85, 60)
    fig.subplots().set_title(text)
    small = style.small_png(fig, 72)
    style.save_both(fig, folder, "sinks", 72)
    return small


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """A repository in which DVC has run a stage that makes the reports of a credentialed study."""
    tmp = tmp_path_factory.mktemp("release")
    root = tmp / "repository"
    params = (ROOT / "params.yaml").read_text()
    files = study_tables() | {
        "studies/tiny/study.yaml": yaml.safe_dump(STUDY_YAML),
        "params.yaml": re.sub(r"^study: .*$", "study: studies/tiny", params, flags=re.MULTILINE),
        "medical_terms.txt": (ROOT / "medical_terms.txt").read_text(),
        "dvc.yaml": PIPELINE,
        "medattn/make.py": MAKE,
        "requirements/locked.txt": "click==8.1.0 \\\n    --hash=sha256:00\nnumpy==2.0.0\n",
        "LICENSE": "Apache License, Version 2.0\n",
        "CITATION.cff": "cff-version: 1.2.0\n",
        "made/ro-crate-metadata.json": '{"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": []}\n',
        ".gitignore": "/studies/\n/made/\n/results/\n",
        "made/reports/tables/by_finding.csv": (
            "finding,n,patients,positives,accuracy\neffusion,60,6,30,0.8\npneumothorax,60,6,suppressed,0.75\n"
        ),
        "made/reports/metrics.json": '{\n "accuracy_all": 0.8,\n "n_failed": 0,\n "n_samples": 60\n}\n',
        "made/reports/latex/by_finding.tex": (
            "% needs \\usepackage{booktabs}\n\\begin{tabular}{lr}effusion & 60\\end{tabular}\n"
        ),
    }
    for name, content in files.items():
        write(root / name, content)
    image = chart(root / "made/reports/figures")
    figure = Figure("sinks", "Sinks", "How many.", "A chart.", image, ("figures/sinks.pdf",))
    page = html("A tiny study", ["Six invented patients."], [], [Section("Sinks", (), (figure,), ())])
    write(root / "made/reports/index.html", page)
    for command in (
        ["git", "init", "--quiet"], [sys.executable, "-m", "dvc", "init", "--quiet"],
        [sys.executable, "-m", "dvc", "repro", "--quiet"], ["git", "add", "."], ["git", "commit", "--quiet", "-m", "a run"],
    ):  # fmt: skip
        subprocess.run(command, cwd=root, env=environment(tmp), check=True, capture_output=True)
    return root


@pytest.fixture
def repository(template, tmp_path, monkeypatch) -> Path:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(template.parent / "site"))
    return Path(shutil.copytree(template, tmp_path / "repository", symlinks=True))


def record(root: Path) -> None:
    """Let DVC record what lies there now: the net of bytes is then off, and only the content can tell."""
    from dvc.repo import Repo

    with contextlib.chdir(root), Repo() as repo:
        repo.commit(force=True)


def refusal(root: Path) -> list[str]:
    """The lines of the refusal; nothing may have been written."""
    out = root.parent / "out" / "release.tar.gz"
    with pytest.raises(InputError) as error:
        pack.run(out, root)
    assert not out.parent.exists()
    first, *lines = str(error.value).splitlines()
    assert first == "nothing was written:"
    return lines


def added(root: Path, name: str, text: str) -> None:
    path = root / name
    path.write_bytes(path.read_bytes() + text.encode())


def png_chunk(content: bytes, name: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk in front of its pixels."""
    chunk = struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    at = content.index(b"IDAT") - 4
    return content[:at] + chunk + content[at:]


def radiograph(form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(buffer, form)
    return buffer.getvalue()


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


def test_a_picture_in_the_page_is_seen_by_the_pages_bytes_and_by_its_place(repository):
    for form, at in (("PNG", "</main>"), ("JPEG", "</header>")):
        page = repository / "reports/index.html"
        uri = f"data:image/{form.lower()};base64,{base64.b64encode(radiograph(form)).decode()}"
        page.write_text(page.read_text().replace(at, f'<img src="{uri}">{at}'))
    lines = refusal(repository)
    assert sum("holds an image or a file" in line and line.startswith("reports/index.html: line ") for line in lines) == 2
    assert "reports/index.html: differs from what dvc.lock records: run `dvc repro`" in lines
    record(repository)
    assert len(refusal(repository)) == 2


def test_a_picture_under_a_charts_name_in_the_page_must_be_a_png(repository):
    page = repository / "reports/index.html"
    film = base64.b64encode(radiograph("JPEG")).decode()
    page.write_text(re.sub(r"data:image/png;base64,[^\"]+", f"data:image/png;base64,{film}", page.read_text()))
    record(repository)
    (line,) = refusal(repository)
    assert line.endswith(": the image of figure sinks is a JPEG image, not a PNG of the chart")


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


# --- the net of content: DVC records every plant, so nothing else can tell --------------------------------------------

A_PATIENT = f"{SUBJECT!r}, an identifier of the study"
AN_IMAGE = f"{IMAGE!r}, which has the form of an image of MIMIC-CXR"
A_QUESTION = f"{'is there evidence of a small effusion in this image'!r}, a question or an answer of the study"
AN_ANSWER = f"{'yes a small effusion is visible on the left'!r}, a question or an answer of the study"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("reports/tables/by_finding.csv", f"{SUBJECT},60,6,30,0.5\n", f"line 4: holds {A_PATIENT}"),
        (
            "reports/tables/by_finding.csv",
            f"effusion {IMAGE.upper()},60,6,30,0.5\n",
            f"line 4: holds {AN_IMAGE.replace(IMAGE, IMAGE.upper())}",
        ),
        (
            "reports/latex/by_finding.tex",
            f"% s{STUDY}\n",
            f"line 3: holds 's{STUDY}', which has the form of a radiology study of MIMIC-CXR",
        ),
        (
            "reports/latex/by_finding.tex",
            f"% files/p12/p{SUBJECT}\n",
            f"line 3: holds 'p{SUBJECT}', which has the form of a patient of MIMIC-CXR",
        ),
        (
            "reports/latex/by_finding.tex",
            "% " + QUESTION_ID.replace("-effusion", "\\_effusion"),
            f"line 3: holds {QUESTION_ID!r}, an identifier of the study",
        ),
        ("reports/latex/by_finding.tex", f"% {QUESTION.upper()}\n", f"line 3: holds {A_QUESTION}"),
        ("reports/latex/by_finding.tex", "% yes, a  small effusion is\n% visible on the LEFT\n", f"line 3: holds {AN_ANSWER}"),
        ("reports/index.html", f"<!-- {SUBJECT} -->", f"holds {A_PATIENT}"),
        ("reports/index.html", "<p>Is there evidence of a <b>small</b>&nbsp;effusion in this image?", f"holds {A_QUESTION}"),
        ("params.yaml", f"# see {SUBJECT}\n", f"holds {A_PATIENT}"),
        ("dvc.lock", f"# {QUESTION_ID}-v0-clean\n", f"holds '{QUESTION_ID}-v0-clean', an identifier of the study"),
        ("ro-crate-metadata.json", f"# {SUBJECT}\n", f"line 2: holds {A_PATIENT}"),
        ("CITATION.cff", f"# {SUBJECT}\n", f"line 2: holds {A_PATIENT}"),
        ("dvc.yaml", f"# p{SUBJECT}\n", f"holds 'p{SUBJECT}', which has the form of a patient of MIMIC-CXR"),
        ("reports/latex/by_finding.tex", f"% {'QUJD' * 120}\n", "line 3: holds base64: an image or a file inside the text"),
        ("reports/latex/by_finding.tex", "% /home/ana/mimic\n", "line 3: holds '/home/ana', a home directory of this machine"),
        ("reports/tables/by_finding.csv", "atelectasis,60,3,30,0.5\n", "row 4: patients is 3, fewer than 5"),
        ("reports/tables/by_finding.csv", "atelectasis,60,6,1,0.5\n", "row 4: positives is 1, fewer than 5"),
    ],
)
def test_restricted_text_is_refused_wherever_it_is_written(repository, name, text, said):
    if name.startswith("reports/"):
        added(repository, name, text)
        record(repository)
    else:
        added(repository, name, text)
    assert any(line.startswith(f"{name}: ") and line.endswith(said) for line in refusal(repository)), said


def test_an_identifier_among_the_parameters_is_refused(repository):
    path = repository / "params.yaml"
    path.write_text(path.read_text().replace("terms:", f"terms:\n    - finding of {SUBJECT}"))
    assert any(re.fullmatch(rf"params.yaml: line \d+: holds {re.escape(A_PATIENT)}", line) for line in refusal(repository))


def test_a_table_with_a_row_per_patient_is_refused(repository):
    write(repository / "reports/tables/by_finding.csv", "finding,subject_id,answer\neffusion,1,no\n")
    record(repository)
    assert refusal(repository) == [
        "reports/tables/by_finding.csv: has a column 'subject_id': a row is about one patient",
        "reports/tables/by_finding.csv: has a column 'answer': a row is about one patient",
    ]


def test_numbers_are_numbers(repository):
    write(
        repository / "reports/metrics.json", json.dumps({"accuracy_all": 0.5, "n_failed": 2, "worst": "yes", "n_samples": None})
    )
    record(repository)
    assert refusal(repository) == [
        "reports/metrics.json: worst: 'yes' is not a number",
        "reports/metrics.json: n_failed is 2, fewer than 5",
    ]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (b"tEXt", b"Comment\0" + SUBJECT.encode()),
        (b"zTXt", b"Comment\0\0" + zlib.compress(SUBJECT.encode())),
        (b"iTXt", b"Comment\0\0\0en\0\0" + SUBJECT.encode()),
        (b"iTXt", b"Comment\0\1\0en\0\0" + zlib.compress(SUBJECT.encode())),
    ],
)
def test_an_identifier_in_a_pngs_metadata_is_refused_in_the_figure_and_in_the_page(repository, name, body):
    figure, page = repository / "reports/figures/sinks.png", repository / "reports/index.html"
    figure.write_bytes(png_chunk(figure.read_bytes(), name, body))
    shown = base64.b64encode(png_chunk(radiograph(), name, body)).decode()
    page.write_text(re.sub(r"data:image/png;base64,[^\"]+", f"data:image/png;base64,{shown}", page.read_text()))
    record(repository)
    lines = refusal(repository)
    assert f"reports/figures/sinks.png: holds {A_PATIENT}" in lines
    assert any(line.startswith("reports/index.html") and line.endswith(A_PATIENT) for line in lines)


def test_a_png_with_an_unknown_part_or_something_behind_it_is_refused(repository):
    figure = repository / "reports/figures/sinks.png"
    figure.write_bytes(png_chunk(figure.read_bytes(), b"eXIf", b"MM\0*") + radiograph("JPEG"))
    record(repository)
    assert refusal(repository) == [
        "reports/figures/sinks.png: has a chunk 'eXIf', which no chart has",
        "reports/figures/sinks.png: has bytes behind the image, or is cut off",
    ]


def drawn(path: Path, text: str, compressed: bool, fonttype: int, **metadata: str) -> None:
    """A PDF with words, by Matplotlib."""
    with plt.rc_context(style.SETTINGS | {"pdf.compression": 6 if compressed else 0, "pdf.fonttype": fonttype}):
        fig = plt.figure()
        fig.text(0.1, 0.5, text)
        fig.savefig(path, metadata=metadata)
        plt.close(fig)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("fonttype", [3, 42])
@pytest.mark.parametrize(
    ("text", "said"), [(f"patient {SUBJECT} → yes", A_PATIENT), (QUESTION, A_QUESTION), (f"… {IMAGE}", AN_IMAGE)]
)
def test_words_drawn_in_a_pdf_are_read(repository, text, said, compressed, fonttype):
    drawn(repository / "reports/figures/sinks.pdf", text, compressed, fonttype)
    record(repository)
    assert f"reports/figures/sinks.pdf: holds {said}" in refusal(repository)


@pytest.mark.parametrize("title", [SUBJECT, f"Größe – {SUBJECT}"])  # the second is written as UTF-16
def test_an_identifier_in_a_pdfs_metadata_is_refused(repository, title):
    drawn(repository / "reports/figures/sinks.pdf", "a chart", False, 42, Title=title)
    record(repository)
    assert refusal(repository) == [f"reports/figures/sinks.pdf: holds {A_PATIENT}"]


def test_words_of_a_font_with_codes_of_its_own_are_read_through_its_map():
    codes = {letter: number for number, letter in enumerate(sorted(set(SUBJECT)), start=7)}
    shown = "".join(f"{codes[letter]:04x}" for letter in SUBJECT)
    characters = "\n".join(f"<{number:04x}> <{ord(letter):04x}>" for letter, number in codes.items())
    streams = [f"BT /F1 9 Tf [<{shown[:12]}> -3 <{shown[12:]}>] TJ ET", f"{len(codes)} beginbfchar\n{characters}\nendbfchar"]
    content = b"%PDF-1.4\n" + b"".join(
        b"1 0 obj\n<< /Filter /FlateDecode >>\nstream\n" + zlib.compress(stream.encode()) + b"\nendstream\nendobj\n"
        for stream in streams
    )
    assert any(SUBJECT in text for text in look("x.pdf", content, set()).texts)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (
            b"1 0 obj\n<< /Filter /DCTDecode >>\nstream\n\xff\xd8\xff\nendstream\nendobj\n",
            "has a part packed as DCTDecode, which no chart has (DCTDecode is a JPEG)",
        ),
        (b"1 0 obj\n<< /Filter [/FlateDecode] >>\nstream\nxx\nendstream\nendobj\n", "has a part that cannot be unpacked"),
        (b"1 0 obj\n<< /Type /EmbeddedFile >>\nendobj\n", "has a file inside"),
    ],
)
def test_a_pdf_that_cannot_be_looked_into_is_refused(part, said):
    assert look("reports/figures/sinks.pdf", b"%PDF-1.4\n" + part, set()).problems == [said]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("reports/figures/sinks.png", radiograph("JPEG"), "is a JPEG image, not a PNG image"),
        ("reports/figures/sinks.pdf", radiograph(), "is a PNG image, not a PDF"),
        ("reports/tables/by_finding.csv", b"\x93NUMPY\1\0", "is a NumPy array (a grid), not text"),
        ("reports/latex/by_finding.tex", b"\0" * 128 + b"DICM", "holds NUL bytes: it is not text"),
    ],
)
def test_a_file_under_a_name_of_another_type_is_refused(repository, name, content, said):
    write(repository / name, content)
    record(repository)
    assert f"{name}: {said}" in refusal(repository)


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


# --- looking up -------------------------------------------------------------------------------------------------------


def found(text: str, **known) -> list[str]:
    return [what for _, what in of_study(text, make(**({"identifiers": (), "texts": ()} | known)))]


@pytest.mark.parametrize("text", ["yes", "No.", "left lung", "no evidence of it", "  Left, lower LOBE "])
def test_short_answers_are_nobodys_own(text):
    words = len(text.split())
    assert bool(found(f"x {text} y", texts=[text])) == (words >= FEWEST_WORDS)


def test_a_text_that_is_a_findings_name_is_published_with_its_table():
    assert found("left lower lobe pneumonia", texts=["Left lower lobe pneumonia"], harmless=["left lower lobe pneumonia"]) == []


@pytest.mark.parametrize(
    "text",
    ["a12-0007x", "xa12-0007", "a12-00071", "a12 0007", "a120007", "0.12345003", "1.12345003e-05", "12345003.5", "123450031"],
)
def test_a_longer_word_or_a_decimal_number_is_no_identifier(text):
    assert found(text, identifiers=["a12-0007", SUBJECT]) == []


@pytest.mark.parametrize(
    "text", ["A12-0007", "x-a12-0007-y", "a12_0007.png", "dir/a12-0007", "(a12-0007)", "a12-0007,5", "id=a12-0007;"]
)
def test_an_identifier_is_found_in_any_spelling_and_inside_longer_names(text):
    assert found(text, identifiers=["a12-0007"]) == ["'a12-0007', an identifier of the study"]


def test_identifiers_that_cannot_be_told_from_numbers_are_counted():
    assert make(["12", "abcdef", "abc-1", "p-12345", ""], ()).too_short == 3


def test_only_the_published_forms_count_as_mimics():
    for text in ("p0234500", "p223450030", "s12345003", IMAGE[:-1], f"x{IMAGE}", IMAGE.replace("-", " ")):
        assert not list(of_mimic_form(text)), text


def test_thousands_of_identifiers_cost_no_more_than_one():
    known = make(
        (f"1{number:07d}" for number in range(5000)), (f"is there a very small thing number {number}" for number in range(5000))
    )
    text = "accuracy,0.803333,0.752321,n,600,patients,64\n" * 40_000
    start = time.perf_counter()
    assert not list(of_study(text, known))
    assert time.perf_counter() - start < 10
