"""Captures on disk: the attention rows of every sample, in a pinned number of safetensors buckets.

Arrays are float32 rounded to rounding.CAPTURE_DIGITS digits, always [layer, head, row, token]. Row 0 is the last
prompt token (P−1, which predicts the first answer token), row k the k-th answer token; rows the answer was too short
for hold zeros and are not valid.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load, save

from medattn.errors import InputError

TOTALS = ("bos", "image", "question", "other_prompt", "generated")
METADATA = "medattn"  # one key holding sorted JSON: safetensors writes several keys in random order


@dataclass(frozen=True)
class Capture:
    """The attention of one sample's rows."""

    sample_id: str
    question: str  # the wording that `offsets` index
    offsets: tuple[tuple[int, int], ...]  # [start, end) characters of each question token; ("" tokens are (i, i))
    valid: np.ndarray  # bool [row]
    image_weights: np.ndarray | None  # float32 [layer, head, row, 256]; None when the prompt holds no image
    question_weights: np.ndarray  # float32 [layer, head, row, question token]
    totals: np.ndarray  # float32 [layer, head, row, 5]: TOTALS; sums to 1 in valid rows

    @property
    def heads(self) -> int:
        return self.totals.shape[1]

    @property
    def on_image(self) -> np.ndarray:
        """image_weights. Raises ValueError where the prompt holds no image."""
        if self.image_weights is None:
            raise ValueError(f"the prompt of sample {self.sample_id!r} holds no image")
        return self.image_weights


def bucket_of(image_id: str, buckets: int) -> int:
    """The bucket of an image's samples: decided by its id, never by processes or memory."""
    return int.from_bytes(hashlib.sha256(image_id.encode()).digest()[:8], "big") % buckets


def bucket_path(directory: Path, index: int) -> Path:
    return directory / f"bucket-{index:02d}.safetensors"


def encode(captures: Sequence[Capture], shared: dict) -> bytes:
    """One bucket's bytes. `shared` goes into the metadata beside the samples (model shape, key/value heads …)."""
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
        }
    metadata = json.dumps({"shared": shared, "samples": samples}, sort_keys=True, ensure_ascii=False)
    return save(tensors, metadata={METADATA: metadata})


def decode(content: bytes) -> tuple[list[Capture], dict]:
    """The captures that `encode` made `content` of, and what they share."""
    size = int.from_bytes(content[:8], "little")
    metadata = json.loads(json.loads(content[8 : 8 + size])["__metadata__"][METADATA])
    tensors = load(content)
    return [_capture(key, entry, tensors) for key, entry in metadata["samples"].items()], metadata["shared"]


def read_shared(directory: Path) -> dict:
    """What all buckets share: {"key_value_heads": K, "layers": L, "heads": H, "image_tokens": 256, …}."""
    for path in _buckets(directory):
        with safe_open(path, framework="np") as file:
            return json.loads(file.metadata()[METADATA])["shared"]
    raise AssertionError("_buckets never yields nothing")


def read(directory: Path) -> Iterator[Capture]:
    """Every capture below `directory`, bucket by bucket, in order of sample_id inside a bucket."""
    for path in _buckets(directory):
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
    )


def _buckets(directory: Path) -> list[Path]:
    paths = sorted(directory.glob("bucket-*.safetensors"))
    if not paths:
        raise InputError(f"{directory} holds no bucket-*.safetensors: run `dvc repro extract` first")
    return paths
