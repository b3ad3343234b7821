"""Question sets about MIMIC-CXR, whatever their format, as one stream of plain rows.

- Medical-CXR-VQA 1.0.0 (https://physionet.org/content/medical-cxr-vqa-dataset/): a CSV with question_type.
- MIMIC-Ext-MIMIC-CXR-VQA (https://physionet.org/content/mimic-ext-mimic-cxr-vqa/): dataset/{train,valid,test}.json.
- Medical-Diff-VQA (https://physionet.org/content/medical-diff-vqa/): a CSV with ref_id; it names studies, not images.
- Hard positives, as the original study wrote them: a CSV with baseline_question, variant_index and strategy.
- Anyone's own: a CSV with an image (dicom_id), question, answer and, if need be, finding.

A CSV with `answer` and `ground_truth` (or `correct_answer`) is a table of results, as the original study's
evaluation_results.csv: there `answer` is what a model said, and not read.
Nothing else is decided here: what cannot be used is for the reader of the stream to say.
"""

import ast
import re
from codecs import BOM_UTF8
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import ijson
from tqdm import tqdm

from medattn.base.errors import InputError, told
from medattn.base.json_files import SHOWN
from medattn.base.pipes import refuse_pipe
from medattn.base.tables import write_csv
from medattn.mimic.csv_files import header_of, rows_of
from medattn.mimic.numbers import dicom_id_in, identifier, whole_number

CXR_VQA, EXT_VQA, DIFF_VQA, HARD_POSITIVES = "Medical-CXR-VQA", "MIMIC-Ext-MIMIC-CXR-VQA", "Medical-Diff-VQA", "hard positives"
OWN = "questions of your own"
OWN_COLUMNS = ("dicom_id", "question", "answer", "finding")  # the last may be left out
MODELS_OR_TRUE = "answer"  # a model's where a column of TRUE_ANSWERS stands beside it
TRUE_ANSWERS = ("correct_answer", "ground_truth")
IMAGE_COLUMNS = ("dicom_id", "image_id", "image_path", "study_id")  # where an image's id may stand, the surest first
DEEPEST = 16  # levels of a question set in JSON; the published have four
VARIANT = re.compile(r"original|baseline|hard_positive(?:_strategy)?[-_ ]?(?P<number>\d{1,2})", re.IGNORECASE)
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
    finding: str = ""  # lower case, as the file names it; "" in formats without
    subject_id: str = ""  # "" in formats without
    where: str = ""  # file and row, for messages


def format_of(path: Path) -> str:
    """Which of the formats `path` is in. Raises InputError naming what it was told by."""
    if path.is_dir() or path.suffix == ".json":
        return EXT_VQA
    header = set(header_of(path))
    if answer_columns(header) and "question" in header:
        if header & {"baseline_question", "question_variant", "variant_index"}:
            return HARD_POSITIVES
        if {"ref_id", "study_id"} <= header:
            return DIFF_VQA
        if header & set(IMAGE_COLUMNS):
            return CXR_VQA if "question_type" in header else OWN
    raise InputError(
        f"{path}: columns {', '.join(sorted(header))} are not those of a known question set: expected at least"
        f" {', '.join(OWN_COLUMNS[:3])} (`medattn study template` writes an empty one; docs/mimic-cxr.md lists every format)"
    )


def answer_columns(header: Collection[str]) -> list[str]:
    """The columns with the true answer; [] where there is none."""
    found = [name for name in TRUE_ANSWERS if name in header]
    return found or [name for name in (MODELS_OR_TRUE,) if name in header]


def note(path: Path) -> str:
    """What to tell about a table of results; "" of anything else."""
    header = [] if format_of(path) == EXT_VQA else header_of(path)
    truth = answer_columns(header)
    if MODELS_OR_TRUE not in header or truth == [MODELS_OR_TRUE]:
        return ""
    return f"answers: of column {' and '.join(truth)}; column {MODELS_OR_TRUE} is taken for a model's, and not used"


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


def write_template(path: Path) -> None:
    """An empty table for questions of one's own. Raises InputError if a file is there already."""
    if path.exists():
        raise InputError(f"{path} is there already: remove it, or choose another name")
    write_csv(path, OWN_COLUMNS, ())


def read(path: Path) -> Iterator[QuestionRow]:
    """All rows of a question set, in the file's order. Raises InputError for a file that is not what it seems."""
    form = format_of(path)
    for file in files_of(path):
        yield from _ext_vqa(file) if form == EXT_VQA else _csv(file, form)


def _csv(path: Path, form: str) -> Iterator[QuestionRow]:
    truth = answer_columns(header_of(path))
    for number, row in rows_of(path, ("question", *truth), "questions"):
        answers = {answer_of(row[name]) for name in truth if row[name].strip()}
        question = row["question"].strip()
        yield QuestionRow(
            "" if form == DIFF_VQA else _image_in(row),
            identifier(row.get("study_id", "")),
            question,
            answers.pop() if len(answers) == 1 else DISAGREE if answers else "",
            row.get("split", ""),
            row.get("baseline_question", "").strip() or question,
            _variant(path, number, row) if form == HARD_POSITIVES else 0,
            row.get("strategy", "").strip(),
            row.get("finding", "").strip().lower(),
            identifier(row.get("subject_id", "")),
            f"{path}, row {number}",
        )


def _ext_vqa(path: Path) -> Iterator[QuestionRow]:
    refuse_pipe(path)
    try:
        with (
            path.open("rb") as file,
            tqdm(total=path.stat().st_size, desc="questions", unit="B", unit_scale=True, leave=False) as bar,
        ):
            start = _check_shape(file, path)
            file.seek(start)
            number = 0
            for number, entry in enumerate(ijson.items(file, "item", use_float=True), start=1):
                yield _ext_row(entry, f"{path}, entry {number}")
                if number % 1024 == 0:
                    bar.update(file.tell() - bar.n)
            if not number:
                raise InputError(f"{path} holds no question: expected a list of questions in JSON")
    except FileNotFoundError:
        raise InputError(f"{path} not found: give --questions the dataset's folder or one of its json files") from None
    except (ijson.JSONError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"{path} is not a list of questions in JSON: {said}: download it again") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): give --questions one of the dataset's files") from None


def _check_shape(file: BinaryIO, path: Path) -> int:
    """Where the JSON begins, behind a mark of its encoding.

    Raises InputError for one that is nested deeply: ijson names every level by all above it, so a file of open brackets
    alone would take all memory. And for one with a key twice in an object: ijson would keep the last one.
    """
    start = len(BOM_UTF8) if file.read(len(BOM_UTF8)) == BOM_UTF8 else 0
    file.seek(start)
    levels: list[set[str]] = []  # of each object or list that is open: its keys
    entry = 0
    # Without use_float a number of 5,000 digits crashes the interpreter.
    for event, value in ijson.basic_parse(file, use_float=True):
        if event == "map_key":
            if value in levels[-1]:
                raise InputError(f"{path}, entry {entry}: key {value[:SHOWN]!r} stands twice in one object: keep one of them")
            levels[-1].add(value)
        elif event in ("start_map", "start_array"):
            entry += len(levels) == 1
            levels.append(set())
            if len(levels) > DEEPEST:
                raise InputError(
                    f"{path} is nested more than {DEEPEST} levels deep, expected a list of questions: is it the right file?"
                )
        elif event in ("end_map", "end_array"):
            levels.pop()
    return start


def _ext_row(entry: Any, where: str) -> QuestionRow:
    try:
        question, given = entry["question"].strip(), entry["answer"]
        cells = {name: str(entry.get(name, "")) for name in IMAGE_COLUMNS if name != "study_id"}
        study, subject = (identifier(entry.get(name, "")) for name in ("study_id", "subject_id"))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{where}: {told(error)}: expected question, answer and study_id: download it again") from None
    if isinstance(given, str):
        answer = answer_of(given)
    elif given is None or isinstance(given, list):
        answer = ", ".join(sorted(str(item).strip().lower() for item in given or ()))
    else:
        raise InputError(f"{where}: answer is {given!r}, expected a list of words or one text: download it again")
    split = str(entry.get("split", ""))
    return QuestionRow(_image_in(cells), study, question, answer, split, question, 0, "", "", subject, where)


def _variant(path: Path, number: int, row: dict[str, str]) -> int | None:
    """Which variant a row is, from variant_index, else from question_variant; None if neither says."""
    for name in ("variant_index", "question_variant"):
        if label := row.get(name, "").strip():
            found = VARIANT.fullmatch(label)
            index = whole_number(label) if found is None else int(found["number"] or 0)
            if index is None or not 0 <= index <= 99:
                raise InputError(
                    f"{path}, row {number}: {name} is {label!r}, expected original, or a number from 0 to 99: correct it"
                )
            return index
    return None


def _image_in(row: dict[str, str]) -> str:
    """The dicom_id that a row names, by itself, in a path, in a flat file name, or in the column of the study.

    Where there is none, what its columns of the image hold instead: that it names an image must not be lost; "" if nothing.
    """
    found = (dicom_id_in(row.get(name, "")) for name in IMAGE_COLUMNS)
    instead = (row.get(name, "").strip() for name in IMAGE_COLUMNS if name != "study_id")
    return next(filter(None, (*found, *instead)), "")


def answer_of(text: str) -> str:
    """An answer as files write it — yes, "Yes.", ['yes'] — in lower case; a list's items joined by ", "."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        try:
            items = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):  # what Python says of a list that is none
            return text.lower()
        return ", ".join(sorted(str(item).strip().lower() for item in items))
    return text.lower().rstrip(".")
