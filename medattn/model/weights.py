"""What the weight files of a model hold, read from their headers before anything is allocated."""

import math
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import AutoModelForImageTextToText, Gemma3Config
from transformers.initialization import no_init_weights

from medattn.base.errors import InputError
from medattn.study.model_files import WEIGHTS, WEIGHTS_INDEX, weight_files, weight_map

FLOATS = ("F64", "F32", "F16", "BF16")


def check_weights(directory: Path, config: Gemma3Config) -> None:
    """Raise InputError unless the weight files can fill a model of this configuration.

    Every tensor stands in one file, the one that the index says, as floating-point numbers; and there are as many numbers
    as the model has, so that loading takes no more memory than the files do.
    """
    held = 0
    place: dict[str, str] = {}  # tensor -> file
    for name in weight_files(directory):
        with safe_open(directory / name, "pt") as file:
            for tensor in file.keys():  # noqa: SIM118  # not a dict
                part = file.get_slice(tensor)
                if part.get_dtype() not in FLOATS:
                    raise InputError(
                        f"{directory / name}: {tensor} holds {part.get_dtype()}, expected one of {', '.join(FLOATS)}: the"
                        " weights are quantised, or damaged; set model.id to the model in full precision"
                    )
                if (earlier := place.setdefault(tensor, name)) != name:
                    raise InputError(f"{directory / name}: {tensor} is in {earlier}, too: restore the weight files")
                held += math.prod(part.get_shape())
    if not (directory / WEIGHTS).is_file():
        _check_index(directory, place)
    if (wanted := parameters_of(config)) > held:
        raise InputError(
            f"{directory / 'config.json'} describes a model of {wanted:,} parameters, the weight files hold {held:,}: they"
            " do not belong together, or weights are missing; restore both"
        )


def _check_index(directory: Path, place: dict[str, str]) -> None:
    """Raise InputError unless the index says of every tensor where it is."""
    index = weight_map(directory / WEIGHTS_INDEX)
    for tensor in sorted(index.keys() | place.keys()):
        if index.get(tensor) != place.get(tensor):
            raise InputError(
                f"{directory / WEIGHTS_INDEX}: {tensor} is to be in {index.get(tensor, 'no file')}, and is in"
                f" {place.get(tensor, 'no file')}: restore index and weight files"
            )


def parameters_of(config: Gemma3Config) -> int:
    """How many numbers a model of this configuration has; built without memory for them."""
    with torch.device("meta"), no_init_weights():
        model = AutoModelForImageTextToText.from_config(config)
    model.tie_weights()
    return sum(parameter.numel() for parameter in model.parameters())
