"""The list of medical terms, a file of its own: one a line, in lower case; "#" begins a comment."""

from pathlib import Path

from medattn.base.errors import InputError
from medattn.base.params.aggregate import Aggregate
from medattn.base.paths import TERMS


def terms_of(given: Aggregate, root: Path = Path(".")) -> list[str]:
    """aggregate.terms of params.yaml; where that is null, those of the file below `root`. Raises InputError with its line."""
    return read_terms(root / TERMS) if given.terms is None else given.terms


def read_terms(path: Path) -> list[str]:
    """The terms of a file, one a line. Raises InputError without the file, or for a line that is not a term."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} not found: it lists the medical terms; restore it (`git checkout {path}`)") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    line_of: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        term = line.partition("#")[0].strip()
        if term != term.lower():
            raise InputError(f"{path}, line {number}: term {term!r} is not in lower case: write {term.lower()!r}")
        if term in line_of:
            raise InputError(f"{path}, line {number}: term {term!r} is on line {line_of[term]}, too: remove one of them")
        if term:
            line_of[term] = number
    if not line_of:
        raise InputError(f"{path} holds no term: add one a line, or restore it (`git checkout {path}`)")
    return list(line_of)
