"""What a model's config.json may say, checked before anything is loaded or allocated.

A key that is absent takes the library's own value. Bounds are an order above MedGemma's and the family's largest: what is
beyond them is a damaged file, and would only be noticed by the memory that it takes.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from medattn.base.errors import InputError
from medattn.base.json_files import read_object
from medattn.base.validation import problems

IMAGE_TOKENS = 256  # of an image: a 16 x 16 grid
GRID_SIDE = 16
INSTEAD = "set model.id to a Gemma 3 vision-language model such as MedGemma-4b"

Width = Annotated[int, Field(ge=1, le=65_536)]
Wide = Annotated[int, Field(ge=1, le=1_048_576)]
Number = Annotated[int, Field(ge=1, le=256)]  # of layers, of heads
Epsilon = Annotated[float, Field(gt=0, lt=1)]
Ids = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    """What we rely on; the library reads the other keys."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False, protected_namespaces=())


class TextConfig(_Part):
    """The language model's."""

    model_type: Literal["gemma3_text"] = "gemma3_text"
    vocab_size: Wide = 262_208
    hidden_size: Width = 2304
    intermediate_size: Wide = 9216
    num_hidden_layers: Number = 26
    num_attention_heads: Number = 8
    num_key_value_heads: Number = 4
    head_dim: Annotated[int, Field(ge=2, le=4096, multiple_of=2)] = 256
    sliding_window: Annotated[int, Field(ge=1, le=1_048_576)] = 4096
    max_position_embeddings: Annotated[int, Field(ge=1, le=16_777_216)] = 131_072
    query_pre_attn_scalar: Annotated[float, Field(gt=0, le=1_048_576)] = 256
    rms_norm_eps: Epsilon = 1e-6
    pad_token_id: Ids = 0
    layer_types: list[Literal["sliding_attention", "full_attention"]] | None = None
    final_logit_softcapping: None = None
    attn_logit_softcapping: None = None
    use_bidirectional_attention: Literal[False] | None = None

    @model_validator(mode="after")
    def _agrees(self) -> "TextConfig":
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(f"{self.num_attention_heads} heads cannot share {self.num_key_value_heads} key/value heads evenly")
        if self.layer_types is not None and len(self.layer_types) != self.num_hidden_layers:
            raise ValueError(f"layer_types has {len(self.layer_types)} entries for {self.num_hidden_layers} layers")
        if self.pad_token_id >= self.vocab_size:
            raise ValueError(f"pad_token_id is {self.pad_token_id}, beyond the {self.vocab_size} tokens of the embedding")
        return self


class VisionConfig(_Part):
    """The vision tower's."""

    model_type: Literal["siglip_vision_model"] = "siglip_vision_model"
    hidden_size: Width = 768
    intermediate_size: Wide = 3072
    num_hidden_layers: Number = 12
    num_attention_heads: Number = 12
    num_channels: Literal[3] = 3
    image_size: Annotated[int, Field(ge=16, le=4096)] = 224
    patch_size: Annotated[int, Field(ge=1, le=256)] = 16
    layer_norm_eps: Epsilon = 1e-6

    @model_validator(mode="after")
    def _agrees(self) -> "VisionConfig":
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(f"hidden_size {self.hidden_size} is not a multiple of {self.num_attention_heads} heads")
        if self.image_size % (self.patch_size * GRID_SIDE):
            raise ValueError(
                f"image_size {self.image_size} in patches of {self.patch_size} pixels does not make a {GRID_SIDE} x {GRID_SIDE}"
                " grid"
            )
        return self


class ModelConfig(_Part):
    """config.json."""

    model_type: Literal["gemma3"]
    text_config: TextConfig
    vision_config: VisionConfig
    mm_tokens_per_image: Literal[256] = 256
    image_token_index: Ids = 262_144
    image_token_id: Ids | None = None  # a newer name of the same

    @model_validator(mode="after")
    def _agrees(self) -> "ModelConfig":
        image = self.image_token_index if self.image_token_id is None else self.image_token_id
        if image >= self.text_config.vocab_size:
            raise ValueError(f"the image token is {image}, beyond the {self.text_config.vocab_size} tokens of the embedding")
        return self


def check_config(path: Path) -> ModelConfig:
    """A model's config.json, if it is one of a model that can be captured.

    Raises InputError naming file, key, value and remedy.
    """
    if not path.exists():
        raise InputError(f"{path} not found: the model directory is not complete; restore it")
    given = read_object(path)
    _check_kind(path, given)
    try:
        return ModelConfig.model_validate(given)
    except ValidationError as error:
        whole = isinstance(error.errors()[0]["input"], dict)  # what does not agree is named, not shown in full
        first, *others = problems(path, error, f"restore it, or {INSTEAD}", values=not whole)
        raise InputError(first.replace("\n", " ") + (f" ({len(others)} more problems)" if others else "")) from None


def _check_kind(path: Path, given: dict[str, Any]) -> None:
    """Of what kind the model is, before its numbers."""
    tokens = given.get("mm_tokens_per_image", IMAGE_TOKENS)
    if tokens != IMAGE_TOKENS:
        raise InputError(
            f"{path}: mm_tokens_per_image is {tokens!r}, expected {IMAGE_TOKENS} (a {GRID_SIDE} x {GRID_SIDE} grid): {INSTEAD}"
        )
    if given.get("model_type") != "gemma3":
        raise InputError(f"{path}: model_type is {given.get('model_type')!r}, expected 'gemma3': {INSTEAD}")
    parts = [given, *(part for name in ("text_config", "vision_config") if isinstance(part := given.get(name), dict))]
    if any(part.get("quantization_config") is not None for part in parts):
        raise InputError(
            f"{path}: quantization_config says that the weights are quantised, and capture needs them in full: set model.id to"
            " the model that was quantised, and model.dtype to bfloat16 to save memory"
        )
    if any(part.get("transformers_weights") is not None for part in parts):
        raise InputError(f"{path}: transformers_weights names other weight files, which are not pinned: remove it")
