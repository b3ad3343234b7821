"""Extraction with a real, untrained model: units, batches, the cache, and the same bytes after an interruption."""

import csv

import pytest
import yaml

from medattn import captures, extract, paths, prepare
from medattn.extract.extractor import Extractor
from medattn.extract.ranks import Ranks
from medattn.extract.units import SAMPLES_AT_ONCE, Unit, batches, units_of
from medattn.model import phantom
from medattn.model.phantom_training import learn_tokenizer
from medattn.params import Params
from medattn.study.schema import read_study
from medattn.study.write_phantom import write
from tests.import_closure import ROOT

IMAGES = 3
CONDITIONS = {  # one of each kind, so that the files stay few
    "clean": {"wordings": "all"},
    "no_image": {"wordings": "all"},
    "gaussian_noise": {"wordings": "baseline", "strengths": [0.1, 0.2]},
    "shuffled_image": {"wordings": "baseline"},
    "occlude_region": {"wordings": "baseline"},
}
ALONE = Ranks(0, 1, None, {})
UNITS = IMAGES * 6  # all three findings are there, so each has a region to hide


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A study of three images with its manifest."""
    root = tmp_path_factory.mktemp("extract")
    tokenizer = learn_tokenizer()
    phantom.save(phantom.make_model(tokenizer), phantom.make_processor(tokenizer), root / "model")
    write(root / "data", IMAGES, 1, root / "model")
    prepare.run(settings(), root)
    return root


def settings() -> Params:
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    raw |= {"study": "data", "study_digests": {}, "allow_unpinned": True, "conditions": CONDITIONS}
    raw["prompt"]["max_new_tokens"] = raw["extract"]["generated_rows"] + 1
    return Params.model_validate(raw)


def manifest(root) -> list[dict[str, str]]:
    with (root / paths.MANIFEST).open(newline="") as file:
        return list(csv.DictReader(file))


def extracted(root, monkeypatch, switch: str) -> dict[str, bytes]:
    monkeypatch.setenv("MEDATTN_CACHE", switch)
    monkeypatch.chdir(root)
    study = read_study(root / "data")
    said = extract.run(study, settings(), ALONE, root / paths.MANIFEST, root / "out")
    assert said.startswith(f"{len(manifest(root))} samples -> ") and "failed" not in said
    return {path.name: path.read_bytes() for path in sorted((root / "out").rglob("*")) if path.is_file()}


def test_units_are_all_that_is_asked_about_one_image_under_one_condition(root):
    units = units_of(manifest(root))
    assert len(units) == UNITS
    assert [len(unit.asked) for unit in units if unit.condition == "clean"] == [8] * IMAGES  # six wordings, two controls
    assert [len(unit.asked) for unit in units if not unit.shown] == [6] * IMAGES
    assert {len(unit.asked) for unit in units if unit.condition not in ("clean", "no_image")} == {1}
    assert all((unit.occluded != "") == unit.condition.startswith("occlude") for unit in units)


def test_batches_hold_images_apart_from_none_and_nothing_twice(root):
    units = units_of(manifest(root)) * 5
    made = list(batches(units))
    sizes = [sum(len(unit.asked) for unit in batch) for batch in made]
    assert max(sizes) == SAMPLES_AT_ONCE and min(sizes) > 0
    assert all(len({unit.shown != "" for unit in batch}) == 1 for batch in made)
    assert [unit for batch in made for unit in batch] == sorted(units, key=lambda unit: unit.shown == "")


def test_a_unit_of_many_samples_is_a_batch_of_its_own():
    def unit(samples: int) -> Unit:
        return Unit("image", "clean", "", "image", "", "", tuple(range(samples)))

    sizes = [[len(one.asked) for one in batch] for batch in batches([unit(n) for n in (3, 45, 1, 100, 1, 1)])]
    assert sizes == [[3, 45], [1], [100], [1, 1]]


def test_an_interrupted_run_gives_the_bytes_of_an_undisturbed_one(root, monkeypatch):
    undisturbed = extracted(root, monkeypatch, "off")
    assert not (root / paths.RUN).exists()
    assert extracted(root, monkeypatch, "on") == undisturbed
    units = sorted((root / paths.RUN / "units").iterdir())
    assert len(units) == UNITS
    units[0].unlink()
    damaged = bytearray(units[1].read_bytes())
    damaged[100] ^= 1
    units[1].write_bytes(bytes(damaged))
    assert extracted(root, monkeypatch, "on") == undisturbed
    assert len(list((root / paths.RUN / "units").iterdir())) == len(units)


def test_finished_units_are_not_computed_again(root, monkeypatch):
    before = extracted(root, monkeypatch, "on")
    monkeypatch.setattr(Extractor, "compute", lambda *_: pytest.fail("computed again"))
    assert extracted(root, monkeypatch, "on") == before


def test_captures_are_complete_and_their_totals_sum_to_one(root, monkeypatch):
    extracted(root, monkeypatch, "on")
    rows = {row["sample_id"]: row for row in manifest(root)}
    stored = list(captures.read(root / "out/captures"))
    assert {capture.sample_id for capture in stored} == set(rows)
    for capture in stored:
        assert capture.totals.shape == (6, 8, 6, 5)
        assert (capture.image_weights is None) == (rows[capture.sample_id]["shown_image_id"] == "")
        assert abs(capture.totals[:, :, capture.valid].sum(axis=-1) - 1).max() < 1e-4
        assert not capture.totals[:, :, ~capture.valid].any()
