"""What is done to the images."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from medattn.base.params.reading import Section


class Condition(Section):
    """Something done to the image, and for which variants it is asked."""

    variants: Literal["all", "baseline"]

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
            raise ValueError("a strength is duplicated, or is 0 (which is the clean image)")
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
        if clean.variants != "all":
            raise ValueError("clean must be asked with variants: all — everything else is compared with it")
        return clean

    def asked(self) -> dict[str, Condition]:
        """name -> condition, those that are not null."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}
