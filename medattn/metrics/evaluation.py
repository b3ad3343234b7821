"""One evaluated run: what every table is computed from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from medattn.base.params.metrics import Metrics, MetricsParams
from medattn.disclosure.suppression import least_patients
from medattn.metrics.anatomy import PlaceOf
from medattn.metrics.columnar import ColumnRow, Columns
from medattn.metrics.inputs import Store
from medattn.metrics.tables import groups, localisation, occlusion, reliance, sinks
from medattn.study.schema import Study


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The rows of evaluation_results.csv with what stands behind them, and the rows that several tables are made of."""

    rows: Sequence[ColumnRow]
    store: Store
    place_of: PlaceOf
    study: Study
    params: MetricsParams

    @property
    def settings(self) -> Metrics:
        """Draws and seed of intervals and tests."""
        return self.params.metrics

    @property
    def restricted(self) -> bool:
        """Whether the study's licence lets nothing be published that stands for few patients."""
        return least_patients(self.study.licence) > 1

    @cached_property
    def questions(self) -> Columns:
        return Columns.of(groups.question_rows(self.rows, self.store))

    @cached_property
    def contrast(self) -> Columns:
        return Columns.of(groups.contrast_rows(self.rows, self.store))

    @cached_property
    def reliance(self) -> Columns:
        return Columns.of(reliance.reliance_rows(self.rows, self.questions))

    @cached_property
    def occlusion(self) -> Columns:
        return Columns.of(occlusion.occlusion_rows(self.rows))

    @cached_property
    def sinks(self) -> Columns:
        return Columns.of(sinks.sink_rows(self.rows, self.store))

    @cached_property
    def localisation(self) -> Columns:
        return Columns.of(localisation.localisation_rows(self.rows, self.store, self.place_of, without_sinks=False))

    @cached_property
    def localisation_without_sinks(self) -> Columns:
        return Columns.of(localisation.localisation_rows(self.rows, self.store, self.place_of, without_sinks=True))
