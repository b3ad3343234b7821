"""The manifest in numbers says what its rows say."""

import random

import numpy as np
import pytest

from medattn.aggregate import samples as module
from medattn.aggregate.samples import is_reference, read_samples
from medattn.base import sample_tables
from medattn.base.rows import SampleRow
from medattn.base.tables import write_csv

CONDITIONS = ("clean", "no_image", "blank", "rotation", "shuffled_image", "gaussian_noise")


@pytest.fixture
def rows(tmp_path) -> list[SampleRow]:
    """A manifest in no order, below tmp_path, of images whose ids are not as long as each other; two samples failed."""
    drawn, made = random.Random(0), []
    for image in ("i9", "i10", "ï-1", "image-of-a-long-name"):
        for finding in ("nodule", "edema"):
            for condition in CONDITIONS:
                for variant in (0, 1):
                    row = SampleRow.fromkeys(sample_tables.MANIFEST, "")
                    shown = {"no_image": "", "shuffled_image": "donor" if image == "i9" else "i9"}.get(condition, image)
                    made.append(row | {
                        "sample_id": f"{image}-{finding}-v{variant}-{condition}", "image_id": image, "finding": finding,
                        "condition": condition, "variant_index": str(variant), "shown_image_id": shown,
                        "subject_id": f"p{image}",
                    })  # fmt: skip
    drawn.shuffle(made)
    write_csv(tmp_path / "manifest.csv", sample_tables.MANIFEST, made)
    failed = [{name: row[name] for name in sample_tables.FAILURES[:-1]} | {"reason": "damaged"} for row in made[:2]]
    write_csv(tmp_path / "failures.csv", sample_tables.FAILURES, failed)
    return sorted(made, key=lambda row: row["sample_id"])


@pytest.mark.parametrize("chunk", [7, 4096])
def test_every_row_is_what_the_manifest_says(rows, tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(module, "CHUNK", chunk)
    samples = read_samples(tmp_path / "manifest.csv", tmp_path / "failures.csv")
    assert [one.decode() for one in samples.ids] == [row["sample_id"] for row in rows]
    failed = sample_tables.read(tmp_path / "failures.csv", sample_tables.FAILURES, "extract")
    asked = [samples.images[image] for image in samples.asked_images]
    for row, held in zip(rows, samples.columns, strict=True):
        shown = samples.images[held["shown"]] if held["shown"] >= 0 else ""
        said = (samples.images[held["image"]], shown, samples.findings[held["finding"]])
        assert said == (row["image_id"], row["shown_image_id"], row["finding"])
        assert held["reference"] == is_reference(row) and held["failed"] == (row["sample_id"] in failed)
        assert held["blank"] == (row["condition"] == "blank" and row.is_baseline)
        place = samples.sinks_row(samples.row_of[row["sample_id"]])
        keeps = row["condition"] in ("blank", "rotation", "no_image") or shown == "donor"
        assert place is None if keeps else asked[place] == shown
    with_grid = [row["sample_id"] for row in rows if row["shown_image_id"] and row["sample_id"] not in failed]
    assert [samples.ids[at].decode() for at in samples.with_grid] == with_grid
    assert samples.grid_rows[samples.with_grid].tolist() == list(range(len(with_grid)))


def test_samples_are_found_by_image_and_by_finding(rows, tmp_path):
    samples = read_samples(tmp_path / "manifest.csv", tmp_path / "failures.csv")
    there = [samples.row_of[row["sample_id"]] for row in rows if samples.grid_rows[samples.row_of[row["sample_id"]]] >= 0]
    by_id = {samples.row_of[row["sample_id"]]: row for row in rows}
    for image, found in zip(samples.asked_images, samples.by_image(), strict=True):
        wanted = [
            at
            for at in there
            if by_id[at]["image_id"] == samples.images[image]
            and by_id[at].is_baseline
            and by_id[at]["condition"] in ("clean", "blank")
        ]
        assert found.tolist() == wanted
    for finding, found in samples.by_finding().items():
        about = [at for at in there if by_id[at]["finding"] == samples.findings[finding] and is_reference(by_id[at])]
        assert found.tolist() == about
    assert np.array_equal(np.sort(np.concatenate(list(samples.by_finding().values()))), samples.references)
