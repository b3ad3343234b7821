"""What decides a unit's result decides its name, and nothing else does."""

import csv
import json
import shutil

import pytest

from medattn import prepare
from medattn.base import content_cache, paths
from medattn.base.params.whole import Params
from medattn.extract import stage
from medattn.extract.extractor import Extractor
from medattn.extract.keys import Keys
from medattn.extract.units import batches, read_units
from medattn.radiographs.bodies import Bodies
from medattn.radiographs.reader import RadiographReader
from medattn.study.schema import read_study
from tests.extract.conftest import extracted, raw_settings, settings


def changed(raw: dict, section: str, **values: object) -> Params:
    return Params.model_validate(raw | {section: raw[section] | values})


def keys(root, params: Params | None = None) -> list[str]:
    study = read_study(root / "data")
    made = Keys(study, params or settings(), RadiographReader(study, Bodies(root / paths.BODIES)))
    return [key for batch in batches(read_units(root / paths.MANIFEST)) for key in made(batch)]


@pytest.fixture
def computed(monkeypatch) -> list[tuple[str, str, str]]:
    """(image, condition, strength) of every unit that is computed from now on."""
    found: list[tuple[str, str, str]] = []
    compute = Extractor.compute

    def counted(self, batch, inputs):
        found.extend((unit.image_id, unit.condition, unit.strength) for unit in batch)
        return compute(self, batch, inputs)

    monkeypatch.setattr(Extractor, "compute", counted)
    return found


def change_question(root) -> str:
    """Another variant of one baseline question's second variant; its image."""
    path = root / "data/questions.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    row = next(row for row in rows if row["role"] == "study" and row["variant_index"] == "2")
    row["question"] = f"Please tell: {row['question'][0].lower()}{row['question'][1:]}"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return row["image_id"]


def test_one_changed_question_computes_only_what_it_is_asked_of_anew(root, monkeypatch, computed):
    extracted(root, monkeypatch, "on")
    computed.clear()
    image_id = change_question(root)
    params = settings()
    prepare.run(params, root)
    found = extracted(root, monkeypatch, "on")
    assert sorted(computed) == [(image_id, "clean", ""), (image_id, "no_image", "")]  # both are asked in all variants
    shutil.rmtree(root / paths.RUN)
    assert extracted(root, monkeypatch, "off") == found


def test_a_changed_noise_strength_computes_only_its_own_units_anew(root, monkeypatch, computed):
    extracted(root, monkeypatch, "on")
    computed.clear()
    raw = raw_settings()
    noise = {"gaussian_noise": {"variants": "baseline", "strengths": [0.1, 0.25]}}
    params = changed(raw, "conditions", **noise)
    prepare.run(params, root)
    extracted(root, monkeypatch, "on", params)
    assert len(computed) == 3 and {one[1:] for one in computed} == {("gaussian_noise", "0.25")}


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("model", {"dtype": "float32"}),
        ("model", {"redraw_language": 1}),
        ("prompt", {"order": "image_first"}),
        ("prompt", {"system": "You are a radiologist."}),
        ("prompt", {"max_new_tokens": 9}),
        ("extract", {"generated_rows": 6}),
    ],
)
def test_a_setting_that_decides_results_is_a_miss(pristine, section, values):
    assert not set(keys(pristine)) & set(keys(pristine, changed(raw_settings(), section, **values)))


def test_how_a_run_is_carried_out_is_no_miss(pristine):
    params = settings(processes=3, image_workers=2, max_memory=8.0, on_error="record")
    assert keys(pristine, params) == keys(pristine)


def test_another_librarys_version_or_an_edited_module_is_a_miss_unless_extract_does_not_read_it(
    pristine, tmp_path, monkeypatch
):
    before = keys(pristine)
    with monkeypatch.context() as patch:
        patch.setattr(content_cache, "version", lambda name: "0.0" if name == "transformers" else "1.0")
        assert not set(before) & set(keys(pristine))
    edited = tmp_path / "medattn"
    shutil.copytree(content_cache.PACKAGE, edited)
    monkeypatch.setattr(content_cache, "PACKAGE", edited)
    assert keys(pristine) == before
    of_figures = edited / "base/params/figures.py"
    of_figures.write_text(of_figures.read_text() + "    colours: str\n")
    assert keys(pristine) == before
    module = edited / "model/capture.py"
    module.write_text(module.read_text() + "\n# another thought\n")
    assert not set(before) & set(keys(pristine))


def test_another_model_is_a_miss(root):
    before = keys(root)
    path = root / "data/model.json"
    pins = json.loads(path.read_text())
    pins["files"]["model.safetensors"] = "0" * 64
    path.write_text(json.dumps(pins))
    assert not set(before) & set(keys(root))


def test_in_a_short_dtype_the_units_of_a_batch_are_computed_together(root, monkeypatch, computed):
    """Its last digits, which may decide a word of an answer, depend on what shares the batch."""
    params = changed(raw_settings(), "model", dtype="bfloat16")
    first = extracted(root, monkeypatch, "on", params)
    cache = stage.UnitCache(root / paths.RUN / "units")
    names = sorted(path.name for path in cache.directory.iterdir())
    lost = next(name for name in names if any("-clean" in sample for sample in cache.head(name).samples))  # has company
    everything = set(computed)
    computed.clear()
    (cache.directory / lost).unlink()
    assert extracted(root, monkeypatch, "on", params) == first
    assert 1 < len(computed) < len(everything)
    assert cache.read(lost) is not None
