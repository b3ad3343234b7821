"""Measure extraction against the usual way, in one run, on the same weights, device and inputs.

The usual way asks one sample at a time with eager attention: `generate(output_attentions=True)`, then a second full
pass over prompt and answer to read the attention. Ours is extract's own path: SAMPLES_AT_ONCE variants in one
batch, rows captured in place. Times are medians over batches. The usual way goes first, on the model as the library
makes it; then the same model is prepared, so that there is never a second copy of the weights.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from medattn.base.tables import Row
from medattn.extract.units import SAMPLES_AT_ONCE
from medattn.language.variants import BASELINE_TEMPLATES, variants
from medattn.model.allocator import give_back_freed_memory
from medattn.model.capture import use_capture
from medattn.model.decode import decode, end_tokens
from medattn.model.eager_generation import eager_answer
from medattn.model.load import LoadedModel, choose_device, prepare_model
from medattn.model.prompt import Prompter, PromptSettings
from medattn.model.vision import image_features
from medattn.phantom import medgemma, shape
from medattn.phantom.cases import make_case
from medattn.phantom.training import learn_tokenizer

NEW_TOKENS = 20  # unless --new-tokens says otherwise
ROWS = 5
ORDERS = ("question_first", "image_first")
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # Linux only

ImageQuestions = tuple[Image.Image, list[str]]  # an image and the variants asked about it
Answer = tuple[tuple[int, ...], np.ndarray]  # answer ids; rows P−1, g1 … on the image [layer, head, row, 256]


@dataclass(frozen=True)
class ModelShape:
    """A model to measure: how it is made, and how much work is sensible by default."""

    make: Callable[[torch.device], LoadedModel]  # as the library makes it
    dtype: str
    images: int  # six variants each
    usual_variants: int  # of an image's six variants, how many the usual way is asked: its time per sample is the same


@dataclass(frozen=True)
class Workload:
    """What is asked of a way."""

    prompter: Prompter
    items: list[ImageQuestions]
    new_tokens: int
    at_once: int  # images in a batch


@dataclass(frozen=True)
class Measurement:
    """Wall time per sample of every batch after the first, and what came out."""

    seconds: list[float]
    answers: list[Answer]
    peak_bytes: int

    @property
    def per_sample(self) -> float:
        """Median over batches, in seconds."""
        return float(np.median(self.seconds))


def phantom_shape(device: torch.device) -> LoadedModel:
    """An untrained float32 model of the phantom's shape. It never ends an answer: every sample has the same work."""
    tokenizer = learn_tokenizer()
    model = shape.make_model(tokenizer).to(device)  # type: ignore[arg-type]  # the library's wrapper hides `self`
    return LoadedModel(model, shape.make_processor(tokenizer), device)


def medgemma_shape(device: torch.device) -> LoadedModel:
    """MedGemma-4b's shape, random weights in bfloat16 (8.6 GB). It all but never ends an answer, either."""
    processor = medgemma.make_processor(medgemma.make_tokenizer(learn_tokenizer()))
    return LoadedModel(medgemma.make_model().to(device), processor, device)  # type: ignore[arg-type]  # likewise


SHAPES = {
    "phantom": ModelShape(phantom_shape, "float32", images=32, usual_variants=6),
    "medgemma-4b": ModelShape(medgemma_shape, "bfloat16", images=1, usual_variants=2),
}


def peak_memory(device: torch.device) -> int:
    """Bytes: the device's allocator on CUDA; elsewhere the process's resident peak, since the last reset where /proc is."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    if STATUS.exists():
        return next(int(line.split()[1]) * 1024 for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    import resource  # not on every system

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # of the whole run; bytes on macOS, KiB elsewhere
    return largest if sys.platform == "darwin" else largest * 1024


def reset_peak(device: torch.device) -> None:
    """Let `peak_memory` start anew, where the system can: without what an earlier measurement has left."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return
    give_back_freed_memory()
    with contextlib.suppress(OSError):  # no /proc, or not allowed: the peak is then that of the whole run
        CLEAR.write_text("5")  # resets VmHWM (proc(5))


def usual_way(loaded: LoadedModel, prompter: Prompter, items: list[ImageQuestions], new_tokens: int) -> Iterator[Answer]:
    """Eager attention (`attn_implementation="eager"`), one sample at a time, everything materialised."""
    for image, questions in items:
        for question in questions:
            yield eager_answer(loaded, prompter, image, question, new_tokens, ROWS)


def our_way(loaded: LoadedModel, prompter: Prompter, items: list[ImageQuestions], new_tokens: int) -> Iterator[Answer]:
    """The product's own path."""
    use_capture(loaded.model)
    features = image_features(loaded, [image for image, _ in items])
    prompts = [prompter(question) for _, questions in items for question in questions]
    owners = [index for index, (_, questions) in enumerate(items) for _ in questions]
    for decoded in decode(loaded, prompts, features, new_tokens, ROWS, owners):
        yield decoded.ids, decoded.image_weights


def measure(way: Callable, loaded: LoadedModel, work: Workload, name: str) -> Measurement:
    """Do all of `work` this `way`, after one question to warm up."""
    items = work.items
    warm_up = [(items[0][0], items[0][1][:1])]
    list(way(loaded, work.prompter, warm_up, work.new_tokens))
    reset_peak(loaded.device)
    seconds: list[float] = []
    answers: list[Answer] = []
    with tqdm(total=sum(len(questions) for _, questions in items), desc=name, unit="sample") as progress:
        for first in range(0, len(items), work.at_once):
            some = items[first : first + work.at_once]
            start, before = time.perf_counter(), len(answers)
            for answer in way(loaded, work.prompter, some, work.new_tokens):
                answers.append(answer)
                progress.update()
            if loaded.device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append((time.perf_counter() - start) / (len(answers) - before))
    return Measurement(seconds, answers, peak_memory(loaded.device))


def image_questions(images: int) -> list[ImageQuestions]:
    """Synthetic radiographs, each with a question in six variants."""
    items = []
    for index in range(images):
        asked = variants(f"bench-{index}", "nodule", BASELINE_TEMPLATES[0])
        items.append((Image.fromarray(make_case(9, index, index).radiograph.image), [variant.text for variant in asked]))
    return items


def run(model_shape: ModelShape, device: torch.device, images: int, new_tokens: int = NEW_TOKENS) -> list[Row]:
    """Both ways over the same images, in both orders of question and image; a row of the table per order."""
    loaded = model_shape.make(device)
    items = image_questions(images)
    fewer = [(image, questions[: model_shape.usual_variants]) for image, questions in items]
    prompters = {order: loaded.prompter(PromptSettings("", "{question}", order)) for order in ORDERS}
    usual = {
        order: measure(usual_way, loaded, Workload(prompter, fewer, new_tokens, 1), f"{order}: usual way")
        for order, prompter in prompters.items()
    }
    prepare_model(loaded.model, device)
    at_once = SAMPLES_AT_ONCE // len(items[0][1])
    ours = {
        order: measure(our_way, loaded, Workload(prompter, items, new_tokens, at_once), f"{order}: medattn")
        for order, prompter in prompters.items()
    }
    asked = [number < model_shape.usual_variants for _, questions in items for number in range(len(questions))]
    ends = end_tokens(loaded.model)
    return [{"order": order} | compare(usual[order], ours[order], asked, ends) for order in ORDERS]


def compare(usual: Measurement, ours: Measurement, asked: Sequence[bool], ends: set[int]) -> Row:
    """Seconds, ratio, peak memory, and the largest difference between rows, over the samples that both were `asked`.

    Row k is compared while the answers agree up to token k: behind another token it is another text's.
    """
    differences, same = [], []
    mine = [answer for answer, both in zip(ours.answers, asked, strict=True) if both]
    for (theirs_ids, theirs), (ids, rows) in zip(usual.answers, mine, strict=True):
        theirs_ids = tuple(token for token in theirs_ids if token not in ends)
        equal = next(
            (k for k, (a, b) in enumerate(zip(theirs_ids, ids, strict=False)) if a != b), min(len(theirs_ids), len(ids))
        )
        same.append(theirs_ids == ids)
        rows_alike = min(equal, ROWS) + 1
        differences.append(float(np.abs(theirs[:, :, :rows_alike] - rows[:, :, :rows_alike]).max()))
    return {
        "samples": len(ours.answers),
        "usual_samples": len(usual.answers),
        "usual_seconds_per_sample": usual.per_sample,
        "seconds_per_sample": ours.per_sample,
        "ratio": usual.per_sample / ours.per_sample,
        "max_abs_diff": max(differences),
        "same_tokens": all(same),
        "same_answers": sum(same),
        "usual_peak_bytes": usual.peak_bytes,
        "peak_bytes": ours.peak_bytes,
    }


def report(name: str, device: str, new_tokens: int, results: Sequence[Row]) -> str:
    """The table of `run` as text, a line per order of question and image."""
    first = results[0]
    lines = [
        f"{name} shape, {SHAPES[name].dtype}, {device}, {torch.get_num_threads()} threads, {new_tokens} new tokens",
        f"{first['samples']} samples an order; the usual way was asked {first['usual_samples']} of them",
        f"{'order':16}{'usual s/sample':>16}{'ours s/sample':>15}{'ratio':>8}{'max |diff|':>12}{'same':>8}{'peak MB':>16}",
    ]
    for row in results:
        same = f"{row['same_answers']}/{row['usual_samples']}"
        lines.append(
            f"{row['order']:16}{row['usual_seconds_per_sample']:16.4f}{row['seconds_per_sample']:15.4f}{row['ratio']:8.1f}"
            f"{row['max_abs_diff']:12.1e}{same:>8}{row['usual_peak_bytes'] / 1e6:8.0f}{row['peak_bytes'] / 1e6:8.0f}"
        )
    return "\n".join(lines)


def measured(name: str, device_name: str, images: int | None, new_tokens: int) -> tuple[str, Row]:
    """The report on a model of SHAPES, and the same as one object for JSON. images: None for the shape's own number."""
    device = choose_device(device_name)
    results = run(SHAPES[name], device, images or SHAPES[name].images, new_tokens)
    table = {"shape": name, "device": device_name, "new_tokens": new_tokens, **results[0], "orders": results}
    return report(name, device_name, new_tokens, results), table
