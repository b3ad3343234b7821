"""The same question in other words: five hard positives for every baseline question, made by rule.

A hard positive asks for the same finding in the same place with the same polarity, so that its correct answer is the
baseline's. Only templates and slots from closed tables are used (here, `findings`, `places`); `invariants` states what must
hold, and every variant that can be made of a question is held to it before one is chosen.
"""

from dataclasses import dataclass
from functools import lru_cache

from medattn.base.seeding import choose
from medattn.language.findings import NAMES, Term, entry, fill
from medattn.language.invariants import INVARIANTS, plain, repeated, violations
from medattn.language.places import PLACES
from medattn.language.question_forms import ParsedQuestion, about, placed, styled, synonyms
from medattn.language.strategy_labels import BASELINE, STRATEGIES

# {x}: the finding's name; {X}: capitalised; {ax}: with its article; {ox}: as it stands after "of"; {at}: where.
BASELINE_TEMPLATES = ("Is there evidence of {ox} in this image?", "Is there {ax} in this image?")

# `synonym` keeps the baseline's own template and changes the finding's name.
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
# The same for a question about a place.
LOCATED: dict[str, tuple[str, ...]] = {
    "phrasing": (
        "Are there any signs of {ox} {at}?",
        "Do you see {ax} {at} on this film?",
        "Does this image show {ax} {at}?",
        "Is {ox} present {at}?",
    ),
    "clause": (
        "{At}, is there evidence of {ox}?",
        "{At}, is there {ax}?",
        "On this radiograph, is there {ax} {at}?",
    ),
    "register": ("{X} {at}?", "Any {x} {at}?", "Is there radiographic evidence of {ox} {at}?"),
    "voice": (
        "Can {ax} be seen {at}?",
        "Is {ax} demonstrated {at} on this radiograph?",
        "Is {ax} shown {at}?",
    ),
}


@dataclass(frozen=True)
class Variant:
    strategy: str
    text: str


def baseline_template(image_id: str) -> str:
    """The baseline template used for all questions (and controls) on one image of the phantom study."""
    return choose(BASELINE_TEMPLATES, "baseline template", image_id)


def variants(question_id: str, finding: str, baseline: str) -> list[Variant]:
    """`reword` for a finding of the lexicon without a place; `baseline` is the baseline's template.

    Raises ValueError for an unknown finding, or for a variant that breaks an invariant.
    """
    return reword(question_id, fill(baseline, entry(finding).name), about(finding, baseline))


def reword(question_id: str, baseline: str, asked: ParsedQuestion) -> list[Variant]:
    """The baseline as it stands, then one hard positive per strategy, decided by `question_id` alone.

    `asked` is what `parse` read in `baseline`. Raises ValueError where the rules cannot reword it, or for a variant that
    breaks an invariant, naming the rule.
    """
    try:
        made = options(asked, baseline)
    except ValueError as error:
        raise ValueError(f"question {question_id}: {error}") from None
    return [Variant(BASELINE, baseline), *(choose(made[strategy], strategy, question_id) for strategy in STRATEGIES)]


@lru_cache(maxsize=100_000)
def options(asked: ParsedQuestion, baseline: str) -> dict[str, tuple[Variant, ...]]:
    """Strategy -> the hard positives that `baseline` can get, every one held to the invariants.

    No two are alike, so any choice of one per strategy is a group without repetition. Raises ValueError as `reword`.
    """
    if not asked.known:
        raise ValueError(f"the rules cannot reword {baseline!r}: {asked.finding!r} is not a finding of the lexicon")
    for name in ("same finding", "same place"):
        if what := INVARIANTS[name](asked, baseline, baseline):
            raise ValueError(f"{baseline!r} is not what was asked, {name}: {what}")
    term, at = _term(asked)
    made = {}
    for strategy in STRATEGIES:
        if strategy == "synonym":
            texts = [asked.naming(synonym) for synonym in synonyms(asked.finding, asked.term, asked.before)]
        else:
            templates = (LOCATED if at else TEMPLATES)[strategy]
            if term.countable and not term.plural and (asked.place or asked.term != "nodule"):  # as the embedded study has it
                templates = tuple(one for one in templates if not one.startswith("Any"))  # "any" goes with a plural
            texts = [styled(fill(template, term, at), asked.case) for template in templates]
        made[strategy] = tuple(Variant(strategy, text) for text in texts if plain(text) != plain(baseline))
        if not made[strategy]:
            raise ValueError(f"no {strategy} variant of {baseline!r} differs from it")
    every = [variant.text for variants in made.values() for variant in variants]
    for text in every:
        if broken := violations(asked, baseline, text):
            raise ValueError(f"variant {text!r} of {baseline!r} breaks {'; '.join(broken)}")
    if broken := repeated([baseline, *every]):
        raise ValueError(f"variants of {baseline!r} break {'; '.join(broken)}")
    return made


def _term(asked: ParsedQuestion) -> tuple[Term, str]:
    """The finding's name as the question has it, with its side in front, and the phrase that says where."""
    term = NAMES[asked.term][1]
    if not asked.place:
        return term, ""
    place = PLACES[asked.place]
    return placed(term, asked.place, place.before), place.at
