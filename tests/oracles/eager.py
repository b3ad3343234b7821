"""Attention the slow, plain way: one sample, no padding, no cache, every matrix in full."""

import numpy as np
import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

ORACLE = "oracle_eager"


def _attention(module, query, key, value, attention_mask, scaling=None, **kwargs):
    """Textbook attention in the model's dtype, keys repeated per query head."""
    repeat = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(repeat, 1), value.repeat_interleave(repeat, 1)
    scores = torch.einsum("bhqd,bhkd->bhqk", query, key) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask[..., : key.shape[2]]
    weights = torch.exp(scores - scores.amax(-1, keepdim=True))
    weights = weights / weights.sum(-1, keepdim=True)
    return torch.einsum("bhqk,bhkd->bqhd", weights, value).contiguous(), weights


AttentionInterface.register(ORACLE, _attention)
AttentionMaskInterface.register(ORACLE, eager_mask)


@torch.no_grad()
def full_attention(loaded, ids: list[int], pixels, implementation: str, prompt_length: int) -> np.ndarray:
    """[layer, head, row, key] for the rows from the last prompt token on, from one teacher-forced pass over `ids`."""
    model = loaded.model
    model.set_attn_implementation({"text_config": implementation, "vision_config": "sdpa"})
    ids = torch.tensor([ids])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if pixels is not None:
        inputs |= {"pixel_values": pixels, "token_type_ids": (ids == model.config.image_token_id).long()}
    attentions = model(**inputs, output_attentions=True, use_cache=False).attentions
    return np.stack([layer[0, :, prompt_length - 1 :].double().numpy() for layer in attentions])


@torch.no_grad()
def stock_answer(loaded, processor, messages, image, max_new_tokens: int) -> list[int]:
    """Greedy answer ids by the library's own processor and `generate`, eager attention."""
    loaded.model.set_attn_implementation({"text_config": "eager", "vision_config": "sdpa"})
    for message in messages:
        for item in message["content"]:
            if item["type"] == "image":
                item["image"] = image
    inputs = processor.apply_chat_template(
        messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    if "pixel_values" in inputs:
        inputs["pixel_values"] = inputs["pixel_values"].to(loaded.model.dtype)
    out = loaded.model.generate(**inputs, do_sample=False, max_new_tokens=max_new_tokens)
    return out[0, inputs["input_ids"].shape[1] :].tolist()
