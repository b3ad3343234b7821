"""Make a Gemma 3 compute in its own dtype throughout.

The library's RMSNorm and rotary embedding work in float32 whatever the model's dtype. In a float64 model the order of
summation, which differs between processors, then shows up in the seventh digit. The replacements compute the same
formulas in the model's own dtype; the norm passes over its input fewer times and takes a quarter of the library's time.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional
from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm, Gemma3RotaryEmbedding

from medattn.base.errors import InputError


class FullPrecisionRMSNorm(nn.Module):
    """x / √(mean x² + eps) · (1 + weight), all in x's dtype."""

    factor: torch.Tensor  # 1 + weight
    epsilon: torch.Tensor

    def __init__(self, norm: Gemma3RMSNorm) -> None:
        super().__init__()
        self.eps, self.weight = norm.eps, norm.weight
        self.register_buffer("factor", 1.0 + norm.weight.detach(), persistent=False)
        self.register_buffer("epsilon", torch.full_like(norm.weight[0].detach(), norm.eps), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [..., width] -> the same shape and dtype."""
        if x.is_cuda:  # one fused kernel there, five passes elsewhere
            return functional.rms_norm(x, (x.shape[-1],), self.factor, self.eps)
        size = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return (x * torch.addcmul(self.epsilon, size, size, value=1 / x.shape[-1]).rsqrt_()).mul_(self.factor)


class FullPrecisionRotary(nn.Module):
    """cos and sin of position · frequency, [batch, position, head_dim], in x's dtype; frequencies from the configuration."""

    def __init__(self, rotary: Gemma3RotaryEmbedding) -> None:
        """Raises InputError for a rope type that has no version in float64."""
        super().__init__()
        self.scaling = {name: getattr(rotary, f"{name}_attention_scaling") for name in rotary.layer_types}
        config = rotary.config
        head_dim = config.head_dim
        parameters = cast(dict[str, dict[str, Any]], config.rope_parameters)
        for name in rotary.layer_types:
            rope = parameters[name]
            if rope["rope_type"] not in ("default", "linear"):
                raise InputError(
                    f"rope type {rope['rope_type']!r} of {name} layers has no float64 version: set model.dtype to float32 or"
                    " bfloat16"
                )
            steps = torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim
            frequency = rope["rope_theta"] ** -steps / rope.get("factor", 1.0)
            self.register_buffer(f"{name}_frequency", frequency, persistent=False)

    def forward(self, x: torch.Tensor, position_ids: torch.Tensor, layer_type: str) -> tuple[torch.Tensor, torch.Tensor]:
        """(cos, sin), [batch, position, head_dim] each, of position_ids [batch, position]."""
        frequency = getattr(self, f"{layer_type}_frequency").to(device=x.device, dtype=torch.float64)
        angle = position_ids[..., None].to(torch.float64) * frequency
        angle = torch.cat((angle, angle), dim=-1)
        scaling = self.scaling[layer_type]
        return (angle.cos() * scaling).to(x.dtype), (angle.sin() * scaling).to(x.dtype)


def use_full_precision(model: nn.Module) -> None:
    """Replace every RMSNorm and, in a float64 model, the rotary embedding of a float32 or float64 `model`, in place."""
    own: dict[type[nn.Module], Callable[[Any], nn.Module]] = {Gemma3RMSNorm: FullPrecisionRMSNorm}
    if model.dtype == torch.float64:
        own[Gemma3RotaryEmbedding] = FullPrecisionRotary
    found = [(parent, name, child) for parent in model.modules() for name, child in parent.named_children()]
    for parent, name, child in found:
        if type(child) in own:
            setattr(parent, name, own[type(child)](child))
