"""Numbers and identifiers as tables and JSON write them: 12, 12.0, s12, p12, " 3", +3, 2544.0."""

import re
from collections.abc import Iterable
from math import isfinite

_DICOM_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}")
_ID = re.compile(r"[psPS]?([0-9]+)(?:\.0*)?")  # pandas writes 12.0 where another row has none


def numbers(values: Iterable[object]) -> tuple[float, ...] | None:
    """Finite numbers, from text or JSON; None if one of the values is not."""
    found = tuple(map(number, values))
    return None if None in found else tuple(value for value in found if value is not None)


def number(value: object) -> float | None:
    """A finite number, from text or JSON; None where `value` is not one."""
    try:
        found = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
    return found if found is not None and isfinite(found) else None


def whole_number(value: object) -> int | None:
    """A whole number, from text or JSON; None where `value` is not one."""
    found = number(value)
    return int(found) if found is not None and found.is_integer() else None


def identifier(value: object) -> str:
    """The digits of a patient's or a study's identifier; "" where `value` is not one."""
    found = _ID.fullmatch(str(value).strip())
    return found[1] if found else ""


def dicom_id_in(value: object) -> str:
    """The dicom_id in a cell: by itself, in a path or in a file name; "" if there is none."""
    found = _DICOM_ID.search(str(value).lower())
    return found[0] if found else ""
