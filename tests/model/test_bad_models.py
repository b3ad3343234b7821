"""Model directories as people bring them: each is one line with a remedy and exit code 2 of the real command, or works."""

import json
import logging
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from medattn import cli
from medattn.ask import BARE
from medattn.phantom import shape

INDEX, WEIGHTS = "model.safetensors.index.json", "model.safetensors"
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
Change = Callable[[Path], object]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """The model is so small that further threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def saved(tokenizer, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("saved") / "model"
    shape.save(shape.make_model(tokenizer), shape.make_processor(tokenizer), directory)
    return directory


@pytest.fixture
def model(saved, tmp_path) -> Path:
    """A copy that a test may damage; only the weights are a link, until they are written."""
    directory = Path(shutil.copytree(saved, tmp_path / "model"))
    (directory / WEIGHTS).unlink()
    (directory / WEIGHTS).symlink_to(saved / WEIGHTS)
    return directory


@pytest.fixture
def ask(tmp_path, monkeypatch, capfd) -> Callable[[Path], tuple[int, str]]:
    """`medattn ask` in this process: (exit code, what it says on stderr but for the library's progress)."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 50), dtype=np.uint8)).save(tmp_path / "r.png")
    monkeypatch.setattr("medattn.model.template.SECONDS", 0.5)
    monkeypatch.setattr("medattn.ask.BARE", BARE.model_copy(update={"max_new_tokens": 2}))  # an answer is enough

    def run(model: Path) -> tuple[int, str]:
        command = ["medattn", "ask", tmp_path / "r.png", "Is there a nodule?", "--model", model, "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", [*map(str, command), "--out", str(tmp_path / "out")])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        lines = [line for line in capfd.readouterr().err.splitlines() if line and "Loading weights" not in line]
        return int(ended.value.code or 0), "\n".join(lines)

    return run


def edit(name: str, *path: str, to: object = None, drop: bool = False) -> Change:
    """Set, or drop, the value at `path` of a JSON file."""

    def change(model: Path) -> None:
        about = json.loads((model / name).read_text())
        place = about
        for key in path[:-1]:
            place = place[key]
        place.pop(path[-1], None) if drop else place.update({path[-1]: to})
        (model / name).write_text(json.dumps(about))

    return change


def config(*path: str, to: object) -> Change:
    return edit("config.json", *path, to=to)


def text(key: str, to: object) -> Change:
    return config("text_config", key, to=to)


def steps(key: str, to: object) -> Change:
    return edit("processor_config.json", "image_processor", key, to=to)


def write(name: str, content: str | bytes) -> Change:
    return lambda model: (model / name).write_bytes(content.encode() if isinstance(content, str) else content)


def template(content: str) -> Change:
    return write("chat_template.jinja", content)


def directory_for(name: str) -> Change:
    return lambda model: ((model / name).unlink(), (model / name).mkdir())


def weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Change:
    """Change the tensors of the one weight file."""

    def changed(model: Path) -> None:
        tensors = load_file(model / WEIGHTS)
        change(tensors)
        (model / WEIGHTS).unlink()
        save_file(tensors, model / WEIGHTS, {"format": "pt"})

    return changed


def sharded(change: Callable[[Path, dict[str, str]], object]) -> Change:
    """Deal the weights into two files with an index; change(model, weight_map) may damage both before it is written."""

    def changed(model: Path) -> None:
        tensors = load_file(model / WEIGHTS)
        (model / WEIGHTS).unlink()
        names = sorted(tensors)
        index = {}
        for number, part in enumerate((names[::2], names[1::2]), start=1):
            file = f"model-{number:05}-of-00002.safetensors"
            save_file({name: tensors[name] for name in part}, model / file, {"format": "pt"})
            index |= dict.fromkeys(part, file)
        change(model, index)
        (model / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": index}))

    return changed


def moved(where: str) -> Change:
    """One shard lies at `where`, and the index says so."""

    def change(model: Path, index: dict[str, str]) -> None:
        place = model / where
        place.parent.mkdir(parents=True, exist_ok=True)
        (model / "model-00002-of-00002.safetensors").rename(place)
        index.update({name: where for name, file in index.items() if "00002-of" in file})

    return sharded(change)


def linked(model: Path, index: dict[str, str]) -> None:
    (model.parent / "elsewhere").mkdir()
    (model / "sub").symlink_to(model.parent / "elsewhere")


def nothing(model: Path, index: dict[str, str]) -> None:
    """Leave shards and index as they are."""


def cut_weights(model: Path) -> None:
    content = (model / WEIGHTS).read_bytes()
    (model / WEIGHTS).unlink()
    (model / WEIGHTS).write_bytes(content[: len(content) // 2])


def one(name: str) -> str:
    return f"language_model.model.layers.0.{name}.weight"


def tokens(change: Callable[[dict], object]) -> Change:
    def changed(model: Path) -> None:
        about = json.loads((model / "tokenizer.json").read_text())
        change(about)
        (model / "tokenizer.json").write_text(json.dumps(about))

    return changed


def both(*changes: Change) -> Change:
    return lambda model: [change(model) for change in changes]


BAD: dict[str, tuple[Change, str]] = {
    # other models
    "another architecture": (config("model_type", to="paligemma"), "model_type is 'paligemma', expected 'gemma3'"),
    "text only": (config("model_type", to="gemma3_text"), "model_type is 'gemma3_text', expected 'gemma3'"),
    "no model_type": (edit("config.json", "model_type", drop=True), "model_type is None"),
    "another vision tower": (config("vision_config", "model_type", to="clip_vision_model"), "siglip_vision_model"),
    "no text_config": (edit("config.json", "text_config", drop=True), "text_config: Field required"),
    "no vision_config": (edit("config.json", "vision_config", drop=True), "vision_config: Field required"),
    "four bits": (config("quantization_config", to={"quant_method": "bitsandbytes", "load_in_4bit": True}), "are quantised"),
    "gptq": (config("quantization_config", to={"quant_method": "gptq", "bits": 4}), "are quantised"),
    "quantised in text_config": (text("quantization_config", {"quant_method": "awq"}), "are quantised"),
    "an adapter": (write("adapter_config.json", "{}"), r"adapter_config\.json: this is an adapter \(LoRA\)"),
    "an adapter alone": (
        both(write("adapter_config.json", "{}"), lambda model: (model / WEIGHTS).unlink()), r"this is an adapter \(LoRA\)",
    ),
    "an unmerged adapter": (
        weights(lambda tensors: tensors.update({one("self_attn.q_proj.lora_A"): torch.zeros(4, 128)})),
        r"hold model\.language_model\.layers\.0\.self_attn\.q_proj\.lora_A\.weight .* no place: merge an adapter",
    ),
    # config.json
    "cut short": (write("config.json", '{"model_type": "gem'), "is not JSON"),
    "empty": (write("config.json", ""), "is not JSON"),
    "a list": (write("config.json", "[]"), "it holds list: restore it"),
    "not UTF-8": (write("config.json", '{"model_type": "gemma3"}'.encode("utf-16")), "is not UTF-8"),
    "a key twice": (write("config.json", '{"model_type": "a", "model_type": "b"}'), "key 'model_type' stands twice"),
    "nested too deeply": (write("config.json", '{"a":' * 100_000), "nests too deeply"),
    "a directory": (directory_for("config.json"), "config.json missing"),
    "NaN": (text("rms_norm_eps", float("nan")), "NaN is no finite number"),
    "negative epsilon": (text("rms_norm_eps", -1.0), r"text_config\.rms_norm_eps: Input should be greater than 0"),
    "width as text": (text("hidden_size", "128"), r"text_config\.hidden_size: Input should be a valid integer, not '128'"),
    "width of 10^12": (text("hidden_size", 10**12), r"text_config\.hidden_size: .*less than or equal to 65536"),
    "a billion layers": (text("num_hidden_layers", 10**9), r"text_config\.num_hidden_layers: .*less than or equal to 256"),
    "no layer": (text("num_hidden_layers", 0), r"num_hidden_layers: .*greater than or equal to 1"),
    "more layers than types": (text("num_hidden_layers", 7), "layer_types has 6 entries for 7 layers"),
    "unknown layer type": (text("layer_types", ["linear_attention"] * 6), r"layer_types\.0"),
    "wider than the weights": (text("intermediate_size", 10_000), "they do not belong together"),
    "narrower than the weights": (text("intermediate_size", 128), "hold it in another shape"),
    "heads that cannot share": (text("num_key_value_heads", 3), "8 heads cannot share 3 key/value heads evenly"),
    "sliding_window null": (text("sliding_window", None), r"sliding_window: Input should be a valid integer, not None"),
    "a window of one": (text("sliding_window", 1), "exceed the model's window of 1"),
    "capped logits": (text("attn_logit_softcapping", 50.0), "attn_logit_softcapping"),
    "capped answers": (text("final_logit_softcapping", 30.0), "final_logit_softcapping"),
    "both directions": (text("use_bidirectional_attention", True), "use_bidirectional_attention"),
    "unknown rope": (text("rope_parameters", {"full_attention": {"rope_type": "new"}}), "cannot be loaded: "),
    "unknown activation": (text("hidden_activation", "swish9"), "cannot be loaded: "),
    "no pad token": (text("pad_token_id", None), "pad_token_id"),
    "pad beyond the embedding": (text("pad_token_id", 10**6), "pad_token_id is 1000000, beyond the 4.. tokens"),
    "patches that make no grid": (config("vision_config", "patch_size", to=16), "does not make a 16 x 16 grid"),
    "a huge image": (config("vision_config", "image_size", to=10**6), "image_size"),
    "64 image tokens": (config("mm_tokens_per_image", to=64), "mm_tokens_per_image is 64, expected 256"),
    "another image token": (config("image_token_index", to=20), "makes 0 tokens of id 20"),
    "image token beyond the embedding": (config("image_token_index", to=262_144), "the image token is 262144, beyond"),
    "weights elsewhere by name": (config("transformers_weights", to="../w.safetensors"), "transformers_weights names other"),
    "layers as true": (text("num_hidden_layers", True), r"num_hidden_layers: Input should be a valid integer, not True"),
    "layers of 6.0": (text("num_hidden_layers", 6.0), ""),
    "a negative width": (text("hidden_size", -128), "hidden_size: .*greater than or equal to 1"),
    "a negative window": (text("sliding_window", -1), "sliding_window: .*greater than or equal to 1"),
    "text_config as a list": (config("text_config", to=[]), "text_config: "),
    "vision_config as null": (config("vision_config", to=None), "vision_config: "),
    "no vision layer": (config("vision_config", "num_hidden_layers", to=0), "num_hidden_layers: "),
    "a patch of zero": (config("vision_config", "patch_size", to=0), "patch_size: "),
    "a negative image": (config("vision_config", "image_size", to=-896), "image_size: "),
    "heads as text": (config("vision_config", "num_attention_heads", to="4"), "num_attention_heads: "),
    "a rope theta of zero": (text("rope_parameters", {"full_attention": {"rope_type": "default", "rope_theta": 0}}), ""),
    "a rope that is text": (text("rope_parameters", "default"), ""),
    "an activation that is a number": (text("hidden_activation", 3), "cannot be loaded: "),
    "a dtype that is none": (config("dtype", to="float3"), ""),
    # generation_config.json
    "no end token": (edit("generation_config.json", "eos_token_id", to=[]), r"eos_token_id is \[\]"),
    "an end token beyond": (edit("generation_config.json", "eos_token_id", to=10**6), "eos_token_id is 1000000"),
    "an end token as text": (edit("generation_config.json", "eos_token_id", to="<eos>"), "eos_token_id"),
    "generation cut short": (write("generation_config.json", "{"), r"generation_config\.json is not JSON"),
    # weights
    "a directory of generation settings": (directory_for("generation_config.json"), r"generation_config\.json is not a file"),
    "an empty weight file": (both(lambda model: (model / WEIGHTS).unlink(), write(WEIGHTS, b"")), "cannot be loaded: "),
    "no tensor": (weights(dict.clear), "the weight files hold 0"),
    "weights cut short": (cut_weights, "cannot be loaded: "),
    "a huge header": (both(lambda model: (model / WEIGHTS).unlink(), write(WEIGHTS, b"\xff" * 100)), "cannot be loaded: "),
    "a directory of weights": (directory_for(WEIGHTS), f"{WEIGHTS} missing"),
    "whole numbers": (
        weights(lambda tensors: tensors.update({one("mlp.up_proj"): tensors[one("mlp.up_proj")].to(torch.int8)})),
        "holds I8, expected one of F64, F32, F16, BF16",
    ),
    "another shape": (
        weights(lambda tensors: tensors.update({one("mlp.up_proj"): tensors[one("mlp.up_proj")].T.contiguous()})),
        "hold it in another shape",
    ),
    "a tensor is missing": (weights(lambda tensors: tensors.pop(one("mlp.up_proj"))), "weights are missing"),
    "a tensor by another name": (
        weights(lambda tensors: tensors.update({"other": tensors.pop(one("mlp.up_proj"))})), r"lack .*mlp\.up_proj",
    ),
    "numbers that are none": (
        weights(lambda tensors: tensors[one("mlp.up_proj")].fill_(torch.nan)), "numbers that are not finite",
    ),
    # the index
    "an absolute path": (
        sharded(lambda model, index: index.update({one("mlp.up_proj"): "/tmp/w.safetensors"})), "has '/tmp/w.safetensors' for",
    ),
    "a path that leaves": (moved("../w.safetensors"), r"has '\.\./w\.safetensors' for"),
    "a folder": (moved("sub/w.safetensors"), "has 'sub/w.safetensors' for"),
    "the cache": (moved(".cache/w.safetensors"), r"has '\.cache/w\.safetensors' for"),
    "a hidden file": (moved(".w.safetensors"), r"has '\.w\.safetensors' for"),
    "a linked folder": (sharded(linked), "sub is a link to a folder"),
    "a pickle": (sharded(lambda model, index: index.update({one("mlp.up_proj"): "model.bin"})), "'model.bin' for"),
    "a shard is missing": (
        sharded(lambda model, index: (model / "model-00002-of-00002.safetensors").unlink()), "00002.safetensors missing",
    ),
    "a link that leads nowhere": (
        sharded(lambda model, index: (
            (model / "model-00002-of-00002.safetensors").unlink(),
            (model / "model-00002-of-00002.safetensors").symlink_to(model / "nowhere"),
        )), "00002.safetensors missing",
    ),
    "a tensor that the index lacks": (sharded(lambda model, index: index.pop(one("mlp.up_proj"))), "is to be in no file"),
    "a tensor that no file has": (
        sharded(lambda model, index: index.update({"other": "model-00001-of-00002.safetensors"})), "and is in no file",
    ),
    "a tensor in two files": (
        sharded(lambda model, index: (
            save_file(load_file(model / "model-00001-of-00002.safetensors"), model / "model-00003-of-00002.safetensors"),
            index.update({"other": "model-00003-of-00002.safetensors"}),
        )), "is in model-00001-of-00002.safetensors, too",
    ),
    "an index without a map": (both(sharded(nothing), write(INDEX, "{}")), "is not an index of weight files"),
    "an index cut short": (both(sharded(nothing), write(INDEX, '{"weight_map')), "is not JSON"),
    "an index of numbers": (both(sharded(nothing), write(INDEX, '{"weight_map": {"a": 1}}')), "is not an index"),
    # the tokenizer
    "no tokenizer": (lambda model: (model / "tokenizer.json").unlink(), "tokenizer.json missing"),
    "a tokenizer cut short": (write("tokenizer.json", '{"version": "1.0", "mod'), "cannot be loaded: "),
    "a tokenizer of another kind": (write("tokenizer.json", "{}"), "cannot be loaded: "),
    "more tokens than the embedding": (
        tokens(lambda about: about["model"]["vocab"].update({"zebra": 5000})), "'zebra' has id 5000, but the model's embedding",
    ),
    "an image token that nobody knows": (edit("tokenizer_config.json", "image_token", to="<picture>"), ""),
    "tokenizer settings are a list": (write("tokenizer_config.json", "[]"), r"tokenizer_config\.json is not a JSON object"),
    "no special token": (
        both(
            tokens(lambda about: about.update({"added_tokens": []})),
            lambda model: (model / "tokenizer_config.json").write_text("{}"),
        ), "",
    ),
    "a token without a number": (tokens(lambda about: about["model"]["vocab"].update({"zebra": None})), "cannot be loaded: "),
    "a token below zero": (tokens(lambda about: about["model"]["vocab"].update({"zebra": -1})), "cannot be loaded: "),
    "special tokens are a number": (write("special_tokens_map.json", "3"), "is not a JSON object"),
    "a tokenizer of a pipe": (lambda model: ((model / "tokenizer.json").unlink(), os.mkfifo(model / "tokenizer.json")), ""),
    "a configuration of a pipe": (lambda model: ((model / "config.json").unlink(), os.mkfifo(model / "config.json")), ""),
    # the chat template
    "no template": (lambda model: (model / "chat_template.jinja").unlink(), r"no chat template: restore chat_template\.jinja"),
    "an endless template": (template(ENDLESS), "has not ended after 0.5 s"),
    "a template that raises": (template("{{ raise_exception('no') }}"), "chat template fails: no: restore"),
    "a template that is none": (template("{% for"), "chat template fails: "),
    "a template without image": (template("{{ messages[0].content[0].text }}"), "a prompt with 0 image tokens, expected 256"),
    "a template with two images": (
        template("<start_of_image><start_of_image>{{ messages[0].content[0].text }}"), "a prompt with 512 image tokens",
    ),
    "a template without question": (template("<start_of_image>"), "writes the question 0 times"),
    "a template that shouts": (template("<start_of_image>{{ messages[0].content[0].text | upper }}"), "chat template"),
    "a template that never stops writing": (template("{{ 'a' * 3000000 }}"), "at most 1,000,000 letters"),
    "a template of bytes": (write("chat_template.jinja", b"\xff\xfe\xff"), "cannot be loaded: "),
    # the processor
    "pan-and-scan": (steps("do_pan_and_scan", True), "do_pan_and_scan is true, and cuts an image into several"),
    "another size": (steps("size", {"height": 448, "width": 448}), "resized to 448 x 448"),
    "a size that is none": (steps("size", {"longest_edge": 224}), ""),
    "a huge size": (steps("size", {"height": 10**9, "width": 10**9}), "resized to 1000000000 x 1000000000"),
    "another filter": (steps("resample", 3), "with filter 3"),
    "no resizing": (steps("do_resize", False), "do_resize is False, expected true"),
    "no normalising": (steps("do_normalize", False), "do_normalize is False, expected true"),
    "a deviation of zero": (steps("image_std", [0.0, 0.5, 0.5]), "do not make an image of numbers|cannot be loaded"),
    "a negative deviation": (steps("image_std", [-0.5, 0.5, 0.5]), "leaves white no brighter than black"),
    "two channels": (steps("image_mean", [0.5, 0.5]), "cannot be loaded: "),
    "no rescaling factor": (steps("rescale_factor", 1e9), "do not make an image of numbers"),
    "another sequence length": (edit("processor_config.json", "image_seq_length", to=64), "image_seq_length is 64, expected"),
    "a sequence of 10^12": (edit("processor_config.json", "image_seq_length", to=10**12), ""),
    "another processor": (edit("processor_config.json", "processor_class", to="LlavaProcessor"), ""),
    "no processor": (lambda model: (model / "processor_config.json").unlink(), r"processor_config\.json missing"),
    "a processor cut short": (write("processor_config.json", "{"), r"processor_config\.json is not JSON"),
}  # fmt: skip

WORKS: dict[str, Change] = {
    "as it was saved": lambda model: None,
    "weights in two files": sharded(nothing),
    "a template in tokenizer_config.json": lambda model: (
        edit("tokenizer_config.json", "chat_template", to=(model / "chat_template.jinja").read_text())(model),
        (model / "chat_template.jinja").unlink(),
    ),
    "a template in chat_template.json": lambda model: (
        (model / "chat_template.json").write_text(json.dumps({"chat_template": (model / "chat_template.jinja").read_text()})),
        (model / "chat_template.jinja").unlink(),
    ),
    "without generation_config.json": lambda model: (model / "generation_config.json").unlink(),
    "what hf download leaves": lambda model: (model / ".cache/huggingface").mkdir(parents=True),
    "a tokenizer class that is not there": edit("tokenizer_config.json", "tokenizer_class", to="NoSuchTokenizer"),
    "a README and a licence": both(write("README.md", "# A model"), write("LICENSE", "…")),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_model_is_one_line_and_exit_code_2(name, model, ask, tmp_path, monkeypatch):
    change, message = BAD[name]
    # the library's own handler keeps the stream that was there when it was imported
    monkeypatch.setattr(logging.getLogger("transformers"), "handlers", [logging.StreamHandler(sys.stderr)])
    change(model)
    code, said = ask(model)
    assert code == 2 and said.startswith("medattn: ") and "\n" not in said, said
    assert re.search(message, said), said
    assert len(said) < 700 and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", WORKS)
def test_a_model_that_is_only_laid_out_differently_works(name, model, ask, tmp_path):
    WORKS[name](model)
    code, said = ask(model)
    assert (code, said) == (0, "") and (tmp_path / "out/r_grid.npy").exists()
