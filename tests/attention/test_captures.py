"""Captures on disk: what goes in comes out, in the same bytes every time."""

import io
from dataclasses import replace

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
    assert (one.sample_ids, one.question, one.offsets) == (two.sample_ids, two.question, two.offsets)
    for name in ("valid", "image_weights", "question_weights", "totals"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_what_is_written_is_read(tmp_path):
    shared = replace(capture("b-v0-no_image", tokens=7, image=False), others=("c-v0-no_image", "d-v0-no_image"))
    stored = [capture("a-v0-clean"), shared]
    captures.shard_path(tmp_path, 3).write_bytes(captures.encode(stored, SHARED))
    for one, two in zip(stored, captures.read(tmp_path), strict=True):
        assert_same(one, two)
    assert captures.read_shared(tmp_path) == SHARED


def packed(path, unit: bytes, sample_ids: dict[str, list[str]]) -> list[Capture]:
    """What is read of a shard that holds `unit` alone, its captures renamed."""
    captures.write_shard(captures.shard_path(path, 0), SHARED, [(captures.read_header(io.BytesIO(unit)), sample_ids)], [unit])
    assert captures.read_shared(path) == SHARED
    return list(captures.read(path))


def test_a_unit_is_packed_under_the_names_of_all_its_samples(tmp_path):
    """Whatever letters its questions and samples hold: the header is JSON inside JSON."""
    unit = captures.encode([capture('Is "a|b" größer\n?'), capture("A 🫁?", tokens=7, image=False)], {"answers": {}})
    first, second = packed(tmp_path, unit, {'Is "a|b" größer\n?': ['x"|\\', "y🫀"], "A 🫁?": ["b"]})
    assert_same(first, replace(capture("A 🫁?", tokens=7, image=False), sample_id="b"))
    assert_same(second, replace(capture('Is "a|b" größer\n?'), sample_id='x"|\\', others=("y🫀",)))


def test_of_a_quarter_of_a_million_samples_that_are_asked_alike_a_shard_keeps_one_capture(tmp_path):
    names = [f"patient-{number:07d}-image-1-pleural-effusion-v3-no_image" for number in range(250_000)]
    (one,) = packed(tmp_path, captures.encode([capture("A mass?", image=False)], {}), {"A mass?": names})
    assert one.sample_ids == tuple(names)
    path = captures.shard_path(tmp_path, 0)
    assert int.from_bytes(path.read_bytes()[:8], "little") < captures.LARGEST_HEADER / 4


def test_a_shard_of_more_samples_than_its_header_can_name_is_refused_with_a_remedy(tmp_path, monkeypatch):
    unit = captures.encode([capture("A mass?", image=False)], {})
    names = [f"sample-{number}" for number in range(2000)]
    (whole,) = packed(tmp_path, unit, {"A mass?": names})
    size = int.from_bytes(captures.shard_path(tmp_path, 0).read_bytes()[:8], "little")
    monkeypatch.setattr(captures, "LARGEST_HEADER", size + captures.SPARE)
    assert_same(packed(tmp_path, unit, {"A mass?": names})[0], whole)
    monkeypatch.setattr(captures, "LARGEST_HEADER", size)
    with pytest.raises(InputError, match=r"would name more samples than a safetensors file can \(2000 and more\): raise ext"):
        packed(tmp_path, unit, {"A mass?": names})


def test_bytes_do_not_depend_on_the_order():
    one, two = capture("a"), capture("bb")
    assert captures.encode([one, two], SHARED) == captures.encode([two, one], SHARED)


def test_decode_undoes_encode():
    (back,), shared = captures.decode(captures.encode([capture("a")], {"answers": [1]}))
    assert_same(capture("a"), back)
    assert shared == {"answers": [1]}


def test_a_shard_is_decided_by_what_is_shown_alone():
    dealt = [captures.shard_of(f"image-{number}", 16) for number in range(2000)]
    assert set(dealt) == set(range(16))
    assert captures.shard_of("image-7", 16) == dealt[7]


def test_an_empty_directory_says_which_stage_is_missing(tmp_path):
    with pytest.raises(InputError, match="run `dvc repro extract` first"):
        next(captures.read(tmp_path))
