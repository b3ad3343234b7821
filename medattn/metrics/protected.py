"""The aggregate tables as the study's licence lets them be published."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache

from medattn.base import paths
from medattn.base.tables import AnyRow, Row
from medattn.disclosure import suppression
from medattn.disclosure.suppression import SUPPRESSED, Cell, Population
from medattn.metrics.evaluation import Evaluation
from medattn.metrics.table import Table, declared
from medattn.metrics.values import Part, Selection, Unit

Tables = dict[Table, list[Row]]


def publishable(of: Evaluation) -> Tables:
    """The rows of every aggregate table as they may be published; what is suppressed of the headline is None."""
    shown: Tables = {}
    groups = Groups(of) if of.restricted else None
    cells, partitions = list[Cell](), list[list[int]]()
    for table in declared():
        if table.output == paths.GROUPS:
            continue
        rows = table.rows(of)  # of one table at a time: its values hold the rows that they were computed from
        shown[table] = table.published(rows)
        if groups and not table.safe:
            cells += _cells(table, rows, groups)
            partitions += [[groups(value.selection) for value in parts] for parts in table.parts(rows)]
    if groups is None:
        return shown
    levels = suppression.levels(cells, partitions, groups.population)
    by_name = {table.name: rows for table, rows in shown.items()}
    safe = suppression.suppress(by_name, cells, levels, groups.population)
    for table in shown:
        for row in safe[table.name] if not table.safe else ():
            if table.differences(row, safe):
                row |= dict.fromkeys(row.keys() - set(table.keys))
            if table.output == paths.METRICS:
                row |= {name: None for name, value in row.items() if value == SUPPRESSED}
    return {table: safe[table.name] for table in shown}


def _cells(table: Table, rows: Sequence[AnyRow], groups: "Groups") -> Iterator[Cell]:
    for index, row in enumerate(rows):
        means = table.means(row)
        for column, value in table.values(row).items():
            yield Cell(table.name, index, column, groups(value.selection), means.get(column, ""))


class Groups:
    """Selections as groups of the population: its samples are the questions' variants about the clean image."""

    def __init__(self, of: Evaluation) -> None:
        self.population = Population({row.variant: row["subject_id"] for row in of.rows})
        self._samples: dict[Unit, set[Unit]] = defaultdict(set)
        for row in of.rows:
            if row.is_clean and row.answered:
                self._samples["question", row["question_id"]].add(row.variant)
        for row in of.rows:
            if row.is_clean and row.is_study:
                self._samples["image", row["image_id"]] |= self._samples["question", row["question_id"]]
        # A row of a table has a few lists of rows in many cells; as they are kept here, no other can have their identity.
        self._of_part = lru_cache(maxsize=32)(self._group)
        self._alike: dict[int, int] = {}

    def __call__(self, selection: Selection) -> int:
        """The group of all samples of the selection's questions and images; a unit that is not known is an error."""
        group = 0
        for part in selection.parts:
            group |= self._of_part(part)
        return self._alike.setdefault(group, group)

    def _group(self, part: Part) -> int:
        units = (part.unit(row) for row in part.rows)
        return self.population.group(sample for unit in units for sample in self._samples.get(unit, (unit,)))
