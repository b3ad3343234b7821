"""Which numbers of a study may be published. Pure functions; each number says itself what it stands for.

A credentialed study publishes nothing that stands for fewer than LEAST patients:

- Small cells are suppressed: counts, means, shares and intervals over 1 to 4 patients. A count of nobody is shown.
- So is what would give them away. Suppressed cells must not follow from the shown ones by adding and subtracting (a
  total and its parts, the same group in another table), nor may two shown counts of a group and of a part of it
  differ by 1 to 4 patients.
- Least and largest values are single patients: always suppressed. A median needs LEAST_FOR_MEDIAN patients.
- A share may be published if its denominator is at least LEAST patients, whatever its numerator: how often the model
  errs or changes its answer says nothing about a patient. Numbers of samples by truth, region, view or transition are
  cells.

A suppressed count reads SUPPRESSED in the tables; every other suppressed cell is empty. An open study suppresses nothing.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

LEAST, LEAST_FOR_MEDIAN = 5, 10  # patients
SUPPRESSED = "suppressed"
PATIENTS = frozenset({"patients", "region_patients", "informative_patients", "same_strategy_patients", "differing_patients"})
COUNTS = PATIENTS | {"n", "positives", "n_region", "n_truth", "n_correct", "n_incorrect", "n_failed"}
SHARES = frozenset({
    "accuracy", "accuracy_decided", "flip_rate", "hedge_shift_rate", "contradictory_rate", "unparsed_rate",
    "yes_share", "no_share", "uncertain_share", "contradictory_share", "unparsed_share", "margin_valid_share",
    "margin_agreement",
    "accuracy_difference", "yes_rate", "agreement_with_clean", "fully_consistent", "any_flip", "hedge_shift",
    "flip_to_baseline",
    "consistency", "text_only_agreement", "consistent_but_blind", "pointing_game", "rank_accuracy", "iou_top10", "flip_region",
    "flip_elsewhere", "gated", "region_fallback", "smallest_p",
})  # fmt: skip
EXTREMES = frozenset({"minimum", "maximum"})
FOLLOW_COUNTS = frozenset({"few_patients", "smallest_p"})  # tell a count, so they go where it goes


def least_patients(licence: str) -> int:
    """How many patients a published number must stand for: 1 for an open study."""
    return 1 if licence == "open" else LEAST


class Level(IntEnum):
    """What of a group is suppressed; each level holds the ones before it."""

    NOTHING = 0
    PATIENTS = 1  # how many patients it has
    COUNTS = 2  # and how many samples
    ALL = 3  # and every value


@dataclass(frozen=True)
class Cell:
    """A table's number and whom it stands for.

    group: a bit per sample. metric: what it is a mean of; two groups with means of one metric give away the mean of their
    difference.
    """

    table: str
    row: int
    column: str
    group: int
    metric: str = ""

    @property
    def tells(self) -> bool:
        """Whether it betrays how many samples there are: shares do, being fractions."""
        return self.column in SHARES or self.metric.removeprefix("decision_") in SHARES


class Population:
    """Whose samples they are. samples: an id per bit of a group -> its patient."""

    def __init__(self, samples: Mapping[object, str]) -> None:
        self._bits = {sample: bit for bit, sample in enumerate(samples)}
        numbers: dict[str, int] = {}
        self._patients = np.array([numbers.setdefault(one, len(numbers)) for one in samples.values()], dtype=np.intp)
        # Patient n has the bits by_patient[first[n]:first[n + 1]]: a mask for each would be quadratic in their number.
        self._by_patient = np.argsort(self._patients, kind="stable")
        self._first = np.searchsorted(self._patients[self._by_patient], np.arange(len(numbers) + 1))

    def group(self, samples: Iterable[object]) -> int:
        """The group of these samples; an id that is not known is an error."""
        return self._packed([self._bits[sample] for sample in samples])

    def _packed(self, bits: Sequence[int] | np.ndarray) -> int:
        """The group with these bits."""
        marked = np.zeros(len(self._bits), dtype=bool)
        marked[bits] = True
        return int.from_bytes(np.packbits(marked, bitorder="little").tobytes(), "little")

    def _everything_of_first(self, group: int) -> int:
        """Every sample of the patient whom the group's first sample is of."""
        patient = self._patients[(group & -group).bit_length() - 1]
        return self._packed(self._by_patient[self._first[patient] : self._first[patient + 1]])

    def patients(self, group: int, most: float = math.inf) -> int:
        """How many patients a group has, counted up to `most`."""
        count = 0
        while group and count < most:
            group &= ~self._everything_of_first(group)
            count += 1
        return count

    def everything_of(self, group: int) -> int:
        """Every sample of the group's patients."""
        size = len(self._bits)
        content = np.frombuffer(group.to_bytes(size // 8 + 1, "little"), dtype=np.uint8)
        held = np.zeros(len(self._first), dtype=bool)
        held[self._patients[np.unpackbits(content, count=size, bitorder="little").astype(bool)]] = True
        return self._packed(held[self._patients])


def levels(
    cells: Sequence[Cell], partitions: Iterable[Sequence[int]], population: Population, least: int = LEAST
) -> dict[int, Level]:
    """Group -> what of it is suppressed. partitions: groups that add up to the group of all their samples."""
    shown = {cell.group for cell in cells} - {0}
    counted = sorted({cell.group for cell in cells if cell.column in COUNTS} - {0}, key=_by_size)
    of_patients = {cell.group for cell in cells if cell.column in PATIENTS}
    telling = {cell.group for cell in cells if cell.tells}
    metrics: dict[int, set[str]] = {}
    for cell in cells:
        metrics.setdefault(cell.group, set()).update({cell.metric} - {""})
    found = dict.fromkeys(shown, Level.NOTHING)

    def few(group: int) -> bool:
        return 0 < population.patients(group, least) < least

    def suppress(group: int, level: Level) -> None:
        level = Level.ALL if level == Level.COUNTS and group in telling else level
        found[group] = max(found[group], level)

    for group in shown:
        if few(group):
            suppress(group, Level.ALL)
    equations = {_equation(parts) for parts in partitions}
    closures = {group: population.everything_of(group) for group in of_patients}
    for index, inner in enumerate(counted):
        for outer in counted[index + 1 :]:
            rest = outer & ~inner
            if inner & ~outer:
                continue
            if rest in shown:
                equations.add(_equation((inner, rest)))
            if max(found[inner], found[outer]) >= Level.COUNTS:
                continue
            if few(rest):
                suppress(inner, Level.ALL if metrics[inner] & metrics[outer] else Level.COUNTS)
            elif {inner, outer} <= of_patients and few(outer & ~closures[inner]):
                suppress(inner, Level.PATIENTS)
    ordered = sorted(equations)
    while (step := _next_step(ordered, found, few)) is not None:
        suppress(*step)
    return found


def _by_size(group: int) -> tuple[int, int]:
    return group.bit_count(), group


def _equation(parts: Iterable[int]) -> tuple[int, ...]:
    """(total, part, part, …): the total's samples are those of the parts, none twice."""
    parts = sorted(set(parts) - {0})
    total = 0
    for part in parts:
        if total & part:
            raise ValueError("groups that should be parts of one total overlap")
        total |= part
    return (total, *parts)


def _next_step(
    equations: Sequence[tuple[int, ...]], found: Mapping[int, Level], few: Callable[[int], bool]
) -> tuple[int, Level] | None:
    """A further group to suppress, and how; None where no suppressed one can be computed from the shown ones."""
    known = {group for group, level in found.items() if level < Level.COUNTS}
    for equation in equations:  # what is suppressed of one total, taken together
        hidden = [part for part in equation[1:] if part not in known]
        together = sum(hidden)
        tells = equation[0] in known and hidden and (few(together) or (len(hidden) == 1 and hidden[0] in found))
        if tells and (victim := _cheapest([equation], known)) is not None:
            return victim, max((found[part] for part in hidden if part in found), default=Level.ALL)
    unknown = sorted({group for equation in equations for group in equation} - known)
    if not unknown:
        return None
    column = {group: index for index, group in enumerate(unknown)}
    matrix = np.zeros((len(equations), len(unknown)))
    for row, (total, *parts) in enumerate(equations):
        for group in (total, *parts) if parts != [total] else ():
            if group in column:
                matrix[row, column[group]] = -1 if group == total else 1
    rank = np.linalg.matrix_rank(matrix)
    for group in unknown:
        if group not in found:
            continue
        unit = np.zeros((1, len(unknown)))
        unit[0, column[group]] = 1
        if np.linalg.matrix_rank(np.vstack([matrix, unit])) == rank:
            near = [equation for equation in equations if group in equation]
            for some in (near, equations):
                if (victim := _cheapest(some, known)) is not None:
                    return victim, found[group]
    return None


def _cheapest(equations: Iterable[tuple[int, ...]], known: set[int]) -> int | None:
    """Of the shown groups in these equations the one with the fewest samples, parts before totals."""
    parts = {part for equation in equations for part in equation[1:] if part in known}
    totals = {equation[0] for equation in equations if equation[0] in known}
    return min(parts or totals, key=_by_size, default=None)


def suppress(
    tables: Mapping[str, Sequence[Mapping[str, object]]],
    cells: Sequence[Cell],
    found: Mapping[int, Level],
    population: Population,
) -> dict[str, list[dict[str, object]]]:
    """The tables with what `levels` found suppressed of their cells. A row whose n goes with every value goes as a whole."""
    made = {name: [dict(row) for row in rows] for name, rows in tables.items()}
    at = {cell: found.get(cell.group, Level.NOTHING) for cell in cells}
    gone = {(cell.table, cell.row) for cell in cells if cell.column == "n" and at[cell] == Level.ALL}
    for cell in cells:
        level = Level.ALL if (cell.table, cell.row) in gone else at[cell]
        row = made[cell.table][cell.row]
        if row[cell.column] is not None and level >= _goes_at(cell, population):
            row[cell.column] = SUPPRESSED if cell.column in COUNTS else None
    return made


def _goes_at(cell: Cell, population: Population) -> Level:
    if cell.column in EXTREMES:
        return Level.NOTHING
    if cell.column == "median":
        few = population.patients(cell.group, LEAST_FOR_MEDIAN) < LEAST_FOR_MEDIAN
        return Level.NOTHING if few else Level.PATIENTS
    if cell.column in PATIENTS:
        return Level.PATIENTS
    return Level.COUNTS if cell.column in COUNTS | FOLLOW_COUNTS else Level.ALL
