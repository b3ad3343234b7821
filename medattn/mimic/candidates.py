"""Which questions of a question set, or of the labels, can be asked; and in which order they are drawn."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from hashlib import sha256
from typing import cast

from medattn.base.seeding import choose, digest_of
from medattn.checks.questions import ANSWERS, check_text
from medattn.language.findings import NAMES
from medattn.language.question_forms import ParsedQuestion, asked_name, finding_in, parse
from medattn.mimic.archive import Archive, Image
from medattn.mimic.layout import METADATA
from medattn.mimic.question_sets import DISAGREE, QuestionRow

RULES, KEEP, NONE = "rules", "keep", "none"  # five variants by rule, the file's own, the baseline only
PRESENCE_FORMS = ("is there evidence of {} in this image?", "is there {} in this image?")
OTHER_STUDY = "image is of another study than the row names: correct or remove the row"
OTHER_PATIENT = "image is of another patient than the row names: correct or remove the row"
TWO_TEXTS = "contradictory: the same variant of a question has different texts"
LONGEST_SLUG = 60  # characters of an id that name the finding


@dataclass(slots=True)
class Question:
    """A baseline question about one image. `variants` are the file's own: variant_index -> (text, strategy)."""

    image: Image
    finding: str  # as questions.csv names it: with its place, where the question names one
    answer: str
    text: str
    asked: ParsedQuestion | None
    variants: dict[int, tuple[str, str]] = field(default_factory=dict)
    rows: int = 1  # of the question set

    @property
    def question_id(self) -> str:
        return f"{self.image.dicom_id}-{slug(self.finding)}"


@cache
def slug(finding: str) -> str:
    """A finding as part of an id; different findings have different slugs."""
    plain = re.sub(r"[^a-z0-9]+", "-", finding.lower()).strip("-")
    if plain.replace("-", " ") == finding and len(plain) <= LONGEST_SLUG:
        return plain
    return f"{plain[:LONGEST_SLUG]}-{sha256(finding.encode()).hexdigest()[:8]}"


@lru_cache(maxsize=100_000)
def _form(text: str) -> ParsedQuestion | None:
    return parse(text)


@dataclass
class Collector:
    """Turns rows into questions; what cannot be asked is counted in `skipped`, reason -> rows."""

    archive: Archive
    views: Collection[str]
    split: str | None
    variants: str
    skipped: Counter
    examples: dict[str, str] = field(default_factory=dict)  # reason -> the first row that was not used for it, where it helps

    def collect(self, rows: Iterable[QuestionRow]) -> list[Question]:
        """The questions of a question set, in its order, each finding of an image once."""
        found: dict[tuple[str, str], Question] = {}
        broken: dict[tuple[str, str], str] = {}  # what must not be asked, and why
        for row in rows:
            reason = self._add(row, found, broken)
            if reason:
                self.skipped[reason] += 1
        for key, reason in broken.items():
            self.skipped[reason] += found.pop(key).rows
        return list(found.values())

    def _add(self, row: QuestionRow, found: dict[tuple[str, str], Question], broken: dict[tuple[str, str], str]) -> str | None:
        """Add a row to the questions; the reason if it is not used."""
        image = self.image_of(row)
        if isinstance(image, str):
            return image
        if row.answer == DISAGREE:
            return "answer columns of the row disagree"
        if row.answer not in ANSWERS:
            return "answer is neither yes nor no"
        for text in (row.baseline, row.question, *filter(None, [row.finding])):
            if wrong_with(text):
                return "question text is empty, or holds what the model reads as a control token"
        asked = _form(row.baseline)
        name = self._finding(row, asked)
        if name is None:
            return "question form is not known to the rules"
        if row.finding and asked and asked.known and NAMES.get(row.finding, (row.finding,))[0] not in (asked.finding, name):
            return "finding is not the one that the question names"
        if self.variants == RULES and not (asked and asked.known):
            return "finding is not among those the rules can reword"
        key = (image.dicom_id, name)
        question = found.get(key)
        if question is None:
            question = found[key] = Question(image, name, row.answer, row.baseline, asked)
            if self.variants == KEEP:
                question.rows = 0
        elif key in broken or question.answer != row.answer:
            broken[key] = "contradictory: the same question about an image has different answers"
            question.rows += 1
            return None
        elif self.variants != KEEP or row.baseline != question.text:
            return "same finding asked about the same image once more"
        if self.variants != KEEP:
            return None
        reason = _keep(question, row)
        if reason == TWO_TEXTS:
            broken[key] = reason
            question.rows += 1
            return None
        return reason

    def _finding(self, row: QuestionRow, asked: ParsedQuestion | None) -> str | None:
        """What the questions table calls the finding: as the question says or, where the rules cannot read it, the row."""
        if asked and (asked.known or not row.finding):
            return asked_name(asked)
        if row.finding:
            return NAMES.get(row.finding, (row.finding,))[0]
        return finding_in(row.baseline) if self.variants == KEEP else None

    def image_of(self, row: QuestionRow) -> Image | str:
        """The image that a row is about, or why there is none."""
        image = self.archive.images.get(row.dicom_id)
        if image is None and row.dicom_id:
            return "image is not in the metadata table"
        if image is None and not row.study_id:
            return "row names neither an image nor a study: fill in dicom_id"
        if image is None:
            image = self.archive.of_study(row.study_id, self.views)
            if image is None:
                return "study is not in the metadata table, or has no image in the views asked for"
        if row.subject_id not in ("", image.subject_id):
            return self._contradiction(row, "subject_id", row.subject_id, OTHER_PATIENT)
        if row.study_id not in ("", image.study_id):
            return self._contradiction(row, "study_id", row.study_id, OTHER_STUDY)
        if self.views and image.view not in self.views:
            return f"view {image.view or 'unknown'} was not asked for"
        if self.split and image.split != self.split:
            return f"split {image.split or 'unknown'} was not asked for"
        return image

    def _contradiction(self, row: QuestionRow, column: str, value: str, reason: str) -> str:
        """The reason, of which the first row is kept as an example."""
        self.examples.setdefault(reason, f"{row.where}: {column} is {value!r}, which {METADATA} contradicts")
        return reason

    def from_labels(self, labels: dict[str, dict[str, str]]) -> list[Question]:
        """Is the finding there? For every label that is decided, about the image that stands for the study."""
        questions = []
        for study_id, findings in labels.items():
            image = self.image_of(QuestionRow("", study_id, "", "", "", "", 0, ""))
            if isinstance(image, str):
                self.skipped[image] += len(findings)
                continue
            for finding, answer in findings.items():
                text = presence_question(finding, image.dicom_id)
                questions.append(Question(image, finding, answer, text, _form(text)))
        return questions


def presence_question(finding: str, image_id: str) -> str:
    """Is the finding there? In one of PRESENCE_FORMS, the same for all findings of an image."""
    form = _form(choose(PRESENCE_FORMS, "presence form", image_id).format("cardiomegaly"))
    return cast(ParsedQuestion, form).ask(finding)  # the rules know all of PRESENCE_FORMS


@lru_cache(maxsize=100_000)
def wrong_with(text: str) -> bool:
    """Whether a text cannot be a question."""
    wrong: list[str] = []
    check_text("question", text, wrong.append)
    return bool(wrong)


def _keep(question: Question, row: QuestionRow) -> str | None:
    """Add one of the file's own variants; the reason if it is not used."""
    index = row.variant
    if index is None:
        index = 0 if row.question == question.text else max(question.variants, default=0) + 1
    if index == 0 and row.question != question.text:
        return "baseline variant differs from baseline_question"
    if index in question.variants and question.variants[index][0] != row.question:
        return TWO_TEXTS
    if index in question.variants or any(row.question == text for text, _ in question.variants.values()):
        return "variant is duplicated"
    if index and row.question == question.text:
        return "variant is the baseline's own"
    question.variants[index] = (row.question, row.strategy)
    question.rows += 1
    return None


def in_turn(questions: Iterable[Question], seed: int) -> Iterator[Question]:
    """Questions as they are drawn: findings in turn, of each a yes and a no, in an order decided by seed and ids alone."""
    groups: dict[tuple[str, str], list[tuple[int, Question]]] = defaultdict(list)
    for question in questions:
        groups[question.finding, question.answer].append((digest_of(seed, "draw", question.question_id), question))
    ranked = []
    for (finding, answer), members in groups.items():
        members.sort(key=lambda member: member[0])
        ranked += [(rank, finding, answer != "yes", question) for rank, (_, question) in enumerate(members)]
    groups.clear()
    ranked.sort(key=lambda entry: entry[:3])
    for *_, question in ranked:
        yield question
