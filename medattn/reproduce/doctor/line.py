"""One line of the doctor's report."""

from typing import Literal, NamedTuple

from medattn.base.printable import printable

Status = Literal["ok", "note", "missing"]


class Line(NamedTuple):
    """status: missing is what keeps the study from running; a note is worth knowing. remedy: what to do, "" for nothing."""

    status: Status
    about: str
    said: str
    remedy: str = ""


def ok(about: str, said: str) -> Line:
    return Line("ok", about, said)


def note(about: str, said: str, remedy: str = "") -> Line:
    return Line("note", about, said, remedy)


def missing(about: str, said: str, remedy: str) -> Line:
    return Line("missing", about, said, remedy)


def shown(line: Line) -> str:
    """The line as it is printed, the remedy on lines of its own."""
    head = f"{line.status:8}{line.about:14}{line.said}".rstrip()
    return printable("\n".join([head, *(f"{'':8}-> {part.strip()}" for part in line.remedy.splitlines())]))
