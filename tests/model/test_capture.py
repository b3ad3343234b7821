"""Captured rows and answers against plain eager attention and against the library's own generate."""

import numpy as np
import pytest
import torch
from PIL import Image

from medattn.model.capture import single_query, use_capture
from medattn.model.decode import decode, shared_prefix
from medattn.model.prompt import PromptSettings
from medattn.model.vision import image_features
from tests.oracles.eager import ORACLE, full_attention, stock_answer

QUESTIONS = ("Is there a nodule?", "Is there radiographic evidence of fluid in the pleural space?", "Any cardiomegaly here?")
ROWS, NEW = 3, 6


def prompts_for(loaded, order, with_image=True, questions=QUESTIONS):
    settings = PromptSettings("", "{question}", order)
    prompter = loaded.prompter(settings)
    return prompter, [prompter(question, with_image) for question in questions]


def answers_of(loaded, prompts, features):
    use_capture(loaded.model)
    return decode(loaded, prompts, features, NEW, ROWS)


def pixels_of(loaded, radiograph):
    pixels = loaded.processor.image_processor(images=[radiograph], return_tensors="pt")["pixel_values"]
    return pixels.to(loaded.model.dtype)


@pytest.mark.parametrize("order", ["question_first", "image_first"])
@pytest.mark.parametrize("with_image", [True, False])
@pytest.mark.parametrize("dtype, implementation, tolerance", [
    ("double", ORACLE, 1e-9), ("double", "eager", 1e-6), ("single", "eager", 1e-6),
])  # fmt: skip
def test_rows_of_a_padded_batch_equal_eager_attention_one_by_one(
    order, with_image, dtype, implementation, tolerance, request, radiograph
):
    loaded = request.getfixturevalue(dtype)
    reference = loaded if implementation == ORACLE else request.getfixturevalue(f"stock_{dtype}")
    _, prompts = prompts_for(loaded, order, with_image)
    features = image_features(loaded, [radiograph]) if with_image else None
    decoded = answers_of(loaded, prompts, features)
    assert len({len(prompt) for prompt in prompts}) >= 2  # so some are padded
    for prompt, answer in zip(prompts, decoded, strict=True):
        ids = [*prompt.ids.tolist(), *answer.ids]
        pixels = pixels_of(loaded, radiograph) if with_image else None
        full = full_attention(reference, ids, pixels, implementation, len(prompt))
        for row in np.flatnonzero(answer.valid):
            expected = full[:, :, row]
            assert np.abs(answer.image_weights[:, :, row] - expected[:, :, prompt.image]).max(initial=0) <= tolerance
            assert np.abs(answer.question_weights[:, :, row] - expected[:, :, prompt.question_tokens]).max() <= tolerance
            totals = answer.totals[:, :, row]
            assert np.abs(totals.sum(-1) - 1).max() <= tolerance
            assert np.abs(totals[..., 0] - expected[:, :, 0]).max() <= tolerance
            assert np.abs(totals[..., 4] - expected[:, :, len(prompt) :].sum(-1)).max() <= tolerance
    use_capture(loaded.model)


@pytest.mark.parametrize("order", ["question_first", "image_first"])
@pytest.mark.parametrize("with_image", [True, False])
@pytest.mark.parametrize("dtype", ["double", "single"])
def test_tokens_are_those_of_the_librarys_generate(order, with_image, dtype, request, radiograph):
    loaded = request.getfixturevalue(dtype)
    prompter, prompts = prompts_for(loaded, order, with_image)
    decoded = answers_of(loaded, prompts, image_features(loaded, [radiograph]) if with_image else None)
    for question, answer in zip(QUESTIONS, decoded, strict=True):
        ids = stock_answer(
            request.getfixturevalue(f"stock_{dtype}"),
            loaded.processor,
            prompter.messages(question, with_image),
            radiograph,
            NEW,
        )
        ends = set(loaded.model.generation_config.eos_token_id)
        assert [token for token in ids if token not in ends] == list(answer.ids)
    use_capture(loaded.model)


@pytest.mark.parametrize("order", ["question_first", "image_first"])
def test_a_batch_gives_what_one_at_a_time_gives(order, double, radiograph):
    _, prompts = prompts_for(double, order)
    features = image_features(double, [radiograph])
    together = answers_of(double, prompts, features)
    for prompt, batched in zip(prompts, together, strict=True):
        (alone,) = answers_of(double, [prompt], features)
        assert alone.ids == batched.ids and alone.text == batched.text
        for name in ("image_weights", "question_weights", "totals", "yes_logits", "no_logits"):
            assert np.abs(np.subtract(getattr(alone, name), getattr(batched, name))).max() <= 1e-9


@pytest.mark.parametrize("order", ["question_first", "image_first"])
def test_images_in_one_batch_give_what_each_gives_alone(order, double, radiograph):
    _, prompts = prompts_for(double, order)
    radiographs = [radiograph, radiograph.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    features = image_features(double, radiographs)
    use_capture(double.model)
    asked, images = [*prompts, *prompts[:2]], [0, 0, 0, 1, 1]
    together = decode(double, asked, features, NEW, ROWS, images)
    for prompt, image, batched in zip(asked, images, together, strict=True):
        (alone,) = answers_of(double, [prompt], image_features(double, [radiographs[image]]))
        assert alone.ids == batched.ids
        for name in ("image_weights", "question_weights", "totals", "yes_logits", "no_logits"):
            assert np.abs(np.subtract(getattr(alone, name), getattr(batched, name))).max() <= 1e-9
    assert np.abs(together[0].image_weights - together[3].image_weights).max() > 1e-6  # another image, another capture


def test_only_prompts_with_the_image_in_front_share_a_prefix(double):
    first, last = prompts_for(double, "image_first")[1], prompts_for(double, "question_first")[1]
    assert shared_prefix(first) > 256 and shared_prefix(last) == 0 and shared_prefix(first[:1]) == 0
    assert shared_prefix([first[0], first[0]]) == len(first[0]) - 1


def test_a_short_answer_has_as_many_valid_rows_as_tokens(double, radiograph):
    _, prompts = prompts_for(double, "question_first")
    features = image_features(double, [radiograph])
    full = answers_of(double, prompts, features)
    ends = double.model.generation_config.eos_token_id
    try:  # the second token of the first answer becomes an end token
        double.model.generation_config.eos_token_id = [*ends, full[0].ids[1]]
        short = answers_of(double, prompts, features)
    finally:
        double.model.generation_config.eos_token_id = ends
    cut = full[0].ids.index(full[0].ids[1])
    assert short[0].ids == full[0].ids[:cut]
    assert short[0].valid.tolist() == [True] + [k < cut for k in range(ROWS)]
    assert not short[0].totals[:, :, cut + 1 :].any()


def test_a_row_past_the_last_generated_token_is_there(double, radiograph):
    _, prompts = prompts_for(double, "question_first")
    use_capture(double.model)
    (answer,) = decode(double, prompts[:1], image_features(double, [radiograph]), 2, 4)
    assert len(answer.ids) == 2 and answer.valid.tolist() == [True, True, True, False, False]


def test_a_prompt_beyond_the_window_is_refused(double, radiograph):
    _, prompts = prompts_for(double, "question_first")
    with pytest.raises(Exception, match="window of 1024"):
        decode(double, prompts, image_features(double, [radiograph]), 900, 3)


def test_a_single_query_gets_what_repeated_keys_and_values_give_it():
    random = np.random.default_rng(3)
    query, key, value = (random.normal(size=(3, heads, size, 16)) for heads, size in ((8, 1), (4, 9), (4, 9)))
    seen = random.random((3, 1, 1, 9)) < 0.7
    seen[..., -1] = True
    given = [torch.from_numpy(array) for array in (query, key, value, np.where(seen, 0.0, -np.inf))]
    scores = np.where(seen, query @ key.repeat(2, axis=1).swapaxes(2, 3) * 0.3, -np.inf)
    weights = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    expected = (weights @ value.repeat(2, axis=1)).swapaxes(1, 2)
    assert np.abs(single_query(*given, scaling=0.3).numpy() - expected).max() < 1e-12
