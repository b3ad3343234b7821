"""What extract reads."""

from typing import Annotated

from pydantic import Field

from medattn.base.params.model import StudyParams
from medattn.base.params.reading import Section
from medattn.base.params.run import Run


class Extract(Section):
    generated_rows: Annotated[int, Field(ge=0, le=64)]
    shards: Annotated[int, Field(ge=1, le=1000)]


class ExtractParams(StudyParams):
    extract: Extract
    run: Run
