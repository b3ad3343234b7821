"""Measure extraction against the usual way, in one run, on the same model, device and inputs.

The usual way asks one sample at a time with eager attention: `generate(output_attentions=True)`, then a second full
pass over prompt and answer to read the attention. Ours is extract's own path: the wordings of UNITS_AT_ONCE images in
one batch, rows captured in place. Times are medians over batches.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from medattn.extract import UNITS_AT_ONCE
from medattn.model import phantom
from medattn.model.capture import use_capture
from medattn.model.decode import decode, end_tokens, image_features
from medattn.model.load import Loaded, choose_device, prepare_model
from medattn.model.phantom_training import learn_tokenizer
from medattn.model.prompt import Prompter, PromptSettings
from medattn.study.phantom import make_case
from medattn.study.wordings import BASELINE_TEMPLATES, wordings
from medattn.tables import write_bytes

NEW_TOKENS = 20
ROWS = 5

Film = tuple[Image.Image, list[str]]  # an image and the wordings asked about it


@dataclass(frozen=True)
class Measured:
    """Wall time per image (six samples) of every batch, and the attention rows that came out, [sample][layer, head, row, 256]."""

    seconds: list[float]
    tokens: list[tuple[int, ...]]
    rows: list[np.ndarray]
    peak_bytes: int

    def per_sample(self, wordings_per_image: int) -> float:
        """Median over images, seconds per sample."""
        return float(np.median(self.seconds)) / wordings_per_image


def phantom_shape(device: torch.device) -> tuple[Loaded, Loaded]:
    """An untrained float32 model of the phantom's shape, as the library makes it and as we prepare it; same weights.

    It never ends an answer, so every sample has NEW_TOKENS.
    """
    tokenizer = learn_tokenizer()
    processor = phantom.make_processor(tokenizer)
    stock, prepared = phantom.make_model(tokenizer).to(device), phantom.make_model(tokenizer)
    return Loaded(stock, processor, device), Loaded(prepare_model(prepared, device), processor, device)


def peak_memory(loaded: Loaded) -> int:
    """Bytes: the device's allocator on CUDA, the process's resident peak since the last reset elsewhere."""
    if loaded.device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmHWM")


def reset_peak(loaded: Loaded) -> None:
    if loaded.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM (proc(5))


@torch.inference_mode()
def usual_way(loaded: Loaded, prompter: Prompter, films: list[Film]):
    """(answer ids, rows) per question: eager attention, one sample at a time, everything materialised."""
    model, processor = loaded.model, loaded.processor
    model.set_attn_implementation({"text_config": "eager", "vision_config": "sdpa"})
    for image, question in ((image, question) for image, questions in films for question in questions):
        messages = prompter.messages(question, True)
        for item in messages[-1]["content"]:
            if item["type"] == "image":
                item["image"] = image
        inputs = processor.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        ).to(loaded.device)
        inputs["pixel_values"] = inputs["pixel_values"].to(model.dtype)
        length = inputs["input_ids"].shape[1]
        out = model.generate(
            **inputs, do_sample=False, max_new_tokens=NEW_TOKENS, output_attentions=True, return_dict_in_generate=True
        )
        ids = out.sequences
        types = torch.cat([inputs["token_type_ids"], ids.new_zeros(1, ids.shape[1] - length)], dim=1)
        second = model(
            input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=types,
            pixel_values=inputs["pixel_values"], output_attentions=True, use_cache=False,
        )  # fmt: skip
        where = (ids[0] == model.config.image_token_id).nonzero().flatten()
        rows = torch.stack([layer[0, :, length - 1 : length + ROWS] for layer in second.attentions])
        yield tuple(ids[0, length:].tolist()), rows[..., where].float().cpu().numpy()


def our_way(loaded: Loaded, prompter: Prompter, films: list[Film]):
    """(answer ids, rows) per question: the product's own path."""
    use_capture(loaded.model)
    features = image_features(loaded, [image for image, _ in films])
    prompts = [prompter(question) for _, questions in films for question in questions]
    owners = [index for index, (_, questions) in enumerate(films) for _ in questions]
    for decoded in decode(loaded, prompts, features, NEW_TOKENS, ROWS, owners):
        yield decoded.ids, decoded.image_weights


def measure(way: Callable, loaded: Loaded, prompter: Prompter, films: list[Film], at_once: int, name: str) -> Measured:
    """Run `way` over all films, `at_once` in a batch, after one to warm up."""
    list(way(loaded, prompter, films[:at_once]))
    reset_peak(loaded)
    seconds, tokens, rows = [], [], []
    for first in tqdm(range(0, len(films), at_once), desc=name, unit="batch"):
        some = films[first : first + at_once]
        start = time.perf_counter()
        results = list(way(loaded, prompter, some))
        if loaded.device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append((time.perf_counter() - start) / len(some))
        tokens += [ids for ids, _ in results]
        rows += [weights for _, weights in results]
    return Measured(seconds, tokens, rows, peak_memory(loaded))


def compare(stock: Loaded, loaded: Loaded, order: str, images: int) -> dict[str, object]:
    """Both ways over the same questions: seconds, ratio, largest difference, peak memory."""
    settings = PromptSettings("", "{question}", order)
    prompter = Prompter(loaded.processor, settings, loaded.model.config.image_token_id, loaded.shape["image_tokens"])
    films = []
    for index in range(images):
        asked = wordings(f"bench-{index}", "nodule", BASELINE_TEMPLATES[0])
        films.append((Image.fromarray(make_case(9, index, index).radiograph.image), [wording.text for wording in asked]))
    usual = measure(usual_way, stock, prompter, films, 1, f"{order}: usual way")
    ours = measure(our_way, loaded, prompter, films, UNITS_AT_ONCE, f"{order}: medattn")
    ends = end_tokens(loaded.model)
    same = all(
        tuple(token for token in theirs if token not in ends) == mine for theirs, mine in zip(usual.tokens, ours.tokens, strict=True)
    )
    count = len(films[0][1])
    return {
        "order": order,
        "samples": images * count,
        "usual_seconds_per_sample": usual.per_sample(count),
        "seconds_per_sample": ours.per_sample(count),
        "ratio": usual.per_sample(count) / ours.per_sample(count),
        "max_abs_diff": max(float(np.abs(a - b).max()) for a, b in zip(usual.rows, ours.rows)),
        "same_tokens": same,
        "usual_peak_bytes": usual.peak_bytes,
        "peak_bytes": ours.peak_bytes,
    }


@click.command(name="bench")
@click.option("--shape", type=click.Choice(["phantom"]), default="phantom", show_default=True, help="Model to measure.")
@click.option("--images", type=click.IntRange(min=1), default=16, show_default=True, help="Images, six wordings each.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the table here as JSON, too.")
def command(shape: str, images: int, device: str, json_path: Path | None) -> None:
    """Seconds per sample and peak memory of the usual way and of ours, float32, 20 new tokens, all layers stored."""
    stock, loaded = phantom_shape(choose_device(device))
    results = [compare(stock, loaded, order, images) for order in ("question_first", "image_first")]
    click.echo(f"{shape} shape, float32, {device}, {torch.get_num_threads()} threads, {NEW_TOKENS} new tokens")
    click.echo(f"{'order':16}{'usual s/sample':>16}{'ours s/sample':>15}{'ratio':>8}{'max |diff|':>12}{'peak MB':>16}")
    for row in results:
        click.echo(
            f"{row['order']:16}{row['usual_seconds_per_sample']:16.4f}{row['seconds_per_sample']:15.4f}{row['ratio']:8.1f}"
            f"{row['max_abs_diff']:12.1e}{row['usual_peak_bytes'] / 1e6:8.0f}{row['peak_bytes'] / 1e6:8.0f}"
        )
    if json_path is not None:
        table = {"shape": shape, "device": device, **results[0], "orders": results}
        write_bytes(json_path, (json.dumps(table, indent=2, sort_keys=True) + "\n").encode())
