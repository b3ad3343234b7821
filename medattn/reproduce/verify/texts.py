"""Tables, JSON and pages: numbers are compared as numbers, everything else must be the same."""

import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

from medattn.base.tables import csv_lines
from medattn.reproduce.verify.deviation import Differences

_WHOLE = re.compile(r"[-−+]?\d+")
_NUMBER = re.compile(r"[-−+]?\d+(?:\.\d+)?(?:[eE][-−+]?\d+)?")
SHORT = 60  # characters of a cell in a message


def short(text: str) -> str:
    """A cell or a line as a message shows it."""
    return repr(text if len(text) <= SHORT else f"{text[: SHORT - 1]}…")


# --- CSV --------------------------------------------------------------------------------------------------------------


def tables(recorded: str, found: str, differences: Differences) -> None:
    """Two CSV files, row by row: a row is found by the cells that name it, so a row that was taken out is named."""
    (header, *before), (columns, *after) = _rows(recorded), _rows(found)
    if header != columns:
        missing, extra = [name for name in header if name not in columns], [name for name in columns if name not in header]
        told = [f"without column {name}" for name in missing] + [f"column {name} is extra" for name in extra]
        differences.different("; ".join(told) or "its columns are in another order")
        return
    differences.compared += len(header) * len(before)
    for label, then, now in _paired(header, before, after, differences):
        for column, old, new in zip_longest(header, then, now, fillvalue=""):
            if old != new:
                _cell(f"{label}, column {column}", old, new, differences)


def _rows(text: str) -> list[list[str]]:
    return [cells for _, cells in csv_lines(io.StringIO(text, newline=""), "the table", "restore it")] or [[]]


def _paired(
    header: Sequence[str], before: list[list[str]], after: list[list[str]], differences: Differences
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Label, recorded row and found row of all rows that are in both; a row that is in one only is a difference."""
    width = _naming(header, before)
    names, others = [tuple(row[:width]) for row in before], [tuple(row[:width]) for row in after]
    if not width or len(set(others)) < len(others):
        if len(before) != len(after):
            differences.different(f"{len(after)} rows, recorded {len(before)}")
        names, others = [(f"{number}",) for number in range(len(before))], [(f"{number}",) for number in range(len(after))]
    found = dict(zip(others, after, strict=True))
    for number, (name, row) in enumerate(zip(names, before, strict=True), start=2):
        label = f"row {number}" + (f" ({' / '.join(filter(None, row[: max(width, 1)]))})" if row else "")
        if name in found:
            yield label, row, found[name]
        else:
            differences.different(f"{label} is missing")
    for number, name in enumerate(others, start=2):
        if name not in set(names) and width:
            differences.different(f"row {number} ({' / '.join(filter(None, name))}) is extra")
    if width and names != others and sorted(names) == sorted(others):
        differences.different("its rows are in another order")


def _naming(header: Sequence[str], rows: list[list[str]]) -> int:
    """How many of the first columns it takes to tell all rows apart; 0 if decimals would be among them, or none suffice."""
    for width in range(1, len(header) + 1):
        if any("." in row[width - 1] and _number(row[width - 1]) is not None for row in rows if len(row) >= width):
            return 0
        if len({tuple(row[:width]) for row in rows}) == len(rows):
            return width
    return 0


def _cell(place: str, recorded: str, found: str, differences: Differences) -> None:
    """Cells hold a number, several with blanks between them, or words in which numbers may stand."""
    old, new = recorded.split(), found.split()
    values = [(_number(then), _number(now)) for then, now in zip(old, new, strict=False)]
    pairs = [(then, now) for then, now in values if then is not None and now is not None]
    if not old or len(old) != len(new) or len(pairs) < len(old):
        _words(place, recorded, found, differences)
        return
    for then, now, (before, after) in zip(old, new, pairs, strict=True):
        if then != now and differences.tolerance.whole and _WHOLE.fullmatch(then) and _WHOLE.fullmatch(now):
            differences.different(f"{place}: {short(found)}, recorded {short(recorded)}")
        elif then != now:
            differences.number(place, before, after)


def _number(text: str) -> float | None:
    """A finite number; None for anything else."""
    try:
        value = float(text.replace("−", "-"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


# --- JSON -------------------------------------------------------------------------------------------------------------


def jsons(recorded: str, found: str, differences: Differences, name: str = "") -> None:
    """Two JSON texts, key by key."""
    _values(json.loads(recorded), json.loads(found), name, differences)


def _values(recorded: Any, found: Any, place: str, differences: Differences) -> None:
    if isinstance(recorded, dict) and isinstance(found, dict):
        for key in [*recorded, *(key for key in found if key not in recorded)]:
            inner = f"{place}.{key}" if place else str(key)
            if key not in found or key not in recorded:
                differences.different(f"{inner} is {'extra' if key in found else 'missing'}")
            else:
                _values(recorded[key], found[key], inner, differences)
    elif isinstance(recorded, list) and isinstance(found, list):
        if len(recorded) != len(found):
            said = f"{place}: {len(found)} entries, recorded {len(recorded)}"
            if not differences.tolerance.whole and all(type(one) is int for one in recorded + found):
                differences.compared += len(recorded)
                differences.beyond(said, ((Counter(recorded) - Counter(found)) | (Counter(found) - Counter(recorded))).total())
            else:
                differences.different(said)
            return
        for number, (then, now) in enumerate(zip(recorded, found, strict=True)):
            _values(then, now, f"{place}[{number}]", differences)
    else:
        differences.compared += 1
        if type(recorded) is type(found) and recorded == found:
            return
        numbers = type(recorded) is type(found) is (float if differences.tolerance.whole else type(found))
        if numbers and isinstance(recorded, int | float) and not isinstance(recorded, bool):
            differences.number(place or "value", recorded, found)
        elif isinstance(recorded, str) and isinstance(found, str):
            _words(place or "value", recorded, found, differences)
        else:
            differences.different(f"{place or 'value'}: {short(json.dumps(found))}, recorded {short(json.dumps(recorded))}")


# --- LaTeX, HTML ------------------------------------------------------------------------------------------------------


def pages(recorded: str, found: str, differences: Differences, name: str = "") -> None:
    """Two texts: the words between their numbers must be the same, but for blanks and line ends.

    A number may differ by one unit in its last shown digit on top of the tolerance: it was rounded to be shown. Whole
    numbers must be the same.
    """
    start = f"{name}, " if name else ""
    before, after = list(_pieces(recorded)), list(_pieces(found))
    differences.compared += len(before)
    for (words, then, at), (others, now, _) in zip_longest(before, after, fillvalue=("", "", 0)):
        if words.split() != others.split():
            old, new = _near(words, others)
            differences.different(f"{start}line {recorded.count(chr(10), 0, at) + 1}: {short(new)}, recorded {short(old)}")
            return  # what follows no longer stands side by side
        if then != now:
            _shown(f"{start}line {recorded.count(chr(10), 0, at) + 1}", then, now, differences)


def _words(place: str, recorded: str, found: str, differences: Differences) -> None:
    """Two cells with words: numbers inside them may deviate as in a page, anything else is a difference."""
    before, after = list(_pieces(recorded)), list(_pieces(found))
    alike = [words for words, _, _ in before] == [words for words, _, _ in after]
    changed = [(then, now) for (_, then, _), (_, now, _) in zip(before, after, strict=False) if then != now]
    if not alike or any(_WHOLE.fullmatch(then) and _WHOLE.fullmatch(now) for then, now in changed):
        differences.different(f"{place}: {short(found)}, recorded {short(recorded)}")
        return
    for then, now in changed:
        _shown(place, then, now, differences)


def _shown(place: str, recorded: str, found: str, differences: Differences) -> None:
    """Two numbers that were rounded to be shown."""
    if not recorded or not found or (_WHOLE.fullmatch(recorded) and _WHOLE.fullmatch(found)):
        differences.different(f"{place}: {short(found)}, recorded {short(recorded)}")
        return
    slack = 1.01 * min(_unit(recorded), _unit(found))
    differences.number(place, float(recorded.replace("−", "-")), float(found.replace("−", "-")), slack)


def _pieces(text: str) -> Iterator[tuple[str, str, int]]:
    """Words, the number behind them, and where it stands; the last number is empty."""
    last = 0
    for match in _NUMBER.finditer(text):
        yield text[last : match.start()], match[0], match.start()
        last = match.end()
    yield text[last:], "", len(text)


def _near(recorded: str, found: str) -> tuple[str, str]:
    """Where two texts part, a few words of each."""
    same = next(
        (at for at, (one, other) in enumerate(zip(recorded, found, strict=False)) if one != other),
        min(len(recorded), len(found)),
    )
    start = max(0, same - 20)
    return recorded[start : same + 30], found[start : same + 30]


def _unit(number: str) -> float:
    """One unit in the last digit that is shown: 0.01 for 0.25, 1e-7 for 1.25e-05."""
    mantissa, _, power = number.replace("−", "-").lower().partition("e")
    return 10.0 ** (int(power or 0) - len(mantissa.partition(".")[2]))
