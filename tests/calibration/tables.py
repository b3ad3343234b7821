"""The calibration's tables in Markdown. `python -m pytest -m slow tests/calibration -s` prints those of docs/statistics.md."""

import math
from collections.abc import Sequence


def percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.1f}"


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    lines = ["", f"**{title}**", "", "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    print("\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]))


def by_patients(title: str, names: Sequence[str], cells: Sequence[tuple[Sequence[object], str]]) -> None:
    """Cells ((*names, patients), text), one line per name and one column per number of patients."""
    counts, lines = sorted({name[-1] for name, _ in cells}), {}
    for (*name, patients), text in cells:
        lines.setdefault(tuple(name), {})[patients] = text
    rows = [(*name, *(line.get(count, "") for count in counts)) for name, line in lines.items()]
    show(title, (*names, *(f"{count} patients" for count in counts)), rows)


def error(share: float, draws: int) -> float:
    """Three standard errors of a share measured in `draws` draws."""
    return 3 * math.sqrt(max(share * (1 - share), 1 / draws) / draws)
