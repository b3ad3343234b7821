"""What the model would run on: card and driver, torch's own word, and whether memory suffices."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from medattn.base.sizes import size
from medattn.reproduce.doctor.line import Line, missing, note, ok
from medattn.reproduce.machine import Card

BYTES = {"float64": 8, "float32": 4, "bfloat16": 2}
# Beside the weights: activations, keys and values, captured rows, and what the libraries take. MedGemma-4b in bfloat16 was
# measured at 12 GB with 8.6 GB of weights, the embedded model at 0.7 GB with next to none.
SHARE, FIXED = 0.3, 800_000_000
LARGE = 1_000_000_000  # numbers of a model that takes a CPU minutes an image
LEAST_DRIVER = 580  # of CUDA 13, which torch's own libraries are


class Torch(NamedTuple):
    """What torch says. cuda: the version it was built for. why_not: why no card can be used; None if one can."""

    version: str
    cuda: str | None
    why_not: str | None
    capability: str


def ask_torch() -> Torch:
    """Imports torch, which takes seconds. Raises ImportError or OSError if it cannot be."""
    import torch

    why_not = None
    if torch.version.cuda is None:
        why_not = "it is a CPU build"
    elif not torch.cuda.is_available():
        try:
            torch.cuda.init()
            why_not = "it sees no card"
        except (RuntimeError, AssertionError) as error:
            why_not = str(error).splitlines()[0]
    return Torch(torch.__version__, torch.version.cuda, why_not, torch.backends.cpu.get_cpu_capability())


def card_lines(cards: Sequence[Card] | None) -> list[Line]:
    if not cards:
        return [ok("GPU", "none: nvidia-smi lists no card, or is not there")]
    return [ok("GPU", f"{card.name}, driver {card.driver}, {_free(card)}") for card in cards]


def _free(card: Card) -> str:
    if card.free is None or card.memory is None:
        return "memory unknown"
    return f"{size(card.free)} of {size(card.memory)} free"


def torch_line(torch: Torch, cards: Sequence[Card] | None) -> Line:
    said = f"{torch.version}, {torch.capability}"
    if torch.why_not is None:
        return ok("torch", f"{said}, CUDA {torch.cuda} usable")
    if not cards:
        return ok("torch", f"{said}, no CUDA")
    return note("torch", f"{said}: the card cannot be used: {torch.why_not}", remedy_for(torch, cards))


def remedy_for(torch: Torch, cards: Sequence[Card] | None) -> str:
    """What makes a card usable."""
    if torch.cuda is None:
        return "install the CUDA build: `make setup` without TORCH_INDEX (image: build it without TORCH=cpu)"
    if not cards:
        return f"install NVIDIA's driver (>= {LEAST_DRIVER}); in a container, start it with `docker run --gpus all`"
    major = cards[0].driver.split(".")[0]
    if major.isdigit() and int(major) < LEAST_DRIVER:
        return f"driver {cards[0].driver} is too old for CUDA {torch.cuda}: install {LEAST_DRIVER} or newer on the host"
    return "compare `nvidia-smi` with torch's message; in a container, start it with `docker run --gpus all`"


def run_lines(
    device: str, dtype: str, torch: Torch, cards: Sequence[Card] | None, parameters: int | None, available: int
) -> list[Line]:
    """Device and number format of the run, and whether memory suffices.

    parameters: numbers in the model, None if it is not here. available: bytes of the machine's memory.
    """
    if device == "cuda" and torch.why_not is not None:
        return [missing("device", f"cuda is asked for, but torch cannot use it: {torch.why_not}",
                        f"{remedy_for(torch, cards)}\nor compute on the CPU: `dvc exp run -S model.device=cpu`")]  # fmt: skip
    where = "cuda" if device != "cpu" and torch.why_not is None else "cpu"
    lines = [ok("device", f"{where}{' (auto)' if device == 'auto' else ''}, {dtype}")]
    if parameters is None:
        return lines
    if where == "cpu" and parameters >= LARGE:
        lines[0] = note("device", f"{where}, {dtype}: minutes an image for {parameters / 1e9:.1f} billion numbers",
                        "use a GPU: set model.device to cuda; `-S limit=4` makes a short trial")  # fmt: skip
    card = next((card.free for card in cards or () if card.free is not None), None) if where == "cuda" else None
    if where == "cuda" and card is None:
        return [*lines, note("fits", "the card does not tell how much memory is free")]
    lines.append(fit_line(where, needed_memory(parameters, dtype), available if card is None else card))
    return lines


def fit_line(where: str, needed: int, available: int) -> Line:
    said = f"the model needs about {size(needed)}, {size(available)} are free {'on the card' if where == 'cuda' else 'here'}"
    if needed <= available:
        return ok("fits", said)
    other = "a larger one" if where == "cuda" else "a machine with more"
    return missing("fits", said, f"end what else uses this memory, take {other}, or set model.dtype to bfloat16")


def needed_memory(parameters: int, dtype: str) -> int:
    """Bytes that extraction takes, roughly."""
    return round(parameters * BYTES[dtype] * (1 + SHARE)) + FIXED


def parameters_of(directory: Path) -> int:
    """How many numbers the model's weight files hold, from their headers alone."""
    return sum(map(_numbers_in, directory.glob("*.safetensors")))


def _numbers_in(path: Path) -> int:
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
