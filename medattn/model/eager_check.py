"""What holds of the loaded model's attention itself, checked once per extraction."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from PIL import Image
from transformers import Gemma3ForConditionalGeneration

from medattn.attention.gqa import group_maps
from medattn.model.capture import use_capture
from medattn.model.decode import decode
from medattn.model.load import LoadedModel
from medattn.model.prompt import Prompt
from medattn.model.vision import input_features, pixels
from medattn.model.vision_attention import vision_attention
from medattn.radiographs.conditions import resized

# Largest difference that counts as none. Measured on weights that were trained (the phantom, and Gemma 3 with 270 million
# parameters): at most 4e-7 in float64 and float32, 0.013 in bfloat16, whose eager scores are rounded to 8 bits.
TOLERANCE = {torch.float64: 1e-4, torch.float32: 1e-4, torch.bfloat16: 0.05}
DECIMALS = 5  # differences are stored rounded up: what differs between processors is far below


@dataclass(frozen=True)
class EagerAgreement:
    """How captured maps compare with the library's eager attention."""

    difference: float  # largest of any head or group; in [0, 1], rounded up to DECIMALS
    tolerance: float
    power: float  # share of heads whose map, upside down, transposed or exchanged, would exceed the tolerance
    blind_layers: tuple[int, ...]  # layers without such a head


def cross_attention(model: torch.nn.Module) -> list[str]:
    """Names of modules that are named or marked as cross-attention; Gemma 3 has none."""
    return sorted(
        name
        for name, module in model.named_modules()
        if "cross" in name.lower() or "encoder_attn" in name or getattr(module, "is_cross_attention", False)
    )


@torch.inference_mode()
def compare_with_eager(loaded: LoadedModel, prompt: Prompt, image: Image.Image) -> EagerAgreement:
    """The row of the last prompt token against the library's eager attention, in every layer, head and key/value group.

    Both see the same ids and the same pixels: those that extract makes. Every layer of the eager pass is given what went
    into that layer of ours, so that a difference is this layer's: in bfloat16, rounding alone moves a sharp head's map in
    a later layer by a fifth otherwise. What the layer before would have given it is compared as well.
    """
    model = loaded.model
    shown = [resized(image, loaded.image_side)]
    with _keeping_inputs(model) as inputs:
        (ours,) = decode(loaded, [prompt], input_features(loaded, shown), max_new_tokens=1, generated_rows=0)
    ids = torch.from_numpy(prompt.ids)[None].to(loaded.device)
    values = pixels(loaded, torch.from_numpy(np.stack(shown)).to(loaded.device))
    model.set_attn_implementation({"text_config": "eager", "vision_config": vision_attention(model)})
    try:
        with _giving_inputs(model, inputs) as apart:
            theirs = model(
                input_ids=ids, token_type_ids=(ids == model.config.image_token_id).long(), pixel_values=values,
                output_attentions=True, use_cache=False,
            ).attentions  # fmt: skip
    finally:
        use_capture(model)
    eager = np.stack([layer[0, :, -1].double().cpu().numpy()[:, prompt.image] for layer in theirs])  # [layer, head, 256]
    captured = ours.image_weights[:, :, 0].astype(np.float64)
    return compare(captured, eager, loaded.shape["key_value_heads"], TOLERANCE[model.dtype], max(apart))


@contextmanager
def _keeping_inputs(model: Gemma3ForConditionalGeneration) -> Iterator[list[torch.Tensor]]:
    """While open, the hidden states [1, position, width] that go into each decoder layer are appended to the list."""
    inputs: list[torch.Tensor] = []

    def keep(layer: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        inputs.append(arguments[0])

    hooks = [layer.register_forward_pre_hook(keep) for layer in model.model.language_model.layers]
    try:
        yield inputs
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _giving_inputs(model: Gemma3ForConditionalGeneration, inputs: list[torch.Tensor]) -> Iterator[list[float]]:
    """While open, each decoder layer is given its tensor of `inputs`.

    The list has, per layer, how far that is from what it would have got: the mean over positions, as a share of their length.
    """
    apart: list[float] = []

    def give(number: int, layer: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        ours, theirs = inputs[number].double(), arguments[0].double()
        apart.append(float(((ours - theirs).norm(dim=-1) / theirs.norm(dim=-1)).mean()))
        return inputs[number], *arguments[1:]

    layers = model.model.language_model.layers
    hooks = [layer.register_forward_pre_hook(partial(give, number)) for number, layer in enumerate(layers)]
    try:
        yield apart
    finally:
        for hook in hooks:
            hook.remove()


def compare(captured: np.ndarray, eager: np.ndarray, groups: int, tolerance: float, apart: float = 0.0) -> EagerAgreement:
    """Weights [layer, head, token] of the image's tokens: ours against the library's; heads share keys in `groups`.

    Maps are normalised over the image before they are compared, by half the summed absolute difference (the total
    variation distance, 0 … 1), so that a head that hardly sees the image counts as much as one that sees nothing else.
    What a head gives the image in all is compared as it is. apart: how far the inputs of any layer are apart.
    """
    largest = _difference(captured, eager)
    grouped = group_maps(captured[:, :, None], groups, "mean")[:, :, 0]
    expected = eager.reshape(len(eager), groups, -1, eager.shape[-1]).mean(axis=2)
    largest = np.max([largest.max(), _difference(grouped, expected).max(), apart])
    maps = _normalised(eager)
    seen = np.min([_distance(maps, wrong) for wrong in _wrong(maps)], axis=0) > tolerance  # [layer, head]
    return EagerAgreement(
        difference=math.ceil(float(largest) * 10**DECIMALS) / 10**DECIMALS if np.isfinite(largest) else 1.0,
        tolerance=tolerance,
        power=float(seen.mean()),
        blind_layers=tuple(np.flatnonzero(~seen.any(axis=1)).tolist()),
    )


def _normalised(weights: np.ndarray) -> np.ndarray:
    """[…, token] with sum 1; all 0 where nothing falls on the image."""
    total = weights.sum(axis=-1, keepdims=True)
    return weights / np.where(total > 0, total, 1)


def _distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Total variation distance of maps […, token], […]."""
    return np.abs(one - other).sum(axis=-1) / 2


def _difference(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """[layer, head]: between the maps, or between what the image gets in all, whichever is more."""
    return np.maximum(_distance(_normalised(ours), _normalised(theirs)), np.abs(ours.sum(axis=-1) - theirs.sum(axis=-1)))


def _wrong(maps: np.ndarray) -> Iterator[np.ndarray]:
    """Maps [layer, head, token] as a mistake would leave them: upside down, transposed, of another head, of another layer."""
    layers, heads, tokens = maps.shape
    side = math.isqrt(tokens)
    grids = maps.reshape(layers, heads, side, side)
    yield grids[:, :, ::-1].reshape(maps.shape)
    yield grids.swapaxes(2, 3).reshape(maps.shape)
    if heads > 1:
        yield np.roll(maps, 1, axis=1)
    if layers > 1:
        yield np.roll(maps, 1, axis=0)
