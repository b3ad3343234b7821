"""The vision tower's attention over its 4096 patches on a CPU in bfloat16, a block of queries at a time.

SDPA's kernel for a CPU multiplies short blocks and takes two to three times as long; the whole matrix at once, as eager
attention has it, does not fit into any cache and takes seven times as long. The arithmetic is eager attention's.
"""

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import sdpa_mask

NAME = "medattn_query_blocks"
QUERIES = 512  # a block of scores, 512 x 4096 in bfloat16, is 4 MB


def in_blocks(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float) -> torch.Tensor:
    """softmax(q·kᵀ·scale)·v of [batch, head, position, dim], as [batch, position, head, dim]; every query sees every key."""
    batch, heads, positions, dim = query.shape
    out = query.new_empty(batch, positions, heads, dim)
    keys = key.transpose(2, 3).contiguous()
    scaled, values = (query * scaling).contiguous(), value.contiguous()
    for image in range(batch):
        for head in range(heads):
            for start in range(0, positions, QUERIES):
                scores = scaled[image, head, start : start + QUERIES] @ keys[image, head]
                out[image, start : start + QUERIES, head] = scores.softmax(dim=-1) @ values[image, head]
    return out


def _attention(
    module: torch.nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor,
    attention_mask: torch.Tensor | None, scaling: float, **kwargs: Any,
) -> tuple[torch.Tensor, None]:  # fmt: skip
    if attention_mask is not None:
        raise ValueError("the vision tower gave a mask: an image has no padding")
    return in_blocks(query, key, value, scaling), None


AttentionInterface.register(NAME, _attention)
AttentionMaskInterface.register(NAME, sdpa_mask)


def vision_attention(model: PreTrainedModel) -> str:
    """The implementation that the vision tower of `model` is to use, where it is and in its dtype."""
    return NAME if model.device.type == "cpu" and model.dtype == torch.bfloat16 else "sdpa"
