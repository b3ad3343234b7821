"""Wording strategies as studies label them, in the canonical terms.

Labels in the wild are free text: "Synonym + clause (fronted prepositional phrase)". What stands in brackets or quotes is
detail; the rest is split at its joiners, and each part is known by a keyword. A part that no keyword knows is an error,
never a guess.
"""

import re
from dataclasses import dataclass

from medattn.study.wordings import BASELINE, STRATEGIES

CANONICAL = (*STRATEGIES, "spelling", "ellipsis")
# The first strategy whose pattern is found in a part names it: beginnings of words.
KEYWORDS: dict[str, str] = {
    "ellipsis": r"ellip|omission|omit|telegra|shorten|truncat|fragment",
    "spelling": r"spell|typo|misspell|orthograph|punctuat|capitali[sz]",
    "voice": r"voice|passive|active\b",
    "synonym": r"synonym|lexical|vocabular|word substitut|substitut|terminolog",
    "register": r"register|formal|informal|colloquial|tone|technical|lay\b",
    "clause": r"clause|front(?:ed|ing)|preposition|word order|reorder|restructur|syntact|syntax|cleft",
    "phrasing": r"phras|paraphras|rephras|reword|wording|question form|interrogativ",
}
_DETAIL = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\"[^\"]*\"|“[^”]*”|(?<!\w)'[^']*'(?!\w)|‘[^’]*’")
_JOINER = re.compile(r"[+;/,&]|\b(?:and|with|using|plus)\b")
_KNOWN = {name: re.compile(rf"\b(?:{pattern})") for name, pattern in KEYWORDS.items()}


@dataclass(frozen=True)
class Labels:
    """primary: the first named strategy; every: all of them, in the order named, each once; detail: what stood in brackets."""

    primary: str
    every: tuple[str, ...]
    detail: str


def labels(text: str) -> Labels:
    """The canonical strategies that a label names. Raises ValueError if it, or a part of it, names none."""
    detail = " ".join(_DETAIL.findall(text))
    rest = text
    while (shorter := _DETAIL.sub(" ", rest)) != rest:  # brackets inside brackets
        rest = shorter
    parts = [part.strip(" .:-–—") for part in _JOINER.split(rest.lower().replace("_", " "))]
    found = []
    for part in filter(None, parts):
        if part == BASELINE:
            found.append(BASELINE)
            continue
        name = next((name for name, pattern in _KNOWN.items() if pattern.search(part)), None)
        if name is None:
            raise ValueError(f"strategy {text!r}: {part!r} is none of {', '.join(CANONICAL)}")
        found.append(name)
    if not found:
        raise ValueError(f"strategy {text!r} names none of {', '.join(CANONICAL)}")
    every = tuple(dict.fromkeys(found))
    return Labels(every[0], every, detail)
