"""All of params.yaml. Unknown keys and wrong types are errors before anything runs."""

from pathlib import Path

import click
from pydantic import model_validator

from medattn.base.params.conditions import Conditions
from medattn.base.params.extract import ExtractParams
from medattn.base.params.figures import FiguresParams
from medattn.base.params.metrics import MetricsParams
from medattn.base.params.reading import read_params, validated
from medattn.base.params.terms import terms_of
from medattn.base.paths import PARAMS


class Params(ExtractParams, MetricsParams, FiguresParams):
    """Every key of params.yaml: those of the stages, and those that prepare alone reads."""

    study_digests: dict[str, str]
    allow_unpinned: bool
    conditions: Conditions

    @model_validator(mode="after")
    def _rows_are_captured(self) -> "Params":
        for name, profile in self.aggregate.profiles.items():
            if max(profile.rows) > self.extract.generated_rows:
                raise ValueError(
                    f"aggregate.profiles.{name}.rows names row {max(profile.rows)}, but extract.generated_rows is"
                    f" {self.extract.generated_rows}: lower the one or raise the other"
                )
        return self


def load(path: Path = PARAMS) -> Params:
    """Read and validate `path`. Raises InputError naming file, key, value and what was expected."""
    return validated(Params, read_params(path), path)


@click.group(name="params")
def command() -> None:
    """Work with params.yaml."""


@command.command()
def check() -> None:
    """Validate params.yaml: every key known, every type right; and the list of medical terms."""
    terms_of(load().aggregate)
    click.echo(f"{PARAMS}: ok")
