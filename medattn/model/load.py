"""Load a Gemma 3 vision-language model and its processor from local files, ready for capture."""

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from medattn.errors import InputError
from medattn.model.capture import use_capture
from medattn.model.last_position import use_last_position
from medattn.model.precision import use_full_precision
from medattn.seeding import generator

IMAGE_TOKENS = 256
DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Loaded:
    """A model in evaluation mode whose attention is captured, and its processor."""

    model: torch.nn.Module
    processor: object
    device: torch.device

    @property
    def shape(self) -> dict[str, int]:
        """Layers, heads, key/value heads and image tokens."""
        text = self.model.config.text_config
        return {
            "layers": text.num_hidden_layers,
            "heads": text.num_attention_heads,
            "key_value_heads": text.num_key_value_heads,
            "image_tokens": self.model.config.mm_tokens_per_image,
        }

    @property
    def image_side(self) -> int:
        """Pixels along each side of the square that the vision tower sees."""
        return self.model.config.vision_config.image_size


def choose_device(name: str) -> torch.device:
    """cpu, cuda, or auto: a CUDA device where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device is cuda, but torch sees no CUDA device: set model.device to cpu, or install a driver")
    return torch.device(name)


def prepare_model(model: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """Evaluation mode, capture in place, float32 and float64 throughout their own dtype, on `device`."""
    if model.config.model_type != "gemma3":
        raise InputError(f"the model's type is {model.config.model_type!r}: only gemma3 models can be captured")
    if model.config.mm_tokens_per_image != IMAGE_TOKENS:
        raise InputError(
            f"the model has {model.config.mm_tokens_per_image} image tokens, expected {IMAGE_TOKENS} (a 16 x 16 grid)"
        )
    model = model.eval().to(device)
    if model.dtype in (torch.float32, torch.float64):  # bfloat16 sums in float32 as the library does
        use_full_precision(model)
    use_last_position(model)
    use_capture(model)
    return model


def redraw_language(model: torch.nn.Module, seed: int) -> None:
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
) -> Loaded:
    """Load from a local directory or the local Hugging Face cache; nothing is downloaded, no remote code runs.

    redraw_seed: see `redraw_language`; None keeps the weights.
    """
    torch.use_deterministic_algorithms(True)
    options = {"local_files_only": True, "revision": revision, "trust_remote_code": False}
    try:
        processor = AutoProcessor.from_pretrained(location, backend="pil", **options)
        model = AutoModelForImageTextToText.from_pretrained(
            location, dtype=DTYPES[dtype], use_safetensors=True, **options
        )
    except OSError as error:
        if isinstance(location, Path):
            raise InputError(f"model {location} is not complete: {error}\nRestore the directory.") from error
        raise InputError(
            f"model {location} (revision {revision or 'any'}) is not complete on this machine: {error}\n"
            f"Fetch it once with `hf auth login` and `hf download {location}"
            f"{f' --revision {revision}' if revision else ''}`."
        ) from error
    if redraw_seed is not None:
        redraw_language(model, redraw_seed)
    where = choose_device(device)
    return Loaded(prepare_model(model, where), processor, where)
