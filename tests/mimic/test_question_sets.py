"""Five formats and their oddities become one stream of plain rows."""

import json
from pathlib import Path

import pytest

from medattn.base.errors import InputError
from medattn.mimic import question_sets
from medattn.mimic.question_sets import DISAGREE, QuestionRow, answer_of, files_of, format_of, note, read

from .conftest import PA, SECOND, write_table

ASKED = "is there pneumothorax?"


def unplaced(path: Path) -> list[QuestionRow]:
    """The rows of a question set, without where each stands."""
    return [row._replace(where="") for row in read(path)]


@pytest.mark.parametrize("name", ["medical-cxr-vqa-questions.csv", "medical_cxr_vqa_questions.csv", "q.csv.gz"])
def test_medical_cxr_vqa_is_read_by_column_names(tmp_path, name):
    columns = ["split", "answer", "question", "question_type", "dicom_id", "study_id", "subject_id"]
    row = {
        "dicom_id": PA,
        "study_id": "50000001",
        "question": f" {ASKED} ",
        "answer": "Yes",
        "question_type": "presence",
        "split": "val",
    }
    write_table(tmp_path / name, columns, [row])
    assert format_of(tmp_path / name) == question_sets.CXR_VQA
    assert unplaced(tmp_path / name) == [QuestionRow(PA, "50000001", ASKED, "yes", "val", ASKED, 0, "")]


def test_mimic_ext_is_read_from_its_folder_or_one_file_and_keeps_lists_sorted(tmp_path):
    (tmp_path / "dataset").mkdir()
    entries = [
        {
            "split": "test",
            "study_id": 50000001,
            "image_path": f"p10/p10000001/s50000001/{PA}.jpg",
            "question": ASKED,
            "answer": ["yes"],
        },
        {"split": "test", "study_id": 50000001, "image_id": PA, "question": "which?", "answer": ["right lung", "left lung"]},
        {"split": "test", "study_id": 50000001, "image_id": PA, "question": "which?", "answer": []},
    ]
    for split in ("test", "train"):
        (tmp_path / "dataset" / f"{split}.json").write_text(json.dumps(entries))
    assert [file.name for file in files_of(tmp_path)] == ["train.json", "test.json"]
    rows = list(read(tmp_path))
    assert len(rows) == 6 and list(read(tmp_path / "dataset" / "test.json")) == rows[3:]
    assert {row.dicom_id for row in rows} == {PA}
    assert [row.answer for row in rows[:3]] == ["yes", "left lung, right lung", ""]


def test_medical_diff_vqa_names_studies(tmp_path):
    columns = ["study_id", "subject_id", "ref_id", "question_type", "question", "answer", "split"]
    write_table(
        tmp_path / "q.csv", columns, [{"study_id": "50000001", "ref_id": "50000002", "question": ASKED, "answer": "no"}]
    )
    assert unplaced(tmp_path / "q.csv") == [QuestionRow("", "50000001", ASKED, "no", "", ASKED, 0, "")]


@pytest.mark.parametrize("column", ["answer", "correct_answer", "ground_truth"])
@pytest.mark.parametrize("written", ["yes", "Yes.", "['yes']", '["Yes"]'])
@pytest.mark.parametrize(
    "place",
    [{"dicom_id": SECOND}, {"study_id": SECOND}, {"image_path": f"p10_p10000002_s50000002_{SECOND}.jpg"},
     {"image_path": f"{SECOND}.jpg"},
     {"image_path": SECOND.upper()}, {"image_path": f"files/p10/p10000002/s50000002/{SECOND}.jpg"}],
    ids=["dicom_id", "study_id that is a dicom_id", "flat with ids", "flat", "capitals", "path"],
)  # fmt: skip
def test_hard_positives_are_read_with_their_oddities(tmp_path, column, written, place):
    row = {
        column: written,
        "question": "any pneumothorax?",
        "baseline_question": ASKED,
        "variant_index": "3",
        "strategy": "Register",
    } | place
    columns = [
        "dicom_id",
        "study_id",
        "question",
        column,
        "image_path",
        "baseline_question",
        "question_variant",
        "variant_index",
        "strategy",
    ]
    write_table(tmp_path / "q.csv", columns, [row])
    assert format_of(tmp_path / "q.csv") == question_sets.HARD_POSITIVES
    assert unplaced(tmp_path / "q.csv") == [QuestionRow(SECOND, "", "any pneumothorax?", "yes", "", ASKED, 3, "Register")]


def test_the_variant_is_named_by_its_index_or_its_label(tmp_path):
    columns = ["dicom_id", "question", "answer", "baseline_question", "question_variant", "variant_index"]
    named = [("original", ""), ("hard_positive_strategy-4", ""), ("", "2.0"), ("", ""), ("", " +3"), ("", "05"), ("7.0", "")]
    write_table(
        tmp_path / "q.csv",
        columns,
        [{"question_variant": label, "variant_index": index, "answer": "no", "question": "q"} for label, index in named],
    )
    assert [row.variant for row in read(tmp_path / "q.csv")] == [0, 4, 2, None, 3, 5, 7]
    write_table(tmp_path / "q.csv", columns, [{"variant_index": "third", "question": "q", "answer": "no"}])
    with pytest.raises(InputError, match="row 2: variant_index is 'third', expected original, or a number"):
        list(read(tmp_path / "q.csv"))


def test_columns_of_true_answers_that_disagree_are_no_answer(tmp_path):
    columns = ["dicom_id", "question", "correct_answer", "ground_truth", "variant_index"]
    write_table(
        tmp_path / "q.csv",
        columns,
        [{"question": "q", "correct_answer": "yes", "ground_truth": "no"}, {"question": "q", "ground_truth": "No"}],
    )
    assert [row.answer for row in read(tmp_path / "q.csv")] == [DISAGREE, "no"]


@pytest.mark.parametrize("marker", [[], ["question_type"], ["variant_index"], ["ref_id", "study_id"]])
def test_beside_true_answers_the_column_answer_is_the_models(tmp_path, marker):
    columns = ["dicom_id", "question", "answer", "ground_truth", *marker]
    rows = [{"question": "q", "answer": "yes", "ground_truth": "no"}, {"question": "q", "answer": "yes"}]
    write_table(tmp_path / "q.csv", columns, rows)
    assert [row.answer for row in read(tmp_path / "q.csv")] == ["no", ""]
    assert note(tmp_path / "q.csv").startswith("answers: of column ground_truth;")
    write_table(tmp_path / "q.csv", ["dicom_id", "question", "answer", *marker], [])
    assert note(tmp_path / "q.csv") == ""


@pytest.mark.parametrize("column", ["dicom_id", "image_id", "image_path"])
def test_questions_of_your_own_are_read_with_and_without_a_finding(tmp_path, column):
    row = {column: PA, "question": ASKED, "answer": "Yes", "finding": " Pneumothorax "}
    write_table(tmp_path / "q.csv", [column, "question", "answer", "finding"], [row])
    assert format_of(tmp_path / "q.csv") == question_sets.OWN
    assert unplaced(tmp_path / "q.csv") == [QuestionRow(PA, "", ASKED, "yes", "", ASKED, 0, "", "pneumothorax")]
    row.pop("finding")
    write_table(tmp_path / "q.csv", [column, "question", "answer"], [row])
    assert unplaced(tmp_path / "q.csv") == [QuestionRow(PA, "", ASKED, "yes", "", ASKED, 0, "")]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [('"Yes"', "yes"), ('["yes"]', "yes"), ("\"['no']\"", "no"), ("null", ""), ("[]", ""), ('["b", "A"]', "a, b")],
)
def test_answers_of_mimic_ext_are_a_list_or_a_text(tmp_path, answer, expected):
    (tmp_path / "q.json").write_text(f'[{{"image_id": "{PA}", "study_id": 50000001, "question": "q", "answer": {answer}}}]')
    assert [row.answer for row in read(tmp_path / "q.json")] == [expected]


@pytest.mark.parametrize("study", ["50000001", "50000001.0", '"s50000001"', '"50000001.0"', '" 50000001 "'])
def test_a_study_is_named_by_its_digits_however_it_is_written(tmp_path, study):
    (tmp_path / "q.json").write_text(f'[{{"study_id": {study}, "question": "q", "answer": "no"}}]')
    assert [row.study_id for row in read(tmp_path / "q.json")] == ["50000001"]
    for columns in (["study_id", "ref_id"], ["study_id", "question_type"], ["study_id", "variant_index"]):
        write_table(tmp_path / "q.csv", [*columns, "question", "answer"], [{"study_id": study.strip('"'), "question": "q"}])
        assert [row.study_id for row in read(tmp_path / "q.csv")] == ["50000001"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"question": "q"}', "holds no question: expected a list"),
        ("[]", "holds no question"),
        ('[{"question": "q", "answer": 3}]', "entry 1: answer is 3, expected a list of words or one text"),
        ('[{"question": 3, "answer": "no"}]', "entry 1: AttributeError"),
        ('[{"study_id": ' + "9" * 5000 + "}]", "is not a list of questions in JSON"),
        ("[" * 100_000, "is nested more than 16 levels deep"),
        ('[{"question": ' + '{"a": ' * 50_000, "is nested more than 16 levels deep"),
        ('[{"answer": "no"}, {"answer": "no", "question": "q", "answer": "yes"}]', "entry 2: key 'answer' stands twice in one"),
        ('[{"answer": "no", "a\\u006eswer": "no"}]', "entry 1: key 'answer' stands twice"),
        ('[{"answer": ["no"], "more": {"a": {"a": 1}, "b": [{"c": 1, "c": 1}]}}]', "entry 1: key 'c' stands twice"),
        ("\xff\xfe[", "is not a list of questions in JSON"),
        ("", "is not a list of questions in JSON"),
    ],
)
def test_json_that_holds_no_questions_is_named(tmp_path, content, message):
    (tmp_path / "q.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=rf"q\.json.*{message}"):
        list(read(tmp_path / "q.json"))


def test_json_may_begin_with_a_mark_of_its_encoding(tmp_path):
    (tmp_path / "q.json").write_bytes(b'\xef\xbb\xbf[{"study_id": 50000001, "question": "q", "answer": "no"}]')
    assert [row.answer for row in read(tmp_path / "q.json")] == ["no"]


def test_a_directory_in_place_of_a_file_is_named(tmp_path):
    (tmp_path / "test.json").mkdir()
    with pytest.raises(InputError, match=r"test\.json cannot be read \(Is a directory\)"):
        list(read(tmp_path))
    (tmp_path / "q.csv").mkdir()
    with pytest.raises(InputError, match=r"q\.csv: no train\.json"):
        list(read(tmp_path / "q.csv"))


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_other_separators_are_named(tmp_path, separator, name):
    (tmp_path / "q.csv").write_text(separator.join(["dicom_id", "question", "answer"]) + "\n")
    with pytest.raises(InputError, match=f"its columns are separated by {name}: save it as CSV with commas"):
        format_of(tmp_path / "q.csv")


def test_a_list_is_never_evaluated_as_code():
    assert answer_of("[__import__('os').getcwd()]") == "[__import__('os').getcwd()]"
    deep = ("[" + "[" * 3000 + "]" * 3001, "[" + "-" * 5000 + "1]", "[" + "1+" * 20_000 + "1j]", "[" + "9" * 9000 + "]", "[\0]")
    assert all(answer_of(text) == text for text in deep)
    assert answer_of("['b', 'a']") == "a, b" and answer_of("[]") == "" and answer_of("[yes") == "[yes"


def test_a_file_of_no_known_format_is_named_with_its_columns(tmp_path):
    write_table(tmp_path / "q.csv", ["a", "b"], [])
    with pytest.raises(InputError, match="columns a, b are not those of a known question set"):
        format_of(tmp_path / "q.csv")
    (tmp_path / "q.json").write_text('[{"question": "q"}]')
    with pytest.raises(InputError, match=r"q\.json, entry 1: KeyError"):
        list(read(tmp_path / "q.json"))
    (tmp_path / "q.json").write_text('[{"question": ')
    with pytest.raises(InputError, match=r"q\.json is not a list of questions in JSON"):
        list(read(tmp_path / "q.json"))
    with pytest.raises(InputError, match=r"no train\.json, valid\.json or test\.json"):
        files_of(tmp_path)
    with pytest.raises(InputError, match=r"missing\.csv not found"):
        format_of(tmp_path / "missing.csv")
