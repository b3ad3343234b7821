"""Rows that know what is asked of them by name: a question as it stands in a study, and a sample of a run."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self


class AsksOneQuestion:
    """What a row with the columns of questions.csv says of itself, however it is held."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __getitem__(self, name: str, /) -> Any: ...

    @property
    def is_baseline(self) -> bool:
        """Whether it is the baseline variant, which every other one rewords."""
        return int(self["variant_index"]) == 0

    @property
    def is_control(self) -> bool:
        """Whether it asks about another finding only to compare attention: outside every accuracy and flip."""
        return self["role"] == "control"

    @property
    def is_study(self) -> bool:
        """Whether the study is about it."""
        return self["role"] == "study"


class IsOneSample(AsksOneQuestion):
    """What a row with the columns of the manifest or of evaluation_results.csv says of itself, however it is held."""

    __slots__ = ()

    @property
    def is_clean(self) -> bool:
        """Whether the image is shown as it is."""
        return self["condition"] == "clean"

    @property
    def is_rotated(self) -> bool:
        """Whether the image is turned, by `strength` degrees."""
        return self["condition"] == "rotation"

    @property
    def setting(self) -> tuple[str, str]:
        """Its condition and that one's strength, "" where it has none."""
        return self["condition"], self["strength"] or ""

    @property
    def variant(self) -> tuple[str, int]:
        """Its question and variant, whatever the condition."""
        return self["question_id"], int(self["variant_index"])

    @property
    def answered(self) -> bool:
        """Whether the sample was computed (evaluation rows only: the manifest has no status)."""
        return self["status"] != "failed"


class QuestionRow(dict[str, Any], AsksOneQuestion):
    """A row of questions.csv, column -> text: one variant of a question about one image."""

    def __or__(self, other: Mapping[str, Any]) -> Self:  # type: ignore[override]  # that of dict returns a plain dict
        return type(self)({**self, **other})


class SampleRow(QuestionRow, IsOneSample):
    """A row of the manifest or of evaluation_results.csv: one image, variant and condition."""
