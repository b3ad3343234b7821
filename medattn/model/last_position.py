"""The last decoder layer, computed at the last position only: nothing reads what it makes of the others."""

from typing import Any

import torch
from torch import nn
from transformers import Cache
from transformers.models.gemma3.modeling_gemma3 import (
    Gemma3DecoderLayer,
    Gemma3ForConditionalGeneration,
    apply_rotary_pos_emb,
)


class LastPositionLayer(nn.Module):
    """A Gemma 3 decoder layer that, with a cache, returns [batch, 1, width] for the last position.

    Earlier positions leave their keys and values in the cache and go no further.
    """

    def __init__(self, layer: Gemma3DecoderLayer) -> None:
        super().__init__()
        self.layer = layer

    def forward(
        self,
        hidden_states: torch.Tensor,
        *,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        attention_mask: torch.Tensor,
        position_ids: torch.Tensor,
        past_key_values: Cache | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """hidden_states [batch, position, width] -> the same shape, or [batch, 1, width] where a cache is being filled."""
        if past_key_values is not None and hidden_states.shape[1] > 1:
            attention = self.layer.self_attn
            earlier = self.layer.input_layernorm(hidden_states[:, :-1])
            shape = (*earlier.shape[:2], -1, attention.head_dim)
            keys = attention.k_norm(attention.k_proj(earlier).view(shape).transpose(1, 2))
            values = attention.v_proj(earlier).view(shape).transpose(1, 2)
            cos, sin = position_embeddings
            _, keys = apply_rotary_pos_emb(keys, keys, cos[:, :-1], sin[:, :-1])
            past_key_values.update(keys, values, attention.layer_idx)
            hidden_states, position_embeddings = hidden_states[:, -1:], (cos[:, -1:], sin[:, -1:])
            attention_mask, position_ids = attention_mask[:, :, -1:], position_ids[:, -1:]
        return self.layer(
            hidden_states, position_embeddings=position_embeddings, attention_mask=attention_mask,
            position_ids=position_ids, past_key_values=past_key_values, **kwargs,
        )  # fmt: skip


def use_last_position(model: Gemma3ForConditionalGeneration) -> None:
    """Wrap the last decoder layer of `model`, in place."""
    layers = model.model.language_model.layers
    if not isinstance(layers[-1], LastPositionLayer):
        layers[-1] = LastPositionLayer(layers[-1])
