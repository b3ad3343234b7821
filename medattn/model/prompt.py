"""Prompts as the model's own chat template makes them, with the place of every part."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from medattn.base.errors import InputError

if TYPE_CHECKING:
    from transformers import Gemma3Processor, PreTrainedTokenizerBase

QUESTION_SLOT = "{question}"
KEPT = 4096  # prompts, 2 KB each


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

        Raises InputError if the image tokens are not exactly where one image's belong.
        """
        return self._made(question, with_image)

    def _make(self, question: str, with_image: bool) -> Prompt:
        rendered = self.processor.apply_chat_template(
            self.messages(question, with_image), tokenize=False, add_generation_prompt=True
        )
        user_text = self.settings.template.replace(QUESTION_SLOT, question).strip()
        # The template puts nothing but the image and the turn's end behind the user's text, so the last one is it.
        start = rendered.rfind(user_text)
        if start < 0 or not question.strip():
            raise InputError(f"question {question!r} does not appear in the rendered prompt: is it empty or padded?")
        start += user_text.find(question.strip(), len(self.settings.template.split(QUESTION_SLOT)[0].lstrip()))
        end = start + len(question.strip())
        begin_of_image = self.processor.boi_token
        expanded = self.processor.full_image_sequence
        at = rendered.find(begin_of_image)
        if with_image and 0 <= at < start:
            start, end = start + len(expanded) - len(begin_of_image), end + len(expanded) - len(begin_of_image)
        rendered = rendered.replace(begin_of_image, expanded)
        encoded = self.processor.tokenizer(rendered, add_special_tokens=False, return_offsets_mapping=True)
        ids = np.asarray(encoded["input_ids"], dtype=np.int64)
        image = np.flatnonzero(ids == self.image_token_id)
        expected = self.image_tokens if with_image else 0
        if len(image) != expected or (expected and image[-1] - image[0] != expected - 1):
            raise InputError(
                f"question {question!r} gives a prompt with {len(image)} image tokens, expected {expected} in one run: "
                "remove image tokens from the question, the system text and the template"
            )
        spans = encoded["offset_mapping"]
        tokens = [i for i, (first, last) in enumerate(spans) if first < end and last > start]
        offsets = tuple((max(spans[i][0], start) - start, min(spans[i][1], end) - start) for i in tokens)
        return Prompt(question, ids, image, np.asarray(tokens, dtype=np.int64), offsets)


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
