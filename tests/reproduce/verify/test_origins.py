"""An entry of the unit cache names no sample: whose attention it holds is found by what it holds."""

from dataclasses import replace

import numpy as np

from medattn.attention import captures
from medattn.attention.captures import Capture
from medattn.base import paths
from medattn.extract.unit_cache import UnitCache
from medattn.reproduce.verify import origins

VALID = np.ones(6, dtype=bool)


def capture(name: str, value: float, *others: str) -> Capture:
    question, totals = np.full((2, 4, 6, 1), value, np.float32), np.full((2, 4, 6, 5), value, np.float32)
    return Capture(name, "A mass?", ((0, 7),), VALID, None, question, totals, others)


def test_every_sample_that_a_wrong_entry_was_recorded_for_is_named(tmp_path, monkeypatch):
    cache = UnitCache(tmp_path / "units")
    monkeypatch.setattr(origins, "_unit_directory", lambda root: cache.directory)
    held = {"a": capture("s1", 0.5, "s2"), "b": capture("s3", 0.25)}  # of two images, asked alike
    for key, one in held.items():
        cache.write(key * origins.KEY, captures.encode([replace(one, sample_id=one.question, others=())], {}))
    for root, first in (("here", 0.5), ("recomputed", 0.125)):
        path = captures.shard_path(tmp_path / root / paths.CAPTURES, 0)
        path.parent.mkdir(parents=True)
        path.write_bytes(captures.encode([replace(capture("s1", first), others=("s2",)), held["b"]], {}))
    (line,) = origins._units(tmp_path / "here", tmp_path / "recomputed")
    assert line.endswith(f"{'a' * origins.KEY}: the unit cache has attention that the model does not give: s1, s2")
