"""results/grids.safetensors: one grid per sample and profile, and what belongs to it.

The header has one size however large the study is: ids and notes are tensors, as grids are. They are written and read row
by row, so that neither needs more memory for more samples.

- `samples|id`: uint8 [sample, byte], UTF-8, in order, filled up with zeros; `samples|gate_count`: int32 [sample], the
  question's tokens of terms; `samples|terms`: uint8 [sample, byte], a bit for each of the metadata's `terms`
- `{profile}`: float32 [sample, 16, 16], sum 1, row 0 the top of the image; `{profile}|without_sinks`: the same, where the
  profile zeroes sinks; `{profile}|groups`: [sample, group, 16, 16], where it keeps the key/value groups' maps
- `{profile}|rows`: bool [sample, row of the profile], whether the answer was long enough for it; `{profile}|gated`: bool
  [sample]; `{profile}|image_mass`: float64 [sample]
- `images|id`: as `samples|id`, those whose sinks were looked for; `sinks|computed`, `sinks|compared` (with a blank image):
  bool [image]; `sinks|mass`: float64 [image]; `sinks|cells`, `sinks|position`: uint8 [image, 32], a bit for each cell
- `heads|mean`: float64 [finding, layer, head, 256], the mean over patients of reference samples' maps, for each of the
  metadata's `findings`
- `regions|sample`, `regions|finding`: int64 [region], in order, a row of `samples|id` and one of the metadata's
  `region_findings`; `regions|mass`: float64 [region, layer, head], of the sample's maps in the finding's true region

No profile is called like another tensor: its name is a plain word.
"""

import json
import math
import os
import weakref
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

import numpy as np

from medattn.base.errors import InputError

METADATA = "medattn"  # the one key of the metadata: sorted JSON
DTYPES = {"F64": np.float64, "I64": np.int64, "F32": np.float32, "I32": np.int32, "U8": np.uint8, "BOOL": np.bool_}
Note = dict[str, Any]
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class StoredTensor:
    """What stands where in the file."""

    dtype: np.dtype
    shape: tuple[int, ...]
    start: int

    @property
    def row_bytes(self) -> int:
        """Of one entry of the first axis."""
        return self.dtype.itemsize * math.prod(self.shape[1:])

    @property
    def end(self) -> int:
        return self.start + self.row_bytes * self.shape[0]


class Rows(Sequence[np.ndarray]):
    """A tensor [row, ...] of a store, of which a row is read when it is asked for: none stays in memory."""

    def __init__(self, path: Path, tensor: StoredTensor) -> None:
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        self._tensor = tensor

    def __len__(self) -> int:
        return self._tensor.shape[0]

    def __getitem__(self, row: int) -> np.ndarray:  # type: ignore[override]  # slices are not asked for
        if not 0 <= row < len(self):
            raise IndexError(row)
        tensor = self._tensor
        content = os.pread(self._file, tensor.row_bytes, tensor.start + row * tensor.row_bytes)
        return np.frombuffer(content, tensor.dtype).reshape(tensor.shape[1:])


class ById(Mapping[str, Kind], Generic[Kind]):
    """What a store holds of each of its `ids`, bytes [row], in order: made of the row when it is asked for."""

    def __init__(self, ids: np.ndarray, value: Callable[[int], Kind]) -> None:
        self._ids, self._value = ids, value

    def _row(self, name: object) -> int | None:
        wanted = name.encode() if isinstance(name, str) else b""
        row = bisect_left(self._ids, wanted)
        return row if row < len(self._ids) and self._ids[row] == wanted else None

    def __contains__(self, name: object) -> bool:
        return self._row(name) is not None

    def __getitem__(self, name: str) -> Kind:
        if (row := self._row(name)) is None:
            raise KeyError(name)
        return self._value(row)

    def __iter__(self) -> Iterator[str]:
        return (one.decode() for one in self._ids)

    def __len__(self) -> int:
        return len(self._ids)


class GridStore:
    """A finished store. Columns are mapped into memory, grids are read one by one.

    about: the metadata. Raises InputError for a file that is not there, or no store.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                self._tensors, self.about = _read_header(file)
                self._mapped = mmap(file.fileno(), 0, access=ACCESS_READ)
        except FileNotFoundError:
            raise InputError(f"{path} not found: run `dvc repro aggregate` first") from None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} cannot be read ({error}): run `dvc repro -f aggregate`") from None
        self._samples, self._images = self._ids("samples|id"), self._ids("images|id")
        self.samples: Mapping[str, int] = ById(self._samples, int)
        self.sinks: Mapping[str, Note] = ById(self._images, self._sink_note)
        self.notes = {name: ById(self._samples, self._noter(name)) for name in self.about["profiles"]}
        self.region_masses = ById(self._samples, self._region_noter())

    def grids(self, name: str) -> Rows:
        """float32 [16, 16] of every row: "{profile}", or "{profile}|without_sinks" where the profile zeroes sinks."""
        return Rows(self._path, self._tensors[name])

    def by_sample(self, name: str) -> Mapping[str, np.ndarray]:
        """sample_id -> its row of `grids`, float32 [16, 16]."""
        return ById(self._samples, self.grids(name).__getitem__)

    def head_means(self) -> dict[str, np.ndarray]:
        """finding -> float64 [layer, head, 256]: the mean over patients of reference samples' maps, each of sum 1."""
        return dict(zip(self.about["findings"], self._column("heads|mean"), strict=True))

    def _column(self, name: str) -> np.ndarray:
        tensor = self._tensors[name]
        return np.ndarray(tensor.shape, tensor.dtype, self._mapped, tensor.start)

    def _ids(self, name: str) -> np.ndarray:
        tensor = self._tensors[name]
        return np.ndarray(tensor.shape[0], f"S{tensor.shape[1]}", self._mapped, tensor.start)

    def _sink_note(self, row: int) -> Note:
        computed, compared = (bool(self._column(f"sinks|{name}")[row]) for name in ("computed", "compared"))
        cells, position = (numbers_of(self._column(f"sinks|{name}")[row]) for name in ("cells", "position"))
        mass = float(self._column("sinks|mass")[row]) if computed else None
        return {"computed": computed, "cells": cells, "mass": mass, "position": position if compared else None}

    def _noter(self, profile: str) -> Callable[[int], Note]:
        """What was noted of a sample under a profile."""
        rows, gated, mass = (self._column(f"{profile}|{name}") for name in ("rows", "gated", "image_mass"))
        count, terms = self._column("samples|gate_count"), self._column("samples|terms")
        known, listed = self.about["terms"], self.about["profiles"][profile]["rows"]
        return lambda row: {
            "gate_count": int(count[row]),
            "gated": bool(gated[row]),
            "image_mass": float(mass[row]),
            "terms": sorted(known[number] for number in numbers_of(terms[row])),
            "rows": [one for one, used in zip(listed, rows[row], strict=True) if used],
        }

    def _region_noter(self) -> Callable[[int], dict[str, np.ndarray]]:
        """finding -> float64 [layer, head]: mass of a reference sample's maps in the finding's true region in its image."""
        samples, findings = self._column("regions|sample"), self._column("regions|finding")
        masses, named = Rows(self._path, self._tensors["regions|mass"]), self.about["region_findings"]
        return lambda row: {
            named[findings[at]]: masses[at] for at in range(bisect_left(samples, row), bisect_right(samples, row))
        }


def _read_header(file: BinaryIO) -> tuple[dict[str, StoredTensor], Note]:
    """The tensors and the metadata. Raises ValueError, KeyError or TypeError for what is no store of this version."""
    size, length = int.from_bytes(file.read(8), "little"), os.fstat(file.fileno()).st_size
    if 8 + size > length:
        raise ValueError(f"its {length} bytes are no safetensors file")
    described = json.loads(file.read(size))
    about = json.loads(described.pop("__metadata__")[METADATA])
    tensors = {
        name: StoredTensor(np.dtype(DTYPES[one["dtype"]]), tuple(one["shape"]), 8 + size + one["data_offsets"][0])
        for name, one in described.items()
    }
    if length != (last := max(one.end for one in tensors.values())):
        raise ValueError(f"it has {length} bytes, expected {last}")
    if wanting := {"samples|id", "images|id"} - tensors.keys():
        raise ValueError(f"it holds no {min(wanting)}")
    return tensors, about


def numbers_of(bits: np.ndarray) -> list[int]:
    """The bits that are set, of uint8 [byte]."""
    return np.flatnonzero(np.unpackbits(bits)).tolist()
