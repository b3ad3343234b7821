"""Is a model's processor one whose steps we take ourselves? Checked once, when it is loaded."""

from typing import cast

import numpy as np
from PIL import Image
from transformers import (
    Gemma3Config,
    Gemma3Processor,
    Gemma3TextConfig,
    GenerationConfig,
    PreTrainedTokenizerBase,
    SiglipVisionConfig,
)

from medattn.base.errors import InputError
from medattn.model.prompt import answer_forms
from medattn.study.model_config import IMAGE_TOKENS

STEPS = ("do_resize", "do_rescale", "do_normalize")
LARGEST = 100.0  # of a pixel as the vision tower sees it; Gemma 3's lie between -1 and 1


def check_processor(processor: object, config: Gemma3Config) -> Gemma3Processor:
    """The processor, if it is Gemma 3's and shows the vision tower one image of its size as IMAGE_TOKENS tokens.

    Raises InputError naming file, key, value and remedy.
    """
    if not isinstance(processor, Gemma3Processor):
        raise InputError(
            f"processor_config.json: processor_class is {type(processor).__name__}, expected Gemma3Processor: restore it"
        )
    _check_images(processor, cast(int, cast(SiglipVisionConfig, config.vision_config).image_size))
    if processor.chat_template is None:  # older models keep it with the tokenizer
        processor.chat_template = processor.tokenizer.chat_template
    if processor.chat_template is None:
        raise InputError("the model has no chat template: restore chat_template.jinja")
    _check_tokenizer(processor.tokenizer, cast(Gemma3TextConfig, config.text_config).vocab_size)
    ids = processor.tokenizer(processor.full_image_sequence, add_special_tokens=False)["input_ids"]
    if (count := list(ids).count(config.image_token_id)) != IMAGE_TOKENS:
        raise InputError(
            f"tokenizer.json makes {count} tokens of id {config.image_token_id} (image_token_index of config.json) of an image,"
            f" expected {IMAGE_TOKENS}: restore both"
        )
    return processor


def _check_images(processor: Gemma3Processor, side: int) -> None:
    steps = processor.image_processor
    where = "processor_config.json (or preprocessor_config.json)"
    if steps.do_pan_and_scan:
        raise InputError(f"{where}: do_pan_and_scan is true, and cuts an image into several: set it to false")
    for name in STEPS:
        if not getattr(steps, name):
            raise InputError(f"{where}: {name} is {getattr(steps, name)!r}, expected true: restore it")
    height, width = steps.size["height"], steps.size["width"]
    if steps.resample != Image.Resampling.BILINEAR or (height, width) != (side, side):
        raise InputError(
            f"{where}: images are resized to {height} x {width} with filter {steps.resample}, expected {side} x {side},"
            " bilinear (2), as the vision tower of config.json has it: restore it"
        )
    values = steps(images=[Image.new("RGB", (side, side), shade) for shade in ("black", "white")], return_tensors="np")
    pixels = np.asarray(values["pixel_values"])
    if pixels.shape != (2, 3, side, side) or not np.isfinite(pixels).all() or np.abs(pixels).max() > LARGEST:
        raise InputError(
            f"{where}: rescale_factor {steps.rescale_factor}, image_mean {steps.image_mean} and image_std {steps.image_std}"
            f" do not make an image of numbers within {LARGEST:g}: restore it"
        )
    if not (pixels[0] < pixels[1]).all():
        raise InputError(f"{where}: image_std is {steps.image_std}, which leaves white no brighter than black: restore it")


def _check_tokenizer(tokenizer: PreTrainedTokenizerBase, vocabulary: int) -> None:
    if not tokenizer.is_fast:
        raise InputError("tokenizer.json is not of a fast tokenizer, which says where every token stands: restore it")
    token, largest = max(tokenizer.get_vocab().items(), key=lambda item: item[1])
    if largest >= vocabulary:
        raise InputError(
            f"tokenizer.json: {token!r} has id {largest}, but the model's embedding {vocabulary} tokens (text_config.vocab_size"
            " of config.json): restore both"
        )
    answer_forms(tokenizer)


def check_ends(generation: GenerationConfig | None, vocabulary: int) -> None:
    """Raise InputError unless generation_config.json, or config.json without it, names tokens that end an answer."""
    ends = generation.eos_token_id if generation is not None else None
    ids = ends if isinstance(ends, (list, tuple)) else [ends]
    if not ids or not all(isinstance(one, int) and 0 <= one < vocabulary for one in ids):
        raise InputError(
            f"generation_config.json: eos_token_id is {ends!r}, expected one or more ids below {vocabulary}: restore it, or"
            " eos_token_id of config.json"
        )
