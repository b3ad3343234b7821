"""The published models a study of real radiographs asks: where they are from, and how they are run. Imports nothing.

Both are gated: who fetches one accepts its terms first. A revision is the commit that was pinned, not the newest.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedModel:
    """A model's Hugging Face name and revision, and the settings a study.yaml starts with."""

    name: str
    revision: str
    dtype: str
    device: str
    system: str
    template: str
    order: str
    max_new_tokens: int


# The order is the original study's. The template asks for the two words whose logits make the answer margin: a model that
# begins with another word has no valid margin.
_ASKED = {"system": "", "template": "{question} Answer with yes or no.", "order": "question_first"}

MEDGEMMA = PublishedModel(
    "google/medgemma-4b-it", "290cda5eeccbee130f987c4ad74a59ae6f196408", "bfloat16", "auto", **_ASKED, max_new_tokens=32
)
# It may think first: the answer comes after the thought, and prompt and answer must stay within the window of 1024.
MEDGEMMA_1_5 = PublishedModel(
    "google/medgemma-1.5-4b-it", "91850547d9f0b2fdd21aa7c5f4f3d1a8a52c243b", "bfloat16", "auto", **_ASKED, max_new_tokens=640
)
PUBLISHED: dict[str, PublishedModel] = {model.name: model for model in (MEDGEMMA, MEDGEMMA_1_5)}
DEFAULT = MEDGEMMA
