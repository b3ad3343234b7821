"""Gating: answer rows count by how much they attend to the question's medical terms.

A term is found as whole words, whatever the case, with its plural, and with any white space between its words. Its
tokens are those whose characters overlap it, so it does not matter how a tokenizer cuts it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TermMatch:
    """A term of the list, and the characters [start, end) of the question that it is found at."""

    term: str
    start: int
    end: int


def _with_plural(word: str) -> str:
    """A pattern for `word` and its plural: nodule(s), opacity/opacities, mass(es), diagnosis/-es, thorax/-ces."""
    if re.search(r"[^aeiou]y$", word):
        return rf"{re.escape(word[:-1])}(?:y|ies)"
    if word.endswith("thorax"):
        return rf"{re.escape(word[:-1])}(?:x|ces|xes)"
    if word.endswith("sis"):
        return rf"{re.escape(word[:-2])}(?:is|es)"
    return rf"{re.escape(word)}(?:e?s)?"


class TermFinder:
    """Finds the terms of a list in questions; the longest term wins where two overlap."""

    def __init__(self, terms: Sequence[str]) -> None:
        self._patterns = []
        for term in sorted(terms, key=lambda term: (-len(term), term)):
            *before, last = term.split()
            pattern = r"\s+".join([*map(re.escape, before), _with_plural(last)])
            self._patterns.append((term, re.compile(rf"(?<!\w){pattern}(?!\w)", re.IGNORECASE)))

    def __call__(self, question: str) -> list[TermMatch]:
        """The terms in `question`, in order, none overlapping another."""
        found: list[TermMatch] = []
        for term, pattern in self._patterns:
            for match in pattern.finditer(question):
                if all(match.end() <= other.start or other.end <= match.start() for other in found):
                    found.append(TermMatch(term, *match.span()))
        return sorted(found, key=lambda one: one.start)


def term_tokens(offsets: Sequence[tuple[int, int]], found: Sequence[TermMatch]) -> np.ndarray:
    """bool [question token]: those whose characters [start, end) overlap a found term."""
    return np.array([any(start < one.end and one.start < end for one in found) for start, end in offsets], dtype=bool)


def gates(term_mass: np.ndarray, prompt_mass: np.ndarray) -> np.ndarray:
    """Weights of rows, [layer, row], summing to 1 over rows.

    The gate is head-mean mass on the terms' tokens ÷ head-mean mass on all prompt tokens, divided by its sum over the
    rows. `term_mass`, `prompt_mass`: [layer, head, row]. Raises ValueError if no row of a layer attends to a term.
    """
    share = term_mass.mean(axis=1) / prompt_mass.mean(axis=1)
    total = share.sum(axis=1, keepdims=True)
    if not np.all(total > 0):
        raise ValueError("no row attends to the terms in one of the layers")
    return share / total


def equal_gates(layers: int, rows: int) -> np.ndarray:
    """[layer, row] of 1/rows: what an ungated profile, or a question without a term, uses."""
    return np.full((layers, rows), 1 / rows)
