"""What aggregate reads."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from medattn.base.params.reading import Section


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
    terms: Annotated[list[str], Field(min_length=1)] | None  # None: those of medical_terms.txt
    sink_z: Annotated[float, Field(gt=0)]
    profiles: dict[str, Profile]

    @field_validator("terms")
    @classmethod
    def _terms(cls, terms: list[str] | None) -> list[str] | None:
        for term in terms or ():
            if not term.strip() or term != term.strip().lower():
                raise ValueError(f"term {term!r} is empty, padded or not in lower case")
        if terms is not None and len(set(terms)) < len(terms):
            raise ValueError("a term is duplicated")
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


class AggregateParams(Section):
    study: str
    aggregate: Aggregate
