"""Attention weights of each forward pass's last query row, at almost no cost.

An attention function registered with transformers calls SDPA for the output and, while a recorder is active, computes
softmax(q·kᵀ·scale + mask) for the last query position alone, which during decoding gives the output as well. Nothing
of size sequence × sequence is ever built. With left padding the last position is the last prompt token during
prefill, and the token just fed during decoding.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from medattn.base.errors import InputError
from medattn.model.vision_attention import vision_attention

NAME = "medattn_last_row"


class Recorder:
    """Collects one row per layer: `row` is [layer][batch, head, key] of the latest forward pass."""

    def __init__(self) -> None:
        self.row: list[torch.Tensor] = []
        self.enabled = True

    def take(self) -> torch.Tensor:
        """The row of the latest forward pass, [batch, layer, head, key], and forget it."""
        row, self.row = self.row, []
        return torch.stack(row, dim=1)


_active: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


def last_row_weights(query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor | None, scaling: float) -> torch.Tensor:
    """Weights of the last query position, [batch, head, key], sum 1.

    query [batch, head, position, dim], key [batch, key/value head, key, dim]; mask bool or additive [batch, 1,
    position, key], or None: the last position then sees every key. float32, or float64 in a float64 model.
    """
    batch, heads, _, dim = query.shape
    groups = key.shape[1]
    dtype = torch.float64 if query.dtype == torch.float64 else torch.float32
    last = query[:, :, -1].to(dtype).mul(scaling).view(batch, groups, heads // groups, dim)
    scores = (last @ key.to(dtype).transpose(2, 3)).view(batch, heads, -1)
    if mask is not None:
        row = mask[:, :, -1, : scores.shape[-1]]
        scores = scores.masked_fill(~row, -torch.inf) if row.dtype == torch.bool else scores + row.to(dtype)
    return scores.softmax(dim=-1)


def last_row_output(weights: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Output of the last query position, [batch, 1, head, dim].

    weights [batch, head, key], value [batch, key/value head, key, dim].
    """
    batch, heads, keys = weights.shape
    grouped = weights.view(batch, value.shape[1], -1, keys)
    return (grouped @ value.to(weights.dtype)).view(batch, 1, heads, -1).to(value.dtype)


def single_query(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scaling: float
) -> torch.Tensor:
    """SDPA of one query position, [batch, 1, head, dim], without a copy of key and value for every head.

    The heads that share a key/value head go as so many queries. Shapes as in `last_row_weights`.
    """
    batch, heads, _, dim = query.shape
    folded = query.reshape(batch, key.shape[1], -1, dim)
    return scaled_dot_product_attention(folded, key, value, mask, scale=scaling).reshape(batch, 1, heads, dim)


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    recorder = _active.get()
    wanted = recorder is not None and recorder.enabled
    single = query.shape[2] == 1
    if recorder is not None and wanted:
        weights = last_row_weights(query, key, attention_mask, scaling)
        recorder.row.append(weights)
        if single:  # the row is all there is: its weights give the output, too
            return last_row_output(weights, value), None
    if single:
        return single_query(query, key, value, attention_mask, scaling), None
    return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)


# Without a mask function of the same name the mask would silently be None.
AttentionInterface.register(NAME, _attention)
AttentionMaskInterface.register(NAME, sdpa_mask)


def use_capture(model: PreTrainedModel) -> None:
    """Route the language model's attention through this module; the vision tower takes the fastest that is exact.

    Raises InputError for a model that caps its attention logits.
    """
    if getattr(model.config.text_config, "attn_logit_softcapping", None) is not None:
        raise InputError(
            "the model caps its attention logits, which capture does not reproduce: set model.id to a Gemma 3 model"
        )
    model.set_attn_implementation({"text_config": NAME, "vision_config": vision_attention(model)})


@contextmanager
def recording() -> Iterator[Recorder]:
    """While open, forward passes of this context leave their last attention row in the recorder."""
    recorder = Recorder()
    token = _active.set(recorder)
    try:
        yield recorder
    finally:
        _active.reset(token)
