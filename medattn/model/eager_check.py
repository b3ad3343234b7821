"""What holds of the loaded model's attention itself, checked once per extraction."""

import numpy as np
import torch
from PIL import Image

from medattn.attention.gqa import group_maps
from medattn.model.capture import use_capture
from medattn.model.decode import decode
from medattn.model.load import LoadedModel
from medattn.model.prompt import Prompt
from medattn.model.vision import image_features
from medattn.model.vision_attention import vision_attention

# Largest difference between captured weights and the library's eager ones that counts as none: half the summed absolute
# difference over the image's tokens, so that diffuse heads count as much as sharp ones. Eager attention takes its
# softmax in float32 and gives it in the model's dtype.
TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-4, torch.bfloat16: 2e-2}


def cross_attention(model: torch.nn.Module) -> list[str]:
    """Names of modules that are named or marked as cross-attention; Gemma 3 has none."""
    return sorted(
        name
        for name, module in model.named_modules()
        if "cross" in name.lower() or "encoder_attn" in name or getattr(module, "is_cross_attention", False)
    )


@torch.inference_mode()
def agrees_with_eager(loaded: LoadedModel, prompt: Prompt, image: Image.Image) -> bool:
    """True if the row of the last prompt token equals the library's eager attention, per head and per key/value group.

    Compared on the image's tokens in every layer, within TOLERANCE. Groups: the mean over the heads that share keys
    and values.
    """
    model = loaded.model
    features = image_features(loaded, [image])
    (ours,) = decode(loaded, [prompt], features, max_new_tokens=1, generated_rows=0)
    ids = torch.from_numpy(prompt.ids)[None].to(loaded.device)
    pixels = loaded.processor.image_processor(images=[image], return_tensors="pt")["pixel_values"]
    model.set_attn_implementation({"text_config": "eager", "vision_config": vision_attention(model)})
    try:
        theirs = model(
            input_ids=ids, token_type_ids=(ids == model.config.image_token_id).long(),
            pixel_values=pixels.to(loaded.device, model.dtype), output_attentions=True, use_cache=False,
        ).attentions  # fmt: skip
    finally:
        use_capture(model)
    heads = np.stack([layer[0, :, -1].double().cpu().numpy()[:, prompt.image] for layer in theirs])  # [layer, head, 256]
    captured = ours.image_weights[:, :, 0].astype(np.float64)
    shared = loaded.shape["key_value_heads"]
    groups = heads.reshape(len(heads), shared, -1, heads.shape[-1]).mean(axis=2)
    captured_groups = group_maps(captured[:, :, None], shared, "mean")[:, :, 0]
    largest = max(
        np.abs(ours - theirs).sum(axis=-1).max() / 2 for ours, theirs in ((captured, heads), (captured_groups, groups))
    )
    return bool(largest <= TOLERANCE[model.dtype])
