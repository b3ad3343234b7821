"""Strategies of variants as studies label them, in the canonical terms.

Labels in the wild are free text: "Synonym + clause (fronted prepositional phrase)". What stands in brackets or quotes is
detail; the rest is split at its joiners, and each part is known by its keywords. A part that no keyword knows, or that
negates ("not passive", "antonym"), is kept as it is and counted, never guessed.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

BASELINE = "baseline"
STRATEGIES = ("phrasing", "synonym", "clause", "register", "voice")
CANONICAL = (*STRATEGIES, "spelling", "ellipsis")
OTHER = "other"  # the primary strategy of a label of which nothing is known
# A part names every strategy whose pattern is found in it, in the order of the text: beginnings of words.
KEYWORDS: dict[str, str] = {
    "ellipsis": r"ellip|omission|omit|telegra|shorten|truncat|fragment|dropp(?:ed|ing)\b|headline",
    "spelling": r"spell|typo|misspell|orthograph|punctuat|capitali[sz]|hyphenat|case change|letter case|(?:upper|lower) ?case",
    "voice": r"voice\b(?! to (?:text|speech)| recogni)|passive|passivi[sz]|active\b",
    # a bare "substitution" is of words; a substitution of something else ("pronoun substitution") is not known
    "synonym": r"synonym|lexical|lexeme|vocabular|word choice|terminolog|(?:word|term) substitut"
    r"|^substitut\w*(?: of (?:word|term)s?)?$",
    "register": r"register|formal|informal|colloquial|conversational|tone\b|technical|lay\b|laym|layperson|plain language",
    "clause": r"clause|clausal|front(?:ed|ing)|preposition|word order|reorder|restructur|syntact|syntax|cleft|nominali[sz]"
    r"|(?:question|subject|verb) inver(?:sion|ted)|inverted (?:question|word order)",
    # not the phrases of grammar: "noun phrase", "prepositional phrase"
    "phrasing": (
        r"phrasing|(?<!noun )(?<!verb )(?<!al )phrase|paraphras|rephras|reword|wording|question form(?!al)|interrogativ"
    ),
}
_BASELINE = re.compile(r"(?:baseline|original)(?: (?:phrasing|text|form|version|wording|question))*")
_NEGATES = re.compile(r"(?<!\byes )(?<!\byes or )\b(?:no|not|non|without)\b|antonym|hyponym|hypernym|negat")
_DETAIL = re.compile(
    r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}|\"[^\"]*\"|“[^”]*”|«[^»]*»|(?<!\w)'(?:[^']|(?<=\w)'(?=\w))*'(?!\w)|‘[^’]*’(?!\w)"
    r"|\([^()]*$|\[[^\[\]]*$"  # a bracket that is never closed
)
# A hyphen inside a word joins nothing ("word-order"), nor does the slash of "yes/no".
_JOINER = re.compile(r"[+;,&|–—→]|(?<!\byes)(?<!\byes )/|\s-\s|->|\b(?:and|with|using|plus|then)\b", re.IGNORECASE)
_KNOWN = {name: re.compile(rf"\b(?:{pattern})") for name, pattern in KEYWORDS.items()}


@dataclass(frozen=True)
class StrategyLabels:
    """What a label names.

    primary: the first named strategy, OTHER if none is known; every: all known ones, in the order named, each once;
    unknown: the parts that name none, as they are; detail: what stood in brackets or quotes.
    """

    primary: str
    every: tuple[str, ...]
    unknown: tuple[str, ...]
    detail: str

    @property
    def joined(self) -> str:
        """The known strategies, then the unknown parts, joined by "+"; OTHER for an empty label."""
        return "+".join((*self.every, *self.unknown)) or OTHER


@lru_cache(maxsize=10_000)
def labels(text: str) -> StrategyLabels:
    """The canonical strategies that a label names, and what in it names none."""
    detail = " ".join(_DETAIL.findall(text))
    rest = text
    while (shorter := _DETAIL.sub(" ", rest)) != rest:  # brackets inside brackets
        rest = shorter
    parts = [part for piece in _JOINER.split(rest) if (part := _as_it_is(piece))]
    if not parts and _as_it_is(text):
        parts = [_as_it_is(text)]  # nothing but detail: not to be read as a strategy, not to be lost either
        found: list[tuple[str, ...]] = [()]
    else:
        found = [_strategies(part) for part in parts]
    every = tuple(dict.fromkeys(name for names in found for name in names))
    unknown = tuple(dict.fromkeys(part for part, names in zip(parts, found, strict=True) if not names))
    return StrategyLabels(every[0] if every else OTHER, every, unknown, detail)


def unknown_labels(texts: Iterable[str]) -> dict[str, int]:
    """What in these labels names no strategy -> how many of them hold it, in alphabetical order."""
    counts = Counter(part for text in texts for part in labels(text).unknown)
    return dict(sorted(counts.items()))


def note_unknown(unknown: dict[str, int]) -> str:
    """What `unknown_labels` counted, for a note: "; strategy labels not known, kept as they are: 'irony' (2)"; "" for none."""
    parts = ", ".join(f"{part!r} ({count})" for part, count in unknown.items())
    return f"; strategy labels not known, kept as they are: {parts}" if parts else ""


def _strategies(part: str) -> tuple[str, ...]:
    """The strategies that a part of a label names, in the order of the text; none for a part that negates."""
    plain = " ".join(re.split(r"[\W_]+", part.lower())).strip()
    if _BASELINE.fullmatch(plain):
        return (BASELINE,)
    if _NEGATES.search(plain):
        return ()
    at = {name: match.start() for name, pattern in _KNOWN.items() if (match := pattern.search(plain))}
    return tuple(sorted(at, key=at.__getitem__))


def _as_it_is(piece: str) -> str:
    """A part without space and dashes around it, and without what a table's cell or a list joined by "+" is split at."""
    return " ".join(re.sub(r"[+,;\"]", " ", piece).split()).strip(" .:-–—_*#'")
