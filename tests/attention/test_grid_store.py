"""What is written row by row is a safetensors file, and what is read of it row by row is what was written."""

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from medattn.attention.grid_store import GridStore
from medattn.attention.grid_writer import ids_of, new_store
from medattn.attention.grids import ProfileMaps
from medattn.attention.sinks import Sinks
from medattn.base.errors import InputError

PROFILE = {"rows": [0, 2, 5], "gqa": "mean", "sinks": "keep"}
TERMS = [f"term {number}" for number in range(11)]
ABOUT = {
    "layers": 2, "heads": 4, "key_value_heads": 2, "terms": TERMS, "findings": ["edema", "nodule"],
    "region_findings": ["edema"], "profiles": {"decision": PROFILE}, "image_side": 32,
}  # fmt: skip
SAMPLES = ["a", "ab", "b-ö", "c" * 40]


def maps(rows: tuple[int, ...], terms: tuple[str, ...]) -> ProfileMaps:
    nothing = np.zeros((0, 256))
    return ProfileMaps(nothing, nothing, rows=rows, gate_count=len(terms) * 2, gated=bool(terms), terms=terms, image_mass=0.25)


@pytest.fixture
def written(tmp_path):
    """(path, grids [sample, 16, 16], masses [3, layer, head]); the rows were written last first."""
    rng, path = np.random.default_rng(0), tmp_path / "grids.safetensors"
    grids, masses = rng.random((4, 16, 16), np.float32), rng.random((3, 2, 4))
    with new_store(path, ABOUT, ids_of(SAMPLES), ids_of(["i1", "i2", "i3"]), 3) as store:
        for row in reversed(range(4)):
            store.put("decision", row, grids[row])
            made = maps((0, 5) if row else (2,), (TERMS[10], TERMS[2]) if row == 3 else ())
            store.put_question(row, made)
            store.put_notes("decision", row, made)
        store.put_sinks(0, Sinks(False, (), None))
        store.put_sinks(1, Sinks(True, (0, 255), 0.5, (255,)))
        store.put_sinks(2, Sinks(True, (), 0.0))
        for row, sample in enumerate((1, 3, 3)):
            store.put("regions|sample", row, sample)
            store.put("regions|finding", row, 0)
            store.put("regions|mass", row, masses[row])
        store.put("heads|mean", 1, np.full((2, 4, 256), 1 / 256))
    return path, grids, masses


def test_what_was_written_is_read(written):
    path, grids, masses = written
    store = GridStore(path)
    assert list(store.samples) == SAMPLES and [store.samples[name] for name in SAMPLES] == [0, 1, 2, 3]
    assert "aa" not in store.samples and "z" not in store.samples and "" not in store.samples
    assert np.array_equal(np.array(list(store.grids("decision"))), grids)
    assert np.array_equal(store.by_sample("decision")["b-ö"], grids[2])
    assert store.notes["decision"]["c" * 40] == {
        "gate_count": 4, "gated": True, "image_mass": 0.25, "terms": ["term 10", "term 2"], "rows": [0, 5],
    }  # fmt: skip
    assert store.notes["decision"]["a"]["rows"] == [2] and store.notes["decision"]["a"]["terms"] == []
    assert store.sinks["i1"] == {"computed": False, "cells": [], "mass": None, "position": None}
    assert store.sinks["i2"] == {"computed": True, "cells": [0, 255], "mass": 0.5, "position": [255]}
    assert store.sinks["i3"] == {"computed": True, "cells": [], "mass": 0.0, "position": None}
    assert store.sinks.get("i4") is None
    assert store.head_means()["nodule"].sum() == 8 and store.head_means()["edema"].sum() == 0
    assert np.array_equal(store.region_masses["ab"]["edema"], masses[0]) and store.region_masses["a"] == {}


def test_any_reader_of_safetensors_reads_it(written):
    path, grids, _ = written
    with safe_open(path, framework="np") as file:
        assert np.array_equal(file.get_tensor("decision"), grids)
        assert file.get_tensor("samples|id")[2].tobytes().rstrip(b"\0").decode() == "b-ö"
        assert file.get_tensor("decision|rows").tolist() == [[False, True, False], *[[True, False, True]] * 3]


def test_the_header_does_not_grow_with_the_samples(tmp_path):
    sizes = []
    for count in (10, 100_000):
        names = ids_of([f"{number:06d}" for number in range(count)])
        with new_store(tmp_path / "store", ABOUT, names, names, count):
            pass
        sizes.append(int.from_bytes((tmp_path / "store").read_bytes()[:8], "little"))
    assert sizes[1] < sizes[0] + 300  # digits of the offsets


def test_a_store_without_samples_is_read(tmp_path):
    with new_store(tmp_path / "store", ABOUT | {"findings": []}, ids_of([]), ids_of([]), 0):
        pass
    store = GridStore(tmp_path / "store")
    assert (list(store.samples), len(store.grids("decision")), store.head_means()) == ([], 0, {})
    assert "a" not in store.samples


def test_what_fails_leaves_the_store_before_it_in_place(written):
    path, grids, _ = written

    def fail() -> None:
        with new_store(path, ABOUT, ids_of(["a"]), ids_of([]), 0) as store:
            store.put("decision", 0, grids[0])
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        fail()
    assert list(GridStore(path).samples) == SAMPLES and [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("damage", [lambda held: held[:-1], lambda held: held[:20], lambda held: b"", lambda held: b"x" * 999])
def test_what_is_no_store_is_named_with_the_remedy(written, damage):
    path, _, _ = written
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"grids.safetensors cannot be read \(.+\): run `dvc repro -f aggregate`"):
        GridStore(path)


def test_a_store_of_an_earlier_version_is_named_with_the_remedy(tmp_path):
    path = tmp_path / "grids.safetensors"
    save_file({"decision": np.zeros((1, 16, 16))}, path, metadata={"medattn": '{"samples": ["a"]}'})
    with pytest.raises(InputError, match=r"cannot be read \(it holds no images.id\): run `dvc repro -f aggregate`"):
        GridStore(path)
