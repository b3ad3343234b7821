"""A sample that cannot be computed ends the run with its name, or is a row with its reason, and changes no other."""

import csv
import io

import pytest
import torch

from medattn.attention import captures
from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.tables import csv_text
from medattn.extract.extractor import NOT_FINITE
from medattn.model.decode import _Batch
from tests.extract.conftest import extracted, manifest, settings, units


def rows(content: bytes) -> dict[str, dict[str, str]]:
    return {row["sample_id"]: row for row in csv.DictReader(io.StringIO(content.decode()))}


def spoil_image(root) -> tuple[str, bytes]:
    """Cut the first image's file; its id, and what the file held."""
    with (root / "data/images.csv").open(newline="") as file:
        image = next(csv.DictReader(file))
    path = root / "data/images" / image["path"]
    path = path if path.exists() else root / "data" / image["path"]
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])
    spoil_image.path = path
    return image["image_id"], content


def test_an_unreadable_image_ends_the_run_and_is_named(root, monkeypatch):
    image_id, _ = spoil_image(root)
    with pytest.raises(InputError, match=rf"sample '.*': image '{image_id}': .*run.on_error: record would list it"):
        extracted(root, monkeypatch, "on")
    assert not (root / "out/captures").exists()


def test_an_unreadable_image_is_recorded_and_every_other_sample_is_what_it_would_be(root, monkeypatch, undisturbed):
    image_id, content = spoil_image(root)
    found = extracted(root, monkeypatch, "on", settings(on_error="record"))
    shown = {row["sample_id"] for row in manifest(root) if row["shown_image_id"] == image_id}
    failed = rows(found["failures.csv"])
    assert failed.keys() == shown and len(shown) > 8
    assert {row["image_id"] for row in failed.values()} > {image_id}  # it is another question's donor, too
    assert all(f"image {image_id!r}: " in row["reason"] for row in failed.values())
    answers, whole = rows(found["answers.csv"]), rows(undisturbed["answers.csv"])
    assert {key for key, row in answers.items() if row["status"] == "failed"} == shown
    assert all(set(answers[key].values()) == {key, "failed", ""} for key in shown)
    assert {key: answers[key] for key in whole.keys() - shown} == {key: whole[key] for key in whole.keys() - shown}
    stored = [sample_id for one in captures.read(root / "out/captures") for sample_id in one.sample_ids]
    assert sorted(stored) == sorted(whole.keys() - shown)
    spoil_image.path.write_bytes(content)  # fixed: only what had failed is computed
    before = {path.name: path.stat().st_mtime_ns for path in units(root) if not path.name.endswith("-failed")}
    assert extracted(root, monkeypatch, "on", settings(on_error="record")) == undisturbed
    assert before.items() <= {path.name: path.stat().st_mtime_ns for path in units(root)}.items()


def test_a_blank_image_in_place_of_an_unreadable_one_fails_with_it_and_is_shared_by_the_others(root, monkeypatch):
    """Later stages need every image that a blank one stands for."""
    image_id, _ = spoil_image(root)
    raw = manifest(root)
    blanks = [row for row in raw if row["condition"] == "blank"]
    for row in blanks:
        row["question"] = blanks[0]["question"]
    (root / paths.MANIFEST).write_text(csv_text(tuple(raw[0]), raw))
    found = extracted(root, monkeypatch, "on", settings(on_error="record"))
    failed, answers = rows(found["failures.csv"]), rows(found["answers.csv"])
    lost = {row["sample_id"] for row in blanks if row["image_id"] == image_id}
    kept = sorted(row["sample_id"] for row in blanks if row["image_id"] != image_id)
    assert len(lost) == 1 and lost <= failed.keys() and not failed.keys() & set(kept)
    assert {answers[sample_id]["status"] for sample_id in lost} == {"failed"}
    assert [list(one.sample_ids) for one in captures.read(root / "out/captures") if kept[0] in one.sample_ids] == [kept]


def not_a_number(monkeypatch, row: int) -> None:
    """Let the model's logits of one row of every batch with images be NaN."""
    prefill = _Batch.prefill

    def spoilt(self, recorder):
        logits = prefill(self, recorder)
        if self.features is not None and len(logits) > row:
            logits[row] = torch.nan
        return logits

    monkeypatch.setattr(_Batch, "prefill", spoilt)


def test_numbers_that_are_not_finite_end_the_run(root, monkeypatch):
    not_a_number(monkeypatch, 2)
    with pytest.raises(InputError, match=rf"sample '.*': {NOT_FINITE[:40]}"):
        extracted(root, monkeypatch, "off")


def test_numbers_that_are_not_finite_are_recorded_for_the_sample_alone(root, monkeypatch, undisturbed):
    not_a_number(monkeypatch, 2)
    found = extracted(root, monkeypatch, "off", settings(on_error="record"))
    failed = rows(found["failures.csv"])
    assert 1 <= len(failed) <= 3 and {row["reason"] for row in failed.values()} == {NOT_FINITE}
    answers, whole = rows(found["answers.csv"]), rows(undisturbed["answers.csv"])
    assert {key: answers[key] for key in whole.keys() - failed.keys()} == {
        key: whole[key] for key in whole.keys() - failed.keys()
    }


def test_a_run_of_which_nothing_can_be_computed_is_an_error(root, monkeypatch):
    for path in (root / "data").rglob("*.png"):
        path.write_bytes(b"no image")
    raw = manifest(root)
    kept = [row for row in raw if row["shown_image_id"]]
    (root / "results/manifest.csv").write_text(csv_text(tuple(kept[0]), kept))
    with pytest.raises(InputError, match=rf"none of the {len(kept)} samples could be computed; the first: image"):
        extracted(root, monkeypatch, "on", settings(on_error="record"))
    assert not (root / "out/captures").exists()
