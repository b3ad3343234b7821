"""The rows of questions.csv, one by one and the variants of each question against each other."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence

from medattn.language.strategy_labels import BASELINE, labels
from medattn.measures.localisation import ZONES

ROLES = ("study", "control")
ANSWERS = ("yes", "no")
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,119}")
# What the models' tokenizers read as one control token, and whatever looks like one.
TOKEN = re.compile(r"<[/|]?[A-Za-z_][\w|]*>|<0x[0-9A-Fa-f]{2}>|\[multimodal\]|\[@BOS@\]", re.IGNORECASE)
# What the variants of one question share.
SHARED = ("role", "image_id", "study_id", "subject_id", "finding", "zone", "baseline_question", "answer")

JOINERS = "\u200c\u200d"  # part of how some scripts, and emoji, are written

Problem = Callable[[str, int | None, str], None]  # file, row, what is wrong and what to do


def check_ids(file: str, number: int, row: dict[str, str], names: tuple[str, ...], problem: Problem) -> None:
    """Ids name files, so they must be safe to do so."""
    for name in names:
        if not SAFE.fullmatch(row[name]):
            problem(file, number, f"{name} is {row[name]!r}: use letters, digits, - and _ only (at most 120; it names files)")


def check_questions(questions: Sequence[dict[str, str]], images: dict[str, dict[str, str]], problem: Problem) -> None:
    """Check questions.csv: each row, then the variants of each question against each other."""
    groups: dict[str, list[tuple[int, dict[str, str]]]] = defaultdict(list)
    spelled: dict[str, str] = {}
    truth: dict[tuple[str, str], tuple[str, int]] = {}
    for number, row in enumerate(questions, start=2):
        _check_question(number, row, images, problem)
        groups[row["question_id"]].append((number, row))
        key = (row["image_id"], row["finding"].casefold())
        answer, start = truth.setdefault(key, (row["answer"], number)) if row["answer"] else ("", number)
        if answer != row["answer"]:
            problem(
                "questions.csv", number,
                f"question {row['question_id']!r}: answer about {row['finding']!r} is {row['answer']!r}, row {start} says"
                f" {answer!r}"
                " about the same image: correct one of them",
            )  # fmt: skip
        if (other := spelled.setdefault(row["question_id"].casefold(), row["question_id"])) != row["question_id"]:
            problem(
                "questions.csv", number,
                f"question_id {row['question_id']!r} differs from {other!r} in upper and lower case only: rename one",
            )  # fmt: skip
    for question_id, rows in groups.items():
        _check_group(question_id, rows, problem)


def _check_question(number: int, row: dict[str, str], images: dict[str, dict[str, str]], problem: Problem) -> None:
    def wrong(message: str) -> None:
        problem("questions.csv", number, f"question {row['question_id']!r}: {message}")

    check_ids("questions.csv", number, row, ("question_id",), problem)
    if row["role"] not in ROLES:
        wrong(f"role is {row['role']!r}, expected {' or '.join(ROLES)}")
    if row["answer"] not in ANSWERS and not (row["role"] == "control" and row["answer"] == ""):  # a control's may be unknown
        wrong(f"answer (the label) is {row['answer']!r}, expected yes or no: correct it, or remove the question")
    if not row["strategy"].strip():
        wrong("strategy is empty: name the variant's strategy")
    if row["zone"] and row["zone"] not in ZONES:
        wrong(f"finding {row['finding']!r} has zone {row['zone']!r}, expected nothing, or one of {', '.join(sorted(ZONES))}")
    if not row["finding"].strip():
        wrong("finding is empty: name what the question asks about")
    for name in ("question", "baseline_question"):
        check_text(name, row[name], wrong)
    _check_variant(row, wrong)
    image = images.get(row["image_id"])
    if image is None:
        wrong(f"image_id {row['image_id']!r} is not in images.csv: add the image there, or remove the question")
        return
    for name in ("study_id", "subject_id"):
        if row[name] != image[name]:
            wrong(f"{name} is {row[name]!r}, images.csv has {image[name]!r} for image {row['image_id']!r}: make them agree")


def check_text(name: str, text: str, wrong: Callable[[str], None]) -> None:
    """The text of a question must be plain: anything else would change the prompt around it."""
    if not text.strip():
        wrong(f"{name} is empty: write the question, or remove the row")
    elif text != text.strip():
        wrong(f"{name} {text!r} starts or ends with white space: remove it")
    elif found := TOKEN.search(text):
        wrong(f"{name} {text!r} holds {found.group()!r}, which the model reads as a control token: remove it")
    elif any(unicodedata.category(letter) in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp") for letter in text):
        wrong(f"{name} {text!r} holds a line break or another control character: remove it")
    elif found_one := next((one for one in text if unicodedata.category(one) == "Cf" and one not in JOINERS), ""):
        wrong(f"{name} {text!r} holds {found_one!r}, which nobody sees and the model reads: remove it")


def _check_variant(row: dict[str, str], wrong: Callable[[str], None]) -> None:
    """variant_index, question_variant and strategy must say the same thing."""
    index = row["variant_index"]
    if not re.fullmatch(r"0|[1-9][0-9]?", index):
        wrong(f"variant_index is {index!r}, expected a whole number from 0 (the baseline) to 99")
        return
    expected = "original" if index == "0" else f"hard_positive_strategy-{index}"
    if row["question_variant"] != expected:
        wrong(f"question_variant is {row['question_variant']!r}, expected {expected!r} for variant_index {index}")
    if (labels(row["strategy"]).primary == BASELINE) != (index == "0"):
        wrong(f"strategy is {row['strategy']!r} with variant_index {index}: {BASELINE} belongs to 0, and only to 0")
    if row["role"] == "control" and index != "0":
        wrong(f"a control has variant_index {index}: controls have the baseline variant only; remove the row")


def _check_group(question_id: str, rows: list[tuple[int, dict[str, str]]], problem: Problem) -> None:
    """The variants of one question: one baseline, no variant and no text twice, the same image, finding and answer."""
    start, first = rows[0]
    seen: dict[tuple[str, str], int] = {}
    for number, row in rows:
        for name in SHARED:
            if row[name] != first[name]:
                problem(
                    "questions.csv", number,
                    f"question {question_id!r}: {name} is {row[name]!r}, row {start} of the same question has {first[name]!r}:"
                    " make them agree, or give another question_id",
                )  # fmt: skip
        for name in ("variant_index", "question"):
            if (earlier := seen.setdefault((name, row[name]), number)) != number:
                problem(
                    "questions.csv", number,
                    f"question {question_id!r}: duplicate {name} {row[name]!r}, it stands in row {earlier} already:"
                    " remove one of the rows",
                )  # fmt: skip
        if row["variant_index"] == "0" and row["question"] != row["baseline_question"]:
            problem(
                "questions.csv", number,
                f"question {question_id!r}: the baseline variant is {row['question']!r}, baseline_question"
                f" {row['baseline_question']!r}: make them agree",
            )  # fmt: skip
    if ("variant_index", "0") not in seen:
        problem("questions.csv", start, f"question {question_id!r} has no baseline variant (variant_index 0): add it")
