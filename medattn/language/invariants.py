"""What must hold of a hard positive, rule by rule: it asks the same as its baseline, in other words and in good English."""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from medattn.language.findings import named, without_findings
from medattn.language.places import places_in
from medattn.language.question_forms import OPERATORS, SEVERITY, TIME, ParsedQuestion

_SIDE = re.compile(r"\b(left|right|bilateral|bilaterally|both|bibasilar|bibasal|biapical|unilateral)\b", re.IGNORECASE)


def _same_words(pattern: re.Pattern) -> Callable[[ParsedQuestion, str, str], str]:
    """Holds where variant and baseline have the same words of a kind, outside the finding's own name."""

    def rule(asked: ParsedQuestion, baseline: str, variant: str) -> str:
        has, had = _words(pattern, variant), _words(pattern, baseline)
        return "" if has == had else f"found {_listed(has)}, the baseline has {_listed(had)}"

    return rule


@lru_cache(maxsize=100_000)
def _words(pattern: re.Pattern, text: str) -> frozenset[str]:
    return frozenset(pattern.findall(without_findings(text).casefold()))


def _same_laterality(asked: ParsedQuestion, baseline: str, variant: str) -> str:
    has, had = (frozenset(map(_side, _words(_SIDE, text))) for text in (variant, baseline))
    return "" if has == had else f"found {_listed(has)}, the baseline has {_listed(had)}"


def _side(word: str) -> str:
    return word if word in ("left", "right", "unilateral") else "bilateral"


def _same_place(asked: ParsedQuestion, baseline: str, variant: str) -> str:
    wanted, has = {asked.place} - {""}, places_in(without_findings(variant))
    return "" if has == wanted else f"found {_listed(has)}, asked about {_listed(wanted)}"


def _same_finding(asked: ParsedQuestion, baseline: str, variant: str) -> str:
    has = {finding for finding, _, _ in named(variant)}
    return "" if has == {asked.finding} else f"found {_listed(has)}, asked about {asked.finding!r}"


def _differs(asked: ParsedQuestion, baseline: str, variant: str) -> str:
    return repr(variant) if plain(variant) == plain(baseline) else ""


def _article(asked: ParsedQuestion, baseline: str, variant: str) -> str:
    found = re.search(r"\ba [aeiou]\w*|\ban [^aeiou]\w*", variant, re.IGNORECASE)
    return f"found {found[0]!r}" if found else ""


def _same_case(asked: ParsedQuestion, baseline: str, variant: str) -> str:
    return repr(variant) if baseline == baseline.lower() and variant != variant.lower() else ""


# Rule -> what breaks it in a variant, or "" where it holds.
INVARIANTS: dict[str, Callable[[ParsedQuestion, str, str], str]] = {
    "same polarity": _same_words(OPERATORS),
    "same laterality": _same_laterality,
    "same place": _same_place,
    "same finding": _same_finding,
    "same severity": _same_words(SEVERITY),
    "same time": _same_words(TIME),
    "differs from the baseline": _differs,
    "a/an agrees with the next word": _article,
    "lower case where the baseline is": _same_case,
}
UNIQUE = "unique in its group"


def violations(asked: ParsedQuestion, baseline: str, variant: str) -> list[str]:
    """The invariants that `variant` breaks as a hard positive of `baseline`, "rule: what breaks it" (empty: none)."""
    return [f"{name}: {what}" for name, rule in INVARIANTS.items() if (what := rule(asked, baseline, variant))]


def repeated(texts: list[str]) -> list[str]:
    """What stands more than once among the variants of a question, in the same form as `violations`."""
    first: dict[str, str] = {}
    again = [text for text in texts if first.setdefault(plain(text), text) is not text]
    return [f"{UNIQUE}: {text!r}" for text in again]


def plain(text: str) -> str:
    """A question without case, punctuation and spacing: what is left must differ between variants."""
    return " ".join(re.findall(r"[\w-]+", text.casefold()))


def _listed(words: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(words))) or "none"
