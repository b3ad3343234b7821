"""A model's chat template, which is a program of somebody else's: run with a limit, and any failure named."""

from typing import TYPE_CHECKING

from medattn.base.errors import InputError
from medattn.model.border import border, time_limit

if TYPE_CHECKING:
    from transformers import Gemma3Processor

SECONDS = 10.0  # Gemma's own takes a millisecond
MOST_LETTERS = 1_000_000
REMEDY = "restore chat_template.jinja (or chat_template in tokenizer_config.json) of the model"


def render(processor: "Gemma3Processor", messages: list[dict]) -> str:
    """The conversation as the model's template writes it, ready for an answer.

    Raises InputError for a template that fails, does not end within SECONDS, or writes more than MOST_LETTERS.
    """
    endless = f"the model's chat template has not ended after {SECONDS:g} s: {REMEDY}"
    with border("the model's chat template fails", REMEDY), time_limit(SECONDS, endless):
        rendered = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    if not isinstance(rendered, str) or len(rendered) > MOST_LETTERS:
        raise InputError(f"the model's chat template does not write one text of at most {MOST_LETTERS:,} letters: {REMEDY}")
    return rendered
