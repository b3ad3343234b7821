"""What is checked of a loaded model would notice if it were not so; the negative control changes what it says it does."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image

from medattn.model import capture, eager_check
from medattn.model.load import load, redraw_language
from medattn.model.prompt import PromptSettings
from medattn.model.vision import input_features
from medattn.phantom.cases import make_case
from medattn.radiographs.conditions import resized
from tests.stored_study import stored_model


def asked(loaded):
    prompter = loaded.prompter(PromptSettings("", "{question}", "question_first"))
    image = Image.fromarray(make_case(1, 0, 0).radiograph.image).convert("RGB")
    return prompter("Is there a nodule in this image?"), image


@pytest.mark.parametrize("dtype", ["double", "single"])
def test_captured_attention_agrees_with_the_librarys_eager_attention_by_a_factor_of_three(dtype, request):
    loaded = request.getfixturevalue(dtype)
    found = eager_check.compare_with_eager(loaded, *asked(loaded))
    assert 0 <= found.difference <= found.tolerance / 3 and found.power == 1.0 and found.blind_layers == ()
    assert loaded.model.config.text_config._attn_implementation == capture.NAME  # capture is in place again
    assert not any(layer._forward_pre_hooks for layer in loaded.model.model.language_model.layers)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_the_trained_phantom_agrees_by_a_factor_of_three_in_every_dtype(dtype, tmp_path):
    found = eager_check.compare_with_eager(loaded := load(stored_model(tmp_path), dtype, "cpu"), *asked(loaded))
    assert found.difference <= found.tolerance / 3 and found.power > 0.9 and found.blind_layers == ()


def test_a_capture_that_is_wrong_by_a_thousandth_or_swaps_heads_is_noticed(double, monkeypatch):
    right = capture.last_row_weights

    def scaled(*arguments):
        return right(*arguments) * 1.001

    def swapped(*arguments):
        weights = right(*arguments).clone()
        weights[:, [1, 2]] = weights[:, [2, 1]]  # heads of different groups
        return weights

    for wrong in (scaled, swapped):
        monkeypatch.setattr(capture, "last_row_weights", wrong)
        found = eager_check.compare_with_eager(double, *asked(double))
        assert found.difference > found.tolerance


def test_other_pixels_than_extracts_or_other_image_tokens_are_noticed(double, monkeypatch):
    prompt, image = asked(double)
    with monkeypatch.context() as patch:
        patch.setattr(eager_check, "resized", lambda image, side: resized(image, side)[::-1])
        upright = resized(image, double.image_side)
        patch.setattr(eager_check, "input_features", lambda loaded, shown: input_features(loaded, [upright]))
        found = eager_check.compare_with_eager(double, prompt, image)
    assert found.difference > found.tolerance


def drawn(layers=5, heads=8, mass=1.0):
    """Weights on the image [layer, head, 256] of heads that each give it `mass`."""
    return np.random.default_rng(0).dirichlet(np.full(256, 0.3), (layers, heads)) * mass


WRONG = {
    "upside down": lambda maps: maps.reshape(-1, 16, 16)[:, ::-1].reshape(maps.shape),
    "transposed": lambda maps: maps.reshape(-1, 16, 16).swapaxes(1, 2).reshape(maps.shape),
    "exchanged": lambda maps: maps[::-1],
    "empty": np.zeros_like,
}


@pytest.mark.parametrize("tolerance", eager_check.TOLERANCE.values())
@pytest.mark.parametrize("mass", [0.9, 0.02, 1e-4])
@pytest.mark.parametrize("layer", range(5))
@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_map_in_any_layer_fails_however_little_the_image_gets(kind, layer, mass, tolerance):
    right = drawn(mass=mass)
    wrong = right.copy()
    wrong[layer] = WRONG[kind](right[layer])
    assert eager_check.compare(right, right, 4, tolerance).difference == 0
    assert eager_check.compare(wrong, right, 4, tolerance).difference > tolerance
    wrong = right.copy()  # of a single head
    wrong[layer, 3] = WRONG[kind](right[layer, [3, 4]])[0]
    assert eager_check.compare(wrong, right, 4, tolerance).difference > tolerance


def test_layers_in_which_no_mistake_would_show_are_named():
    weights = drawn()
    weights[2] = 1 / 256
    weights[4, 0] = 0
    found = eager_check.compare(weights, weights, 4, 0.1)
    assert found.blind_layers == (2,) and found.power == pytest.approx(31 / 40)


def test_numbers_that_are_not_numbers_do_not_agree():
    weights = drawn()
    wrong = weights.copy()
    wrong[1, 1, 1] = np.nan
    assert eager_check.compare(wrong, weights, 4, 0.1).difference == 1.0


def test_gemma_has_no_cross_attention_and_a_planted_one_is_found(double):
    assert eager_check.cross_attention(double.model) == []
    model = torch.nn.ModuleDict({"decoder_cross_attn": torch.nn.Linear(2, 2), "self_attn": torch.nn.Linear(2, 2)})
    model["self_attn"].is_cross_attention = True
    assert eager_check.cross_attention(model) == ["decoder_cross_attn", "self_attn"]


def test_redrawing_permutes_every_language_tensor_and_nothing_else(double):
    first, second, other = (copy.deepcopy(double.model) for _ in range(3))
    redraw_language(first, 1)
    redraw_language(second, 1)
    redraw_language(other, 2)
    before = dict(double.model.named_parameters())
    changed = 0
    for name, tensor in first.named_parameters():
        assert torch.equal(tensor, dict(second.named_parameters())[name])
        if "language_model" in name:
            assert np.array_equal(np.sort(tensor.detach().numpy().ravel()), np.sort(before[name].detach().numpy().ravel()))
            if tensor.unique().numel() > 1:
                assert not torch.equal(tensor, before[name]) and not torch.equal(tensor, dict(other.named_parameters())[name])
                changed += 1
        else:
            assert torch.equal(tensor, before[name]), name
    assert changed >= 6 * 7
