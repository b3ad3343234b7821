"""Identifiers and texts of patients in a piece of text: looked up word by word, so thousands of them cost no more than one.

An identifier is known by its letters and digits: "p10-0001_x" is found as `p10.0001-x` and in pieces, and inside a longer
name. Texts are known by their words: case, punctuation and white space mean nothing.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from medattn.base import paths
from medattn.base.tables import read_table
from medattn.release.readings import readings
from medattn.study.schema import Study

SHORTEST = 6  # letters and digits: anything shorter cannot be told from a number or a word
FEWEST_WORDS = 4  # "yes", "left lung" or "no evidence" are nobody's own words
MIMIC_FORMS = {
    "an image of MIMIC-CXR": re.compile(r"(?<![0-9a-z])[0-9a-f]{8}(?:[-_.][0-9a-f]{8}){4}(?![0-9a-z])", re.IGNORECASE),
    "a patient of MIMIC-CXR": re.compile(r"(?<![0-9a-z])p1[0-9]{7}(?![0-9a-z])", re.IGNORECASE),
    "a radiology study of MIMIC-CXR": re.compile(r"(?<![0-9a-z])s5[0-9]{7}(?![0-9a-z])", re.IGNORECASE),
}
_WORD = re.compile(r"[^\W_]+")
_DIGITS = re.compile(r"\d+")
_DIGEST = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})", re.IGNORECASE)
FEWEST_IN_PIECES = 8  # digits: shorter numbers come about by chance where numbers stand side by side
GAP = 4  # characters between two pieces of an identifier
STUDY_IDS = ("question_id", "image_id", "study_id", "subject_id")
SAMPLE_IDS = ("sample_id", *STUDY_IDS, "shown_image_id")
ABSENT = "run `dvc repro`; without it nobody can tell whether its rows are in the reports"
Words = tuple[str, ...]
Rows = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class RestrictedContent:
    """What must not leave the machine.

    identifiers: their letters and digits, in lower case. texts: first words -> whole texts. forms: what it is -> its pattern.
    """

    identifiers: frozenset[str] = frozenset()
    in_pieces: frozenset[str] = frozenset()  # those of the identifiers that are found in pieces, too
    texts: Mapping[Words, list[Words]] = field(default_factory=dict)
    forms: Mapping[str, re.Pattern[str]] = field(default_factory=lambda: MIMIC_FORMS)
    patients: int = 0
    too_short: int = 0  # identifiers that are not looked for

    @property
    def numbers_whole(self) -> "RestrictedContent":
        """The same for texts full of numbers, where any eight digits stand side by side by chance."""
        return replace(self, in_pieces=frozenset(name for name in self.in_pieces if not name.isdigit()))

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
        name = "".join(words(identifier))
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
    in_pieces = frozenset(name for name in names if len(name) >= FEWEST_IN_PIECES or not name.isdigit())
    return RestrictedContent(frozenset(names), in_pieces, ordered, patients=patients, too_short=short)


def restricted_of(study: Study, root: Path) -> RestrictedContent:
    """What the run below `root` must keep of its study: nothing of an open one, besides identifiers of MIMIC's forms.

    Raises InputError if the manifest or the answers of a credentialed study's run are not there.
    """
    if study.licence == "open":
        return RestrictedContent()
    samples, answers = (read_table(root / path, None, ABSENT, may_be_empty=True) for path in (paths.MANIFEST, paths.ANSWERS))
    return of_tables(study, samples, answers)


def of_tables(study: Study, samples: Rows = (), answers: Rows = ()) -> RestrictedContent:
    """What the tables of a study hold that must be kept, and those of a run: nothing of an open one. Raises InputError."""
    if study.licence == "open":
        return RestrictedContent()
    questions, images = study.questions(), study.images()
    identifiers = {row[name] for row in (*questions, *images) for name in STUDY_IDS if row.get(name)}
    identifiers |= {row[name] for row in samples for name in SAMPLE_IDS} | {Path(row["path"]).stem for row in images}
    texts = {row[name] for row in (*questions, *samples) for name in ("question", "baseline_question", "answer")}
    texts |= {row["answer_text"] for row in answers}
    findings = {row[name] for row in (*questions, *samples) for name in ("finding", "zone")}
    return make(identifiers, texts, findings, patients=len({row["subject_id"] for row in samples}))


def restricted_in(text: str, known: RestrictedContent) -> Iterator[tuple[int, str]]:
    """(line, from 1; what stands there) of everything restricted in a text, however it is read; each thing once."""
    said: set[str] = set()
    for first, reading in readings(text):
        for at, what in (*of_forms(reading, known), *of_study(reading, known)):
            if what not in said:
                said.add(what)
                yield first + reading.count("\n", 0, at), what


def of_forms(text: str, known: RestrictedContent) -> Iterator[tuple[int, str]]:
    """Where an identifier of one of MIMIC-CXR's forms stands, and what it is."""
    for what, form in known.forms.items():
        for match in form.finditer(text):
            yield match.start(), f"{match[0]!r}, which has the form of {what}"


def of_study(text: str, known: RestrictedContent) -> Iterator[tuple[int, str]]:
    """Where an identifier or a text of the study stands, and what it is."""
    if not known.identifiers and not known.texts:
        return
    places = [(match.start(), match[0]) for match in _WORD.finditer(text.casefold())]
    longest = max(map(len, known.identifiers), default=0)
    after = 0  # a word of an identifier that was found begins no other
    for index in range(len(places)):
        if index >= after and (found := _identifier(places, index, longest, known)) is not None:
            name, after = found
            yield places[index][0], f"{name!r}, an identifier of the study"
    for at, word in places:  # "patient12345678", but not what a digest happens to hold
        if not word.isdigit() and not _DIGEST.fullmatch(word):
            for number in _DIGITS.findall(word):
                if number in known.in_pieces:
                    yield at, f"{number!r}, an identifier of the study"
    spoken = tuple(word for _, word in places)
    for at in range(len(spoken) - FEWEST_WORDS + 1) if known.texts else ():
        for text_words in known.texts.get(spoken[at : at + FEWEST_WORDS], ()):
            if spoken[at : at + len(text_words)] == text_words:
                yield places[at][0], f"{' '.join(text_words)!r}, a question or an answer of the study"
                break


def _identifier(places: list[tuple[int, str]], first: int, longest: int, known: RestrictedContent) -> tuple[str, int] | None:
    """The longest identifier that begins with word `first`, and the word behind it. places: (where, word)."""
    name, end, found = "", places[first][0], None
    for index in range(first, len(places)):
        at, word = places[index]
        if at - end > GAP or len(name) + len(word) > longest:
            break
        name, end = name + word, at + len(word)
        if name in (known.identifiers if index == first else known.in_pieces):
            found = name, index + 1
    return found
