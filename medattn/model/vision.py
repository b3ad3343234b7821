"""Projected vision features of images: computed once for all that is asked about them."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from PIL import Image

from medattn.model.load import LoadedModel
from medattn.radiographs.conditions import resized

GREYS = 256
IMAGES_AT_ONCE = 8  # the vision tower sees 4096 patches per image: more at once only takes memory


def image_features(loaded: LoadedModel, images: Sequence[Image.Image]) -> torch.Tensor:
    """[image, 256, width] of PIL images."""
    return input_features(loaded, [resized(image, loaded.image_side) for image in images])


@torch.inference_mode()
def input_features(loaded: LoadedModel, inputs: Sequence[np.ndarray]) -> torch.Tensor:
    """[image, 256, width] of images uint8 [side, side, 3] at the vision tower's size."""
    parts = []
    for start in range(0, len(inputs), IMAGES_AT_ONCE):
        values = torch.from_numpy(np.stack(inputs[start : start + IMAGES_AT_ONCE])).to(loaded.device)
        parts.append(loaded.model.model.get_image_features(pixels(loaded, values), return_dict=True).pooler_output)
    return torch.cat(parts)


def pixels(loaded: LoadedModel, values: torch.Tensor) -> torch.Tensor:
    """What the processor makes of uint8 [image, side, side, 3]: [image, 3, side, side] in the model's dtype."""
    table = _table(loaded)  # [3, 256]
    channels = [table[channel].index_select(0, values[..., channel].flatten().int()) for channel in range(3)]
    return torch.stack([channel.view(values.shape[:3]) for channel in channels], dim=1)


@lru_cache(maxsize=1)
def _table(loaded: LoadedModel) -> torch.Tensor:
    """[3, 256]: the processor's value for every 8-bit value of every channel, in the model's dtype on its device.

    Asked of the processor itself, which `check_processor` has seen, so that looking values up gives its bits.
    """
    side, processor = loaded.image_side, loaded.processor.image_processor
    greys = np.resize(np.arange(GREYS, dtype=np.uint8), (side, side))
    made = processor(images=[Image.fromarray(greys).convert("RGB")], return_tensors="pt")["pixel_values"][0]
    table = made.flatten(1)[:, :GREYS]
    return table.to(loaded.model.dtype).to(loaded.device).contiguous()
