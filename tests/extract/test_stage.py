"""The stage as a whole: complete, the same bytes whatever was finished before, and nothing computed twice."""

import pytest

from medattn.attention import captures
from medattn.base import paths
from medattn.extract.extractor import Extractor
from tests.extract.conftest import UNITS, extracted, manifest, settings, units


def test_an_interrupted_run_gives_the_bytes_of_an_undisturbed_one(root, monkeypatch, undisturbed):
    assert extracted(root, monkeypatch, "on") == undisturbed
    stored = units(root)
    assert len(stored) == UNITS
    stored[0].unlink()
    damaged = bytearray(stored[1].read_bytes())
    damaged[100] ^= 1
    stored[1].write_bytes(bytes(damaged))
    stored[2].write_bytes(stored[2].read_bytes()[:-1])
    stored[3].write_bytes(b"")
    assert extracted(root, monkeypatch, "on") == undisturbed
    assert units(root) == stored


def test_a_damaged_entry_is_reported(root, monkeypatch, capsys):
    extracted(root, monkeypatch, "on")
    damaged = units(root)[7]
    damaged.write_bytes(damaged.read_bytes() + b"\0")
    extracted(root, monkeypatch, "on")
    assert f"{paths.RUN / 'units' / damaged.name} is damaged and is computed again" in capsys.readouterr().out


def test_without_the_cache_nothing_stays_behind(root, monkeypatch, undisturbed):
    assert extracted(root, monkeypatch, "off") == undisturbed
    assert not (root / paths.RUN / "units").exists()
    assert sorted(path.name for path in (root / "out").iterdir()) == ["answers.csv", "captures", "failures.csv"]


def test_finished_units_are_not_computed_again(root, monkeypatch, undisturbed):
    extracted(root, monkeypatch, "on")
    monkeypatch.setattr(Extractor, "compute", lambda *_: pytest.fail("computed again"))
    assert extracted(root, monkeypatch, "on") == undisturbed


def test_images_made_by_worker_processes_are_the_same(root, monkeypatch, undisturbed):
    assert extracted(root, monkeypatch, "off", settings(image_workers=2)) == undisturbed


def test_captures_are_complete_and_their_totals_sum_to_one(root, monkeypatch):
    extracted(root, monkeypatch, "off")
    rows = {row["sample_id"]: row for row in manifest(root)}
    stored = list(captures.read(root / "out/captures"))
    assert {capture.sample_id for capture in stored} == set(rows)
    for capture in stored:
        assert capture.totals.shape == (6, 8, 6, 5)
        assert (capture.image_weights is None) == (rows[capture.sample_id]["shown_image_id"] == "")
        assert abs(capture.totals[:, :, capture.valid].sum(axis=-1) - 1).max() < 1e-4
        assert not capture.totals[:, :, ~capture.valid].any()


def test_nobody_has_failed(root, undisturbed):
    assert undisturbed["failures.csv"] == b"sample_id,image_id,condition,reason\n"
