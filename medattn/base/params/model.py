"""Which study, and what it is asked with."""

from typing import Literal

from pydantic import field_validator

from medattn.base.params.reading import Positive, Section


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


class StudyParams(Section):
    """What `medattn.study.schema.settings` resolves with the study's own defaults."""

    study: str  # its directory
    model: Model
    prompt: Prompt
