"""Load a Gemma 3 vision-language model and its processor from local files, ready for capture."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
    Gemma3ForConditionalGeneration,
    Gemma3Processor,
    Gemma3TextConfig,
    SiglipVisionConfig,
)
from transformers.utils import logging as reports

from medattn.base.errors import InputError
from medattn.base.json_files import read_object
from medattn.base.seeding import generator
from medattn.model.allocator import keep_freed_memory
from medattn.model.border import border
from medattn.model.capture import use_capture
from medattn.model.last_position import use_last_position
from medattn.model.precision import use_full_precision
from medattn.model.processing import check_ends, check_processor
from medattn.model.prompt import Prompter, PromptSettings
from medattn.model.weights import check_weights
from medattn.study.model_config import IMAGE_TOKENS, check_config
from medattn.study.model_files import CONFIG, PROCESSOR, local_directory

DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}
LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
SEQUENCE = "image_seq_length"  # of tokens: the processor writes as many, however many they are
SETTINGS = (*PROCESSOR, "generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


@dataclass(frozen=True)
class LoadedModel:
    """A model in evaluation mode whose attention is captured, and its processor."""

    model: Gemma3ForConditionalGeneration
    processor: Gemma3Processor
    device: torch.device

    @property
    def text_config(self) -> Gemma3TextConfig:
        return cast(Gemma3TextConfig, self.model.config.text_config)

    @property
    def shape(self) -> dict[str, int]:
        """Layers, heads, key/value heads and image tokens."""
        text = self.text_config
        return {
            "layers": text.num_hidden_layers,
            "heads": text.num_attention_heads,
            "key_value_heads": text.num_key_value_heads,
            "image_tokens": cast(int, self.model.config.mm_tokens_per_image),
        }

    def prompter(self, settings: PromptSettings) -> Prompter:
        """What makes this model's prompts."""
        return Prompter(self.processor, settings, cast(int, self.model.config.image_token_id), self.shape["image_tokens"])

    @property
    def image_side(self) -> int:
        """Pixels along each side of the image that the vision tower sees."""
        return cast(int, cast(SiglipVisionConfig, self.model.config.vision_config).image_size)


def choose_device(name: str) -> torch.device:
    """cpu, cuda, or auto: a CUDA device where there is one; of several processes on a machine each takes another.

    Raises InputError where there is no CUDA device, but one is asked for.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device is cuda, but torch sees no CUDA device: set model.device to cpu, or install a driver")
    if name == "cuda":
        name = f"cuda:{int(os.environ.get('LOCAL_RANK', 0)) % torch.cuda.device_count()}"
    return torch.device(name)


def prepare_model(model: Gemma3ForConditionalGeneration, device: torch.device) -> Gemma3ForConditionalGeneration:
    """Evaluation mode, capture in place, float32 and float64 throughout their own dtype, on `device`.

    Raises InputError for a model that cannot be captured: of another type, or with other than 256 image tokens.
    """
    if model.config.model_type != "gemma3":
        raise InputError(f"the model's type is {model.config.model_type!r}: only gemma3 models can be captured")
    if model.config.mm_tokens_per_image != IMAGE_TOKENS:
        raise InputError(
            f"the model has {model.config.mm_tokens_per_image} image tokens, expected {IMAGE_TOKENS} (a 16 x 16 grid)"
        )
    if device.type == "cpu":
        keep_freed_memory()
    model = model.eval().to(device)
    if model.dtype in (torch.float32, torch.float64):  # bfloat16 sums in float32 as the library does
        use_full_precision(model)
    use_last_position(model)
    use_capture(model)
    return model


def redraw_language(model: Gemma3ForConditionalGeneration, seed: int) -> None:
    """Replace the language model's weights by random ones, in place: each tensor's own values in random order.

    So every layer keeps its scale and nothing that was learned; the vision tower and its projection stay as they are.
    The streams are named by seed and tensor, so the same seed gives the same model everywhere.
    """
    with torch.no_grad():
        for name, tensor in sorted(model.model.language_model.named_parameters()):
            order = torch.from_numpy(generator("redraw language", seed, name).permutation(tensor.numel()))
            tensor.copy_(tensor.flatten()[order.to(tensor.device)].view_as(tensor))


def load(
    location: str | Path, dtype: str, device: str, revision: str | None = None, redraw_seed: int | None = None
) -> LoadedModel:
    """Load from a local directory or, by name, from the local Hugging Face cache; no network, no remote code.

    redraw_seed: see `redraw_language`; None keeps the weights. Raises InputError for a model that is not here, not
    complete, or not one that can be captured, and says what to do.
    """
    directory = local_directory(location, revision)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it a deterministic product on CUDA is an error
    torch.use_deterministic_algorithms(True)
    where = choose_device(device)
    with border(f"model {directory} cannot be loaded", "restore its files"), _without_reports():
        processor = _processor_of(directory)
        model = _model_of(directory, DTYPES[dtype])
        if redraw_seed is not None:
            redraw_language(model, redraw_seed)
        return LoadedModel(prepare_model(model, where), processor, where)


@contextmanager
def _without_reports() -> Iterator[None]:
    """The library does not print what it finds while it loads: what is wrong is said here, in one line."""
    before = reports.get_verbosity()
    reports.set_verbosity(reports.CRITICAL)
    try:
        yield
    finally:
        reports.set_verbosity(before)


def _processor_of(directory: Path) -> Gemma3Processor:
    """The checked processor of a model whose configuration and weight files have been found to belong together."""
    check_config(directory / CONFIG)
    for name in SETTINGS:
        if (directory / name).exists() and (size := read_object(directory / name).get(SEQUENCE, IMAGE_TOKENS)) != IMAGE_TOKENS:
            raise InputError(f"{directory / name}: {SEQUENCE} is {size!r}, expected {IMAGE_TOKENS}: restore it")
    config = AutoConfig.from_pretrained(directory, **LOCAL)
    check_weights(directory, config)
    return check_processor(AutoProcessor.from_pretrained(directory, backend="pil", **LOCAL), config)


def _model_of(directory: Path, dtype: torch.dtype) -> Gemma3ForConditionalGeneration:
    """The model, every tensor of which comes from the weight files."""
    made = AutoModelForImageTextToText.from_pretrained(
        directory, dtype=dtype, use_safetensors=True, ignore_mismatched_sizes=True, output_loading_info=True, **LOCAL
    )
    model, found = cast(tuple[Gemma3ForConditionalGeneration, dict[str, set[Any]]], made)
    # The library draws what a weight file lacks at random, with no more than a warning.
    if lacking := sorted(map(str, [*found["missing_keys"], *found["mismatched_keys"]])):
        raise InputError(
            f"model {directory}: the weight files lack {lacking[0]} ({len(lacking)} tensors in all), or hold it in another"
            " shape: restore them"
        )
    if unknown := sorted(map(str, found["unexpected_keys"])):
        raise InputError(
            f"model {directory}: the weight files hold {unknown[0]} ({len(unknown)} tensors in all), for which the model has no"
            " place: merge an adapter (LoRA) into its base model before saving, or restore the files"
        )
    check_ends(model.generation_config, cast(Gemma3TextConfig, model.config.text_config).vocab_size)
    return model
