"""MedGemma-4b's real shape, with random weights: what the small phantom model cannot show of it.

The slow tests take the real extraction and aggregation through the exact configuration at a smaller depth.
"""

import csv
import resource
import sys

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors import safe_open

from medattn import prepare
from medattn.aggregate import stage as aggregate
from medattn.attention import captures
from medattn.base import paths
from medattn.base.params.terms import terms_of
from medattn.base.params.whole import Params
from medattn.extract import stage
from medattn.extract.extractor import extractor_for
from medattn.extract.ranks import WorkerGroup
from medattn.model.decode import decode
from medattn.model.eager_check import TOLERANCE
from medattn.model.load import LoadedModel, prepare_model
from medattn.model.prompt import Prompter, PromptSettings, answer_forms
from medattn.model.published_models import MEDGEMMA_1_5
from medattn.model.vision import image_features
from medattn.phantom import medgemma
from medattn.phantom.shape import save
from medattn.phantom.study import write
from medattn.radiographs.bodies import Bodies
from medattn.radiographs.reader import RadiographReader
from medattn.study.pins import pin_model
from medattn.study.schema import read_study
from tests.import_closure import ROOT
from tests.oracles.eager import full_attention

LAYERS, VISION_LAYERS = 6, 2  # the sixth is the first with full attention
QUESTION = "Is there evidence of a pneumothorax in this image?"


@pytest.fixture(scope="module")
def processor(tokenizer):
    return medgemma.make_processor(medgemma.make_tokenizer(tokenizer))


# --- the shape --------------------------------------------------------------------------------------------------------


def test_the_configuration_is_medgemmas():
    made = medgemma.config()
    text, vision = made.text_config, made.vision_config
    assert (text.hidden_size, text.intermediate_size, text.num_hidden_layers) == (2560, 10240, 34)
    assert (text.num_attention_heads, text.num_key_value_heads, text.head_dim) == (8, 4, 256)
    assert (text.query_pre_attn_scalar, text.sliding_window, text.vocab_size) == (256, 1024, 262208)
    assert [i for i, kind in enumerate(text.layer_types) if kind == "full_attention"] == [5, 11, 17, 23, 29]
    assert set(text.layer_types) == {"full_attention", "sliding_attention"}
    assert text.rope_parameters == {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    assert text.attn_logit_softcapping is None and text.final_logit_softcapping is None
    assert (made.boi_token_index, made.eoi_token_index, made.image_token_id) == (255999, 256000, 262144)
    assert (made.mm_tokens_per_image, made.tie_word_embeddings) == (256, True)
    assert (vision.hidden_size, vision.intermediate_size, vision.num_hidden_layers) == (1152, 4304, 27)
    assert (vision.num_attention_heads, vision.image_size, vision.patch_size) == (16, 896, 14)
    with torch.device("meta"):
        count = sum(p.numel() for p in medgemma.Gemma3ForConditionalGeneration(made).parameters())
    assert count == 4_300_079_472  # 4.3 billion: 8.6 GB in bfloat16


def test_special_tokens_have_gemmas_ids_and_any_text_comes_back(processor):
    tokenizer = processor.tokenizer
    known = {
        "<pad>": 0, "<eos>": 1, "<bos>": 2, "<unused94>": 100, "<unused95>": 101, "<start_of_turn>": 105, "<end_of_turn>": 106,
        "\n": 107, "\n\n": 108, "<start_of_image>": 255999, "<end_of_image>": 256000, "<image_soft_token>": 262144,
    }  # fmt: skip
    assert len(tokenizer) == 262145
    for token, index in known.items():
        assert tokenizer(token, add_special_tokens=False).input_ids == [index] == [tokenizer.convert_tokens_to_ids(token)]
    text = "Is there a pneumothorax?  Zyx <b> é\n\n<unused94>thought\nNo<unused95>Yes\t☢"
    ids = tokenizer(text, add_special_tokens=False).input_ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text
    assert len(tokenizer("pneumothorax", add_special_tokens=False).input_ids) > 1
    assert all(len(forms) == 6 for forms in answer_forms(tokenizer))


@pytest.mark.parametrize("order", ["question_first", "image_first"])
def test_a_prompt_has_256_image_tokens_between_begin_and_end_of_image(processor, order):
    prompt = Prompter(processor, PromptSettings("", "{question}", order), 262144, 256)(QUESTION)
    assert len(prompt.image) == 256 and (prompt.ids[prompt.image] == 262144).all()
    assert prompt.ids[0] == 2 and (prompt.ids == 2).sum() == 1
    assert (prompt.ids[prompt.image[0] - 1], prompt.ids[prompt.image[-1] + 1]) == (255999, 256000)
    spelled = "".join(QUESTION[first:last] for first, last in prompt.offsets)
    assert spelled.replace(" ", "") == QUESTION.replace(" ", "")


def test_images_of_any_shape_are_squashed_to_896(processor):
    wide, tall = Image.new("RGB", (640, 100), (255, 0, 128)), Image.new("RGB", (100, 640))
    pixels = processor.image_processor(images=[wide, tall], return_tensors="pt")["pixel_values"]
    assert pixels.shape == (2, 3, 896, 896)
    assert pixels[0, :, 450, 450].tolist() == pytest.approx([1, -1, 128 / 255 * 2 - 1], abs=1e-6)


def test_random_weights_are_decided_by_seed_and_tensor():
    def drawn(seed: int, name: str) -> torch.Tensor:
        tensor = torch.empty(1000, 1000, dtype=torch.bfloat16)
        medgemma.draw(tensor, 0.02, seed, name)
        return tensor

    first = drawn(1, "a")
    assert torch.equal(first, drawn(1, "a"))
    assert not torch.equal(first, drawn(2, "a")) and not torch.equal(first, drawn(1, "b"))
    assert first.double().std().item() == pytest.approx(0.02, rel=0.005) and abs(first.double().mean().item()) < 1e-4
    assert first.unique().numel() == 255


# --- MedGemma 1.5 thinks first ----------------------------------------------------------------------------------------


def test_a_thought_stays_in_the_answers_text_and_its_margin_is_not_valid(processor):
    """Decode keeps the tokens around a thought, so that the parser can drop it; at its first token no yes or no is near."""
    model = medgemma.make_model(1, 1)
    assert {tensor.dtype for tensor in model.parameters()} == {torch.bfloat16}
    loaded = LoadedModel(prepare_model(model, torch.device("cpu")), processor, torch.device("cpu"))
    tokenizer = processor.tokenizer
    scripted_ids = [*tokenizer("<unused94>thought\nNo effusion? Yes<unused95>No", add_special_tokens=False).input_ids, 106]
    scripted = iter(scripted_ids)
    real = model.lm_head.forward

    def next_token(hidden):
        logits = real(hidden)
        logits[:, next(scripted)] += 1000.0
        return logits

    model.lm_head.forward = next_token
    prompt = Prompter(processor, PromptSettings("", "{question}", "question_first"), 262144, 256)(QUESTION, with_image=False)
    (decoded,) = decode(loaded, [prompt], None, 64, 5)
    assert decoded.text == "<unused94>thought\nNo effusion? Yes<unused95>No" and list(decoded.ids) == scripted_ids[:-1]
    assert decoded.forms_probability < 1e-6 and decoded.valid.all()
    assert MEDGEMMA_1_5.max_new_tokens + 256 + 100 < model.config.text_config.sliding_window


# --- the real extraction ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study(tmp_path_factory, processor):
    """Two radiographs of 320 x 384, asked with a model of the exact configuration at a smaller depth, its files pinned."""
    root = tmp_path_factory.mktemp("medgemma")
    model = medgemma.make_model(LAYERS, VISION_LAYERS)
    save(model, processor, root / "model")
    del model
    write(root / "data", 2, 1)
    path = root / "data/study.yaml"
    about = yaml.safe_load(path.read_text())
    about["defaults"]["model"] = {"id": str(root / "model"), "revision": None, "dtype": "bfloat16", "device": "cpu"}
    path.write_text(yaml.safe_dump(about))
    pin_model(root / "data")
    yield root
    (root / "model/model.safetensors").unlink()  # 2.6 GB


def params(order: str) -> Params:
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    raw |= {"study": "data", "study_digests": {}, "allow_unpinned": True, "limit": 1}
    raw["conditions"] = {"clean": {"variants": "all"}, "no_image": {"variants": "baseline"}}
    raw["prompt"] |= {"order": order, "max_new_tokens": 6}
    return Params.model_validate(raw)


def extracted(root, order: str, out: str) -> dict[str, bytes]:
    chosen = params(order)
    prepare.run(chosen, root)
    stage.run(read_study(root / "data"), chosen, WorkerGroup(0, 1, None, {}), root / paths.MANIFEST, root / out)
    read = aggregate.Inputs(root / out / "captures", root / paths.MANIFEST, root / out / "failures.csv", root / "data")
    aggregate.run(read, root / out / "grids.safetensors", chosen.aggregate, terms_of(chosen.aggregate, ROOT))
    files = sorted(path for path in (root / out).rglob("*") if path.is_file())
    return {path.relative_to(root / out).as_posix(): path.read_bytes() for path in files}


@pytest.mark.slow
@pytest.mark.parametrize("order", ["question_first", "image_first"])
def test_extraction_and_aggregation_of_the_real_shape(study, monkeypatch, order):
    monkeypatch.setenv("MEDATTN_CACHE", "off")
    monkeypatch.chdir(study)
    first = extracted(study, order, f"{order}-1")
    with (study / paths.MANIFEST).open(newline="") as file:
        manifest = {row["sample_id"]: row for row in csv.DictReader(file)}
    about = captures.read_shared(study / f"{order}-1/captures")
    expected = {"layers": LAYERS, "heads": 8, "key_value_heads": 4, "image_tokens": 256, "image_side": 896}
    assert {name: about[name] for name in expected} == expected
    assert about["eager_agreement"]["difference"] <= about["eager_agreement"]["tolerance"] and about["cross_attention"] == []
    stored = {capture.sample_id: capture for capture in captures.read(study / f"{order}-1/captures")}
    assert stored.keys() == manifest.keys() and len(stored) == 9  # six variants, two controls, one without the image
    for sample_id, capture in stored.items():
        assert capture.totals.shape == (LAYERS, 8, 6, 5) and capture.valid.all()
        assert np.abs(capture.totals.astype(np.float64).sum(axis=-1) - 1).max() < 5e-5  # five numbers of five digits
        if manifest[sample_id]["shown_image_id"]:
            assert capture.image_weights.shape == (LAYERS, 8, 6, 256)
            mass = capture.image_weights.astype(np.float64).sum(axis=-1)
            assert np.abs(mass - capture.totals[..., captures.TOTALS.index("image")]).max() < 1e-4
        else:
            assert capture.image_weights is None
    with safe_open(study / f"{order}-1/grids.safetensors", "np") as grids:
        for profile in ("original", "decision"):
            grid = grids.get_tensor(profile).astype(np.float64)
            assert grid.shape == (8, 16, 16) and np.abs(grid.sum(axis=(1, 2)) - 1).max() < 1e-4 and grid.min() > 0
    if order == "question_first":
        assert extracted(study, order, "again") == first
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    assert peak < 8e9


@pytest.mark.slow
def test_every_row_agrees_with_the_librarys_eager_attention_within_bfloat16(study):
    """Rows of a padded batch against one sample at a time, every matrix in full; as shares of attention per head."""
    opened = read_study(study / "data")
    extractor = extractor_for(opened, params("question_first"), RadiographReader(opened, Bodies(study / paths.BODIES)))
    loaded = extractor.loaded
    radiograph = extractor.radiographs(opened.images()[0]["image_id"]).image
    assert radiograph.size == (320, 384)
    prompts = [extractor.prompter(question) for question in (QUESTION, "A nodule?")]
    decoded = decode(loaded, prompts, image_features(loaded, [radiograph]), 4, 3)
    pixels = loaded.processor.image_processor(images=[radiograph], return_tensors="pt")["pixel_values"].to(torch.bfloat16)
    for prompt, answer in zip(prompts, decoded, strict=True):
        full = full_attention(loaded, [*prompt.ids.tolist(), *answer.ids[:3]], pixels, "eager", len(prompt))
        off = np.abs(answer.image_weights - full[..., prompt.image]).sum(axis=-1) / 2  # [layer, head, row]
        assert off.shape == (LAYERS, 8, 4) and off.max() <= TOLERANCE[torch.bfloat16]
        rest = np.abs(answer.question_weights - full[..., prompt.question_tokens]).sum(axis=-1) / 2
        assert rest.max() <= TOLERANCE[torch.bfloat16]
        assert full[..., prompt.image].sum(axis=-1).min() > 0.05  # there is something to compare
