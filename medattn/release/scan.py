"""Identifiers and texts of patients in a piece of text: looked up word by word, so thousands of them cost no more than one.

An identifier is known by its parts: "p10-0001_x" is found as `p10.0001-x`, too, and inside a longer name. Texts are known
by their words: case, punctuation and white space mean nothing.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medattn.base import paths
from medattn.base.tables import read_table
from medattn.study.schema import Study

SHORTEST = 6  # letters and digits: anything shorter cannot be told from a number or a word
FEWEST_WORDS = 4  # "yes", "left lung" or "no evidence" are nobody's own words
MIMIC_FORMS = {
    "an image of MIMIC-CXR": re.compile(r"(?<![0-9a-z])[0-9a-f]{8}(?:[-_.][0-9a-f]{8}){4}(?![0-9a-z])", re.IGNORECASE),
    "a patient of MIMIC-CXR": re.compile(r"(?<![0-9a-z])p1[0-9]{7}(?![0-9a-z])", re.IGNORECASE),
    "a radiology study of MIMIC-CXR": re.compile(r"(?<![0-9a-z])s5[0-9]{7}(?![0-9a-z])", re.IGNORECASE),
}
_WORD = re.compile(r"[^\W_]+")
_NAME = re.compile(r"[^\W_]+(?:[-_.:+~@#/]{1,2}[^\W_]+)*")
_DECIMAL = re.compile(r"(?<![\w.])\d*\.\d+(?:[eE][-+]?\d+)?(?![\w.])")
STUDY_IDS = ("question_id", "image_id", "study_id", "subject_id")
SAMPLE_IDS = ("sample_id", *STUDY_IDS, "shown_image_id")
# Columns of tables whose rows are about single patients; no aggregate table has one.
ROW_LEVEL = {
    *SAMPLE_IDS,
    "dicom_id",
    "patient_id",
    "question",
    "baseline_question",
    "answer",
    "answer_text",
    "image_path",
    "path",
}
ABSENT = "run `dvc repro`; without it nobody can tell whether its rows are in the reports"
Words = tuple[str, ...]


@dataclass(frozen=True)
class RestrictedContent:
    """What must not leave the machine. identifiers: parts joined by "-", in lower case. texts: first words -> whole texts."""

    identifiers: frozenset[str] = frozenset()
    texts: Mapping[Words, list[Words]] = field(default_factory=dict)
    longest: int = 0  # parts of the longest identifier
    patients: int = 0
    too_short: int = 0  # identifiers that are not looked for

    @property
    def text_count(self) -> int:
        return sum(map(len, self.texts.values()))


def words(text: str) -> Words:
    """Letters and digits, in lower case: what a text is compared by."""
    return tuple(_WORD.findall(text.casefold()))


def make(
    identifiers: Iterable[str], texts: Iterable[str], harmless: Iterable[str] = (), patients: int = 0
) -> RestrictedContent:
    """What to look for. Texts of fewer than FEWEST_WORDS words, and those that `harmless` holds, are left out."""
    names, short = set(), 0
    for identifier in set(identifiers) - {""}:
        name = "-".join(words(identifier))
        if len(name) < SHORTEST or not any(letter.isdigit() for letter in name):
            short += 1
            continue
        names.add(name)
        if name.isdigit():
            names |= {f"p{name}", f"s{name}"}  # as folders of MIMIC-CXR are called
    by_start = defaultdict(list)
    for text in {words(text) for text in texts} - {words(text) for text in harmless}:
        if len(text) >= FEWEST_WORDS:
            by_start[text[:FEWEST_WORDS]].append(text)
    ordered = {start: sorted(same, key=len, reverse=True) for start, same in by_start.items()}
    longest = max((name.count("-") + 1 for name in names), default=0)
    return RestrictedContent(frozenset(names), ordered, longest, patients, short)


def restricted_of(study: Study, root: Path) -> RestrictedContent:
    """What the run below `root` must keep of its study: nothing of an open one, besides identifiers of MIMIC's forms.

    Raises InputError if the manifest or the answers of a credentialed study's run are not there.
    """
    if study.licence == "open":
        return RestrictedContent()
    questions, images = study.questions(), study.images()
    samples, answers = (read_table(root / path, None, ABSENT, may_be_empty=True) for path in (paths.MANIFEST, paths.ANSWERS))
    identifiers = {row[name] for row in (*questions, *images) for name in STUDY_IDS if row.get(name)}
    identifiers |= {row[name] for row in samples for name in SAMPLE_IDS} | {Path(row["path"]).stem for row in images}
    texts = {row[name] for row in (*questions, *samples) for name in ("question", "baseline_question", "answer")}
    texts |= {row["answer_text"] for row in answers}
    findings = {row[name] for row in (*questions, *samples) for name in ("finding", "zone")}
    return make(identifiers, texts, findings, patients=len({row["subject_id"] for row in samples}))


def of_mimic_form(text: str) -> Iterator[tuple[int, str]]:
    """Where an identifier of one of MIMIC-CXR's forms stands, and what it is."""
    for what, form in MIMIC_FORMS.items():
        for match in form.finditer(text):
            yield match.start(), f"{match[0]!r}, which has the form of {what}"


def of_study(text: str, restricted: RestrictedContent) -> Iterator[tuple[int, str]]:
    """Where an identifier or a text of the study stands, and what it is."""
    if restricted.identifiers:
        plain = _DECIMAL.sub(lambda number: " " * len(number[0]), text)
        for match in _NAME.finditer(plain):
            found = _within(words(match[0]), restricted)
            if found is not None:
                yield match.start(), f"{found!r}, an identifier of the study"
    if restricted.texts:
        places = [(match.start(), match[0]) for match in _WORD.finditer(text.casefold())]
        spoken = tuple(word for _, word in places)
        for at in range(len(spoken) - FEWEST_WORDS + 1):
            for known in restricted.texts.get(spoken[at : at + FEWEST_WORDS], ()):
                if spoken[at : at + len(known)] == known:
                    yield places[at][0], f"{' '.join(known)!r}, a question or an answer of the study"
                    break


def _within(parts: Words, restricted: RestrictedContent) -> str | None:
    """The longest identifier among the stretches of `parts`."""
    for length in range(min(len(parts), restricted.longest), 0, -1):
        for start in range(len(parts) - length + 1):
            name = "-".join(parts[start : start + length])
            if name in restricted.identifiers:
                return name
    return None
