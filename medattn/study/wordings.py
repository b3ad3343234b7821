"""The same question in other words: five hard positives for every baseline question, made by rule.

A hard positive asks for the same finding with the same polarity, so that its correct answer is the
baseline's. Only templates and slots from the closed tables below are used; `violations` states the
invariants and is run on every wording that is made.
"""

import re
from dataclasses import dataclass

from medattn.seeding import choose

STRATEGIES = ("phrasing", "synonym", "clause", "register", "voice")
BASELINE = "baseline"


@dataclass(frozen=True)
class Term:
    """A name of a finding, the article it takes ("" where English uses none), and whether it keeps it after "of"."""

    text: str
    article: str = ""
    countable: bool = False

    @property
    def with_article(self) -> str:
        return f"{self.article} {self.text}".strip()

    @property
    def after_of(self) -> str:
        return self.with_article if self.countable else self.text


@dataclass(frozen=True)
class Finding:
    name: Term
    synonyms: tuple[Term, ...]


# Synonyms keep finding, severity and time. Near misses that radiology tells apart (opacity, infection,
# collapse) are left out on purpose.
LEXICON: dict[str, Finding] = {
    "pleural effusion": Finding(
        Term("pleural effusion", "a"), (Term("pleural fluid"), Term("fluid in the pleural space"))
    ),
    "pneumothorax": Finding(
        Term("pneumothorax", "a"), (Term("pleural air"), Term("air in the pleural space"))
    ),
    "consolidation": Finding(
        Term("consolidation"), (Term("airspace consolidation"), Term("alveolar consolidation"))
    ),
    "cardiomegaly": Finding(
        Term("cardiomegaly"), (Term("enlarged heart", "an", countable=True), Term("cardiac enlargement"))
    ),
    "nodule": Finding(
        Term("nodule", "a", countable=True),
        (Term("pulmonary nodule", "a", countable=True), Term("lung nodule", "a", countable=True)),
    ),
}

# {x}: the finding's name; {X}: capitalised; {ax}: with its article; {ox}: as it stands after "of".
BASELINE_TEMPLATES = ("Is there evidence of {ox} in this image?", "Is there {ax} in this image?")

# `synonym` keeps the baseline's own template and changes the words in its slots.
TEMPLATES: dict[str, tuple[str, ...]] = {
    "phrasing": (
        "Are there any signs of {ox}?",
        "Do you see {ax} on this film?",
        "Does this image show {ax}?",
        "Is {ox} present in this image?",
    ),
    "clause": (
        "In this image, is there evidence of {ox}?",
        "On this radiograph, is there {ax}?",
        "Looking at this film, is there evidence of {ox}?",
    ),
    "register": ("{X} present?", "Any {x} here?", "Is there radiographic evidence of {ox}?"),
    "voice": (
        "Can {ax} be seen in this image?",
        "Is {ax} demonstrated on this radiograph?",
        "Is {ax} shown here?",
    ),
}

_OPERATORS = re.compile(
    r"\b(no|not|without|absent|absence|exclude[ds]?|excluded|rule[ds]? out|normal|clear|free of|new|acute|large|"
    r"small|significant|left|right|bilateral)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Wording:
    strategy: str
    text: str


def fill(template: str, term: Term) -> str:
    """The question that `template` asks about `term`."""
    text = template.replace("{ax}", term.with_article).replace("{ox}", term.after_of).replace("{x}", term.text)
    return text.replace("{X}", term.text[:1].upper() + term.text[1:])


def baseline_template(image_id: str) -> str:
    """The baseline template used for all questions (and controls) on one image."""
    return choose(BASELINE_TEMPLATES, "baseline template", image_id)


def wordings(question_id: str, finding: str, baseline: str) -> list[Wording]:
    """Baseline first, then one hard positive per strategy, decided by `question_id` alone.

    `baseline` is the baseline's template. Raises ValueError for an unknown finding, or for a wording that
    breaks an invariant.
    """
    entry = _entry(finding)
    made = [Wording(BASELINE, fill(baseline, entry.name))]
    for strategy in STRATEGIES:
        if strategy == "synonym":
            text = fill(baseline, choose(entry.synonyms, strategy, question_id))
        else:
            text = fill(choose(TEMPLATES[strategy], strategy, question_id), entry.name)
        made.append(Wording(strategy, text))
    for wording in made[1:]:
        broken = violations(finding, made[0].text, wording.text)
        if broken:
            raise ValueError(f"question {question_id}: wording {wording.text!r} breaks: {'; '.join(broken)}")
    if len({wording.text for wording in made}) < len(made):
        raise ValueError(f"question {question_id}: two wordings are alike: {[w.text for w in made]}")
    return made


def violations(finding: str, baseline: str, variant: str) -> list[str]:
    """The invariants that `variant` breaks as a hard positive of `baseline` (empty: none)."""
    entry = _entry(finding)
    broken = []
    if variant.casefold() == baseline.casefold():
        broken.append("differs from the baseline")
    operators = {word.casefold() for word in _OPERATORS.findall(variant)}
    if operators - {word.casefold() for word in _OPERATORS.findall(baseline)}:
        broken.append(f"same polarity, laterality, severity and time (found {sorted(operators)})")
    if not any(term.text in variant.casefold() for term in (entry.name, *entry.synonyms)):
        broken.append(f"same finding (none of the names of {finding!r} found)")
    if re.search(r"\ba [aeiou]|\ban [^aeiou]", variant, re.IGNORECASE):
        broken.append("a/an agrees with the next word")
    return broken


def _entry(finding: str) -> Finding:
    try:
        return LEXICON[finding]
    except KeyError:
        raise ValueError(f"unknown finding {finding!r}; known: {', '.join(LEXICON)}") from None
