"""What figures reads."""

from typing import Annotated, Literal

from pydantic import Field

from medattn.base.params.model import StudyParams
from medattn.base.params.reading import Positive, Section
from medattn.base.params.run import Run


class Examples(Section):
    """Which samples are drawn, by rule: `n` per value of `per`, of those that `pick` admits, lowest sample_id first."""

    per: Literal["finding", "strategy"]
    pick: Literal["any", "correct", "incorrect", "flipped"]
    n: Positive


class Figures(Section):
    examples: Annotated[list[Examples], Field(min_length=1)]
    dpi: Annotated[int, Field(ge=72, le=600)]


class FiguresParams(StudyParams):
    figures: Figures
    run: Run
    limit: Positive | None  # prepare's: a limited run says so on every page
