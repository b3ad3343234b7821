"""MedGemma-4b's real shape without its weights: configuration, token ids and image steps as published, weights random.

The weights are gated. What does not depend on what they learned (layout, positions, masks, memory, time, bfloat16) can
be tested and measured without them.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from tqdm import tqdm
from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3Processor, GemmaTokenizer, GenerationConfig
from transformers.initialization import no_init_weights
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm

from medattn.base.seeding import digest_of
from medattn.phantom.shape import CHAT_TEMPLATE

LAYERS, VISION_LAYERS = 34, 27
IMAGE_SIZE = 896

# The shape of google/gemma-3-4b-it, which MedGemma-4b shares. What its config.json leaves to the library's defaults stands
# here, too, so that no default decides. The file itself is gated: compared with the public description in vlm_config.json of
# simaai/gemma-3-4b-it-a16w4; token ids are those that other public Gemma 3 configurations have.
PUBLISHED: dict[str, Any] = {
    "architectures": ["Gemma3ForConditionalGeneration"],
    "boi_token_index": 255999,
    "eoi_token_index": 256000,
    "eos_token_id": [1, 106],
    "image_token_index": 262144,
    "initializer_range": 0.02,
    "mm_tokens_per_image": 256,
    "model_type": "gemma3",
    "text_config": {
        "attention_bias": False,
        "attention_dropout": 0.0,
        "attn_logit_softcapping": None,
        "bos_token_id": 2,
        "eos_token_id": [1, 106],
        "final_logit_softcapping": None,
        "head_dim": 256,
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": 2560,
        "initializer_range": 0.02,
        "intermediate_size": 10240,
        "max_position_embeddings": 131072,
        "model_type": "gemma3_text",
        "num_attention_heads": 8,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": 4,
        "pad_token_id": 0,
        "query_pre_attn_scalar": 256,
        "rms_norm_eps": 1e-06,
        "rope_local_base_freq": 10000.0,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "rope_theta": 1000000.0,
        "sliding_window": 1024,
        "sliding_window_pattern": 6,
        "tie_word_embeddings": True,
        "vocab_size": 262208,
    },
    "vision_config": {
        "attention_dropout": 0.0,
        "hidden_act": "gelu_pytorch_tanh",
        "hidden_size": 1152,
        "image_size": IMAGE_SIZE,
        "intermediate_size": 4304,
        "layer_norm_eps": 1e-06,
        "model_type": "siglip_vision_model",
        "num_attention_heads": 16,
        "num_channels": 3,
        "num_hidden_layers": VISION_LAYERS,
        "patch_size": 14,
        "vision_use_head": False,
    },
}

# Gemma 3's vocabulary: id of the first token of every run. Between the learned tokens and the image tokens, and behind
# those, it holds unused ones; we have fewer learned tokens and so more unused ones.
CONTROL = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "[multimodal]")
FIRST_UNUSED, FIRST_TURN, FIRST_NEWLINES, FIRST_BYTE = 6, 105, 107, 238
NEWLINES = ("\n", "\n\n", "\n\n\n", "\n\n\n\n")
EARLY_UNUSED = FIRST_TURN - FIRST_UNUSED  # <unused0> … <unused98>; 94 and 95 enclose MedGemma 1.5's thought


def config(layers: int = LAYERS, vision_layers: int = VISION_LAYERS) -> Gemma3Config:
    """MedGemma-4b's configuration, or the same at a smaller depth."""
    text = PUBLISHED["text_config"] | {"num_hidden_layers": layers}
    vision = PUBLISHED["vision_config"] | {"num_hidden_layers": vision_layers}
    return Gemma3Config.from_dict(PUBLISHED | {"text_config": text, "vision_config": vision})


def _vocabulary(learned: list[str]) -> dict[str, int]:
    """Token -> id for all ids 0 … 262144: the special ones at Gemma's own places, `learned` behind the bytes."""
    at = dict(enumerate(CONTROL))
    at |= {FIRST_TURN: "<start_of_turn>", FIRST_TURN + 1: "<end_of_turn>"}
    at |= {FIRST_NEWLINES + number: token for number, token in enumerate(NEWLINES)}
    at |= {FIRST_BYTE + byte: f"<0x{byte:02X}>" for byte in range(256)}
    at |= {FIRST_BYTE + 256 + number: token for number, token in enumerate(learned)}
    image = [PUBLISHED[f"{name}_token_index"] for name in ("boi", "eoi", "image")]
    at |= dict(zip(image, ("<start_of_image>", "<end_of_image>", "<image_soft_token>"), strict=True))
    free = (index for index in range(image[-1] + 1) if index not in at)
    at |= {index: f"<unused{number}>" for number, index in enumerate(list(free))}
    return {token: index for index, token in sorted(at.items())}


def make_tokenizer(small: GemmaTokenizer) -> GemmaTokenizer:
    """A tokenizer with Gemma's ids for every special token, that cuts text as the phantom's (`small`) does.

    What `small` has not learned is encoded byte by byte, as Gemma does. Gemma's own merges come with the gated weights,
    so the ids of ordinary text are not Gemma's.
    """
    model = json.loads(small.backend_tokenizer.to_str())["model"]
    ordered = sorted(model["vocab"], key=model["vocab"].get)
    learned = [token for token in ordered if token.strip("\n") and not re.fullmatch(r"<\w+>", token)]
    tokenizer = GemmaTokenizer(
        vocab=_vocabulary(learned),
        merges=[tuple(pair) for pair in model["merges"]],  # type: ignore[misc]  # pairs, whatever the library's type says
        extra_special_tokens={
            "boi_token": "<start_of_image>",
            "eoi_token": "<end_of_image>",
            "image_token": "<image_soft_token>",
            "sot_token": "<start_of_turn>",
            "eot_token": "<end_of_turn>",
        },
        padding_side="left",
    )
    tokenizer.add_tokens([*NEWLINES, *(f"<unused{number}>" for number in range(EARLY_UNUSED))])
    tokenizer.add_bos_token = True  # type: ignore[misc]  # has a setter that mypy does not see
    return tokenizer


def make_processor(tokenizer: GemmaTokenizer) -> Gemma3Processor:
    """MedGemma's image steps: 896 x 896 whatever the aspect, bilinear, mean = std = 0.5, no pan-and-scan."""
    image_processor = Gemma3ImageProcessorPil(
        size={"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
        do_pan_and_scan=False,
    )
    return Gemma3Processor(image_processor, tokenizer, chat_template=CHAT_TEMPLATE, image_seq_length=256)


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def draw(tensor: torch.Tensor, deviation: float, seed: int, name: str) -> None:
    """Fill a tensor [...] with 255 equally likely, equally spaced values of mean 0 and this deviation; in place, no copy.

    The stream is named by seed and tensor. Integers are drawn: bfloat16's own uniform numbers have a bias.
    """
    stream = torch.Generator().manual_seed(digest_of("medgemma shape", seed, name) % 2**63)
    tensor.random_(-127, 128, generator=stream).mul_(deviation / ((255**2 - 1) / 12) ** 0.5)


def make_model(
    layers: int = LAYERS, vision_layers: int = VISION_LAYERS, seed: int = 0, dtype: torch.dtype = torch.bfloat16
) -> Gemma3ForConditionalGeneration:
    """A model of this shape with random weights, made in `dtype` at once: at full depth 8.6 GB in bfloat16.

    Weights have the configuration's standard deviation (0.02), so that every product keeps the scale of what goes in;
    norms are neutral, biases zero.
    """
    with _default_dtype(dtype), no_init_weights():
        model = Gemma3ForConditionalGeneration(config(layers, vision_layers))
    model.tie_weights()
    parameters = dict(model.named_parameters())
    size = sum(tensor.nbytes for tensor in parameters.values())
    neutral = {}  # the language model's RMSNorm multiplies by 1 + weight
    for module in model.modules():
        if isinstance(module, (torch.nn.LayerNorm, Gemma3RMSNorm)):
            neutral[module.weight] = 0.0 if isinstance(module, Gemma3RMSNorm) else 1.0
    with torch.no_grad(), tqdm(total=size, desc="draw weights", unit="B", unit_scale=True) as progress:
        for name, tensor in parameters.items():
            if tensor in neutral or name.endswith("bias"):
                tensor.fill_(neutral.get(tensor, 0.0))
            else:
                draw(tensor, cast(float, model.config.initializer_range), seed, name)
            progress.update(tensor.nbytes)
    model.generation_config = GenerationConfig(do_sample=False, bos_token_id=2, eos_token_id=[1, 106], pad_token_id=0)
    return model.eval()
