"""The stage as a whole: complete, the same bytes whatever was finished before, and nothing computed twice."""

import csv
import io

import pytest

from medattn.attention import captures
from medattn.base import paths
from medattn.base.tables import csv_text
from medattn.extract.extractor import Extractor
from tests.extract.conftest import IMAGES, UNITS, extracted, manifest, settings, units


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
    assert sorted(sample_id for capture in stored for sample_id in capture.sample_ids) == sorted(rows)
    for capture in stored:
        assert {rows[sample_id]["question"] for sample_id in capture.sample_ids} == {capture.question}
        assert capture.totals.shape == (6, 8, 6, 5)
        assert (capture.image_weights is None) == (rows[capture.sample_id]["shown_image_id"] == "")
        assert abs(capture.totals[:, :, capture.valid].sum(axis=-1) - 1).max() < 1e-4
        assert not capture.totals[:, :, ~capture.valid].any()


def test_what_is_shown_and_asked_alike_is_computed_and_stored_once_and_recorded_for_each(root, monkeypatch, undisturbed):
    """Every sample asked by a second patient, too, whose image is the first one's."""
    computed = []
    compute = Extractor.compute
    monkeypatch.setattr(
        Extractor, "compute", lambda self, batch, inputs: computed.extend(batch) or compute(self, batch, inputs)
    )
    shared = [row for row in manifest(root) if row["condition"] in ("clean", "no_image", "blank", "shuffled_image")]
    kept = {row["sample_id"] for row in shared}
    twins = [row | {"sample_id": f"twin-{row['sample_id']}", "image_id": "twin", "subject_id": "twin"} for row in shared]
    (root / paths.MANIFEST).write_text(csv_text(tuple(shared[0]), shared + twins))
    found = extracted(root, monkeypatch, "off")
    assert len(computed) == UNITS - 3 * IMAGES
    for capture in captures.read(root / "out/captures"):
        assert {f"twin-{one}" for one in capture.sample_ids if one in kept} == set(capture.sample_ids) - kept
    answers = {row["sample_id"]: row for row in csv.DictReader(io.StringIO(found["answers.csv"].decode()))}
    assert list(answers) == sorted(kept | {row["sample_id"] for row in twins})
    before = {row["sample_id"]: row for row in csv.DictReader(io.StringIO(undisturbed["answers.csv"].decode()))}
    for sample_id in kept:
        assert answers[sample_id] == before[sample_id]
        assert answers[f"twin-{sample_id}"] == before[sample_id] | {"sample_id": f"twin-{sample_id}"}


def test_nobody_has_failed(root, undisturbed):
    assert undisturbed["failures.csv"] == b"sample_id,image_id,condition,reason\n"
