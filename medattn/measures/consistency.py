"""How alike the grids and the answers of one question's variants are.

Grids are float [N, N], non-negative, sum 1 (see ``spatial.check_grid``). Answers are "yes", "no", "uncertain",
"contradictory" or "unparsed" (see ``answers.read_answer``). Every function raises ValueError for a grid or an answer that is
none of these, and for two grids of different shapes.
"""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import special, stats

from medattn.language.answers import ANSWERS, NO_POSITION
from medattn.measures.spatial import check_grid


def _pair(p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p, q = check_grid(p, "first grid"), check_grid(q, "second grid")
    if p.shape != q.shape:
        raise ValueError(f"grids have shapes {p.shape} and {q.shape}, expected the same")
    return p.ravel(), q.ravel()


def _js(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Divergence over the last axis of arrays that broadcast; bits."""
    middle = (p + q) / 2
    nats = (special.rel_entr(p, middle) + special.rel_entr(q, middle)).sum(axis=-1) / 2
    return np.clip(nats / math.log(2), 0.0, 1.0)


def js_divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Jensen–Shannon divergence of grids [N, N], ½KL(p‖m) + ½KL(q‖m), m = (p + q)/2, in bits: 0 (equal) to 1 (disjoint).

    Lin 1991.
    """
    return float(_js(*_pair(p, q)))


def pairwise_js(grids: np.ndarray) -> np.ndarray:
    """Jensen–Shannon divergences between grids [n, N, N]: symmetric float [n, n], zero diagonal, in bits, 0 to 1.

    Raises ValueError if there is not a grid, or naming the one that is none.
    """
    grids = np.asarray(grids, dtype=np.float64)
    if grids.ndim != 3 or len(grids) == 0:
        raise ValueError(f"grids have shape {grids.shape}, expected [n, N, N] with n >= 1")
    flat = np.stack([check_grid(grid, f"grid {index}").ravel() for index, grid in enumerate(grids)])
    divergences = np.zeros((len(flat), len(flat)))
    for index in range(len(flat) - 1):  # row by row: [n, n, N²] at once would not fit for a whole study
        row = _js(flat[index], flat[index + 1 :])
        divergences[index, index + 1 :] = row
        divergences[index + 1 :, index] = row
    return divergences


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    for name, values in (("first", x), ("second", y)):
        if (values == values[0]).all():
            raise ValueError(f"the {name} grid is constant ({values[0]!r} everywhere): its correlation is undefined")
    x, y = x - math.fsum(x) / x.size, y - math.fsum(y) / y.size
    return float(np.clip(math.fsum(x * y) / math.sqrt(math.fsum(x * x) * math.fsum(y * y)), -1.0, 1.0))


def pearson(p: np.ndarray, q: np.ndarray) -> float:
    """Pearson correlation of grids [N, N] over cells, in [−1, 1]. Raises ValueError if one is constant."""
    return _correlation(*_pair(p, q))


def spearman(p: np.ndarray, q: np.ndarray) -> float:
    """Spearman rank correlation of grids [N, N] over cells (ties share their mean rank), in [−1, 1].

    Raises ValueError if one is constant.
    """
    p, q = _pair(p, q)
    return _correlation(stats.rankdata(p), stats.rankdata(q))


def cosine(p: np.ndarray, q: np.ndarray) -> float:
    """Cosine similarity of grids [N, N] over cells: 0 (disjoint) to 1 (equal)."""
    p, q = _pair(p, q)
    return min(1.0, math.fsum(p * q) / math.sqrt(math.fsum(p * p) * math.fsum(q * q)))


def l2(p: np.ndarray, q: np.ndarray) -> float:
    """Euclidean distance of grids [N, N] over cells: 0 (equal) to √2 (two different single cells)."""
    p, q = _pair(p, q)
    return math.sqrt(math.fsum((p - q) ** 2))


def _check_answers(answers: Sequence[str]) -> list[str]:
    if isinstance(answers, str):
        raise ValueError(f"answers is the text {answers!r}, expected a sequence of answers")
    answers = list(answers)
    for answer in answers:
        if answer not in ANSWERS:
            raise ValueError(f"answer {answer!r} is not one of {', '.join(ANSWERS)}")
    return answers


def consistency(answers: Sequence[str]) -> float:
    """Share of a question's variants (baseline included) that give its majority answer, in [0, 1].

    Contradictory and unparsed answers count as variants but never agree. A tie for the majority counts half of the other
    variants: 0.5 when every answer took a position. Raises ValueError without an answer.
    """
    answers = _check_answers(answers)
    if not answers:
        raise ValueError("answers is empty, expected the answers of at least one variant")
    parsed = Counter(answer for answer in answers if answer not in NO_POSITION)
    if not parsed:
        return 0.0
    largest = max(parsed.values())
    if list(parsed.values()).count(largest) > 1:
        return parsed.total() / 2 / len(answers)
    return largest / len(answers)


def expected_consistency(counts: Mapping[str, int], n: int) -> float:
    """Mean consistency of n variants that each give an answer with the share that it has in `counts`, independently.

    What consistency is worth if variants were unrelated: multinomial, in [0, 1]; at least 0.5 if every answer takes a position.
    Raises ValueError if nothing was counted, or for n < 1.
    """
    total = sum(counts.values())
    if total < 1 or min(counts.values()) < 0 or not set(counts) <= set(ANSWERS):
        raise ValueError(f"counts are {dict(counts)!r}, expected how often each of {', '.join(ANSWERS)} was answered")
    if n < 1 or n != int(n):
        raise ValueError(f"n is {n!r}, expected a whole number of variants >= 1")
    shares = [counts.get(answer, 0) / total for answer in ANSWERS]
    terms = []
    for drawn in itertools.combinations_with_replacement(range(len(ANSWERS)), int(n)):
        times = [drawn.count(kind) for kind in range(len(ANSWERS))]
        ways = math.factorial(int(n)) // math.prod(map(math.factorial, times))
        chance = math.prod(share**count for share, count in zip(shares, times, strict=True))
        terms.append(ways * chance * consistency([ANSWERS[kind] for kind in drawn]))
    return math.fsum(terms)


def flip(a: str, b: str) -> bool:
    """True when one answer is yes and the other no; nothing else is a flip."""
    return {*_check_answers([a, b])} == {"yes", "no"}


def flip_to_baseline(baseline: str, variants: Sequence[str]) -> float:
    """Share of the variants whose answer is the opposite of the baseline's, in [0, 1]; all variants count below.

    Raises ValueError without a variant.
    """
    variants = _check_answers(variants)
    if not variants:
        raise ValueError("variants is empty, expected the answers of at least one other variant")
    return sum(flip(baseline, variant) for variant in variants) / len(variants)


def flip_all_pairs(answers: Sequence[str]) -> float:
    """Share of all unordered pairs of variants that flip, in [0, 1]. Raises ValueError for fewer than two."""
    answers = _check_answers(answers)
    if len(answers) < 2:
        raise ValueError(f"answers holds {len(answers)} variants, expected at least two to compare")
    pairs = list(itertools.combinations(answers, 2))
    return sum(flip(a, b) for a, b in pairs) / len(pairs)


def any_flip(answers: Sequence[str]) -> bool:
    """True when the variants hold both a yes and a no. It grows with the number of variants."""
    return {"yes", "no"} <= {*_check_answers(answers)}


def hedge_shift(a: str, b: str) -> bool:
    """True when one answer is uncertain and the other yes or no."""
    answers = {*_check_answers([a, b])}
    return "uncertain" in answers and bool(answers & {"yes", "no"})
