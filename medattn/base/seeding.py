"""Random streams named by ids.

A stream depends on the ids it is named by and on nothing else: not on the order of work, the number of
processes, or how many numbers another stream has used.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

One = TypeVar("One")


def digest_of(*ids: object) -> int:
    """A 128-bit integer decided by `ids` (SHA-256 of their text, joined by a unit separator)."""
    text = "\x1f".join(str(part) for part in ids)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def generator(*ids: object) -> np.random.Generator:
    """NumPy generator (PCG64) for the stream named by `ids`, e.g. ``generator(seed, "pose", image_id)``."""
    return np.random.Generator(np.random.PCG64(digest_of(*ids)))


def choose(options: Sequence[One], *ids: object) -> One:
    """One of `options`, decided by `ids` alone."""
    return options[digest_of(*ids) % len(options)]
