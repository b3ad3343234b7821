"""Rows decoded together: as many as memory allows, and the answers are the same however many they are."""

import json
import shutil

import numpy as np
import pytest
import torch

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.params.whole import Params
from medattn.bench import speed
from medattn.extract import extractor
from medattn.model.decode import decode
from medattn.model.memory import BatchBudget, is_out_of_memory, row_bytes, weight_bytes
from medattn.model.vision import image_features
from tests.extract.conftest import extracted, raw_settings, settings, units


def limited(monkeypatch, most: int, error: type[BaseException] = torch.OutOfMemoryError) -> list[int]:
    """Let decoding run out of memory with more than `most` rows; the numbers of rows that were tried."""
    tried: list[int] = []

    def decode_few(loaded, prompts, *rest):
        tried.append(len(prompts))
        if len(prompts) > most:
            raise error("CUDA out of memory. Tried to allocate 2.00 GiB")
        return decode(loaded, prompts, *rest)

    monkeypatch.setattr(extractor, "decode", decode_few)
    return tried


def test_out_of_memory_halves_the_rows_says_so_once_and_changes_nothing(root, monkeypatch, undisturbed, capsys):
    tried = limited(monkeypatch, 5)
    assert extracted(root, monkeypatch, "off") == undisturbed
    assert max(tried) > 10 and tried[-1] <= 5
    assert sum(count > 5 for count in tried) <= 4  # the lesson is learnt once
    assert capsys.readouterr().err.count("rows at once: going on with fewer") == 1


@pytest.mark.parametrize(("dtype", "may_differ"), [("float64", False), ("float32", True)])
def test_a_run_that_ran_out_of_memory_keeps_its_units_names_and_is_marked_where_digits_may_differ(
    root, monkeypatch, capsys, dtype, may_differ
):
    raw = raw_settings()
    params = Params.model_validate(raw | {"model": raw["model"] | {"dtype": dtype}})
    extracted(root, monkeypatch, "on", params)
    names = [path.name for path in units(root)]
    note = root / "out/run" / paths.FEWER_ROWS.name
    assert not note.exists()
    shutil.rmtree(root / paths.RUN)
    with monkeypatch.context() as short:
        limited(short, 20)
        extracted(root, short, "on", params)
    assert [path.name for path in units(root)] == names
    assert ("in float32 last digits may differ" in capsys.readouterr().err) == may_differ
    assert note.exists() == may_differ
    if may_differ:
        assert 10 < json.loads(note.read_text())["units"] < len(names)  # not those of batches that had fewer rows anyway
    extracted(root, monkeypatch, "on", params)  # what is reused was still made so
    assert note.exists() == may_differ
    extracted(root, monkeypatch, "off", params)
    assert not note.exists()


def test_one_row_that_does_not_fit_is_an_error_with_a_remedy(root, monkeypatch):
    limited(monkeypatch, 0)
    with pytest.raises(InputError, match="out of memory with a single row: choose a device that has more"):
        extracted(root, monkeypatch, "off")


def test_another_error_is_not_taken_for_a_lack_of_memory(root, monkeypatch):
    limited(monkeypatch, 0, error=RuntimeError)
    with pytest.raises(RuntimeError, match="CUDA out of memory"):
        extracted(root, monkeypatch, "off")


def test_what_the_allocators_say_is_known():
    with pytest.raises(RuntimeError) as failed:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(failed.value)
    assert is_out_of_memory(torch.OutOfMemoryError("x")) and is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shapes do not match"))


@pytest.fixture(scope="module")
def loaded():
    made = speed.phantom_shape(torch.device("cpu"))
    speed.prepare_model(made.model, made.device)
    return made


def test_a_limit_decides_how_many_rows_fit(loaded):
    weights, row = weight_bytes(loaded), row_bytes(loaded, 400, 5)
    assert weights == sum(p.nbytes for p in loaded.model.parameters()) + sum(b.nbytes for b in loaded.model.buffers())
    budget = BatchBudget(loaded, (weights + 10.5 * row) / 1e9)
    assert budget.rows(48, 400, 5) == 10 and budget.rows(3, 400, 5) == 3 and budget.rows(48, 800, 5) < 10
    assert BatchBudget(loaded, None).rows(48, 400, 5) == 48
    with pytest.raises(InputError, match=r"run.max_memory is 0.01 GB: the model's weights take .* raise it"):
        BatchBudget(loaded, 0.01).rows(48, 400, 5)


def test_a_row_takes_no_more_than_is_reckoned(loaded):
    """Against the resident peak while few and while many rows are decoded."""
    prompter = loaded.prompter(speed.PromptSettings("", "{question}", "question_first"))
    (image, questions), *_ = speed.image_questions(1)
    features = image_features(loaded, [image])
    peaks = {}
    for rows in (8, 8, 64):
        prompts = [prompter(questions[0])] * rows
        speed.reset_peak(loaded.device)
        decode(loaded, prompts, features, 6, 5)
        peaks[rows] = speed.peak_memory(loaded.device)
    tokens = len(prompts[0]) + 6
    taken = (peaks[64] - peaks[8]) / 56
    assert taken <= row_bytes(loaded, tokens, 5) <= 4 * taken


def test_a_capped_run_gives_the_same_bytes(root, monkeypatch, undisturbed):
    tried = limited(monkeypatch, 1000)
    assert extracted(root, monkeypatch, "off", settings(max_memory=0.12)) == undisturbed
    assert max(tried) < 30


@pytest.mark.parametrize("rows", [1, 3])
def test_variants_of_several_images_may_be_parted_anywhere(loaded, rows, monkeypatch):
    items = speed.image_questions(2)
    prompter = loaded.prompter(speed.PromptSettings("", "{question}", "image_first"))
    features = image_features(loaded, [image for image, _ in items])
    prompts = [prompter(question) for _, questions in items for question in questions[:2]]
    owners = [0, 0, 1, 1]
    together = decode(loaded, prompts, features, 6, 5, owners)
    work = extractor.Extractor(loaded, prompter, None, 6, 5, BatchBudget(loaded, None))
    monkeypatch.setattr(work.budget, "_most", rows)
    for one, other in zip(together, work._decode(prompts, features, owners), strict=True):
        assert one.ids == other.ids
        np.testing.assert_allclose(one.image_weights, other.image_weights, atol=1e-6)
