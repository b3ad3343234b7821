"""A table's declaration: it stands in the module that computes it, and everything that handles tables follows from it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medattn.base import paths
from medattn.base.modules import collect
from medattn.base.tables import Row

if TYPE_CHECKING:
    from medattn.metrics.evaluation import Evaluation


@dataclass(frozen=True, eq=False)
class Table:
    """A table of the metrics stage.

    rows: how its rows are computed. output: the directory of its CSV file, paths.GROUPS (a row per question or image)
    or paths.TABLES (aggregated), or paths.METRICS for the headline. keys: the columns that say what a row is about.
    """

    name: str
    columns: tuple[str, ...]
    rows: Callable[["Evaluation"], list[Row]]
    output: Path = paths.TABLES
    keys: tuple[str, ...] = ()


def declared() -> list[Table]:
    """Every table that a module of medattn.metrics.tables lists in its TABLES."""
    return [table for module in collect("medattn.metrics.tables") for table in module.TABLES]
