"""Makes results/grids.safetensors, row by row in any order: grid_store says what it holds."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from medattn.attention.grid_store import DTYPES, METADATA, Note, StoredTensor, numbers_of
from medattn.attention.grids import SIDE, ProfileMaps
from medattn.attention.sinks import Sinks
from medattn.base.rounding import round_number

CELLS = SIDE * SIDE


def ids_of(names: Sequence[str]) -> np.ndarray:
    """Ids as the store holds them: UTF-8 of one width, bytes [name]."""
    return np.array([name.encode() for name in names], np.bytes_)


class Writer:
    """A store that is being made: every row is written, in any order."""

    def __init__(self, file: BinaryIO, tensors: Mapping[str, StoredTensor], about: Note) -> None:
        self._file, self._tensors, self._about = file, tensors, about
        self._term_numbers = {term: number for number, term in enumerate(about["terms"])}

    def put(self, name: str, row: int, values: object) -> None:
        """Write one row of a tensor."""
        tensor = self._tensors[name]
        self._file.seek(tensor.start + row * tensor.row_bytes)
        self._file.write(np.asarray(values, tensor.dtype).tobytes())

    def get(self, name: str, row: int) -> np.ndarray:
        """A row [...] that was written."""
        tensor = self._tensors[name]
        self._file.seek(tensor.start + row * tensor.row_bytes)
        return np.frombuffer(self._file.read(tensor.row_bytes), tensor.dtype).reshape(tensor.shape[1:])

    def put_question(self, row: int, made: ProfileMaps) -> None:
        """What the terms are to a sample's question, whatever the profile."""
        self.put("samples|gate_count", row, made.gate_count)
        self.put("samples|terms", row, _bits([self._term_numbers[term] for term in made.terms], len(self._term_numbers)))

    def put_notes(self, profile: str, row: int, made: ProfileMaps) -> None:
        """What was made of a sample under one profile, besides its grid."""
        self.put(f"{profile}|rows", row, [one in made.rows for one in self._about["profiles"][profile]["rows"]])
        self.put(f"{profile}|gated", row, made.gated)
        self.put(f"{profile}|image_mass", row, round_number(made.image_mass))

    def put_sinks(self, row: int, found: Sinks) -> None:
        """The sinks of an image."""
        self.put("sinks|computed", row, found.computed)
        self.put("sinks|compared", row, found.position is not None)
        self.put("sinks|mass", row, 0.0 if found.mass is None else round_number(found.mass))
        self.put("sinks|cells", row, _bits(found.cells, CELLS))
        self.put("sinks|position", row, _bits(found.position or (), CELLS))

    def sink_cells(self, row: int) -> tuple[int, ...]:
        """The cells that `put_sinks` wrote."""
        return tuple(numbers_of(self.get("sinks|cells", row)))


@contextmanager
def new_store(path: Path, about: Note, samples: np.ndarray, images: np.ndarray, regions: int) -> Iterator[Writer]:
    """A store at `path` when the block ends without an error: of these ids, bytes [row], in order, and so many regions.

    about: profiles, terms, findings, layers, heads, key_value_heads and what else is handed on.
    """
    tensors = {}
    size = 0
    shapes = _shapes(about, samples, images, regions)
    for name, (dtype, shape) in sorted(shapes.items(), key=lambda item: (-np.dtype(item[1][0]).itemsize, item[0])):
        tensors[name] = StoredTensor(np.dtype(dtype), shape, size)
        size = tensors[name].end
    header = _header(tensors, about)
    tensors = {name: StoredTensor(one.dtype, one.shape, one.start + len(header)) for name, one in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w+b") as file:
            file.write(header)
            file.truncate(len(header) + size)
            for name, ids in (("samples|id", samples), ("images|id", images)):
                file.seek(tensors[name].start)
                file.write(ids.tobytes())
            yield Writer(file, tensors, about)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _shapes(about: Note, samples: np.ndarray, images: np.ndarray, regions: int) -> dict[str, tuple[type, tuple[int, ...]]]:
    count, image_count, layers, heads = len(samples), len(images), about["layers"], about["heads"]
    bits = CELLS // 8
    shapes: dict[str, tuple[type, tuple[int, ...]]] = {
        "samples|id": (np.uint8, (count, samples.itemsize)),
        "samples|gate_count": (np.int32, (count,)),
        "samples|terms": (np.uint8, (count, math.ceil(len(about["terms"]) / 8))),
        "images|id": (np.uint8, (image_count, images.itemsize)),
        "sinks|computed": (np.bool_, (image_count,)),
        "sinks|compared": (np.bool_, (image_count,)),
        "sinks|mass": (np.float64, (image_count,)),
        "sinks|cells": (np.uint8, (image_count, bits)),
        "sinks|position": (np.uint8, (image_count, bits)),
        "heads|mean": (np.float64, (len(about["findings"]), layers, heads, CELLS)),
        "regions|sample": (np.int64, (regions,)),
        "regions|finding": (np.int64, (regions,)),
        "regions|mass": (np.float64, (regions, layers, heads)),
    }
    for name, profile in about["profiles"].items():
        shapes[name] = (np.float32, (count, SIDE, SIDE))
        shapes[f"{name}|rows"] = (np.bool_, (count, len(profile["rows"])))
        shapes[f"{name}|gated"] = (np.bool_, (count,))
        shapes[f"{name}|image_mass"] = (np.float64, (count,))
        if profile["gqa"] == "per_group":
            shapes[f"{name}|groups"] = (np.float32, (count, about["key_value_heads"], SIDE, SIDE))
        if profile["sinks"] == "zero":
            shapes[f"{name}|without_sinks"] = (np.float32, (count, SIDE, SIDE))
    return shapes


def _header(tensors: Mapping[str, StoredTensor], about: Note) -> bytes:
    """What a safetensors file begins with; the arrays follow at once."""
    names = {np.dtype(dtype): name for name, dtype in DTYPES.items()}
    described: Note = {"__metadata__": {METADATA: json.dumps(about, sort_keys=True)}}
    for name, one in tensors.items():
        described[name] = {"dtype": names[one.dtype], "shape": one.shape, "data_offsets": [one.start, one.end]}
    text = json.dumps(described).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _bits(numbers: Sequence[int], count: int) -> np.ndarray:
    """Bits of which these are set: uint8 [ceil(count / 8)]."""
    flags = np.zeros(count, bool)
    flags[list(numbers)] = True
    return np.packbits(flags)
