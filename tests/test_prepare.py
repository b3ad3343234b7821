"""Prepare: one manifest row per image x variant x condition, and nothing at all where something is wrong."""

import csv
import hashlib
import json
import re
import shutil
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from medattn import cli, prepare
from medattn.base import paths, sample_tables
from medattn.base.errors import InputError
from medattn.base.params import whole as params
from medattn.checks.study_check import digest
from medattn.phantom.study import write
from medattn.prepare import run
from medattn.radiographs import body_finder, samples
from medattn.radiographs.bodies import Bodies
from medattn.radiographs.donors import Donors
from medattn.study.schema import read_study
from tests.conftest import CONFIG, change, make_model, read

REPOSITORY = Path(__file__).parents[1]
IMAGES, SEED = 3, 3


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("made")
    write(directory / "data", IMAGES, SEED, make_model(directory / "trained"))
    return directory / "data"


@pytest.fixture
def root(made, tmp_path) -> Path:
    """A directory to run in: study and params.yaml, its digest pinned."""
    shutil.copytree(made, tmp_path / "data")
    shutil.copy(REPOSITORY / paths.TERMS, tmp_path)
    set_params(tmp_path, study_digests={"data": digest(tmp_path / "data")})
    return tmp_path


def set_params(root: Path, **changes) -> None:
    path = root / "params.yaml"
    raw = yaml.safe_load((path if path.exists() else REPOSITORY / "params.yaml").read_text())
    raw.update(changes)
    path.write_text(yaml.safe_dump(raw))


def prepared(root: Path) -> list[dict[str, str]]:
    run(params.load(root / "params.yaml"), root)
    return read(root / paths.MANIFEST)


def test_rows_are_variants_times_conditions_with_controls_clean_only(root):
    rows = prepared(root)
    count = {
        (role, condition): sum(row["role"] == role and row["condition"] == condition for row in rows)
        for role in ("study", "control") for condition in ("clean", "no_image")
    }  # fmt: skip
    assert count == {
        ("study", "clean"): 6 * IMAGES, ("study", "no_image"): 6 * IMAGES, ("control", "clean"): 2 * IMAGES,
        ("control", "no_image"): 0,
    }  # fmt: skip


COLUMNS = """sample_id question_id role condition strength image_id shown_image_id image_path image_sha256 width height study_id
subject_id view split finding zone baseline_question question answer question_variant variant_index strategy strategies"""


def test_columns_and_order_are_those_of_the_contract(root):
    rows = prepared(root)
    assert list(rows[0]) == COLUMNS.split()
    ids = [row["sample_id"] for row in rows]
    assert ids == sorted(set(ids))
    read_back = sample_tables.read(root / paths.MANIFEST, sample_tables.MANIFEST, "prepare")
    assert list(read_back.values()) == rows


def test_a_sample_is_named_by_question_variant_and_condition_and_keeps_their_values(root):
    questions = {(row["question_id"], row["variant_index"]): row for row in read(root / "data/questions.csv")}
    images = {row["image_id"]: row for row in read(root / "data/images.csv")}
    for row in prepared(root):
        strength = row["strength"].replace("-", "m").replace(".", "p")
        degree = f"-{strength}" if strength else ""
        assert row["sample_id"] == f"{row['question_id']}-v{row['variant_index']}-{row['condition']}{degree}"
        assert re.fullmatch(r"[A-Za-z0-9_-]+", row["sample_id"])  # it names files
        question = questions[row["question_id"], row["variant_index"]]
        shuffled = row["condition"] == "shuffled_image"
        assert {name: row[name] for name in question if name != "answer" or not shuffled} == {
            name: value for name, value in question.items() if name != "answer" or not shuffled
        }
        assert row["shown_image_id"] == row["image_id"] or row["condition"] in ("no_image", "shuffled_image")
        image = images[row["shown_image_id"] or row["image_id"]]
        assert (row["image_path"], row["image_sha256"]) == (image["path"], image["sha256"])
        assert {name: row[name] for name in ("width", "height", "view", "split")} == {
            name: image[name] for name in ("width", "height", "view", "split")
        }
        assert (row["shown_image_id"] == "") == (row["condition"] == "no_image")


def test_a_condition_can_be_asked_in_the_baseline_variant_only(root):
    set_params(root, conditions={"clean": {"variants": "all"}, "no_image": {"variants": "baseline"}})
    rows = [row for row in prepared(root) if row["condition"] == "no_image"]
    assert len(rows) == IMAGES and {row["variant_index"] for row in rows} == {"0"}


def test_limit_keeps_the_first_questions_with_their_variants_and_controls(root):
    everything = prepared(root)
    set_params(root, limit=2)
    rows = prepared(root)
    kept = sorted({row["question_id"] for row in everything if row["role"] == "study"})[:2]
    assert sorted({row["question_id"] for row in rows if row["role"] == "study"}) == kept
    shown = {row["image_id"] for row in rows if row["role"] == "study"}
    assert {row["image_id"] for row in rows} == shown
    assert rows == [row for row in everything if row["image_id"] in shown]
    count = Counter(row["condition"] for row in rows)
    assert count["clean"] == 2 * (6 + 2) and count["no_image"] == 2 * 6 and count["contrast"] == 2 * 3


def test_the_same_study_gives_the_same_bytes(root):
    prepared(root)
    before = (root / paths.MANIFEST).read_bytes()
    prepared(root)
    assert (root / paths.MANIFEST).read_bytes() == before


def medattn(root: Path, monkeypatch, capsys, *arguments: str) -> tuple[int, str]:
    """Exit code and stderr of the command line, run in `root` (which holds no code, so that check is left out)."""
    monkeypatch.chdir(root)
    monkeypatch.setattr(paths, "check_root", lambda: root)
    monkeypatch.setattr(sys, "argv", ["medattn", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code or 0, capsys.readouterr().err


def test_the_command_writes_the_manifest(root, monkeypatch, capsys):
    assert medattn(root, monkeypatch, capsys, "prepare")[0] == 0
    assert (root / paths.MANIFEST).exists()


def another_digest(root: Path) -> None:
    set_params(root, study_digests={"data": "0" * 64}, allow_unpinned=True)


def no_pin(root: Path) -> None:
    set_params(root, study_digests={})


def changed_study(root: Path) -> None:
    change(root / "data/images.csv", lambda rows: rows[0].update(view="AP"))


def empty_label(root: Path) -> None:
    change(root / "data/questions.csv", lambda rows: rows[0].update(answer=""))


def unknown_condition(root: Path) -> None:
    set_params(root, conditions={"clean": {"variants": "all"}, "upside_down": {"variants": "all"}})


def too_few_image_tokens(root: Path) -> None:
    make_model(root / "data/small", image_tokens=64)
    set_params(root, model={"id": "small", "revision": None, "dtype": None, "device": None})


def no_model(root: Path) -> None:
    set_params(root, model={"id": "nowhere", "revision": None, "dtype": None, "device": None})


def wrong_term(root):
    (root / paths.TERMS).write_text("nodule\nEdema\n")


def no_study(root: Path) -> None:
    set_params(root, study="elsewhere")


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (another_digest, ["study_digests pins 000", "the directory has", "restore the study"]),
        (no_pin, ["study_digests has no digest for study 'data'", "add `data: ", "allow_unpinned: true"]),
        (changed_study, ["study_digests pins", "the directory has", "dvc checkout"]),
        (empty_label, ["questions.csv, row 2", "answer"]),
        (unknown_condition, ["params.yaml: conditions.upside_down"]),
        (too_few_image_tokens, ["small/config.json", "mm_tokens_per_image is 64", "expected 256"]),
        (no_model, ["model.id is 'nowhere'"]),
        (no_study, ["elsewhere/study.yaml not found"]),
        (wrong_term, ["medical_terms.txt, line 2: term 'Edema' is not in lower case: write 'edema'"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_ends_with_code_2_and_leaves_the_earlier_manifest(root, monkeypatch, capsys, spoil, parts):
    (root / "results").mkdir()
    (root / paths.MANIFEST).write_text("earlier")
    spoil(root)
    code, message = medattn(root, monkeypatch, capsys, "prepare")
    assert code == 2
    for part in parts:
        assert part in message
    assert {path.name for path in (root / "results").iterdir()} - {paths.RUN.name} == {"manifest.csv"}  # beside what ran when
    assert (root / paths.MANIFEST).read_text() == "earlier"


def test_a_study_without_a_pin_runs_where_that_is_allowed(root):
    set_params(root, study_digests={"data": ""}, allow_unpinned=True)
    assert prepared(root)


def test_a_pin_may_be_spelled_with_a_slash(root):
    set_params(root, study="data/")
    assert prepared(root)


def test_another_model_is_checked_instead_of_the_studys(root):
    shutil.move(root / "data/model", root / "data/moved")
    set_params(root, model={"id": "moved", "revision": None, "dtype": None, "device": None})
    assert prepared(root)


def test_study_check_prints_counts_and_digest(root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["medattn", "study", "check", "data"])
    with pytest.raises(SystemExit):
        cli.main()
    printed = capsys.readouterr().out
    assert "3 questions in 18 variants, 6 controls, 3 images" in printed and digest(root / "data") in printed


def test_prepare_refuses_a_directory_that_does_not_hold_the_code(tmp_path, monkeypatch):
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="not under"):
        paths.check_root()


def test_the_manifest_is_plain_csv(root):
    prepared(root)
    content = (root / paths.MANIFEST).read_bytes()
    assert b"\r" not in content and content.endswith(b"\n")
    assert next(csv.reader(content.decode().splitlines())) == list(sample_tables.MANIFEST)


def test_layers_the_model_does_not_have_are_named_before_anything_is_written(root):
    config = root / "data/model/config.json"
    config.write_text(json.dumps(CONFIG | {"text_config": {"num_hidden_layers": 2}}))
    pins = root / "data/model.json"
    content = yaml.safe_load(pins.read_text())
    content["files"]["config.json"] = hashlib.sha256(config.read_bytes()).hexdigest()
    pins.write_text(json.dumps(content))
    set_params(root, study_digests={"data": digest(root / "data")})
    with pytest.raises(InputError, match=r"layers: layer -3 is out of range: the model has layers 0 … 1"):
        prepared(root)
    assert not (root / paths.MANIFEST).exists()


def test_another_patients_image_of_the_opposite_truth_is_shown_where_one_is_known(root):
    rows = prepared(root)
    images = {row["image_id"]: row for row in read(root / "data/images.csv")}
    truth = {(row["image_id"], row["finding"]): row["answer"] for row in read(root / "data/questions.csv")}
    shuffled = [row for row in rows if row["condition"] == "shuffled_image"]
    assert len(shuffled) == IMAGES
    for row in shuffled:
        own, donor = images[row["image_id"]], images[row["shown_image_id"]]
        assert donor["subject_id"] != own["subject_id"] and donor["view"] == own["view"]
        assert row["answer"] == truth.get((row["shown_image_id"], row["finding"]), "")
        others = [name for name, image in images.items() if image["subject_id"] != own["subject_id"]]
        opposite = {"yes": "no", "no": "yes"}[truth[row["image_id"], row["finding"]]]
        if any(truth.get((name, row["finding"])) == opposite for name in others):
            assert row["answer"] == opposite


def test_all_variants_of_a_question_see_the_same_donor(root):
    set_params(root, conditions={"clean": {"variants": "all"}, "shuffled_image": {"variants": "all"}})
    shown = {}
    for row in prepared(root):
        if row["condition"] == "shuffled_image":
            shown.setdefault(row["question_id"], set()).add(row["shown_image_id"])
    assert len(shown) == IMAGES and all(len(donors) == 1 for donors in shown.values())


def test_a_donor_may_come_from_outside_a_limited_run(root):
    everything = {row["sample_id"]: row for row in prepared(root)}
    set_params(root, limit=1)
    (row,) = [row for row in prepared(root) if row["condition"] == "shuffled_image"]
    assert row == everything[row["sample_id"]]


def image_of(patient: str, view: str = "PA") -> dict[str, str]:
    return dict.fromkeys(("path", "sha256", "width", "height", "split"), "") | {"subject_id": patient, "view": view}


def asked_about(image: str, answer: str, finding: str = "nodule") -> dict[str, str]:
    return {"question_id": f"q-{image}", "image_id": image, "finding": finding, "answer": answer}


def test_strengths_name_files_and_stay_apart():
    strengths = ["0.05", "0.5", "5", "-0.5", "1e-05"]
    question = asked_about("a", "yes") | {"variant_index": "0", "strategy": "baseline"}
    names = [
        samples.manifest_row(question, image_of("one") | {"image_id": "a"}, "brightness", strength)["sample_id"]
        for strength in strengths
    ]
    assert len(set(names)) == 5 and all(re.fullmatch(r"[A-Za-z0-9_-]+", name) for name in names)


def test_without_another_patient_in_the_same_view_nobodys_image_is_shown_and_it_is_reported(root):
    change(root / "data/images.csv", lambda rows: rows[0].update(view="LATERAL"))
    asked = prepare.planned(read_study(root / "data"), params.load(root / "params.yaml"))
    rows, note = list(asked), prepare.note_asked(asked)
    alone = read(root / "data/images.csv")[0]["image_id"]
    own = {row["question_id"]: row["image_id"] for row in rows if row["role"] == "study"}
    shuffled = {row["question_id"] for row in rows if row["condition"] == "shuffled_image"}
    assert shuffled == {question for question, image in own.items() if image != alone}
    left_out = set(own) - shuffled
    assert len(left_out) == 1 and note == f"; no other patient's image in that view to be shown: {left_out.pop()}"
    assert Donors({"a": image_of("one"), "b": image_of("one")}, []).of(asked_about("a", "yes")) is None


def test_occlusions_are_asked_where_a_true_region_is_known(root):
    regions = {(row["image_id"], row["finding"]) for row in read(root / "data/regions.csv")}
    rows = prepared(root)
    baseline = [row for row in rows if row["condition"] == "clean" and row["role"] == "study" and row["variant_index"] == "0"]
    expected = {row["question_id"] for row in baseline if (row["image_id"], row["finding"]) in regions}
    for condition in ("occlude_region", "occlude_elsewhere"):
        assert {row["question_id"] for row in rows if row["condition"] == condition} == expected != set()


def test_a_region_as_large_as_the_rest_of_the_body_is_left_out_and_reported(root):
    before = prepared(root)
    hidden = next(row for row in before if row["condition"] == "occlude_region")
    image_id, finding = hidden["shown_image_id"], hidden["finding"]

    def everywhere(rows: list[dict]) -> None:
        for row in rows:
            if (row["image_id"], row["finding"]) == (image_id, finding):
                row.update(x="0", y="0", w=hidden["width"], h=hidden["height"], mask="", mask_sha256="")

    change(root / "data/regions.csv", everywhere)
    set_params(root, study_digests={"data": digest(root / "data")})
    output = run(params.load(root / "params.yaml"), root)
    left_out = {row["sample_id"] for row in before} - {row["sample_id"] for row in read(root / paths.MANIFEST)}
    assert left_out == {f"{hidden['question_id']}-v0-{condition}" for condition in ("occlude_region", "occlude_elsewhere")}
    assert f"; not occluded, the region is as large as the rest of the body: {hidden['question_id']}" in output


# --- bodies ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def looked_into(monkeypatch) -> list[tuple[int, ...]]:
    """Shapes of the images in which a body was looked for since, one after the other."""
    seen: list[tuple[int, ...]] = []
    found = body_finder.body_mask
    monkeypatch.setattr(body_finder, "body_mask", lambda image: seen.append(image.shape) or found(image))
    return seen


def stored(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / paths.BODIES).iterdir()}


def test_no_change_but_one_of_the_study_looks_for_a_body_again(root, looked_into):
    prepared(root)
    before = stored(root)
    assert len(looked_into) == IMAGES
    for changes in ({"limit": 1}, {"conditions": {"clean": {"variants": "all"}, "rotation": None}}):
        set_params(root, **changes)
        prepared(root)
    assert len(looked_into) == IMAGES and stored(root) == before
    path = root / "data/images" / image_rows(root)[0]["path"]
    Image.open(path).rotate(3).save(path)
    change(root / "data/images.csv", lambda rows: rows[0].update(sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    set_params(root, study_digests={"data": digest(root / "data")})
    prepared(root)
    assert len(looked_into) == IMAGES + 1 and stored(root) != before


def test_without_the_cache_every_body_is_looked_for_and_the_bytes_are_the_same(root, looked_into, monkeypatch):
    prepared(root)
    before = stored(root)
    monkeypatch.setenv("MEDATTN_CACHE", "off")
    prepared(root)
    assert len(looked_into) == 2 * IMAGES and stored(root) == before


def test_an_entry_of_the_cache_that_is_damaged_is_made_again(root, looked_into, capsys):
    prepared(root)
    before = stored(root)
    entry = next(path for path in (root / paths.RUN / "bodies").rglob("*") if path.is_file())
    entry.write_bytes(entry.read_bytes()[:-1] + b"x")
    prepared(root)
    assert len(looked_into) == IMAGES + 1 and stored(root) == before
    assert f"{entry} is damaged and is computed again" in capsys.readouterr().out


def test_bodies_are_the_same_of_several_processes(root, monkeypatch):
    prepared(root)
    before, manifest = stored(root), (root / paths.MANIFEST).read_bytes()
    set_params(root, run={"cache": False, "on_error": "raise", "processes": 2})
    prepared(root)
    assert stored(root) == before and (root / paths.MANIFEST).read_bytes() == manifest


def test_a_refused_study_leaves_the_earlier_bodies_and_a_changed_one_no_stale_shard(root):
    prepared(root)
    before = stored(root)
    (root / paths.BODIES / "bodies-99.safetensors").write_bytes(b"stale")
    empty_label(root)
    with pytest.raises(InputError, match="answer"):
        prepared(root)
    assert stored(root) == before | {"bodies-99.safetensors": b"stale"}
    change(root / "data/questions.csv", lambda rows: rows[0].update(answer=rows[1]["answer"]))
    prepared(root)
    assert stored(root) == before and not list((root / "results").glob(".*"))


def test_two_images_of_one_file_share_a_body(root, looked_into):
    twin = image_rows(root)[0]
    (root / "data/images/twin.png").write_bytes((root / "data/images" / twin["path"]).read_bytes())
    change(root / "data/images.csv", lambda rows: rows.append(twin | {"image_id": "twin", "path": "twin.png"}))
    set_params(root, study_digests={"data": digest(root / "data")})
    prepared(root)
    bodies = Bodies(root / paths.BODIES)
    assert (bodies.of("twin", twin["sha256"]).mask == bodies.of(twin["image_id"], twin["sha256"]).mask).all()
    assert len(looked_into) == IMAGES


# --- images that cannot be read ----------------------------------------------------------------------------------------


def image_rows(root: Path) -> list[dict[str, str]]:
    return read(root / "data/images.csv")


def truncate(root: Path, number: int = 0) -> str:
    """The image_id of an image that now ends in its middle."""
    row = image_rows(root)[number]
    path = root / "data/images" / row["path"]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return row["image_id"]


def record(root: Path) -> None:
    set_params(root, run={"cache": True, "on_error": "record"})


def without_body(root: Path) -> str:
    """The image_id of an image that shows a marker on an empty plate, and is pinned so."""
    row = image_rows(root)[0]
    path = root / "data/images" / row["path"]
    plate = Image.new("L", (int(row["width"]), int(row["height"])))
    plate.paste(Image.linear_gradient("L").resize((plate.width // 6, plate.height // 6)), (8, 8))
    plate.save(path)
    change(root / "data/images.csv", lambda rows: rows[0].update(sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    set_params(root, study_digests={"data": digest(root / "data")})
    return row["image_id"]


def deleted(root: Path) -> str:
    row = image_rows(root)[0]
    (root / "data/images" / row["path"]).unlink()
    return row["image_id"]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(truncate, "has sha256"), (deleted, "is absent or no file"), (without_body, "no body found")],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_an_image_that_cannot_be_read_stops_prepare_or_keeps_its_rows_as_params_say(root, monkeypatch, capsys, spoil, reason):
    image_id = spoil(root)
    code, message = medattn(root, monkeypatch, capsys, "prepare")
    assert code == 2 and f"image {image_id!r}" in message and reason in message
    assert not (root / paths.MANIFEST).exists()
    record(root)
    first, output = run(params.load(root / "params.yaml"), root).split("\n")
    assert f"{len(read(root / paths.MANIFEST))} samples -> " in first
    assert output.startswith(
        f"1 of {IMAGES} images cannot be read, their samples will be listed in {paths.FAILURES}; the first is"
    )
    assert f"image {image_id!r}: " in output and reason in output
    rows = read(root / paths.MANIFEST)
    assert {row["image_id"] for row in rows} == {row["image_id"] for row in image_rows(root)}
    assert {"clean", "no_image"} <= {row["condition"] for row in rows if row["image_id"] == image_id}


def test_the_manifest_of_a_study_with_a_damaged_image_is_that_of_the_whole_one(root):
    whole = prepared(root)
    truncate(root)
    record(root)
    assert prepared(root) == whole


def test_record_changes_nothing_where_every_image_can_be_read(root):
    output = run(params.load(root / "params.yaml"), root)
    before = (root / paths.MANIFEST).read_bytes()
    record(root)
    assert run(params.load(root / "params.yaml"), root) == output and (root / paths.MANIFEST).read_bytes() == before


def test_a_study_of_which_no_image_can_be_read_is_refused_under_record_too(root):
    for number in range(IMAGES):
        truncate(root, number)
    record(root)
    with pytest.raises(InputError, match=rf"none of the {IMAGES} images can be read, .*; the first is image '"):
        prepared(root)
    assert not (root / paths.MANIFEST).exists()


def test_an_image_that_nobody_is_shown_is_not_counted_among_those_that_cannot_be_read(root):
    set_params(root, limit=1, conditions={"clean": {"variants": "all"}})
    asked = {row["image_id"] for row in prepared(root)}
    numbers = [number for number, row in enumerate(image_rows(root)) if row["image_id"] not in asked]
    truncate(root, numbers[0])
    record(root)
    assert "cannot be read" not in run(params.load(root / "params.yaml"), root)


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [(changed_study, ["study_digests pins"]), (empty_label, ["questions.csv, row 2"]), (no_model, ["model.id is 'nowhere'"])],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_other_problem_refuses_under_record_too(root, monkeypatch, capsys, spoil, parts):
    truncate(root)
    record(root)
    spoil(root)
    code, message = medattn(root, monkeypatch, capsys, "prepare")
    assert code == 2 and all(part in message for part in parts) and "sha256" not in message


def test_doubtful_body_masks_are_counted_and_listed_with_the_reason(root, monkeypatch):
    image_id = image_rows(root)[1]["image_id"]
    monkeypatch.setenv("MEDATTN_CACHE", "off")  # it does not know that a test can change the code
    whole = run(params.load(root / "params.yaml"), root)
    assert "doubtful" not in whole
    found = body_finder.body_mask
    wanted = np.asarray(Image.open(root / "data/images" / image_rows(root)[1]["path"]).convert("L"))
    monkeypatch.setattr(body_finder, "body_mask", lambda image: found(image) | np.array_equal(image, wanted))
    output = run(params.load(root / "params.yaml"), root)
    assert output == whole + (
        "\n1 body mask(s) are doubtful; look at the images, remove what is no chest radiograph:"
        f"\n  image {image_id!r}: the body covers 100 % of the image, expected 25 to 97 %"
    )
