"""The aggregate tables as the study's licence lets them be published."""

from collections import defaultdict

from medattn.base import paths
from medattn.base.tables import Row
from medattn.disclosure import suppression
from medattn.disclosure.suppression import SUPPRESSED, Cell, Population
from medattn.metrics.evaluation import Evaluation
from medattn.metrics.table import Table, declared
from medattn.metrics.values import Selection, Unit

Tables = dict[Table, list[Row]]


def publishable(of: Evaluation) -> Tables:
    """The rows of every aggregate table as they may be published; what is suppressed of the headline is None."""
    made = {table: table.rows(of) for table in declared() if table.output != paths.GROUPS}
    shown = {table: table.published(rows) for table, rows in made.items()}
    if not of.restricted:
        return shown
    restricted = {table: rows for table, rows in made.items() if not table.safe}
    groups = Groups(of)
    cells = [
        Cell(table.name, index, column, groups(value.selection), table.means(row).get(column, ""))
        for table, rows in restricted.items()
        for index, row in enumerate(rows)
        for column, value in table.values(row).items()
    ]
    partitions = [
        [groups(value.selection) for value in parts] for table, rows in restricted.items() for parts in table.parts(rows)
    ]
    levels = suppression.levels(cells, partitions, groups.population)
    by_name = {table.name: rows for table, rows in shown.items()}
    safe = suppression.suppress(by_name, cells, levels, groups.population)
    for table in restricted:
        for row in safe[table.name]:
            if table.differences(row, safe):
                row |= dict.fromkeys(row.keys() - set(table.keys))
            if table.output == paths.METRICS:
                row |= {name: None for name, value in row.items() if value == SUPPRESSED}
    return {table: safe[table.name] for table in shown}


class Groups:
    """Selections as groups of the population: its samples are the questions' variants about the clean image."""

    def __init__(self, of: Evaluation) -> None:
        self.population = Population({row.variant: row["subject_id"] for row in of.rows})
        self._samples: dict[Unit, set[Unit]] = {row.variant: {row.variant} for row in of.rows}
        units: defaultdict[Unit, set[Unit]] = defaultdict(set)
        for row in of.rows:
            if row.is_clean and row.answered:
                units["question", row["question_id"]].add(row.variant)
        for row in of.rows:
            if row.is_clean and row.is_study:
                units["image", row["image_id"]] |= units["question", row["question_id"]]
        self._samples |= units
        self._known: dict[Selection, int] = {}

    def __call__(self, selection: Selection) -> int:
        """The group of all samples of the selection's questions and images; a unit that is not known is an error."""
        if selection not in self._known:
            self._known[selection] = self.population.group(one for unit in selection for one in self._samples[unit])
        return self._known[selection]
