"""What describe reads."""

from medattn.base.params.model import StudyParams
from medattn.base.params.reading import Positive


class DescribeParams(StudyParams):
    limit: Positive | None  # prepare's: a limited run is described as one
