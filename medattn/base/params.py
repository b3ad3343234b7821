"""params.yaml as typed, validated objects. Unknown keys and wrong types are errors before anything runs."""

from pathlib import Path
from typing import Annotated, Literal

import click
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from medattn.base.errors import InputError
from medattn.base.paths import PARAMS
from medattn.base.validation import problems

Positive = Annotated[int, Field(ge=1)]
OnError = Literal["raise", "record"]  # what becomes of a run with a sample that cannot be computed


class Section(BaseModel):
    """No unknown key, no silent conversion ("3" is not 3), immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Condition(Section):
    """Something done to the image, and for which wordings it is asked."""

    wordings: Literal["all", "baseline"]

    def degrees(self) -> list[str]:
        """Its strengths as the manifest writes them: "" for a condition that has none."""
        return [""]


class Graded(Condition):
    """A condition in several strengths; what their unit is, docs/metrics.md says."""

    strengths: Annotated[list[float], Field(min_length=1)]

    def degrees(self) -> list[str]:
        return [f"{strength:g}" for strength in self.strengths]

    @field_validator("strengths")
    @classmethod
    def _strengths(cls, strengths: list[float]) -> list[float]:
        if len({f"{strength:g}" for strength in strengths}) < len(strengths) or 0 in strengths:
            raise ValueError("a strength stands twice, or is 0 (which is the clean image)")
        return strengths


class Share(Graded):
    strengths: Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)]


class Shift(Graded):
    strengths: Annotated[list[Annotated[float, Field(ge=-1, le=1)]], Field(min_length=1)]


class Blur(Graded):
    strengths: Annotated[list[Annotated[float, Field(ge=0, le=8)]], Field(min_length=1)]


class Pixels(Graded):
    strengths: Annotated[list[Annotated[float, Field(ge=0, le=256)]], Field(min_length=1)]


class Angle(Graded):
    strengths: Annotated[list[Annotated[float, Field(ge=-180, le=180)]], Field(min_length=1)]


class Conditions(Section):
    """null: not asked."""

    clean: Condition
    no_image: Condition | None = None
    gaussian_noise: Share | None = None  # standard deviation ÷ range of grey values
    contrast: Share | None = None  # loss of range
    brightness: Shift | None = None  # shift ÷ range
    blur: Blur | None = None  # σ in grid cells
    few_pixels: Pixels | None = None  # grid cells' worth of pixels
    rotation: Angle | None = None  # degrees, counter-clockwise
    blank: Condition | None = None
    shuffled_image: Condition | None = None
    occlude_region: Condition | None = None
    occlude_elsewhere: Condition | None = None

    @field_validator("clean")
    @classmethod
    def _clean(cls, clean: Condition) -> Condition:
        if clean.wordings != "all":
            raise ValueError("clean must be asked with wordings: all — everything else is compared with it")
        return clean

    def asked(self) -> dict[str, Condition]:
        """name -> condition, those that are not null."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}


class Model(Section):
    """None: what the study's study.yaml says."""

    id: str | None
    revision: str | None
    dtype: Literal["float64", "float32", "bfloat16"] | None
    device: Literal["cpu", "cuda", "auto"] | None
    redraw_language: int | None = None  # seed


class Prompt(Section):
    """None: what the study's study.yaml says."""

    system: str | None
    template: str | None
    order: Literal["question_first", "image_first"] | None
    max_new_tokens: Positive | None

    @field_validator("template")
    @classmethod
    def _template(cls, template: str | None) -> str | None:
        if template is not None and template.count("{question}") != 1:
            raise ValueError("the template must hold {question} exactly once")
        return template


class Extract(Section):
    generated_rows: Annotated[int, Field(ge=0, le=64)]
    buckets: Annotated[int, Field(ge=1, le=1000)]


class Profile(Section):
    """One way to make a grid of a sample's captures."""

    rows: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    gating: bool
    layers: Annotated[list[int], Field(min_length=1)]
    layer_weights: list[Annotated[float, Field(gt=0)]] | None
    gqa: Literal["mean", "max", "per_group"]
    sinks: Literal["keep", "zero"]

    @model_validator(mode="after")
    def _consistent(self) -> "Profile":
        for name in ("rows", "layers"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name} names an entry twice: {values}")
        if self.layer_weights is not None and len(self.layer_weights) != len(self.layers):
            raise ValueError(f"layer_weights has {len(self.layer_weights)} entries for {len(self.layers)} layers")
        return self


class Aggregate(Section):
    terms: Annotated[list[str], Field(min_length=1)]
    sink_z: Annotated[float, Field(gt=0)]
    profiles: dict[str, Profile]

    @field_validator("terms")
    @classmethod
    def _terms(cls, terms: list[str]) -> list[str]:
        for term in terms:
            if not term.strip() or term != term.strip().lower():
                raise ValueError(f"term {term!r} is empty, padded or not in lower case")
        if len(set(terms)) < len(terms):
            raise ValueError("a term stands twice")
        return terms

    @field_validator("profiles")
    @classmethod
    def _profiles(cls, profiles: dict[str, Profile]) -> dict[str, Profile]:
        for name in ("original", "decision"):
            if name not in profiles:
                raise ValueError(f"profile {name!r} is missing")
        for name in profiles:
            if not name.isidentifier():
                raise ValueError(f"profile name {name!r} is not a plain word")
        return profiles


class Metrics(Section):
    bootstrap_draws: Annotated[int, Field(ge=200)]
    permutation_draws: Annotated[int, Field(ge=200)]
    seed: Annotated[int, Field(ge=0)]


class Examples(Section):
    """Which samples are drawn, by rule: `n` per value of `per`, of those that `pick` admits, lowest sample_id first."""

    per: Literal["finding", "strategy"]
    pick: Literal["any", "correct", "incorrect", "flipped"]
    n: Positive


class Figures(Section):
    examples: Annotated[list[Examples], Field(min_length=1)]
    dpi: Annotated[int, Field(ge=72, le=600)]


class Run(Section):
    """How a run is carried out; no stage but prepare, which sees every parameter, lists it.

    Nothing here changes the result of a sample. on_error decides whether a run with samples that cannot be computed
    stops, or goes on without them; a run without such samples is the same under both.
    """

    cache: bool
    on_error: OnError
    processes: Positive = 1
    image_workers: Annotated[int, Field(ge=0, le=256)] | None = None  # None: as many as help on this machine
    max_memory: Annotated[float, Field(gt=0)] | None = None  # GB


class Params(Section):
    study: str
    study_digests: dict[str, str]
    allow_unpinned: bool
    limit: Positive | None
    conditions: Conditions
    model: Model
    prompt: Prompt
    extract: Extract
    aggregate: Aggregate
    metrics: Metrics
    figures: Figures
    run: Run

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
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} not found: run this from the repository's root") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {error}") from None
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        lines = [*problems(path, error), f"Mend {path} (or undo it with `git checkout {path}`)."]
        raise InputError("\n".join(lines)) from None


@click.group(name="params")
def command() -> None:
    """Work with params.yaml."""


@command.command()
def check() -> None:
    """Validate params.yaml: every key known, every type right."""
    load()
    click.echo(f"{PARAMS}: ok")
