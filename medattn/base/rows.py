"""Rows that know what is asked of them by name: a question as it stands in a study, and a sample of a run."""

from typing import Any


class QuestionRow(dict[str, Any]):
    """A row of questions.csv, column -> text: one variant of a question about one image."""

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


class SampleRow(QuestionRow):
    """A row of the manifest or of evaluation_results.csv: one image, variant and condition."""

    @property
    def is_clean(self) -> bool:
        """Whether the image is shown as it is."""
        return self["condition"] == "clean"

    @property
    def answered(self) -> bool:
        """Whether the sample was computed (evaluation rows only: the manifest has no status)."""
        return self["status"] != "failed"
