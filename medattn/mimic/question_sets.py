"""Question sets about MIMIC-CXR, whatever their format, as one stream of plain rows.

- Medical-CXR-VQA 1.0.0 (https://physionet.org/content/medical-cxr-vqa-dataset/): a CSV with question_type.
- MIMIC-Ext-MIMIC-CXR-VQA (https://physionet.org/content/mimic-ext-mimic-cxr-vqa/): dataset/{train,valid,test}.json.
- Medical-Diff-VQA (https://physionet.org/content/medical-diff-vqa/): a CSV with ref_id; it names studies, not images.
- Hard positives, as the original study wrote them: a CSV with baseline_question, variant_index and strategy.

Nothing is decided here: what cannot be used is for the reader of the stream to say.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import ijson
from tqdm import tqdm

from medattn.base.errors import InputError
from medattn.mimic.csv_files import header_of, rows_of
from medattn.mimic.layout import DICOM_ID

CXR_VQA, EXT_VQA, DIFF_VQA, HARD_POSITIVES = "Medical-CXR-VQA", "MIMIC-Ext-MIMIC-CXR-VQA", "Medical-Diff-VQA", "hard positives"
ANSWER_COLUMNS = ("answer", "correct_answer", "ground_truth")
IMAGE_COLUMNS = ("dicom_id", "image_id", "image_path", "study_id")  # where an image's id may stand, the surest first
VARIANT = re.compile(r"(?:original|baseline)|(?:hard_positive(?:_strategy)?[-_ ]?)?(\d{1,2})", re.IGNORECASE)
DISAGREE = "\x00"  # an answer that no answer can equal: the row's own columns contradict each other


class QuestionRow(NamedTuple):
    """A row of a question set. dicom_id or study_id may be "", not both unless the row names no image at all."""

    dicom_id: str
    study_id: str
    question: str
    answer: str  # lower case; "" for none, several joined by ", "
    split: str
    baseline: str  # the question that a hard positive rewords; the question itself elsewhere
    variant: int | None  # 0: the baseline variant; None: the row does not say
    strategy: str  # as the file labels it; "" in formats without


def format_of(path: Path) -> str:
    """Which of the four formats `path` is in. Raises InputError naming what it was told by."""
    if path.is_dir() or path.suffix == ".json":
        return EXT_VQA
    header = set(header_of(path))
    if header & {"baseline_question", "question_variant", "variant_index"}:
        return HARD_POSITIVES
    if "ref_id" in header:
        return DIFF_VQA
    if {"question", "answer", "question_type"} <= header:
        return CXR_VQA
    raise InputError(
        f"{path}: columns {', '.join(sorted(header))} are not those of a known question set (Medical-CXR-VQA: question_type,"
        " question, answer; Medical-Diff-VQA: ref_id; hard positives: baseline_question, variant_index)"
    )


def files_of(path: Path) -> list[Path]:
    """The files of a question set: itself, or below a directory {train,valid,test}.json, the dataset's own folder or not.

    Raises InputError for a directory that holds none.
    """
    if not path.is_dir():
        return [path]
    for folder in (path, path / "dataset"):
        found = [folder / f"{split}.json" for split in ("train", "valid", "test") if (folder / f"{split}.json").exists()]
        if found:
            return found
    raise InputError(f"{path}: no train.json, valid.json or test.json in it or in {path / 'dataset'}: name the file itself")


def read(path: Path) -> Iterator[QuestionRow]:
    """All rows of a question set, in the file's order. Raises InputError for a file that is not what it seems."""
    reader = {EXT_VQA: _ext_vqa, DIFF_VQA: _diff_vqa, CXR_VQA: _cxr_vqa, HARD_POSITIVES: _hard_positives}[format_of(path)]
    for file in files_of(path):
        yield from reader(file)


def _cxr_vqa(path: Path) -> Iterator[QuestionRow]:
    for _, row in rows_of(path, ("question", "answer"), "questions"):
        question = row["question"].strip()
        yield QuestionRow(
            _image_in(row), row.get("study_id", ""), question, answer_of(row["answer"]), row.get("split", ""), question, 0, ""
        )


def _diff_vqa(path: Path) -> Iterator[QuestionRow]:
    for _, row in rows_of(path, ("study_id", "question", "answer"), "questions"):
        question = row["question"].strip()
        yield QuestionRow("", row["study_id"], question, answer_of(row["answer"]), row.get("split", ""), question, 0, "")


def _ext_vqa(path: Path) -> Iterator[QuestionRow]:
    try:
        with (
            path.open("rb") as file,
            tqdm(total=path.stat().st_size, desc="questions", unit="B", unit_scale=True, leave=False) as bar,
        ):
            for number, entry in enumerate(ijson.items(file, "item"), start=1):
                try:
                    question, answer, study = entry["question"].strip(), entry["answer"], str(entry["study_id"])
                    image = _image_in(
                        {"image_id": str(entry.get("image_id", "")), "image_path": str(entry.get("image_path", ""))}
                    )
                    answers = ", ".join(sorted(str(item).strip().lower() for item in answer))
                except (KeyError, TypeError, AttributeError) as error:
                    raise InputError(
                        f"{path}, entry {number}: {error!r}: expected question, answer (a list) and study_id"
                    ) from None
                yield QuestionRow(image, study, question, answers, str(entry.get("split", "")), question, 0, "")
                if number % 1024 == 0:
                    bar.update(file.tell() - bar.n)
    except FileNotFoundError:
        raise InputError(f"{path} not found: give --questions the dataset's folder or one of its json files") from None
    except ijson.JSONError as error:
        raise InputError(f"{path} is not a list of questions in JSON: {error}: download it again") from None


def _hard_positives(path: Path) -> Iterator[QuestionRow]:
    for number, row in rows_of(path, ("question",), "questions"):
        answers = {answer_of(row[name]) for name in ANSWER_COLUMNS if row.get(name, "").strip()}
        if not any(name in row for name in ANSWER_COLUMNS):
            raise InputError(
                f"{path}: column answer is missing; it has {', '.join(row)}: name it answer, correct_answer or ground_truth"
            )
        answer = answers.pop() if len(answers) == 1 else DISAGREE if answers else ""
        question = row["question"].strip()
        baseline = row.get("baseline_question", "").strip() or question
        study = row.get("study_id", "").strip().removeprefix("s")
        yield QuestionRow(
            _image_in(row), study if study.isdigit() else "", question, answer, row.get("split", ""), baseline,
            _variant(path, number, row), row.get("strategy", "").strip(),
        )  # fmt: skip


def _variant(path: Path, number: int, row: dict[str, str]) -> int | None:
    """Which variant a row is, from variant_index, else from question_variant; None if neither says."""
    for name in ("variant_index", "question_variant"):
        if label := row.get(name, "").strip():
            found = VARIANT.fullmatch(label.removesuffix(".0"))
            if found is None:
                raise InputError(
                    f"{path}, row {number}: {name} is {label!r}, expected original, or a number from 0 to 99: correct it"
                )
            return int(found[1] or 0)
    return None


def _image_in(row: dict[str, str]) -> str:
    """The dicom_id that a row names, by itself, in a path, in a flat file name, or in the column of the study; "" if none."""
    for name in IMAGE_COLUMNS:
        if found := DICOM_ID.search(row.get(name, "").lower()):
            return found[0]
    return ""


def answer_of(text: str) -> str:
    """An answer as files write it — yes, "Yes.", ['yes'] — in lower case; a list's items joined by ", "."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        try:
            items = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return text.lower()
        return ", ".join(sorted(str(item).strip().lower() for item in items))
    return text.lower().rstrip(".")
