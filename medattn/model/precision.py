"""Make a Gemma 3 in float64 compute in float64 throughout.

The library's RMSNorm and rotary embedding work in float32 whatever the model's dtype; then the order of summation, which differs
between processors, shows up in the seventh digit. The replacements compute the same formulas in the model's own dtype.
"""

import torch
from torch import nn
from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm, Gemma3RotaryEmbedding


class FullPrecisionRMSNorm(nn.Module):
    """x / √(mean x² + eps) · (1 + weight), all in x's dtype."""

    def __init__(self, norm: Gemma3RMSNorm) -> None:
        super().__init__()
        self.eps, self.weight = norm.eps, norm.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * (1.0 + self.weight)


class FullPrecisionRotary(nn.Module):
    """cos and sin of position · frequency, [batch, position, head_dim], in x's dtype; frequencies from the configuration."""

    def __init__(self, rotary: Gemma3RotaryEmbedding) -> None:
        super().__init__()
        self.scaling = {name: getattr(rotary, f"{name}_attention_scaling") for name in rotary.layer_types}
        config = rotary.config
        head_dim = config.head_dim
        for name in rotary.layer_types:
            rope = config.rope_parameters[name]
            if rope["rope_type"] not in ("default", "linear"):
                raise ValueError(f"rope type {rope['rope_type']!r} of {name} layers has no float64 version")
            steps = torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim
            frequency = rope["rope_theta"] ** -steps / rope.get("factor", 1.0)
            self.register_buffer(f"{name}_frequency", frequency, persistent=False)

    def forward(self, x: torch.Tensor, position_ids: torch.Tensor, layer_type: str) -> tuple[torch.Tensor, torch.Tensor]:
        frequency = getattr(self, f"{layer_type}_frequency").to(device=x.device, dtype=torch.float64)
        angle = position_ids[..., None].to(torch.float64) * frequency
        angle = torch.cat((angle, angle), dim=-1)
        scaling = self.scaling[layer_type]
        return (angle.cos() * scaling).to(x.dtype), (angle.sin() * scaling).to(x.dtype)


def use_full_precision(model: nn.Module) -> None:
    """Replace every RMSNorm and rotary embedding of `model`, in place."""
    replacements = [
        (parent, name, FullPrecisionRMSNorm(child) if isinstance(child, Gemma3RMSNorm) else FullPrecisionRotary(child))
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, (Gemma3RMSNorm, Gemma3RotaryEmbedding))
    ]
    for parent, name, replacement in replacements:
        setattr(parent, name, replacement)
