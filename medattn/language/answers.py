"""What a generated answer says about a finding, and how far the model leans to yes or no.

The text is cut into clauses, each read with the tables of `answer_words`: a bare yes or no, then hedges, negation,
affirmation. The first clause that decides about the asked finding gives the answer, unless another one says the opposite:
"Yes, there is no evidence of pneumothorax." contradicts itself.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from medattn.language import answer_words as words
from medattn.language.answer_words import AskedNames, names_of, plain_text, whole_words

ANSWERS = ("yes", "no", "uncertain", "contradictory", "unparsed")
NO_POSITION = frozenset({"contradictory", "unparsed"})  # agrees with no answer, not even with another of its kind
LEAST_PROBABILITY = 0.5  # of the yes and no forms together, for the margin to mean anything

# MedGemma 1.5 thinks before it answers; other models mark it otherwise.
THOUGHTS = (("<unused94>", "<unused95>"), ("<think>", "</think>"))
THOUGHT_WITHOUT_MARK = re.compile(r"\s*thought\s*\n")

_SENTENCE_END = re.compile(r"(?<=\?)\s*|[.!]+(?=\s|$|[a-z])|[;\n()\[\]]+")
_CONTRAST = re.compile(
    r"\b(?:but|however|although|though|while|whereas|yet|except(?: for)?|other than|apart from|nevertheless|instead"
    r"|with(?= (?:no|possible|probable|suspected|questionable|likely)\b))\b"
)
# After a comma or "and" a new statement begins only with one of these; anything else continues the list before it.
_OPERATOR_START = re.compile(r"(?:yes|no|without|not|neither|none|possible|possibly|probable|suspected|questionable)\b")
_SUBJECT_START = re.compile(r"(?:a|an|the|there|it|this|that|these|i|we|both|his|her)\b")
_VERB, _HEDGE, _AFFIRMATION, _NO_STATEMENT = map(
    whole_words, (words.VERB, words.HEDGE, words.AFFIRMATION, words.NO_STATEMENT)
)  # fmt: skip
_BEFORE, _AFTER, _PAST = map(whole_words, (words.NEGATION_BEFORE, words.NEGATION_AFTER, words.PAST))
_EXISTS = whole_words(r"there (?:is|are)|evidence of|signs? of")
_WORD = re.compile(r"[\w-]+")
_QUESTION = re.compile(words.QUESTION)
_IS_THERE = re.compile(r"\b(?<!there )(?:is|are) there (?!is\b|are\b)\w")


@dataclass(frozen=True)
class Reading:
    """What an answer says, one of ANSWERS, and what it would count as if its first word, or first statement, decided."""

    answer: str
    first: str


@dataclass(frozen=True)
class _Statement:
    """What one clause says. bare: with the word yes or no alone. part: of a part only, or without saying that it is so.

    past: that it was there.
    """

    answer: str  # yes | no | uncertain
    bare: bool = False
    part: bool = False
    past: bool = False


def _cut(sentence: str) -> Iterator[tuple[str, bool]]:
    """The clauses of a sentence, and whether each stands after "but" or its like."""
    for index, part in enumerate(_CONTRAST.split(sentence)):
        current = ""
        for link, piece in re.findall(r"(^|,\s*(?:and\s+)?|\band\s+)((?:(?!,|\band\b).)+)", part):
            piece = piece.strip()
            starts = _OPERATOR_START.match(piece) or (_SUBJECT_START.match(piece) and _VERB.search(piece))
            if current and (starts or words.BARE.match(current)):
                yield from ((clause, index > 0) for clause in _after_bare(current))
                current = piece
            else:
                current = f"{current}{', ' if ',' in link else ' and '}{piece}" if current else piece
        yield from ((clause, index > 0) for clause in _after_bare(current))


def _after_bare(clause: str) -> list[str]:
    """A clause that begins with a bare yes or no as two: "yes there is no effusion"."""
    clause = clause.strip(" ,:")
    if not (bare := words.BARE.match(clause)):
        return [clause] if clause else []
    rest = clause[bare.end() :].strip(" ,:")
    return [bare[1] or bare[2], *(_after_bare(rest) if rest else ())]


def _asks(clause: str, names: AskedNames) -> bool:
    """Whether the clause has a question's mark or word order."""
    if clause.endswith("?") or _QUESTION.search(clause):
        return True
    start = names.find(re.sub(r"^(?:is|are|was|were|does|do|can|could|has|have) ", "", clause))
    if start is not None and start[0] == 0 and re.match(r"(?:is|are|was|were|does|do|can|could|has|have) ", clause):
        return True  # "is cardiomegaly present"
    inverted = _IS_THERE.search(clause)
    return inverted is not None and words.ANY_NAME.search(clause[: inverted.start()]) is None


def _statement(clause: str, names: AskedNames) -> _Statement | None:
    """What this clause says about the finding, or None."""
    if bare := words.BARE.fullmatch(clause):
        return _Statement(bare[1] or bare[2], bare=True)
    listed = words.LISTED.fullmatch(clause)
    if listed and (named := names.find(listed[1]) is not None) | (words.ANY_NAME.search(listed[1]) is None):
        return _Statement(listed[2], bare=not named)
    if _asks(clause, names):
        return None
    for pattern, answer, part in words.ALONE:
        if pattern.fullmatch(clause):
            return _Statement(answer, part=part)
    if names.normal is not None and (found := names.normal.search(clause)):
        denied = not re.search(r"\bnot (?:\w+ )?normal\b", found[0])
        return _Statement("no" if denied else "yes", part="lungs" in found[0] or "costophrenic" in found[0])
    return _about(clause, names)


def _about(clause: str, names: AskedNames) -> _Statement | None:
    """What a clause says that has to name the finding."""
    found = names.find(clause)
    if found is None and names.finding is None and (exists := _EXISTS.search(clause)):
        found = (*exists.span(), False)
    if found is None:
        return None
    if _HEDGE.search(clause):
        return _Statement("uncertain")
    start, end, kind = found
    before, inside, after = clause[:start], clause[start:end], clause[end:]
    denied = _BEFORE.search(before) or _BEFORE.search(inside) or _AFTER.search(after)
    if denied or (_EXISTS.fullmatch(inside) and re.match(r"\s*(?:no|not)\b", after)):
        return _Statement("no", part=names.denied_in_part(clause, kind))
    if _NO_STATEMENT.search(clause):
        return None
    if _AFFIRMATION.search(clause):
        return _Statement("yes", past=_PAST.search(clause) is not None)
    return None if _VERB.search(clause) else _Statement("yes", part=True)


def _said(sentences: Sequence[str], names: AskedNames) -> list[_Statement]:
    """What the clauses say, in order; a bare yes or no that belongs to a question or statement about another finding not."""
    said: list[_Statement] = []
    elsewhere = False  # the question before was about another finding
    for sentence in sentences:
        clauses = list(_cut(sentence))
        other = names.find(sentence) is None and words.ANY_NAME.search(sentence) is not None
        for clause, contrasted in clauses:
            statement = _statement(clause, names)
            if statement is None or (statement.bare and (elsewhere or (other and said))):
                continue
            if names.finding is None and not statement.bare and (contrasted or any(not one.bare for one in said)):
                continue  # about which finding is not known: another one, perhaps
            said.append(statement)
        elsewhere = other and sentence.endswith("?")
    return said


def _decided(said: Sequence[_Statement]) -> Reading:
    """What statements, at least one, say together."""
    bare = next((one.answer for one in said if one.bare), None)
    first = bare or said[0].answer
    if said[0].answer == "uncertain":
        return Reading("uncertain", first)
    about = [one for one in said if not one.bare and one.answer != "uncertain"]
    about = [one for one in about if not one.past] or about
    whole = {one.answer for one in about if not one.part}
    if len({one.answer for one in said if one.bare}) > 1 or len(whole) > 1:
        return Reading("contradictory", first)
    settled = next(iter(whole), None)
    if settled is None and about:
        # A mere name does not deny "no", nor does a part that is denied make it "yes".
        settled = about[0].answer if bare is None or about[0].answer == "no" else bare
    if bare and settled and settled != bare:
        return Reading("contradictory", first)
    answer = bare or settled or said[0].answer
    return Reading(answer, first if bare else answer)


def _without_thought(text: str) -> str:
    for start, end in THOUGHTS:
        text = text.rsplit(end, 1)[-1].split(start, 1)[0]  # also one that did not end
    return "" if THOUGHT_WITHOUT_MARK.match(text) else text


def _language(text: str) -> str:
    """The text up to the sentence in which it falls apart."""
    if broken := words.BROKEN.search(text):
        text = text[: broken.start()]
        return text[: max((end.end() for end in re.finditer(r"[.!?\n]", text)), default=0)]
    return text


def _repeats(sentence: str, asked: Sequence[str]) -> bool:
    """Whether a sentence is the question's words from the beginning; the last word may be cut."""
    said = _WORD.findall(sentence)
    if said in ([], ["yes"], ["no"]) or len(said) > len(asked):
        return False
    return said[:-1] == asked[: len(said) - 1] and asked[len(said) - 1].startswith(said[-1])


def _without_question(text: str, question: str) -> list[str]:
    """The sentences of a text that do not repeat the question, or its beginning."""
    asked = _WORD.findall(question)
    if asked:
        whole = r"\W+".join(map(re.escape, asked))
        text = re.sub(rf"(^|[.?!:;\n])\W*(?:{whole}\b\W*)+", r"\1\n", text)
    return [sentence.strip() for sentence in _SENTENCE_END.split(text) if not _repeats(sentence, asked)]


def read_answer(text: str, finding: str | None = None, question: str = "") -> Reading:
    """What a generated text answers about a finding: "yes", "no", "uncertain", "contradictory" or "unparsed".

    The first clause that decides about the finding counts; a hedge ("cannot be excluded", "possible") is uncertain. Where
    another clause, or the yes or no that it begins with, says the opposite, it is contradictory; what is denied of a part
    only ("no large effusion") contradicts no affirmation. A thought before the answer is dropped, also one that the token
    limit cut. Unparsed: nothing about the finding; a question, or the beginning of the one that was asked; words run
    together or repeated without end ("NoNoNoYes"). Without a finding the first clause about any counts. Raises ValueError
    for a text that is not a str, or an empty finding.
    """
    if not isinstance(text, str):
        raise ValueError(f"text is {text!r}, expected a str")
    names = names_of(finding)
    plain = [_language(plain_text(_without_thought(text))), plain_text(question)]
    for pattern, replacement in words.REWRITES:
        plain = [pattern.sub(replacement, one) for one in map(str.lower, plain)]
    sentences = _without_question(*plain)
    if said := _said(sentences, names):
        return _decided(said)
    # "It cannot be excluded", "I am not sure": where nothing decides, a hedge about no finding is about the asked one.
    hedged = any(_HEDGE.search(sentence) and not words.ANY_NAME.search(sentence) for sentence in sentences)
    return Reading("uncertain", "uncertain") if hedged else Reading("unparsed", "unparsed")


def parse_answer(text: str, finding: str | None = None, question: str = "") -> str:
    """The class of `read_answer`."""
    return read_answer(text, finding, question).answer


def answer_margin(logits_yes: Sequence[float], logits_no: Sequence[float]) -> float:
    """logsumexp of the yes forms' logits − that of the no forms', at the first answer position; > 0 leans to yes.

    logits [form], in nats. Raises ValueError for none, or one that is not finite.
    """
    sums = []
    for name, given in (("yes", logits_yes), ("no", logits_no)):
        logits = np.asarray(given, dtype=np.float64)
        if logits.ndim != 1 or logits.size == 0 or not np.isfinite(logits).all():
            raise ValueError(f"logits of the {name} forms are {logits!r}, expected finite numbers [forms], at least one")
        sums.append(float(special.logsumexp(logits)))
    return sums[0] - sums[1]


def margin_valid(probability_of_forms: float) -> bool:
    """True where the yes and no forms together have at least half of the first token's probability.

    Raises ValueError for a probability outside 0 to 1.
    """
    if not (math.isfinite(probability_of_forms) and 0 <= probability_of_forms <= 1 + 1e-4):
        raise ValueError(f"probability of the forms is {probability_of_forms!r}, expected a value between 0 and 1")
    return bool(round(float(probability_of_forms), 9) >= LEAST_PROBABILITY)
