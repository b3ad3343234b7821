"""A table's declaration: it stands in the module that computes it, and everything that handles tables follows from it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medattn.base import paths
from medattn.base.modules import collect
from medattn.base.tables import AnyRow, Row
from medattn.metrics.values import Value, numbers

if TYPE_CHECKING:
    from medattn.metrics.evaluation import Evaluation

Parts = Iterable[Sequence[Value]]


@dataclass(frozen=True, eq=False)
class Table:
    """A table of the metrics stage.

    rows: how its rows are computed. output: the directory of its CSV file, paths.GROUPS (a row per question or image)
    or paths.TABLES (aggregated), or paths.METRICS for the headline. keys: the columns that say what a row is about; of an
    aggregate table every other cell is a Value, or None. safe: the rows stand for enough patients as they are made.

    What a reader of an aggregate table may add up: parts are lists of values that are about parts of one total (of the
    rows), means the metric that a row's columns are means of. differences: whether a row's values would give away one
    that is suppressed elsewhere (of the row, and all tables as they are suppressed).
    """

    name: str
    columns: tuple[str, ...]
    rows: Callable[["Evaluation"], Sequence[AnyRow]]
    output: Path = paths.TABLES
    keys: tuple[str, ...] = ()
    safe: bool = False
    parts: Callable[[Sequence[AnyRow]], Parts] = lambda rows: ()
    means: Callable[[AnyRow], Mapping[str, str]] = lambda row: {}
    differences: Callable[[AnyRow, Mapping[str, Sequence[AnyRow]]], bool] = lambda row, tables: False

    def values(self, row: AnyRow) -> dict[str, Value]:
        """The values of an aggregate row. Raises ValueError for a cell that does not say what it was computed from."""
        found = {name: cell for name, cell in row.items() if isinstance(cell, Value)}
        for name in row.keys() - found.keys() - set(self.keys):
            if row[name] is not None:
                raise ValueError(
                    f"table {self.name}: nothing says which patients column {name} stands for: make {row[name]!r} a Value"
                )
        return found

    def published(self, rows: Sequence[AnyRow]) -> list[Row]:
        """Aggregate rows as numbers, each of which says what it was computed from."""
        if not self.safe:
            for row in rows:
                self.values(row)
        return [numbers(row) for row in rows]


def columnwise(rows: Sequence[AnyRow]) -> Parts:
    """The values of rows that are parts of one total, one list a column."""
    return [[row[name] for row in rows if isinstance(row[name], Value)] for name in rows[0]] if rows else []


def of_findings(rows: Sequence[AnyRow]) -> Parts:
    """columnwise of a table with a row per finding, then "all"."""
    return columnwise([row for row in rows if row["finding"] != "all"])


def declared() -> list[Table]:
    """Every table that a module of medattn.metrics.tables lists in its TABLES."""
    return [table for module in collect("medattn.metrics.tables") for table in module.TABLES]
