"""The aggregate stage on small captures, written as extract writes them."""

import csv
import dataclasses
import shutil

import numpy as np
import pytest
import yaml

from medattn.aggregate.stage import Inputs
from medattn.aggregate.stage import run as run_stage
from medattn.attention import captures
from medattn.attention.captures import Capture
from medattn.attention.gating import TermFinder
from medattn.attention.grid_store import GridStore
from medattn.attention.grids import combine, resolve_layers, to_grid, to_group_grids
from medattn.base import paths, sample_tables
from medattn.base.errors import InputError
from medattn.base.params.whole import Params
from medattn.base.rounding import CAPTURE_DIGITS, DIGITS, round_number, round_significant
from medattn.base.tables import write_csv
from medattn.metrics.inputs import read_store
from tests.import_closure import ROOT
from tests.metrics.conftest import make_study, region

SHARED = {
    "layers": 3, "heads": 4, "key_value_heads": 2, "image_tokens": 256, "image_side": 32, "cross_attention": [],
    "eager_agreement": None,
}  # fmt: skip
OFFSETS = ((0, 3), (3, 7), (7, 10), (10, 11))  # "Any", " nod", "ule", "?"
FINDINGS = ("nodule", "pneumothorax", "consolidation")


def manifest_rows() -> list[dict[str, str]]:
    rows = []
    for image in ("i1", "i2"):
        for index, finding in enumerate(FINDINGS if image == "i1" else FINDINGS[:2]):
            for variant, condition in ((0, "clean"), (1, "clean"), (0, "no_image")):
                row = dict.fromkeys(sample_tables.MANIFEST, "")
                row |= {
                    "sample_id": f"{image}-{index}-v{variant}-{condition}", "image_id": image, "finding": finding,
                    "shown_image_id": "" if condition == "no_image" else image, "condition": condition,
                    "variant_index": str(variant), "role": "control" if index else "study", "subject_id": f"p-{image}",
                }  # fmt: skip
                rows.append(row)
    return rows


def capture_of(row: dict[str, str], hot: int | None = None) -> Capture:
    noise = np.random.default_rng(list(row["sample_id"].encode()))
    weights = noise.dirichlet(np.full(256 + 4 + 3, 5.0), (3, 4, 6))
    image = weights[..., :256]
    if hot is not None:
        image[..., hot] += 0.3
    question, rest = weights[..., 256:260], weights[..., 260:]
    totals = np.stack([rest[..., 0], image.sum(-1), question.sum(-1), rest[..., 1], rest[..., 2]], axis=-1)
    shown = row["condition"] != "no_image"
    return Capture(
        row["sample_id"], "Any nodule?", OFFSETS, np.ones(6, bool),
        round_significant(image, CAPTURE_DIGITS) if shown else None,
        round_significant(question, CAPTURE_DIGITS), round_significant(totals, CAPTURE_DIGITS),
    )  # fmt: skip


def run(directory, manifest, failures, out, settings, terms=("nodule",)) -> int:
    """The stage, on a study of which i1 has a true region of an effusion and i2 one of a nodule."""
    study = directory.parent / "study"
    if not study.exists():
        make_study(study)
    return run_stage(Inputs(directory, manifest, failures, study), out, settings, terms)


@pytest.fixture
def settings():
    return Params.model_validate(yaml.safe_load((ROOT / "params.yaml").read_text())).aggregate


@pytest.fixture
def inputs(tmp_path):
    """(captures directory, manifest, failures) of two images; cell 40 of i1 is a sink."""
    rows = manifest_rows()
    manifest = tmp_path / "manifest.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, sample_tables.MANIFEST)
        writer.writeheader()
        writer.writerows(rows)
    directory = tmp_path / "captures"
    directory.mkdir()
    for index, image in enumerate(("i1", "i2")):
        made = [capture_of(row, hot=40 if image == "i1" else None) for row in rows if row["image_id"] == image]
        captures.shard_path(directory, index).write_bytes(captures.encode(made, SHARED))
    return directory, manifest, failed(tmp_path)


def failed(directory, *rows):
    """failures.csv below `directory`, of these manifest rows."""
    path = directory / "failures.csv"
    listed = [{"sample_id": row["sample_id"], "image_id": row["image_id"], "condition": row["condition"]} for row in rows]
    write_csv(path, sample_tables.FAILURES, [row | {"reason": "cannot be decoded"} for row in listed])
    return path


def with_profile(settings, name="decision", **changes):
    profile = settings.profiles[name].model_copy(update=changes)
    return settings.model_copy(update={"profiles": {**settings.profiles, name: profile}})


def stored(path, name):
    """(a tensor's rows, the store)."""
    store = GridStore(path)
    return np.array(list(store.grids(name))), store


def test_the_store_is_what_the_metrics_stage_reads(inputs, settings, tmp_path):
    out = tmp_path / "grids.safetensors"
    assert run(*inputs, out, settings) == 10
    ok = [row["sample_id"] for row in manifest_rows() if row["condition"] == "clean"]
    store = read_store(out, settings.profiles, ok)
    assert store.heads == (3, 4, 2)
    for name in settings.profiles:
        for sample_id in ok:
            assert store.grid(name, sample_id).sum() == pytest.approx(1, abs=1e-5)
    assert set(store.head_means) == set(FINDINGS) and store.head_means["nodule"].shape == (3, 4, 256)
    assert store.notes["original"][ok[0]]["gate_count"] == 2
    assert store.notes["original"][ok[0]]["rows"] == [1, 2, 3, 4, 5]
    assert store.notes["decision"][ok[0]]["gated"] is False


def test_the_same_captures_give_the_same_bytes(inputs, settings, tmp_path):
    for name in ("one", "two"):
        run(*inputs, tmp_path / name, settings)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize(
    "changes",
    [{"rows": [1]}, {"layers": [0]}, {"gqa": "max"}, {"layer_weights": [1.0, 2.0, 3.0]}, {"rows": [0, 1], "gating": True}],
)
def test_every_setting_changes_the_grids(inputs, settings, tmp_path, changes):
    run(*inputs, tmp_path / "as is", settings)
    run(*inputs, tmp_path / "changed", with_profile(settings, **changes))
    assert not np.array_equal(stored(tmp_path / "as is", "decision")[0], stored(tmp_path / "changed", "decision")[0])


def test_other_terms_change_gated_grids_only(inputs, settings, tmp_path):
    run(*inputs, tmp_path / "as is", settings)
    run(*inputs, tmp_path / "changed", settings, terms=["effusion"])
    assert not np.array_equal(stored(tmp_path / "as is", "original")[0], stored(tmp_path / "changed", "original")[0])
    assert np.array_equal(stored(tmp_path / "as is", "decision")[0], stored(tmp_path / "changed", "decision")[0])


def test_sinks_are_found_with_three_findings_and_zeroed_on_request(inputs, settings, tmp_path):
    out = tmp_path / "grids.safetensors"
    run(*inputs, out, with_profile(settings, sinks="zero"))
    kept, store = stored(out, "decision")
    zeroed, _ = stored(out, "decision|without_sinks")
    assert store.sinks["i1"]["cells"] == [40]
    assert store.sinks["i2"] == {"cells": [], "computed": False, "mass": None, "position": None}
    for row, sample_id in enumerate(store.samples):
        assert kept[row, 2, 8] > 0
        assert (zeroed[row, 2, 8] == 0) == sample_id.startswith("i1")
        assert zeroed[row].sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("condition, shown, zeroed", [
    ("shuffled_image", "i1", True), ("gaussian_noise", "i2", False), ("gaussian_noise", "i1", True), ("blank", "i1", False),
    ("rotation", "i1", False),
])  # fmt: skip
def test_the_sinks_that_are_zeroed_are_those_of_the_image_shown(settings, tmp_path, condition, shown, zeroed):
    owner = "i2" if condition == "shuffled_image" else shown
    rows = [row for row in manifest_rows() if row["condition"] == "clean"]
    changed = rows[0] | {
        "sample_id": "x-v0",
        "condition": condition,
        "image_id": owner,
        "shown_image_id": shown,
        "role": "study",
    }
    manifest, directory = tmp_path / "manifest.csv", tmp_path / "captures"
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, sample_tables.MANIFEST)
        writer.writeheader()
        writer.writerows([*rows, changed])
    directory.mkdir()
    made = [capture_of(row, hot=40 if row["shown_image_id"] == "i1" else None) for row in [*rows, changed]]
    captures.shard_path(directory, 0).write_bytes(captures.encode(made, SHARED))
    run(directory, manifest, failed(tmp_path), tmp_path / "grids", with_profile(settings, sinks="zero"))
    without, store = stored(tmp_path / "grids", "decision|without_sinks")
    assert (without[store.samples["x-v0"], 2, 8] == 0) == zeroed


@pytest.mark.parametrize("hot_when_blank, position", [(True, [40]), (False, [])])
def test_a_blank_image_tells_sinks_of_position_from_those_of_content(settings, tmp_path, hot_when_blank, position):
    rows = [row for row in manifest_rows() if row["image_id"] == "i1" and row["condition"] == "clean"]
    blank = rows[0] | {"sample_id": "i1-0-v0-blank", "condition": "blank"}
    manifest, directory = tmp_path / "manifest.csv", tmp_path / "captures"
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, sample_tables.MANIFEST)
        writer.writeheader()
        writer.writerows([*rows, blank])
    directory.mkdir()
    made = [*(capture_of(row, hot=40) for row in rows), capture_of(blank, hot=40 if hot_when_blank else None)]
    captures.shard_path(directory, 0).write_bytes(captures.encode(made, SHARED))
    run(directory, manifest, failed(tmp_path), tmp_path / "grids.safetensors", settings)
    _, store = stored(tmp_path / "grids.safetensors", "decision")
    assert store.sinks["i1"]["cells"] == [40] and store.sinks["i1"]["position"] == position


def test_group_maps_average_to_the_grid(inputs, settings, tmp_path):
    out = tmp_path / "grids.safetensors"
    run(*inputs, out, with_profile(settings, gqa="per_group"))
    groups, _ = stored(out, "decision|groups")
    np.testing.assert_allclose(groups.mean(axis=1), stored(out, "decision")[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": [7]}, "aggregate.profiles.decision.layers: layer 7 is out of range: the model has layers 0 … 2"),
        ({"rows": [9]}, "aggregate.profiles.decision.rows: row 9 was not captured, only 0 … 5"),
    ],
)
def test_settings_the_captures_cannot_give_name_the_parameter(inputs, settings, tmp_path, changes, message):
    out = tmp_path / "grids.safetensors"
    with pytest.raises(InputError, match=message):
        run(*inputs, out, with_profile(settings, **changes))
    assert not out.exists()


def test_a_sample_without_captures_is_named(inputs, settings, tmp_path):
    directory, manifest, listed = inputs
    captures.shard_path(directory, 1).unlink()
    with pytest.raises(InputError, match=r"has no sample 'i2-0-v0-clean' \(6 missing\): run `dvc repro extract`"):
        run(directory, manifest, listed, tmp_path / "out", settings)


def without(rows, fails):
    """(rows that are captured, rows that failed)."""
    return [row for row in rows if not fails(row)], [row for row in rows if fails(row)]


FAILS = {
    "an image": lambda row: row["image_id"] == "i2",
    "a baseline variant": lambda row: row["sample_id"] == "i1-0-v0-clean",
    "everything that shows an image": lambda row: row["condition"] == "clean",
}


@pytest.mark.parametrize("fails", FAILS.values(), ids=FAILS)
def test_samples_that_failed_are_left_out_and_the_others_keep_their_grids(inputs, settings, tmp_path, fails):
    directory, manifest, _ = inputs
    run(*inputs, tmp_path / "all", settings)
    every, complete = stored(tmp_path / "all", "decision")
    rows, missing = without(manifest_rows(), fails)
    for path in directory.iterdir():
        path.unlink()
    made = [capture_of(row, hot=40 if row["image_id"] == "i1" else None) for row in rows]
    captures.shard_path(directory, 0).write_bytes(captures.encode(made, SHARED))
    count = run(directory, manifest, failed(tmp_path, *missing), tmp_path / "some", settings)
    grids, store = stored(tmp_path / "some", "decision")
    ok = sorted(row["sample_id"] for row in rows if row["condition"] == "clean")
    assert list(store.samples) == ok and count == len(ok) and len(grids) == len(ok)
    for sample_id, grid in zip(ok, grids, strict=True):
        assert np.array_equal(grid, every[complete.samples[sample_id]])
    assert read_store(tmp_path / "some", settings.profiles, ok).heads == (3, 4, 2)


def test_sinks_are_not_looked_for_where_a_failure_leaves_too_few_findings(inputs, settings, tmp_path):
    directory, manifest, _ = inputs
    rows, missing = without(manifest_rows(), lambda row: row["sample_id"] == "i1-2-v0-clean")
    for path in directory.iterdir():
        path.unlink()
    captures.shard_path(directory, 0).write_bytes(captures.encode([capture_of(row, hot=40) for row in rows], SHARED))
    run(directory, manifest, failed(tmp_path, *missing), tmp_path / "some", settings)
    assert stored(tmp_path / "some", "decision")[1].sinks["i1"]["computed"] is False


def test_a_sample_that_is_captured_and_listed_as_failed_is_named(inputs, settings, tmp_path):
    directory, manifest, _ = inputs
    listed = failed(tmp_path, manifest_rows()[0])
    with pytest.raises(
        InputError, match=rf"holds sample 'i1-0-v0-clean', {paths.FAILURES} lists it as failed: run `dvc repro -f"
    ):
        run(directory, manifest, listed, tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()


def test_a_failure_that_is_not_in_the_manifest_is_named(inputs, settings, tmp_path):
    directory, manifest, _ = inputs
    listed = failed(tmp_path, manifest_rows()[0] | {"sample_id": "i9-v0"})
    with pytest.raises(InputError, match="lists sample 'i9-v0', the manifest does not: run `dvc repro extract`"):
        run(directory, manifest, listed, tmp_path / "out", settings)


def test_a_run_of_which_every_sample_failed_ends_with_the_first_reason(inputs, settings, tmp_path):
    directory, manifest, _ = inputs
    listed = failed(tmp_path, *manifest_rows())
    for path in directory.iterdir():
        path.unlink()
    with pytest.raises(
        InputError, match=r"lists every sample .*\(15\).*'i1-0-v0-clean': cannot be decoded: fix that, then run"
    ):
        run(directory, manifest, listed, tmp_path / "out", settings)


# --- one sample at a time ---------------------------------------------------------------------------------------------

PROFILES = {
    "max": {"gqa": "max"},
    "max, gated": {"gqa": "max", "rows": [0, 2, 5], "gating": True, "layer_weights": [1.0, 2.0, 4.0]},
    "groups": {"gqa": "per_group", "layers": [0, 2]},
    "groups without sinks": {"gqa": "per_group", "sinks": "zero"},
    "max without sinks, gated": {"gqa": "max", "sinks": "zero", "rows": [1, 3], "gating": True},
}


@pytest.mark.parametrize("changes", PROFILES.values(), ids=PROFILES)
def test_a_streamed_store_holds_what_is_made_of_each_sample_alone(inputs, settings, tmp_path, changes):
    chosen = with_profile(settings, **changes)
    run(*inputs, tmp_path / "grids", chosen)
    store, profile = GridStore(tmp_path / "grids"), chosen.profiles["decision"]
    samples = {capture.sample_id: capture for capture in captures.read(inputs[0]) if capture.image_weights is not None}
    assert list(store.samples) == sorted(samples)
    found, layers = TermFinder(["nodule"])("Any nodule?"), resolve_layers(profile.layers, 3)
    expected = {"decision": {}, "decision|groups": {}, "decision|without_sinks": {}}
    for sample_id, capture in samples.items():
        made = combine(capture, profile, layers, 2, found)
        expected["decision"][sample_id] = to_grid(made.layers, profile)
        expected["decision|groups"][sample_id] = to_group_grids(made, profile)
        cells = store.sinks[sample_id[:2]]["cells"]
        expected["decision|without_sinks"][sample_id] = to_grid(made.layers, profile, cells)
        note = store.notes["decision"][sample_id]
        assert (note["rows"], note["terms"], note["gated"]) == (list(made.rows), list(made.terms), made.gated)
        assert note["gate_count"] == made.gate_count and note["image_mass"] == round_number(made.image_mass)
    assert store.sinks["i1"]["cells"] == [40]
    there = {"decision": True, "decision|groups": profile.gqa == "per_group", "decision|without_sinks": profile.sinks == "zero"}
    for name in (name for name in expected if there[name]):
        held = store.by_sample(name)
        for sample_id, grid in expected[name].items():
            assert np.array_equal(held[sample_id], round_significant(grid, DIGITS)), (name, sample_id)


@pytest.mark.parametrize("shards", [1, 2, 5])
def test_neither_the_number_of_shards_nor_the_order_of_the_captures_changes_a_byte(inputs, settings, tmp_path, shards):
    directory, manifest, listed = inputs
    run(directory, manifest, listed, tmp_path / "as is", settings)
    made = list(captures.read(directory))
    for path in directory.iterdir():
        path.unlink()
    for index in range(shards):
        captures.shard_path(directory, index).write_bytes(captures.encode(made[index::shards], SHARED))
    run(directory, manifest, listed, tmp_path / "dealt otherwise", settings)
    assert (tmp_path / "as is").read_bytes() == (tmp_path / "dealt otherwise").read_bytes()


def test_a_capture_of_several_samples_is_the_grid_of_each(inputs, settings, tmp_path, monkeypatch):
    """One shows what another does: the store is as if both had been captured."""
    directory, manifest, listed = inputs
    other = manifest_rows()[0] | {"sample_id": "x-v0", "image_id": "i2", "condition": "shuffled_image", "role": "study"}
    with manifest.open("a", newline="") as file:
        csv.DictWriter(file, sample_tables.MANIFEST).writerow(other)
    made = list(captures.read(directory))
    first = next(capture for capture in made if capture.sample_id == "i1-0-v0-clean")
    twice = [*made, dataclasses.replace(first, sample_id="x-v0")]
    chosen = with_profile(settings, sinks="zero")
    monkeypatch.setattr(captures, "read", lambda _: iter(twice))
    run(directory, manifest, listed, tmp_path / "computed twice", chosen)

    class Shared(Capture):
        sample_ids = ("i1-0-v0-clean", "x-v0")

    shared = Shared(**{field.name: getattr(first, field.name) for field in dataclasses.fields(first)})
    once = [shared if capture is first else capture for capture in made]
    monkeypatch.setattr(captures, "read", lambda _: iter(once))
    assert run(directory, manifest, listed, tmp_path / "computed once", chosen) == 11
    assert (tmp_path / "computed once").read_bytes() == (tmp_path / "computed twice").read_bytes()


# --- heads ------------------------------------------------------------------------------------------------------------


def shares(capture: Capture) -> np.ndarray:
    """Where each head looks from the last prompt token: [layer, head, 256], sum 1."""
    weights = capture.image_weights[:, :, 0].astype(np.float64)
    return weights / weights.sum(axis=-1, keepdims=True)


def test_head_maps_are_averaged_over_each_patients_images_and_then_over_patients(settings, tmp_path):
    """Images of one patient count once."""
    owners = {"a": "p1", "b": "p1", "c": "p2"}
    rows = [
        row | {"sample_id": f"{image}-{row['sample_id']}", "image_id": image, "shown_image_id": image, "subject_id": patient}
        for image, patient in owners.items()
        for row in manifest_rows()
        if row["image_id"] == "i1" and row["condition"] == "clean"
    ]
    made = {row["sample_id"]: capture_of(row) for row in rows}
    (tmp_path / "captures").mkdir()
    captures.shard_path(tmp_path / "captures", 0).write_bytes(captures.encode(list(made.values()), SHARED))
    write_csv(tmp_path / "manifest.csv", sample_tables.MANIFEST, rows)
    run(tmp_path / "captures", tmp_path / "manifest.csv", failed(tmp_path), tmp_path / "grids", settings)
    means = GridStore(tmp_path / "grids").head_means()
    assert list(means) == sorted(FINDINGS)
    a, b, c = (shares(made[f"{image}-i1-0-v0-clean"]) for image in owners)
    np.testing.assert_allclose(means["nodule"], ((a + b) / 2 + c) / 2, rtol=1e-5)  # of maps of six digits


def test_the_mass_in_a_true_region_is_kept_of_every_reference_question_about_its_image(inputs, settings, tmp_path):
    directory, manifest, listed = inputs
    run(directory, manifest, listed, tmp_path / "grids", settings)
    masses = GridStore(tmp_path / "grids").region_masses
    made = {capture.sample_id: capture for capture in captures.read(directory)}
    finding = {"i1": "pleural effusion", "i2": "nodule"}
    for sample_id, kept in masses.items():
        if "-v0-" not in sample_id:
            assert kept == {}
            continue
        (name,) = kept
        assert name == finding[sample_id[:2]]
        expected = shares(made[sample_id]) @ region(sample_id[:2])
        np.testing.assert_allclose(kept[name], expected, rtol=1e-5)


# --- bad input --------------------------------------------------------------------------------------------------------


def test_a_capture_that_shows_an_image_where_the_manifest_shows_none_is_named(inputs, settings, tmp_path):
    directory, manifest, listed = inputs
    rows = [row | {"shown_image_id": ""} if row["sample_id"] == "i2-0-v1-clean" else row for row in manifest_rows()]
    write_csv(manifest, sample_tables.MANIFEST, rows)
    (tmp_path / "out").write_bytes(b"an earlier result")
    said = "holds sample 'i2-0-v1-clean', which shows an image there or in the manifest only: run `dvc repro -f extract`"
    with pytest.raises(InputError, match=said):
        run(directory, manifest, listed, tmp_path / "out", settings)
    assert (tmp_path / "out").read_bytes() == b"an earlier result" and not (tmp_path / ".out.part").exists()


def test_a_sample_that_the_manifest_does_not_hold_is_named(inputs, settings, tmp_path):
    directory, manifest, listed = inputs
    write_csv(manifest, sample_tables.MANIFEST, [row for row in manifest_rows() if row["sample_id"] != "i1-1-v1-clean"])
    with pytest.raises(InputError, match=r"holds sample 'i1-1-v1-clean', the manifest does not: run `dvc repro extract`"):
        run(directory, manifest, listed, tmp_path / "out", settings)


def test_a_sample_that_is_captured_twice_is_named(inputs, settings, tmp_path):
    directory, manifest, listed = inputs
    shutil.copy(captures.shard_path(directory, 1), captures.shard_path(directory, 2))
    with pytest.raises(InputError, match=r"captures holds sample 'i2-0-v0-clean' twice: run `dvc repro -f extract`"):
        run(directory, manifest, listed, tmp_path / "out", settings)


def test_a_sample_that_the_manifest_names_twice_is_named_with_its_row(inputs, settings, tmp_path):
    directory, manifest, listed = inputs
    rows = manifest_rows()
    write_csv(manifest, sample_tables.MANIFEST, [*rows, rows[7], rows[3]])
    said = rf"manifest.csv, row {len(rows) + 2}: sample_id '{rows[7]['sample_id']}' is duplicated: run `dvc repro -f prepare`"
    with pytest.raises(InputError, match=said):
        run(directory, manifest, listed, tmp_path / "out", settings)


def test_a_question_none_of_whose_rows_was_answered_is_named(inputs, settings, tmp_path):
    directory, manifest, listed = inputs
    made = list(captures.read(directory))
    made[0] = dataclasses.replace(made[0], valid=np.array([True] + [False] * 5))
    for path in directory.iterdir():
        path.unlink()
    captures.shard_path(directory, 0).write_bytes(captures.encode(made, SHARED))
    with pytest.raises(InputError, match=f"sample '{made[0].sample_id}', profile 'original': the answer is too short"):
        run(directory, manifest, listed, tmp_path / "out", settings)
