"""Prompts equal the processor's own, and every part is where it says it is."""

import copy
import dataclasses

import numpy as np
import pytest

from medattn.base.errors import InputError
from medattn.model.prompt import PromptSettings, answer_forms
from medattn.phantom.anatomy import FINDINGS


def prompter(loaded, order="question_first", system="", template="{question}"):
    settings = PromptSettings(system, template, order)
    return loaded.prompter(settings)


@pytest.mark.parametrize("order", ["question_first", "image_first"])
@pytest.mark.parametrize("system", ["", "You are a radiologist."])
def test_ids_are_the_processors_own(order, system, single, radiograph):
    make = prompter(single, order, system, "Look. {question} Answer yes or no.")
    messages = make.messages("Is there a nodule?", True)
    for turn in messages:
        for item in turn["content"]:
            if item["type"] == "image":
                item["image"] = radiograph
    expected = single.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=True)
    assert make("Is there a nodule?").ids.tolist() == list(np.ravel(expected["input_ids"]))


@pytest.mark.parametrize("order", ["question_first", "image_first"])
@pytest.mark.parametrize("words", [1, 5, 40])
def test_the_image_span_is_the_256_positions_of_the_image_token(order, words, single):
    prompt = prompter(single, order)("Is there " + "very " * words + "much fluid?")
    assert len(prompt.image) == 256 and (np.diff(prompt.image) == 1).all()
    assert (prompt.ids[prompt.image] == single.model.config.image_token_id).all()
    assert (np.delete(prompt.ids, prompt.image) != single.model.config.image_token_id).all()


@pytest.mark.parametrize("order", ["question_first", "image_first"])
@pytest.mark.parametrize("system, template", [("", "{question}"), ("Is there a nodule?", "Q: {question}\nA:")])
def test_question_tokens_spell_the_question(order, system, template, single):
    question = "Is there a nodule?"
    prompt = prompter(single, order, system, template)(question)
    tokens = single.processor.tokenizer.convert_ids_to_tokens(prompt.ids[prompt.question_tokens])
    assert "".join(tokens).replace("▁", " ").strip() == question
    assert prompt.offsets[0][0] == 0 and prompt.offsets[-1][1] == len(question)
    assert "".join(question[a:b] for a, b in prompt.offsets) == question


def test_without_an_image_there_are_no_image_tokens(single):
    prompt = prompter(single)("Is there a nodule?", with_image=False)
    assert len(prompt.image) == 0 and single.model.config.image_token_id not in prompt.ids


@pytest.mark.parametrize("token", ["<image_soft_token>", "<start_of_image>", "<bos>", "<end_of_turn>", "<eos>"])
def test_a_control_token_in_the_question_is_refused(token, single):
    with pytest.raises(InputError, match=f"holds '{token}', which the model reads as a control token: remove it"):
        prompter(single)(f"Is {token} there?")


def test_an_image_token_in_the_template_is_refused(single):
    with pytest.raises(InputError, match="257 image tokens, expected 256 in one run"):
        prompter(single, template="<image_soft_token> {question}")("Is there a nodule?")


@pytest.mark.parametrize("order", ["question_first", "image_first"])
@pytest.mark.parametrize("question", ["image", "turn", "model", "user", "start", "n", "Is there a nodule? Is there a nodule?"])
def test_the_place_of_a_question_that_the_prompt_itself_holds_is_its_own(question, order, single):
    prompt = prompter(single, order, "image turn", "model: {question} Answer as the model.")(question)
    ids = prompt.ids.tolist()
    turn = single.processor.tokenizer.convert_tokens_to_ids("<start_of_turn>")
    user, answer = (position for position, one in enumerate(ids) if one == turn)
    assert user < prompt.question_tokens[0] and prompt.question_tokens[-1] < answer
    assert not set(prompt.question_tokens) & set(prompt.image)
    assert "".join(question[a:b] for a, b in prompt.offsets) == question
    tokens = single.processor.tokenizer.convert_ids_to_tokens(prompt.ids[prompt.question_tokens])
    assert "".join(tokens).replace("▁", " ").strip() == question


def with_template(loaded, template):
    processor = copy.copy(loaded.processor)
    processor.chat_template = template
    return dataclasses.replace(loaded, processor=processor)


LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


@pytest.mark.parametrize("template, message", [
    (LOOP, r"the model's chat template has not ended after 0\.2 s: restore chat_template\.jinja"),
    ("{{ raise_exception('no images') }}", "the model's chat template fails: no images: restore"),
    ("{{ messages[7].content }}", "the model's chat template fails: .*: restore"),
    ("{% if %}", "the model's chat template fails: .*: restore"),
    ("{{ 'a' * 2000000 }}", "does not write one text of at most 1,000,000 letters: restore"),
    ("Hello", "writes the question 0 times, expected once: restore"),
    ("{{ messages[0].content[0].text * 2 }}", "writes the question 2 times, expected once: restore"),
    ("{{ messages[0].content[0].text | lower }}", "'Is there a Nodule\\?' is changed by the model's chat template: restore"),
    ("{{ messages[0].content[0].text }}", "a prompt with 0 image tokens, expected 256 in one run: .* or restore"),
])  # fmt: skip
def test_a_chat_template_that_cannot_be_used_is_one_message(template, message, single, monkeypatch):
    monkeypatch.setattr("medattn.model.template.SECONDS", 0.2)
    with pytest.raises(InputError, match=message) as told:
        prompter(with_template(single, template))("Is there a Nodule?")
    assert "\n" not in str(told.value)


def test_a_template_without_the_slot_is_refused():
    with pytest.raises(InputError, match="exactly once"):
        PromptSettings("", "What is there?", "question_first")


def test_yes_and_no_forms_are_single_tokens_in_both_spellings(tokenizer):
    yes, no = answer_forms(tokenizer)
    assert set(tokenizer.convert_ids_to_tokens(yes)) >= {"Yes", "▁Yes", "yes", "▁yes", "YES", "▁YES"}
    assert set(tokenizer.convert_ids_to_tokens(no)) >= {"No", "▁No", "no", "▁no", "NO", "▁NO"}
    assert not set(yes) & set(no)


@pytest.mark.parametrize("finding", FINDINGS)
def test_names_of_findings_are_several_tokens(tokenizer, finding):
    for text in (f"Is there {finding} here?", f"{finding.capitalize()} present?"):
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        start = text.lower().index(finding)
        last_word = start + len(finding) - len(finding.split()[-1]), start + len(finding)
        pieces = [pair for pair in encoded.offset_mapping if pair[0] < last_word[1] and last_word[0] < pair[1]]
        assert len(pieces) >= 2, tokenizer.tokenize(text)
