"""The commands of docs/mimic-cxr.md on a drawn MIMIC-CXR tree, in a fresh clone: real git, DVC, model, processes. Minutes."""

import csv
import json
import re
import shutil
import tarfile
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tests.clones import dvc, fresh_clone, medattn, run
from tests.reproduce.crate.validator import issues

pytestmark = pytest.mark.slow

STUDY = "studies/fake"
MODEL = ("--model", "data/model", "--dtype", "float64", "--device", "cpu")
# All kinds of conditions, in one strength each.
QUICK = ("gaussian_noise=null", "contrast=null", "brightness=null", "blur=null", "few_pixels=null", "rotation.strengths=[10]")


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A clone in which the study was assembled, pinned and run as an experiment."""
    place = fresh_clone(tmp_path_factory.mktemp("mimic") / "medattn")
    fake = place.parent / "fake"
    print(medattn(place, "study", "fake-mimic", "--out", fake).stdout)
    regions = (f"ms-cxr:{fake / 'regions/ms-cxr'}", f"reflacx:{fake / 'regions/reflacx'}")
    more = [part for text in regions for part in ("--regions", text)]
    questions = fake / "questions/hard_positives.csv"
    print(medattn(place, "study", "mimic-cxr", "--root", fake, "--questions", questions, "--out", STUDY, *MODEL, *more).stdout)
    print(medattn(place, "study", "pin", STUDY).stdout)
    quick = [part for text in QUICK for part in ("-S", f"conditions.{text}")]
    print(dvc(place, "exp", "run", "-n", "paper", "-S", f"study={STUDY}", *quick).stdout[-3000:])
    return place


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def published(clone: Path) -> dict[str, bytes]:
    files = [clone / "ro-crate-metadata.json", *(path for path in sorted((clone / "reports").rglob("*")) if path.is_file())]
    return {path.relative_to(clone).as_posix(): path.read_bytes() for path in files}


def test_the_planted_defects_are_left_out_and_the_rest_is_answered(clone):
    study = table(clone / STUDY / "questions.csv")
    rows = [row for row in table(clone / "results/evaluation_results.csv") if row["condition"] == "clean"]
    assert {row["question_id"] for row in rows} == {row["question_id"] for row in study} and len(rows) == len(study)
    assert all(row["status"] == "ok" for row in rows) and all(
        (clone / f"results/grids/{row['sample_id']}_grid.npy").exists() for row in rows
    )
    planted = json.loads((clone.parent / "fake/fake-defects.json").read_text())
    bad = str([planted[name] for name in ("image_missing_on_disk", "image_differs_from_sum", "image_without_sum")])
    used = {row["image_id"] for row in table(clone / STUDY / "images.csv")}
    assert len(used) > 20 and not any(image_id in bad for image_id in used)
    assert {row["strategy"] for row in rows} >= {"baseline", "phrasing", "synonym", "clause", "register", "voice", "other"}


def test_what_is_derived_from_patients_is_the_owners_alone(clone):
    for place in ("results", "results/run", STUDY, f"{STUDY}/.cache", ".dvc/cache"):
        assert (clone / place).stat().st_mode & 0o777 == 0o700, place
    assert (clone / "results/run/provenance.json").stat().st_mode & 0o777 == 0o600


def test_reports_hold_no_identifier_no_text_and_no_radiograph(clone):
    questions, images = table(clone / STUDY / "questions.csv"), table(clone / STUDY / "images.csv")
    answers = {row["answer_text"] for row in table(clone / "results/answers.csv") if len(row["answer_text"].split()) > 3}
    secret = {
        row[name]
        for row in questions
        for name in ("question_id", "image_id", "study_id", "subject_id", "question", "baseline_question")
    }
    secret |= {row["path"] for row in images} | answers
    files = published(clone)
    assert "reports/index.html" in files and "reports/figures/example.png" not in files
    for name, content in files.items():
        if name.endswith((".csv", ".json", ".tex", ".html")):
            text = content.decode()
            text = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", text)
            assert not [word for word in secret if word in text], name


def test_no_row_of_a_published_table_stands_for_one_to_four_patients(clone):
    for path in sorted((clone / "reports/tables").glob("*.csv")):
        for row in table(path):
            for name, cell in row.items():
                if "patients" in name and name != "few_patients" and cell.isdigit():
                    assert int(cell) == 0 or int(cell) >= 5, (path.name, name, row)


def test_the_study_is_attested_by_counts_and_a_change_is_noticed(clone, tmp_path):
    reference = tmp_path / "reference.json"
    output = medattn(clone, "study", "digest", STUDY, "--json", reference).stdout
    digest = yaml.safe_load((clone / "params.yaml").read_text())["study_digests"][STUDY]
    assert output.splitlines()[0] == digest
    assert "same study" in medattn(clone, "study", "attest", STUDY, "--against", reference).stdout
    other = Path(shutil.copytree(clone / STUDY, tmp_path / "other", ignore=shutil.ignore_patterns(".cache")))
    lines = (other / "questions.csv").read_text().splitlines(keepends=True)
    (other / "questions.csv").write_text("".join(lines[:-1]))
    done = medattn(clone, "study", "attest", other, "--against", reference, check=False)
    assert done.returncode == 1 and "1 missing" in done.stdout and not re.search(r"\d{8}", done.stdout)


def test_a_study_in_use_is_what_a_bare_repro_reproduces(clone):
    before = published(clone)
    medattn(clone, "study", "use", STUDY)
    assert yaml.safe_load((clone / "params.yaml").read_text())["study"] == STUDY
    assert "Running stage" not in dvc(clone, "repro").stdout
    assert published(clone) == before


def test_an_image_that_changed_since_ends_the_run_with_its_name_and_no_result_touched(clone):
    row = table(clone / STUDY / "images.csv")[0]
    image = clone.parent / "fake" / row["path"]
    content, before = image.read_bytes(), (clone / "results/manifest.csv").read_bytes()
    try:
        image.write_bytes(content[:-2] + b"xx")
        done = medattn(clone, "prepare", check=False)
        assert done.returncode == 2 and row["image_id"] in done.stderr and "sha256" in done.stderr
        assert (clone / "results/manifest.csv").read_bytes() == before
    finally:
        image.write_bytes(content)


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")  # the validator's reader
def test_a_release_holds_aggregates_and_refuses_whatever_is_restricted(clone, tmp_path):
    out = tmp_path / "release.tar.gz"
    medattn(clone, "release", "--out", out)
    with tarfile.open(out) as archive:
        names = archive.getnames()
        for member in archive:
            (tmp_path / "crate" / member.name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "crate" / member.name).write_bytes(archive.extractfile(member).read())
    assert not issues(tmp_path / "crate", tmp_path / "answers")
    assert any(name.endswith("reports/index.html") for name in names) and any(name.endswith("params.yaml") for name in names)
    assert not any("results" in name or name.endswith((".npy", ".safetensors", ".jpg")) for name in names)
    row = table(clone / STUDY / "questions.csv")[0]
    planted = {
        "reports/tables/more.csv": row["image_id"].encode(),
        "reports/figures/radiograph.jpg": (clone.parent / "fake" / table(clone / STUDY / "images.csv")[0]["path"]).read_bytes(),
        "reports/grid.npy": next((clone / "results/grids").glob("*.npy")).read_bytes(),
    }
    for name, content in planted.items():
        (clone / name).write_bytes(content)
        try:
            done = medattn(clone, "release", "--out", tmp_path / "other.tar.gz", check=False)
            assert done.returncode == 2 and name in done.stderr and not (tmp_path / "other.tar.gz").exists()
        finally:
            (clone / name).unlink()
    allowed = clone / "reports/tables/by_finding.csv"
    kept = allowed.read_bytes()
    allowed.write_bytes(kept + f"{row['question']},{row['image_id']}\n".encode())
    try:
        assert medattn(clone, "release", "--out", tmp_path / "other.tar.gz", check=False).returncode == 2
    finally:
        allowed.write_bytes(kept)


def test_a_radiograph_in_a_charts_place_is_refused_even_if_dvc_records_it(clone, tmp_path):
    first = tmp_path / "first.tar.gz"
    medattn(clone, "release", "--out", first)
    again = medattn(clone, "release", "--out", tmp_path / "again.tar.gz", "--previous", first)
    assert (tmp_path / "again.tar.gz").read_bytes() == first.read_bytes(), again.stdout
    kept = {name: (clone / name).read_bytes() for name in ("reports/figures/sinks.png", "dvc.lock", "params.yaml")}
    film = Image.open(clone.parent / "fake" / table(clone / STUDY / "images.csv")[0]["path"]).convert("L")
    try:
        film.save(clone / "reports/figures/sinks.png")
        dvc(clone, "commit", "--force")
        done = medattn(clone, "release", "--out", tmp_path / "other.tar.gz", check=False)
        assert done.returncode == 2 and "reports/figures/sinks.png: is not what this run's own results make" in done.stderr
    finally:
        for name, content in kept.items():
            (clone / name).write_bytes(content)


def test_the_store_and_the_hook_know_restricted_files(clone):
    assert medattn(clone, "store", "check").returncode == 0
    run(clone, "git", "config", "core.hooksPath", ".githooks")
    run(clone, "git", "config", "user.email", "somebody@example.org")
    run(clone, "git", "config", "user.name", "Somebody")
    run(clone, "git", "add", "--force", "results/answers.csv")
    done = run(clone, "git", "commit", "-m", "restricted", check=False)
    assert done.returncode != 0 and "results/answers.csv" in done.stdout + done.stderr
    run(clone, "git", "reset", "--quiet")


@pytest.mark.parametrize(
    "questions",
    [None, "medical-cxr-vqa-questions.csv", "mimic-ext", "mimic_pair_questions.csv", "hard_positives_ground_truth.csv"],
)
def test_every_question_set_becomes_a_study_that_passes_the_check(clone, tmp_path, questions):
    fake = clone.parent / "fake"
    more = () if questions is None else ("--questions", fake / "questions" / questions)
    output = medattn(clone, "study", "mimic-cxr", "--root", fake, "--out", tmp_path / "study", *more, *MODEL).stdout
    assert "rows used" in output and not re.search(r"\bs?[1-9]\d{7}\b", output.replace(str(tmp_path), ""))
    checked = medattn(clone, "study", "check", tmp_path / "study").stdout
    assert checked.splitlines()[-1] == output.splitlines()[-1]  # the digest
