"""Prompts as the model's own chat template makes them, with the place of every part."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from medattn.base.errors import InputError
from medattn.model.template import REMEDY, render

if TYPE_CHECKING:
    from transformers import Gemma3Processor, PreTrainedTokenizerBase

QUESTION_SLOT = "{question}"
KEPT = 4096  # prompts, 2 KB each
MARK = "\ue000question\ue001"  # in Unicode's private use area: no question holds it (study check, ask)


@dataclass(frozen=True)
class PromptSettings:
    """system: text before the user's turn ("" for none). template: the user's text, with {question} once.

    order: question_first | image_first.
    """

    system: str
    template: str
    order: str

    def __post_init__(self) -> None:
        if self.template.count(QUESTION_SLOT) != 1:
            raise InputError(f"prompt.template is {self.template!r}: it must hold {QUESTION_SLOT} exactly once")
        if self.order not in ("question_first", "image_first"):
            raise InputError(f"prompt.order is {self.order!r}: expected question_first or image_first")


@dataclass(frozen=True)
class Prompt:
    """Token ids of one prompt, and which of them are what (positions count from the first token, no padding)."""

    question: str
    ids: np.ndarray  # int64 [token]
    image: np.ndarray  # int64 [256] positions of the image tokens; [0] without an image
    question_tokens: np.ndarray  # int64 [question token] positions
    offsets: tuple[tuple[int, int], ...]  # [start, end) characters of the question per question token

    def __len__(self) -> int:
        return len(self.ids)


class Prompter:
    """Makes prompts for one processor. `image_token_id` is the model configuration's; `image_tokens` per image."""

    def __init__(self, processor: "Gemma3Processor", settings: PromptSettings, image_token_id: int, image_tokens: int) -> None:
        self.processor, self.settings = processor, settings
        self.image_token_id, self.image_tokens = image_token_id, image_tokens
        self._made = lru_cache(KEPT)(self._make)
        self._frames: dict[bool, tuple[str, str]] = {}
        added = processor.tokenizer.get_added_vocab()
        self._control_tokens = sorted(token for token in added if token.strip())  # Gemma's runs of line breaks are text

    def messages(self, question: str, with_image: bool) -> list[dict]:
        """The conversation handed to the chat template."""
        text = {"type": "text", "text": self.settings.template.replace(QUESTION_SLOT, question)}
        image = [{"type": "image"}] if with_image else []
        content = [text, *image] if self.settings.order == "question_first" else [*image, text]
        turns = [{"role": "user", "content": content}]
        if self.settings.system:
            turns.insert(0, {"role": "system", "content": [{"type": "text", "text": self.settings.system}]})
        return turns

    def __call__(self, question: str, with_image: bool = True) -> Prompt:
        """Prompt for one variant, which is often asked of many images.

        Raises InputError for a question that is empty or holds a control token, a chat template that fails or does not write
        the question as it is, once, and if the image tokens are not exactly where one image's belong.
        """
        return self._made(question, with_image)

    def _make(self, question: str, with_image: bool) -> Prompt:
        text = question.strip()
        self._check_text(text)
        before, behind = self._around(with_image)
        rendered = render(self.processor, self.messages(text, with_image))
        if rendered != before + text + behind:
            raise InputError(f"question {question!r} is changed by the model's chat template: {REMEDY}")
        before, behind = (
            part.replace(self.processor.boi_token, self.processor.full_image_sequence) for part in (before, behind)
        )
        encoded = self.processor.tokenizer(before + text + behind, add_special_tokens=False, return_offsets_mapping=True)
        ids = np.asarray(encoded["input_ids"], dtype=np.int64)
        image = np.flatnonzero(ids == self.image_token_id)
        expected = self.image_tokens if with_image else 0
        if len(image) != expected or (expected and image[-1] - image[0] != expected - 1):
            raise InputError(
                f"question {question!r} gives a prompt with {len(image)} image tokens, expected {expected} in one run: remove"
                f" image tokens from the system text and the template of the prompt; or {REMEDY}"
            )
        start, end = len(before), len(before) + len(text)
        spans = encoded["offset_mapping"]
        tokens = [i for i, (first, last) in enumerate(spans) if first < end and last > start]
        offsets = tuple((max(spans[i][0], start) - start, min(spans[i][1], end) - start) for i in tokens)
        return Prompt(question, ids, image, np.asarray(tokens, dtype=np.int64), offsets)

    def _check_text(self, text: str) -> None:
        """A control token in a question would change the conversation around it."""
        if not text:
            raise InputError("the question is empty: write one")
        for token in self._control_tokens:
            if token in text:
                raise InputError(f"question {text!r} holds {token!r}, which the model reads as a control token: remove it")

    def _around(self, with_image: bool) -> tuple[str, str]:
        """What the template writes before and behind the question, whose place a mark that nobody writes shows."""
        if with_image not in self._frames:
            parts = render(self.processor, self.messages(MARK, with_image)).split(MARK)
            if len(parts) != 2:
                raise InputError(
                    f"the model's chat template writes the question {len(parts) - 1} times, expected once: {REMEDY}"
                )
            self._frames[with_image] = (parts[0], parts[1])
        return self._frames[with_image]


def answer_forms(tokenizer: "PreTrainedTokenizerBase") -> tuple[list[int], list[int]]:
    """Ids of the single tokens that spell yes and no: {Yes, yes, YES} with and without a leading space, likewise no.

    Raises InputError if the tokenizer has none for one of the two.
    """

    def single(forms: tuple[str, ...]) -> list[int]:
        encoded = (tokenizer.encode(space + form, add_special_tokens=False) for form in forms for space in ("", " "))
        return sorted({ids[0] for ids in encoded if len(ids) == 1})

    yes, no = single(("Yes", "yes", "YES")), single(("No", "no", "NO"))
    if not yes or not no:
        raise InputError("the tokenizer has no single token for yes or for no: the answer margin is undefined")
    return yes, no
