"""A study directory from a hand-made root: which questions are asked, of which images, and what is reported of the others."""

import csv
import gzip
import hashlib
import json
import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from medattn.base.errors import InputError
from medattn.checks.study_check import check
from medattn.mimic.archive import SHARED, Archive
from medattn.mimic.assemble import Options, assemble, assembled_before
from medattn.mimic.candidates import OTHER_PATIENT, OTHER_STUDY, slug
from medattn.mimic.labels import read_labels, related
from medattn.mimic.layout import CHEXPERT, DRAWN, LABELS, METADATA, SHA256SUMS, SPLIT
from medattn.study import pins
from medattn.study.caveats import caveat
from medattn.study.schema import read_study

from .conftest import AP, LATERAL, OTHER, PA, SECOND, path_of, rewritten, write_sums, write_table

MODEL = {"id": "google/medgemma-4b-it", "revision": "0" * 40, "dtype": "bfloat16", "device": "cpu"}
PROMPT = {"system": "", "template": "{question}", "order": "question_first", "max_new_tokens": 24}
COLUMNS = ["subject_id", "study_id", "dicom_id", "question_type", "question", "answer", "split"]
HARD = ["dicom_id", "question", "answer", "baseline_question", "variant_index", "strategy"]


def options(root: Path, questions: Path | None = None, variants: str = "rules", **more) -> Options:
    return Options(root=root, questions=questions, variants=variants, model=MODEL, prompt=PROMPT, **({"views": ()} | more))


def asked(root: Path, rows: list[tuple[str, str, str]]) -> Path:
    """A question set of (dicom_id, question, answer)."""
    path = root / "questions.csv"
    write_table(
        path, COLUMNS, [{"dicom_id": image, "question": question, "answer": answer} for image, question, answer in rows]
    )
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def baselines(directory: Path) -> dict[tuple[str, str], str]:
    rows = read(directory / "questions.csv")
    return {
        (row["image_id"], row["finding"]): row["answer"]
        for row in rows
        if row["role"] == "study" and row["variant_index"] == "0"
    }


def test_a_question_gets_five_variants_two_controls_and_the_images_hash(root, tmp_path):
    summary = assemble(tmp_path / "study", options(root, asked(root, [(PA, "is there cardiomegaly?", "yes")])))
    rows = read(tmp_path / "study/questions.csv")
    assert [row["role"] for row in rows] == ["study"] * 6 + ["control"] * 2
    assert [row["strategy"] for row in rows[:6]] == ["baseline", "phrasing", "synonym", "clause", "register", "voice"]
    assert len({row["question"] for row in rows[:6]}) == 6 and {row["question_id"] for row in rows[:6]} == {
        f"{PA}-cardiomegaly"
    }
    assert all(row["question"].startswith("is there ") and row["finding"] not in related("cardiomegaly") for row in rows[6:])
    image = read(tmp_path / "study/images.csv")[0]
    assert image["sha256"] == hashlib.sha256((root / path_of(PA)).read_bytes()).hexdigest()
    assert (image["path"], image["view"], image["split"]) == (path_of(PA), "PA", "test")
    report = check(tmp_path / "study")
    assert (report.questions, report.variants, report.controls, report.images) == (1, 6, 2, 1)
    assert (summary.used, summary.read, summary.digest) == (1, 1, report.digest)


def test_the_study_directory_is_the_owners_alone_and_nothing_is_written_into_the_root(root, tmp_path):
    before = sorted(root.rglob("*"))
    questions = asked(root, [(PA, "is there cardiomegaly?", "yes")])
    assemble(tmp_path / "study", options(root, questions))
    assert (tmp_path / "study").stat().st_mode & 0o777 == 0o700
    assert sorted(path for path in root.rglob("*") if path != questions) == before
    with pytest.raises(InputError, match="is there already and not empty"):
        assemble(tmp_path / "study", options(root, questions))


def test_the_same_inputs_give_the_same_bytes_wherever_the_root_lies_and_whatever_the_order_of_the_rows(root, tmp_path):
    rows = [
        (image, f"is there {finding}?", answer)
        for image in (PA, AP, SECOND)
        for finding, answer in (("edema", "yes"), ("pneumothorax", "no"))
    ]
    first = assemble(tmp_path / "a/study", options(root, asked(root, rows)))
    os.rename(root, tmp_path / "elsewhere")
    moved = tmp_path / "elsewhere"
    assert assemble(tmp_path / "b/study", options(moved, moved / "questions.csv")).digest == first.digest
    assemble(tmp_path / "c/study", options(moved, asked(moved, rows[::-1])))
    for name in ("questions.csv", "images.csv"):
        contents = {(tmp_path / part / "study" / name).read_bytes() for part in "abc"}
        assert len(contents) == 1


def test_what_cannot_be_asked_is_counted_by_reason(root, tmp_path):
    (root / path_of(SECOND)).unlink()
    rows = [
        (PA, "is there cardiomegaly?", "yes"),
        (PA, "is there evidence of cardiomegaly in this image?", "yes"),  # the same, in other words
        (PA, "is there edema?", "yes"),
        (PA, "is there edema?", "no"),
        (PA, "is there edema?", "yes"),
        (PA, "where is the edema?", "left lung"),
        (PA, "what is wrong?", "yes"),
        (PA, "is there a strange thing?", "no"),
        (PA, "is there <start_of_image> edema?", "no"),
        (LATERAL, "is there edema?", "no"),
        (OTHER, "is there edema?", "no"),
        (SECOND, "is there edema?", "no"),
        ("99999999-99999999-99999999-99999999-99999999", "is there edema?", "no"),
        ("", "is there edema?", "no"),
    ]
    summary = assemble(tmp_path / "study", options(root, asked(root, rows), views=("PA", "AP")))
    assert baselines(tmp_path / "study") == {(PA, "cardiomegaly"): "yes"}
    assert summary.used + sum(summary.skipped.values()) == summary.read == len(rows)
    assert dict(summary.skipped) == {
        "same finding asked about the same image once more": 1,
        "contradictory: the same question about an image has different answers": 3,
        "answer is neither yes nor no": 1,
        "question form is not known to the rules": 1,
        "finding is not among those the rules can reword": 1,
        "question text is empty, or holds what the model reads as a control token": 1,
        "view LATERAL was not asked for": 1,
        "view unknown was not asked for": 1,
        "image file is not on disk: complete the copy": 1,
        "image is not in the metadata table": 1,
        "row names neither an image nor a study: fill in dicom_id": 1,
    }
    text = summary.text()
    assert all(f"{count:>9,}  {reason}" in text for reason, count in summary.skipped.items()) and "cardiomegaly: 1, 0" in text
    assert not any(name in text for name in (PA, LATERAL, OTHER, SECOND, "10000001", "50000001"))


OWN = ["dicom_id", "question", "answer", "finding"]


def own(root: Path, *rows: tuple[str, ...]) -> Path:
    write_table(root / "own.csv", OWN, [dict(zip(OWN, row, strict=False)) for row in rows])
    return root / "own.csv"


def test_questions_of_your_own_get_variants_by_rule(root, tmp_path):
    rows = [(PA, "Is there cardiomegaly?", "Yes"), (SECOND, "Is there a pneumothorax?", "no", "Pneumothorax")]
    summary = assemble(tmp_path / "study", options(root, own(root, *rows)))
    assert baselines(tmp_path / "study") == {(PA, "cardiomegaly"): "yes", (SECOND, "pneumothorax"): "no"}
    assert (summary.used, summary.variants) == (2, 12) and summary.text().count("not used") == 0
    check(tmp_path / "study")


def test_a_finding_that_the_rules_cannot_read_is_the_one_the_row_names(root, tmp_path):
    rows = [
        (PA, "Would you drain this chest?", "yes", "pleural fluid"),
        (AP, "Would you drain this chest?", "no", "Need of a Drain"),
        (SECOND, "Would you drain this chest?", "no"),
        (OTHER, "Is there cardiomegaly?", "no", "pneumothorax"),
    ]
    summary = assemble(tmp_path / "study", options(root, own(root, *rows), variants="none"))
    assert baselines(tmp_path / "study") == {(PA, "pleural effusion"): "yes", (AP, "need of a drain"): "no"}
    assert dict(summary.skipped) == {
        "question form is not known to the rules": 1, "finding is not the one that the question names": 1,
    }  # fmt: skip
    check(tmp_path / "study")


def test_a_row_that_names_its_image_wrongly_is_not_asked_about_another_image(root, tmp_path):
    columns = ["dicom_id", "study_id", "question", "answer"]
    rows = [("cxr-17", "50000001"), (PA, "50000002"), ("", "s50000002"), (AP, "50000001.0"), ("", ""), ("", "none")]
    asked = [dict(zip(columns, (*row, "is there edema?", "no"), strict=True)) for row in rows]
    write_table(root / "own.csv", columns, asked)
    summary = assemble(tmp_path / "study", options(root, root / "own.csv"))
    assert baselines(tmp_path / "study") == {(SECOND, "edema"): "no", (AP, "edema"): "no"}
    assert dict(summary.skipped) == {
        "image is not in the metadata table": 1, OTHER_STUDY: 1, "row names neither an image nor a study: fill in dicom_id": 2,
    }  # fmt: skip
    where = f"{root / 'own.csv'}, row 3: study_id is '50000002', which {METADATA} contradicts"
    assert f"the first where {OTHER_STUDY}: {where}" in summary.text()


def test_a_row_that_names_another_patient_than_the_metadata_is_not_asked_and_the_first_is_shown(root, tmp_path):
    rows = [
        {"dicom_id": PA, "subject_id": "10000002", "answer": "yes"},  # another patient of the root
        {"dicom_id": AP, "subject_id": "p10000001.0", "answer": "yes"},
        {"study_id": "50000002", "subject_id": "19999999", "answer": "no"},  # none of the root
        {"dicom_id": OTHER, "subject_id": "", "answer": "no"},
    ]
    columns = ["dicom_id", "study_id", "subject_id", "question", "answer"]
    write_table(root / "own.csv", columns, [row | {"question": "is there edema?"} for row in rows])
    (root / "own.json").write_text(json.dumps([row | {"question": "is there edema?"} for row in rows]))
    for name, unit in (("own.csv", "row 2"), ("own.json", "entry 1")):
        summary = assemble(tmp_path / name, options(root, root / name))
        assert baselines(tmp_path / name) == {(AP, "edema"): "yes", (OTHER, "edema"): "no"}
        assert summary.skipped == {OTHER_PATIENT: 2} and summary.text().count(f"the first where {OTHER_PATIENT}: ") == 1
        assert f"{root / name}, {unit}: subject_id is '10000002', which {METADATA} contradicts" in summary.text()


@pytest.mark.parametrize("asked_about", ["labels", "questions"])
def test_labels_of_another_patient_than_the_metadata_say_are_an_error(root, tmp_path, asked_about):
    """They are not used as truths of controls either."""
    rewritten(root, CHEXPERT, ("10000002,50000002", "10000003,50000002"))
    questions = asked(root, [(PA, "is there edema?", "yes")]) if asked_about == "questions" else None
    said = rf"{CHEXPERT}, row 3: subject_id of study 50000002 is '10000003', in {METADATA} '10000002': download both again"
    with pytest.raises(InputError, match=said):
        assemble(tmp_path / "study", options(root, questions))
    assert not (tmp_path / "study").exists()


def test_labels_without_a_patient_and_of_studies_that_are_not_here_are_no_contradiction(root):
    before = read_labels(Archive(root))
    rewritten(root, CHEXPERT, ("10000002,50000002", ",50000002"), ("10000001,50000001", "10000001.0,s50000001"))
    again(root / CHEXPERT, study_id="59999999", subject_id="10000001")
    assert read_labels(Archive(root), before) == before


@pytest.mark.parametrize("name, value", [("subject_id", "10000009"), ("study_id", "50000009")])
def test_a_split_of_another_patient_or_study_than_the_metadata_say_is_an_error(root, name, value):
    with gzip.open(root / SPLIT, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    write_table(root / SPLIT, list(rows[0]), [*rows[:-1], rows[-1] | {name: value}])
    with pytest.raises(InputError, match=rf"{METADATA}: {name} of {OTHER} is '.0000003', in {SPLIT} '{value}': download both"):
        Archive(root)


def test_of_a_table_of_results_the_true_answers_are_asked_and_the_models_left_alone(root, tmp_path):
    """Else the questions that a model answered wrongly would be missing from the study."""
    columns = ["dicom_id", "question", "answer", "ground_truth", "question_variant", "baseline_question"]
    rows = [(PA, "no.", "['yes']"), (AP, "Yes, there is.", "no"), (SECOND, "yes", "yes"), (OTHER, "yes", "")]
    asked = [(image, "is there edema?", said, truth, "original", "is there edema?") for image, said, truth in rows]
    write_table(root / "evaluation_results.csv", columns, [dict(zip(columns, row, strict=True)) for row in asked])
    summary = assemble(tmp_path / "study", options(root, root / "evaluation_results.csv", variants="keep"))
    assert baselines(tmp_path / "study") == {(PA, "edema"): "yes", (AP, "edema"): "no", (SECOND, "edema"): "yes"}
    assert dict(summary.skipped) == {"answer is neither yes nor no": 1}
    assert "answers: of column ground_truth; column answer is taken for a model's, and not used" in summary.text()


def test_a_question_set_without_a_row_says_so(root, tmp_path):
    with pytest.raises(InputError, match=r"own\.csv: it holds no row: nothing can be asked; add at least one"):
        assemble(tmp_path / "study", options(root, own(root)))
    assert not (tmp_path / "study").exists()


def test_questions_about_places_are_findings_of_their_own(root, tmp_path):
    rows = [
        (PA, "is there pneumothorax?", "yes"),
        (PA, "is there pneumothorax in the left lung?", "no"),
        (PA, "is the pneumothorax bilateral?", "no"),
    ]
    assemble(tmp_path / "study", options(root, asked(root, rows)))
    found = baselines(tmp_path / "study")
    assert len(found) == 3 and found[PA, "pneumothorax"] == "yes" and found[PA, "bilateral pneumothorax"] == "no"
    zones = {row["zone"] for row in read(tmp_path / "study/questions.csv") if row["role"] == "study"}
    assert zones == {"pneumothorax"}
    check(tmp_path / "study")


def test_without_questions_the_labels_ask_balanced_about_the_image_that_stands_for_the_study(root, tmp_path):
    summary = assemble(tmp_path / "study", options(root))
    assert baselines(tmp_path / "study") == {
        (PA, "cardiomegaly"): "yes", (PA, "pneumothorax"): "no", (SECOND, "cardiomegaly"): "no",
        (SECOND, "pneumothorax"): "yes",
    }  # fmt: skip
    assert (summary.used, summary.read) == (4, 4)
    truths = {
        (row["image_id"], row["finding"]): row["answer"]
        for row in read(tmp_path / "study/questions.csv")
        if row["role"] == "control"
    }
    assert set(truths.values()) == {""} and len(truths) == 4  # no further label is decided
    (root / path_of(SECOND)).unlink()
    with pytest.raises(InputError, match="no question can be asked"):  # nothing is left to balance with
        assemble(tmp_path / "other", options(root))
    assert not (tmp_path / "other").exists()


def test_limits_draw_findings_and_answers_in_turn_by_seed_and_ids(root, tmp_path):
    findings = ("cardiomegaly", "edema", "pneumothorax", "fracture")
    rows = [
        (image, f"is there {finding}?", answer)
        for finding in findings
        for image, answer in ((PA, "yes"), (AP, "no"), (SECOND, "yes"), (OTHER, "no"))
    ]
    path = asked(root, rows)
    assemble(tmp_path / "a", options(root, path, limit=8))
    drawn = baselines(tmp_path / "a")
    assert Counter(answer for answer in drawn.values()) == {"yes": 4, "no": 4} and {finding for _, finding in drawn} == set(
        findings
    )
    assemble(tmp_path / "b", options(root, path, per_finding=3))
    assert set(Counter(finding for _, finding in baselines(tmp_path / "b")).values()) == {3}
    drawings = set()
    for seed in range(6):
        assemble(tmp_path / f"seed{seed}", options(root, path, limit=4, seed=seed))
        drawings.add(tuple(sorted(baselines(tmp_path / f"seed{seed}"))))
    assert len(drawings) > 1
    asked(root, [row for row in rows if not row[1].endswith("fracture?")])
    assemble(tmp_path / "c", options(root, path, per_finding=3))
    others = {key for key in baselines(tmp_path / "b") if key[1] != "fracture"}
    assert set(baselines(tmp_path / "c")) == others  # other questions change no draw


def test_a_split_is_mimic_cxrs_own(root, tmp_path):
    rows = [(PA, "is there edema?", "yes"), (SECOND, "is there edema?", "no")]
    summary = assemble(tmp_path / "study", options(root, asked(root, rows), split="test"))
    assert list(baselines(tmp_path / "study")) == [(PA, "edema")] and summary.skipped == {"split train was not asked for": 1}


def test_kept_variants_are_the_files_own_with_their_labels(root, tmp_path):
    base = "Does this film show pneumothorax?"
    rows = [
        {"variant_index": "0", "question": base, "strategy": "original"},
        {"variant_index": "1", "question": "Pneumothorax?", "strategy": "Ellipsis (short)"},
        {"variant_index": "4", "question": "any pneumothorax here?", "strategy": "emoji style"},
        {"variant_index": "5", "question": "any pneumothorax here?", "strategy": "again"},
    ]
    path = root / "hard.csv"
    write_table(path, HARD, [row | {"dicom_id": PA, "answer": "yes", "baseline_question": base} for row in rows])
    summary = assemble(tmp_path / "study", options(root, path, "keep"))
    made = [row for row in read(tmp_path / "study/questions.csv") if row["role"] == "study"]
    assert [(row["variant_index"], row["question"], row["strategy"]) for row in made] == [
        ("0", base, "baseline"), ("1", "Pneumothorax?", "Ellipsis (short)"), ("4", "any pneumothorax here?", "emoji style"),
    ]  # fmt: skip
    assert summary.labels == {"emoji style": 1} and "'emoji style' (1)" in summary.text()
    assert summary.skipped == {"variant is duplicated": 1} and summary.used == 3
    check(tmp_path / "study")


def test_a_group_without_its_original_row_gets_the_baseline_question(root, tmp_path):
    path, base = root / "hard.csv", "is there pneumothorax?"
    write_table(
        path,
        HARD,
        [
            {
                "dicom_id": PA,
                "answer": "no",
                "baseline_question": base,
                "question": "pneumothorax present?",
                "variant_index": "2",
            }
        ],
    )
    assemble(tmp_path / "study", options(root, path, "keep"))
    made = [row for row in read(tmp_path / "study/questions.csv") if row["role"] == "study"]
    assert [(row["variant_index"], row["question"]) for row in made] == [("0", base), ("2", "pneumothorax present?")]
    assert made[1]["strategy"] == "unlabelled"
    check(tmp_path / "study")


@pytest.mark.parametrize("variants", ["rules", "none"])
def test_of_a_file_of_hard_positives_the_baselines_can_be_reworded(root, tmp_path, variants):
    path, base = root / "hard.csv", "is there pneumothorax?"
    rows = [{"question": base, "variant_index": "0"}, {"question": "pneumothorax present?", "variant_index": "2"}]
    write_table(path, HARD, [row | {"dicom_id": PA, "answer": "no", "baseline_question": base} for row in rows])
    summary = assemble(tmp_path / "study", options(root, path, variants))
    assert summary.variants == {"rules": 6, "none": 1}[variants] and summary.used + sum(summary.skipped.values()) == 2


def test_controls_never_ask_about_what_the_asked_finding_includes(root, tmp_path):
    rows = [(PA, f"is there {finding}?", "yes") for finding in ("pneumonia", "pneumothorax")]
    assemble(tmp_path / "study", options(root, asked(root, rows), controls=5))
    controls = {row["finding"] for row in read(tmp_path / "study/questions.csv") if row["role"] == "control"}
    assert len(controls) == 5 and not controls & (related("pneumonia") | {"pneumothorax"})


def test_different_findings_have_different_ids():
    names = ["left lung edema", "left-lung edema", "Left lung edema", "x" * 80, "x" * 81, *LABELS.values()]
    assert len({slug(name) for name in names}) == len(names)
    assert slug("pleural effusion") == "pleural-effusion" and all(len(slug(name)) <= 69 for name in names)


def test_masks_and_boxes_of_regions_pass_the_check_and_a_denied_finding_has_none(root, tmp_path):
    source = root / "ms-cxr.csv"
    columns = ["category_name", "dicom_id", "label_text", "path", "x", "y", "w", "h", "image_width", "image_height", "split"]
    box = {"x": "4", "y": "6", "w": "10", "h": "12", "image_width": "64", "image_height": "48", "dicom_id": PA}
    write_table(source, columns, [box | {"category_name": name} for name in ("Cardiomegaly", "Pneumothorax")])
    rows = [(PA, "is there cardiomegaly?", "yes"), (PA, "is there pneumothorax?", "no")]
    summary = assemble(tmp_path / "study", options(root, asked(root, rows), regions=(("ms-cxr", source),)))
    assert [row["finding"] for row in read(tmp_path / "study/regions.csv")] == ["cardiomegaly"]
    assert summary.regions["labels say absent"] == 1 and summary.regions["used"] == 1
    check(tmp_path / "study")


def test_the_digest_that_is_printed_is_the_one_that_pin_prints_or_none_is_printed(root, tmp_path):
    questions = asked(root, [(PA, "is there cardiomegaly?", "yes")])
    absent = assemble(tmp_path / "absent", options(root, questions)).text().splitlines()[-1]
    assert absent.startswith(
        f"digest: `medattn study pin {tmp_path / 'absent'}` gives it once the model's files are here (model "
    )
    assert not (tmp_path / "absent/model.json").exists()
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "tokenizer.json", "processor_config.json"):
        (model / name).write_text("{}")
    (model / "model.safetensors").write_bytes(b"weights")
    here = {"id": "../model", "revision": None, "dtype": "float32", "device": "cpu"}
    printed = assemble(tmp_path / "study", replace(options(root, questions), model=here)).text().splitlines()[-1]
    pins.pin_model(tmp_path / "study")
    assert printed == f"digest: {read_study(tmp_path / 'study').digest()}"


def test_a_study_that_is_there_is_known_by_what_it_was_assembled_from(root, tmp_path):
    out, questions = tmp_path / "study", asked(root, [(PA, "is there cardiomegaly?", "yes")])
    given = options(root, questions)
    assert not assembled_before(out, given)
    assemble(out, given)
    assert assembled_before(out, given)
    for other, key in (
        (replace(given, questions=None), "source"),
        (replace(given, seed=1), "source"),
        (replace(given, model=MODEL | {"dtype": "float32"}), "defaults"),
        (replace(given, root=tmp_path), "image_root"),
    ):
        with pytest.raises(InputError, match=rf"is there already, assembled otherwise: {key} of its study.yaml is .*: remove "):
            assembled_before(out, other)
    asked(root, [(PA, "is there cardiomegaly?", "no")])  # another content of the file of the same name
    with pytest.raises(InputError, match="assembled otherwise: source"):
        assembled_before(out, given)


def test_a_study_of_a_drawn_tree_says_so_and_one_of_patients_does_not(root, tmp_path):
    questions = asked(root, [(PA, "is there cardiomegaly?", "yes")])
    assemble(tmp_path / "real", options(root, questions))
    real = read_study(tmp_path / "real")
    assert real.about.drawn is None and caveat(real, None) == "" and real.about.title.startswith("MIMIC-CXR: 1 questions")
    (root / DRAWN).write_text("{}")
    assemble(tmp_path / "drawn", options(root, questions))
    drawn = read_study(tmp_path / "drawn")
    assert caveat(drawn, None) == "drawn, not patients" and drawn.licence == "credentialed"
    assert drawn.about.title.startswith("Drawn in MIMIC-CXR's layout: ") and real.digest() != drawn.digest()


def again(path: Path, **changed: str) -> None:
    """Append the last row of a gzipped table once more, with some cells changed."""
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    write_table(path, list(rows[0]), [*rows, rows[-1] | changed])


TWICE = {
    "patient": (METADATA, {"subject_id": "10000009"}, "subject_id '10000003'; here it is '10000009'"),
    "study": (METADATA, {"study_id": "50000009"}, "study_id '50000003'; here it is '50000009'"),
    "view": (METADATA, {"ViewPosition": "LL"}, "view ''; here it is 'LL'"),
    "size": (METADATA, {"Columns": "65"}, "width 64; here it is 65"),
    "split": (SPLIT, {"split": "test"}, "split 'validate'; here it is 'test'"),
    "label": (CHEXPERT, {"Cardiomegaly": "1.0"}, "Cardiomegaly 'no'; here it is 'yes'"),
    "label that was undecided": (CHEXPERT, {"Edema": "1.0"}, "Edema ''; here it is 'yes'"),
}


@pytest.mark.parametrize("table, changed, said", TWICE.values(), ids=TWICE)
def test_what_stands_twice_in_a_table_and_differs_is_an_error_that_names_both(root, tmp_path, table, changed, said):
    again(root / table, **changed)
    with pytest.raises(InputError, match=rf"{re.escape(table)}, row \d+: .* stands in an earlier row already, with {said}"):
        assemble(tmp_path / "study", options(root))
    assert not (tmp_path / "study").exists()


def test_rows_that_say_the_same_twice_are_counted_and_change_nothing(root, tmp_path):
    alone = assemble(tmp_path / "alone", options(root))
    for table in (METADATA, SPLIT, CHEXPERT):
        again(root / table)
    summary = assemble(tmp_path / "study", options(root))
    assert (summary.repeated, summary.used, summary.read) == ({METADATA: 1, SPLIT: 1, CHEXPERT: 1}, alone.used, alone.read)
    assert f"1 rows of {METADATA} repeat an earlier row" in summary.text()
    assert baselines(tmp_path / "study") == baselines(tmp_path / "alone")


def test_a_study_of_two_patients_is_an_error(root, tmp_path):
    again(root / METADATA, dicom_id=OTHER.replace("e", "f"), subject_id="10000001")
    with pytest.raises(InputError, match=r"study 50000003 is of subject_id '10000003' in the row of .*, of '10000001' in that"):
        assemble(tmp_path / "study", options(root))


def test_a_file_with_two_published_hashes_is_an_error(root, tmp_path):
    with (root / SHA256SUMS).open("a") as file:
        file.write(f"{'0' * 64}  {path_of(PA)}\n")
    with pytest.raises(InputError, match=rf"{SHA256SUMS}, line 6: .* has SHA-256 0{{64}}, another one in an earlier line"):
        assemble(tmp_path / "study", options(root, asked(root, [(PA, "is there edema?", "yes")])))


@pytest.mark.parametrize("summed", [True, False])
def test_one_image_under_the_ids_of_two_patients_is_asked_about_under_neither(root, tmp_path, summed):
    (root / path_of(SECOND)).write_bytes((root / path_of(AP)).read_bytes())
    write_sums(root)
    if not summed:
        (root / SHA256SUMS).unlink()
    rows = [(image, "is there edema?", "yes") for image in (PA, AP, SECOND, OTHER)]
    summary = assemble(tmp_path / "study", options(root, asked(root, rows)))
    assert {image for image, _ in baselines(tmp_path / "study")} == {PA, OTHER}
    assert summary.skipped == {SHARED: 2} and SHARED in summary.text()


def test_one_image_under_two_ids_of_one_patient_is_asked_about_under_both(root, tmp_path):
    (root / path_of(PA)).write_bytes((root / path_of(LATERAL)).read_bytes())
    write_sums(root)
    rows = [(image, "is there edema?", "yes") for image in (PA, LATERAL)]
    assert assemble(tmp_path / "study", options(root, asked(root, rows))).used == 2


def test_a_variant_with_two_texts_ends_its_question_and_one_repeated_does_not(root, tmp_path):
    base = "is there pneumothorax?"
    shared = {"dicom_id": PA, "answer": "yes", "baseline_question": base, "strategy": "phrasing"}
    rows = [
        shared | {"variant_index": index, "question": text}
        for index, text in (("0", base), ("1", "pneumothorax?"), ("1", "pneumothorax?"))
    ]
    write_table(root / "hard.csv", HARD, rows)
    summary = assemble(tmp_path / "repeated", options(root, root / "hard.csv", "keep"))
    assert summary.skipped == {"variant is duplicated": 1} and summary.used == 2
    other = shared | {"dicom_id": AP, "variant_index": "0", "question": base}
    write_table(root / "hard.csv", HARD, [*rows[:2], rows[1] | {"question": "any pneumothorax?"}, other])
    summary = assemble(tmp_path / "two", options(root, root / "hard.csv", "keep"))
    assert summary.skipped == {"contradictory: the same variant of a question has different texts": 3}
    assert baselines(tmp_path / "two") == {(AP, "pneumothorax"): "yes"}


def test_an_image_that_shows_next_to_nothing_is_counted(root, tmp_path):
    Image.new("L", (64, 48), 3).save(root / path_of(SECOND))
    write_sums(root)
    rows = [(image, "is there edema?", "yes") for image in (PA, SECOND)]
    summary = assemble(tmp_path / "study", options(root, asked(root, rows)))
    assert summary.skipped == {"image file is nearly one grey: leave it out, or convert it with another window": 1}
