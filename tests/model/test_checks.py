"""What is checked of a loaded model would notice if it were not so; the negative control changes what it says it does."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image

from medattn.model import capture, eager_check
from medattn.model.load import redraw_language
from medattn.model.prompt import PromptSettings
from medattn.phantom.cases import make_case


def asked(loaded):
    prompter = loaded.prompter(PromptSettings("", "{question}", "question_first"))
    image = Image.fromarray(make_case(1, 0, 0).radiograph.image).convert("RGB")
    return prompter("Is there a nodule in this image?"), image


@pytest.mark.parametrize("dtype", ["double", "single"])
def test_captured_attention_agrees_with_the_librarys_eager_attention(dtype, request):
    loaded = request.getfixturevalue(dtype)
    assert eager_check.agrees_with_eager(loaded, *asked(loaded)) is True
    assert loaded.model.config.text_config._attn_implementation == capture.NAME  # capture is in place again


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
        assert eager_check.agrees_with_eager(double, *asked(double)) is False


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
