"""Captures on disk: what goes in comes out, in the same bytes every time."""

import numpy as np
import pytest

from medattn.attention import captures
from medattn.attention.captures import Capture
from medattn.base.errors import InputError

SHARED = {"layers": 2, "heads": 4, "key_value_heads": 2, "image_tokens": 256}


def capture(sample_id: str, tokens: int = 3, image: bool = True) -> Capture:
    noise = np.random.default_rng(len(sample_id))
    weights = noise.random((2, 4, 6, 256)).astype(np.float32) if image else None
    return Capture(
        sample_id, "Größer als üblich?", tuple((i, i + 1) for i in range(tokens)), np.array([1, 1, 0, 0, 0, 0], bool),
        weights, noise.random((2, 4, 6, tokens)).astype(np.float32), noise.random((2, 4, 6, 5)).astype(np.float32),
    )  # fmt: skip


def assert_same(one: Capture, two: Capture) -> None:
    assert (one.sample_id, one.question, one.offsets) == (two.sample_id, two.question, two.offsets)
    for name in ("valid", "image_weights", "question_weights", "totals"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_what_is_written_is_read(tmp_path):
    stored = [capture("a-v0-clean"), capture("b-v0-no_image", tokens=7, image=False)]
    captures.shard_path(tmp_path, 3).write_bytes(captures.encode(stored, SHARED))
    for one, two in zip(stored, captures.read(tmp_path), strict=True):
        assert_same(one, two)
    assert captures.read_shared(tmp_path) == SHARED


def test_bytes_do_not_depend_on_the_order():
    one, two = capture("a"), capture("bb")
    assert captures.encode([one, two], SHARED) == captures.encode([two, one], SHARED)


def test_decode_undoes_encode():
    (back,), shared = captures.decode(captures.encode([capture("a")], {"answers": [1]}))
    assert_same(capture("a"), back)
    assert shared == {"answers": [1]}


def test_a_shard_is_decided_by_the_image_alone():
    dealt = [captures.shard_of(f"image-{number}", 16) for number in range(2000)]
    assert set(dealt) == set(range(16))
    assert captures.shard_of("image-7", 16) == dealt[7]


def test_an_empty_directory_says_which_stage_is_missing(tmp_path):
    with pytest.raises(InputError, match="run `dvc repro extract` first"):
        next(captures.read(tmp_path))
