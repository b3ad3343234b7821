"""Answer and attention the library's own way: eager attention, one sample at a time, everything materialised."""

from typing import Any, cast

import numpy as np
import torch
from PIL import Image

from medattn.model.load import LoadedModel
from medattn.model.prompt import Prompter


@torch.inference_mode()
def eager_answer(
    loaded: LoadedModel, prompter: Prompter, image: Image.Image, question: str, new_tokens: int, rows: int
) -> tuple[tuple[int, ...], np.ndarray]:
    """(answer ids, weights on the image [layer, head, row, 256]) of the rows P−1, g₁ … g_rows.

    `generate`, then a second full pass over prompt and answer to read the attention.
    """
    model, processor = cast(Any, loaded.model), cast(Any, loaded.processor)  # their types leave out what they return
    model.set_attn_implementation("eager")
    messages = prompter.messages(question, True)
    for item in messages[-1]["content"]:
        if item["type"] == "image":
            item["image"] = image
    inputs = processor.apply_chat_template(
        messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    ).to(loaded.device)
    inputs["pixel_values"] = inputs["pixel_values"].to(model.dtype)
    length = inputs["input_ids"].shape[1]
    out = model.generate(
        **inputs, do_sample=False, max_new_tokens=new_tokens, output_attentions=True, return_dict_in_generate=True
    )
    ids = out.sequences
    types = torch.cat([inputs["token_type_ids"], ids.new_zeros(1, ids.shape[1] - length)], dim=1)
    second = model(
        input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=types,
        pixel_values=inputs["pixel_values"], output_attentions=True, use_cache=False,
    )  # fmt: skip
    where = (ids[0] == model.config.image_token_id).nonzero().flatten()
    weights = torch.stack([layer[0, :, length - 1 : length + rows] for layer in second.attentions])
    return tuple(ids[0, length:].tolist()), weights[..., where].float().cpu().numpy()
