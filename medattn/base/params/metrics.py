"""What metrics reads."""

from typing import Annotated

from pydantic import Field

from medattn.base.params.aggregate import AggregateParams
from medattn.base.params.reading import Section


class Metrics(Section):
    bootstrap_draws: Annotated[int, Field(ge=200)]
    permutation_draws: Annotated[int, Field(ge=200)]
    seed: Annotated[int, Field(ge=0)]


class MetricsParams(AggregateParams):
    metrics: Metrics
