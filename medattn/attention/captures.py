"""Captures on disk: the attention rows of every sample, in a pinned number of safetensors shards.

Samples that showed the model the same input and asked it the same text have one capture, stored once, that names them all.
Arrays are float32 rounded to rounding.CAPTURE_DIGITS digits, always [layer, head, row, token]. Row 0 is the last
prompt token (P−1, which predicts the first answer token), row k the k-th answer token; rows the answer was too short
for hold zeros and are not valid.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load, save

from medattn.base.errors import InputError

TOTALS = ("bos", "image", "question", "other_prompt", "generated")
METADATA = "medattn"  # one key holding sorted JSON: safetensors writes several keys in random order
LARGEST_HEADER = 100_000_000  # bytes: readers of safetensors refuse more
SPARE = 100  # of them, for what stands around the names


@dataclass(frozen=True)
class Capture:
    """The attention of one sample's rows, and of all that showed the model the same input."""

    sample_id: str  # the first of sample_ids
    question: str  # the variant that `offsets` index
    offsets: tuple[tuple[int, int], ...]  # [start, end) characters of each question token; ("" tokens are (i, i))
    valid: np.ndarray  # bool [row]
    image_weights: np.ndarray | None  # float32 [layer, head, row, 256]; None when the prompt holds no image
    question_weights: np.ndarray  # float32 [layer, head, row, question token]
    totals: np.ndarray  # float32 [layer, head, row, 5]: TOTALS; sums to 1 in valid rows
    others: tuple[str, ...] = ()  # the rest of sample_ids

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """All samples whose attention this is, in order: those that showed the model the same input."""
        return (self.sample_id, *self.others)

    @property
    def heads(self) -> int:
        return self.totals.shape[1]

    @property
    def on_image(self) -> np.ndarray:
        """image_weights, float32 [layer, head, row, 256]. Raises ValueError where the prompt holds no image."""
        if self.image_weights is None:
            raise ValueError(f"the prompt of sample {self.sample_id!r} holds no image")
        return self.image_weights


def shard_of(shown: str, shards: int) -> int:
    """The shard of what is shown: decided by its name, never by processes or memory."""
    return int.from_bytes(hashlib.sha256(shown.encode()).digest()[:8], "big") % shards


def shard_path(directory: Path, index: int) -> Path:
    return directory / f"shard-{index:02d}.safetensors"


def encode(captures: Sequence[Capture], shared: dict) -> bytes:
    """One shard's bytes. `shared` goes into the metadata beside the samples (model shape, key/value heads …)."""
    tensors: dict[str, np.ndarray] = {}
    samples = {}
    for capture in sorted(captures, key=lambda one: one.sample_id):
        tensors[f"{capture.sample_id}|totals"] = np.ascontiguousarray(capture.totals, np.float32)
        tensors[f"{capture.sample_id}|question"] = np.ascontiguousarray(capture.question_weights, np.float32)
        if capture.image_weights is not None:
            tensors[f"{capture.sample_id}|image"] = np.ascontiguousarray(capture.image_weights, np.float32)
        samples[capture.sample_id] = {
            "question": capture.question,
            "offsets": [list(pair) for pair in capture.offsets],
            "valid": [int(flag) for flag in capture.valid],
            **_listed(capture.others),
        }
    metadata = json.dumps({"shared": shared, "samples": samples}, sort_keys=True, ensure_ascii=False)
    return save(tensors, metadata={METADATA: metadata})


def decode(content: bytes) -> tuple[list[Capture], dict]:
    """The captures that `encode` made `content` of, and what they share."""
    head, tensors = read_header(io.BytesIO(content)), load(content)
    return [_capture(key, entry, tensors) for key, entry in head.samples.items()], head.shared


@dataclass(frozen=True)
class CaptureHeader:
    """What stands before the arrays in the bytes that `encode` makes."""

    tensors: Mapping[str, Any]  # name -> dtype, shape, data_offsets
    samples: Mapping[str, Any]
    shared: dict


def read_header(file: BinaryIO) -> CaptureHeader:
    """The head of what `encode` made; reads no further."""
    tensors = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    about = json.loads(tensors.pop("__metadata__")[METADATA])
    return CaptureHeader(tensors, about["samples"], about["shared"])


SampleIds = Mapping[str, Sequence[str]]  # a capture's name in what `encode` made -> whose it is, at least one, in order


def write_shard(
    path: Path, shared: dict, entries: Iterable[tuple[CaptureHeader, SampleIds]], contents: Iterable[bytes]
) -> None:
    """One shard of the results of `encode` whose heads and whole `contents` come in the same order, the captures renamed.

    Both stream by, so that a shard may be larger than the memory; the arrays are copied as they are. The metadata is in
    order of sample_id. Raises InputError for more samples than one file can name.
    """
    header = _ShardHeader(path, shared)
    for head, sample_ids in entries:
        header.add(head, sample_ids)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(header.encoded())
        for content in contents:
            file.write(memoryview(content)[8 + int.from_bytes(content[:8], "little") :])


class _ShardHeader:
    """What stands before the arrays of a shard, while its entries stream by."""

    def __init__(self, path: Path, shared: dict) -> None:
        self._path = path
        self._end = json.dumps('},"shared":' + json.dumps(shared, sort_keys=True) + "}")[1:]
        self._samples: dict[str, str] = {}  # sample_id -> its entry, as it stands in the string that is the metadata
        self._tensors: list[str] = []
        self._start = 0  # of the next entry's arrays
        self._size = len(self._end)
        self._named = 0

    def add(self, head: CaptureHeader, sample_ids: SampleIds) -> None:
        """Raises InputError if the header would be larger than any reader takes."""
        start = self._start
        for name, about in head.tensors.items():
            own, part = name.rsplit("|", 1)
            first, last = about["data_offsets"]
            self._start = max(self._start, start + last)
            moved = about | {"data_offsets": [start + first, start + last]}
            self._tensors.append(f",{json.dumps(f'{sample_ids[own][0]}|{part}')}:{json.dumps(moved)}")
            self._size += len(self._tensors[-1])
        for own, about in head.samples.items():
            sample_id, *others = sample_ids[own]
            entry = json.dumps(about | _listed(others), sort_keys=True, ensure_ascii=False)
            self._samples[sample_id] = json.dumps(f"{json.dumps(sample_id)}:{entry}")[1:-1]
            self._size += len(self._samples[sample_id]) + 1
            self._named += 1 + len(others)
        if self._size > LARGEST_HEADER - SPARE:
            raise InputError(
                f"{self._path} would name more samples than a safetensors file can ({self._named} and more): raise"
                " extract.shards"
            )

    def encoded(self) -> bytes:
        """Its bytes, with their number before them."""
        listed = ",".join(self._samples[sample_id] for sample_id in sorted(self._samples))
        about = json.dumps('{"samples":{')[:-1] + listed + self._end
        header = f'{{"__metadata__":{{"{METADATA}":{about}}}{"".join(self._tensors)}}}'.encode()
        header += b" " * (-len(header) % 8)
        return len(header).to_bytes(8, "little") + header


def _listed(others: Sequence[str]) -> dict[str, list[str]]:
    """What the metadata says of the samples behind the first: nothing where there are none, as of most captures."""
    return {"others": list(others)} if others else {}


def read_shared(directory: Path) -> dict:
    """What all shards share: {"key_value_heads": K, "layers": L, "heads": H, "image_tokens": 256, …}."""
    for path in _shards(directory):
        with safe_open(path, framework="np") as file:
            return json.loads(file.metadata()[METADATA])["shared"]
    raise AssertionError("_shards never yields nothing")


def read(directory: Path) -> Iterator[Capture]:
    """Every capture below `directory`, shard by shard, in order of sample_id inside a shard."""
    for path in _shards(directory):
        with safe_open(path, framework="np") as file:
            samples = json.loads(file.metadata()[METADATA])["samples"]
            keys = set(file.keys())
            for sample_id, entry in samples.items():
                own = [f"{sample_id}|{part}" for part in ("image", "question", "totals")]
                yield _capture(sample_id, entry, {key: file.get_tensor(key) for key in own if key in keys})


def _capture(sample_id: str, entry: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Capture:
    return Capture(
        sample_id=sample_id,
        question=entry["question"],
        offsets=tuple((start, end) for start, end in entry["offsets"]),
        valid=np.array(entry["valid"], dtype=bool),
        image_weights=tensors.get(f"{sample_id}|image"),
        question_weights=tensors[f"{sample_id}|question"],
        totals=tensors[f"{sample_id}|totals"],
        others=tuple(entry.get("others", ())),
    )


def _shards(directory: Path) -> list[Path]:
    paths = sorted(directory.glob("shard-*.safetensors"))
    if not paths:
        raise InputError(f"{directory} holds no shard-*.safetensors: run `dvc repro extract` first")
    return paths
