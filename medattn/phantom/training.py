"""Train the phantom model, with a difficulty that is designed and stated.

Two steps. (1) The vision tower learns per-patch finding masks. (2) The tower is frozen, its features are
computed once, and projector and language model learn question/answer pairs: first with many questions packed
around one image that does not see them (block mask), then one by one, in two rounds, exactly as the study asks.

What makes it err, on purpose (facts a study can recover):
- findings range from obvious to hardly visible (`study.phantom.CONSPICUITY`), beside look-alikes;
- `LABEL_NOISE` of the training labels are wrong;
- a strategy is seen in proportion to `EXPOSURE`; its sub-words also occur in other questions;
- questions of the opposite polarity ("can … be excluded?") share words with the rare strategies;
- `PRIOR_FINDING` is present in `PRIOR_YES` of its training questions;
- a support device goes with `SHORTCUT_FINDING` in training, and with nothing in a study.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm
from transformers import Gemma3ForConditionalGeneration, Gemma3Processor, GemmaTokenizer

from medattn.base.seeding import generator
from medattn.language.findings import LEXICON, fill
from medattn.language.strategy_labels import BASELINE
from medattn.language.variants import BASELINE_TEMPLATES, TEMPLATES
from medattn.measures.body import cell_coverage
from medattn.phantom import shape
from medattn.phantom.anatomy import FINDINGS
from medattn.phantom.cases import EXPOSURE, make_case, thumbnail

TRAINING_SEED = 1_000
LABEL_NOISE = 0.06
OPPOSITE_SHARE = 0.22  # of all training questions
OTHER_SHARE = 0.10
ANSWER_TAIL = 0.2  # weight of an answer token after the first; naming the finding teaches to carry it
PRIOR_FINDING, PRIOR_YES = "cardiomegaly", 0.85
SHORTCUT_FINDING, SHORTCUT = "pneumothorax", {True: 0.75, False: 0.20}

# Answer "yes" means that the finding is absent. Never asked in a study.
OPPOSITE_TEMPLATES = (
    "Can {ax} be excluded on this radiograph?",
    "Can {ax} be ruled out here?",
    "Is this film free of {ox}?",
    "Is {ax} absent here?",
    "Is {ax} excluded on this radiograph?",
    "{X} absent?",
)
# Not about findings: these carry the remaining words of the rare strategies.
DEVICE_TEMPLATES = (
    "Is a support device demonstrated on this radiograph?",
    "Can a support device be seen in this image?",
    "Is a support device shown here?",
    "Any support device here?",
    "Support device present?",
    "Looking at this film, is there radiographic evidence of a support device?",
)


@dataclass(frozen=True)
class Schedule:
    """How much of everything; the defaults train in under 25 minutes on two cores."""

    images: int = 4000
    vision_epochs: int = 9
    packed_steps: int = 1200
    packed_images: int = 4
    packed_questions: int = 16
    ordered_steps: int = 1200
    polish_steps: int = 700
    ordered_rows: int = 12


@dataclass(frozen=True)
class TrainingSet:
    """Training radiographs: pixels [n, 224, 224] uint8, masks [n, 5, 16, 16], truth, device and noisy labels."""

    pixels: np.ndarray
    coverage: np.ndarray
    truth: np.ndarray
    device: np.ndarray
    labels: np.ndarray


def _drawn(index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    case = make_case(TRAINING_SEED, index, index, device_given=SHORTCUT, device_follows=SHORTCUT_FINDING)
    coverage = np.zeros((len(FINDINGS), 16, 16), np.float32)
    for lesion in case.radiograph.lesions:
        coverage[FINDINGS.index(lesion.finding)] = cell_coverage(lesion.mask)
    truth = np.array([case.present(finding) for finding in FINDINGS])
    return thumbnail(case.radiograph.image, shape.IMAGE_SIZE), coverage, truth, case.radiograph.device


def draw_radiographs(count: int) -> TrainingSet:
    """Draw the training set with one process per core."""
    with get_context("spawn").Pool() as pool:
        drawn = list(tqdm(pool.imap(_drawn, range(count), chunksize=16), total=count, desc="drawing", unit="image"))
    pixels, coverage, truth, device = (np.stack(column) for column in zip(*drawn, strict=True))
    noise = np.stack([generator("label noise", index).random(len(FINDINGS)) for index in range(count)])
    return TrainingSet(pixels, coverage, truth, device, truth ^ (noise < LABEL_NOISE))


def normalise(pixels: np.ndarray) -> torch.Tensor:
    """uint8 [n, 224, 224] → float32 [n, 3, 224, 224] as the processor does (mean = std = 0.5)."""
    scaled = torch.from_numpy(pixels).float() / 255 * 2 - 1
    return scaled[:, None].expand(-1, 3, -1, -1)


def _schedule(optimiser: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.OneCycleLR:
    peak = optimiser.param_groups[0]["lr"]
    return torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=peak, total_steps=steps, pct_start=0.1)


def train_vision(model: Gemma3ForConditionalGeneration, radiographs: TrainingSet, epochs: int, batch: int = 32) -> torch.Tensor:
    """Step 1. Returns the frozen tower's features, float16 [n, 256, width]."""
    tower = model.model.vision_tower
    head = torch.nn.Linear(tower.config.hidden_size, len(FINDINGS) + 1)
    parameters = [*tower.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=0.01)
    count = len(radiographs.pixels)
    steps = epochs * (count // batch)
    schedule = _schedule(optimiser, steps)
    target = torch.from_numpy(radiographs.coverage).flatten(2).transpose(1, 2).mul(2).clamp(max=1)
    device = torch.from_numpy(radiographs.device).float()[:, None, None].expand(-1, 256, 1)
    target = torch.cat([target, device], dim=2)
    weight = torch.tensor([3.0, 3.0, 3.0, 1.0, 40.0, 0.3])  # rare cells count more: a nodule covers one or two
    progress = tqdm(total=steps, desc="vision", unit="step")
    for epoch in range(epochs):
        order = generator("vision order", epoch).permutation(count)
        for start in range(0, count - batch + 1, batch):
            rows = order[start : start + batch]
            logits = head(tower(pixel_values=normalise(radiographs.pixels[rows])).last_hidden_state)
            loss = functional.binary_cross_entropy_with_logits(logits, target[rows], pos_weight=weight)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            schedule.step()
            progress.update()
        progress.set_postfix(loss=f"{loss.item():.4f}")
    progress.close()
    return vision_features(model, radiographs.pixels)


@torch.no_grad()
def vision_features(model: Gemma3ForConditionalGeneration, pixels: np.ndarray, batch: int = 64) -> torch.Tensor:
    """float16 [n, 256, width]: the vision tower's output for uint8 images [n, 224, 224]."""
    tower = model.model.vision_tower
    starts = range(0, len(pixels), batch)
    return torch.cat([tower(pixel_values=normalise(pixels[s : s + batch])).last_hidden_state.half() for s in starts])


def answer_text(finding: str, present: bool) -> str:
    """The sentence the model is taught to answer with."""
    name = LEXICON[finding].name
    return f"Yes, there is {name.with_article}." if present else f"No, there is no evidence of {name.after_of}."


def opposite_answer_text(finding: str, present: bool) -> str:
    name = LEXICON[finding].name
    return f"No, there is {name.with_article}." if present else f"Yes, there is no evidence of {name.after_of}."


def device_answer_text(present: bool) -> str:
    return "Yes, there is a support device." if present else "No, there is no support device."


def finding_question(finding: str, rng: np.random.Generator) -> str:
    """A training question about `finding`, its strategy drawn in proportion to EXPOSURE."""
    names = list(EXPOSURE)
    weights = np.array([EXPOSURE[name] for name in names])
    strategy = names[rng.choice(len(names), p=weights / weights.sum())]
    entry = LEXICON[finding]
    if strategy == "synonym":
        return fill(BASELINE_TEMPLATES[rng.integers(2)], entry.synonyms[rng.integers(len(entry.synonyms))])
    templates = BASELINE_TEMPLATES if strategy == BASELINE else TEMPLATES[strategy]
    return fill(templates[rng.integers(len(templates))], entry.name)


def example(labels: np.ndarray, device: bool, rng: np.random.Generator) -> tuple[str, str]:
    """One training question and its taught answer for a radiograph with noisy `labels`, bool [finding]."""
    kind = rng.random()
    if kind < OTHER_SHARE:
        return DEVICE_TEMPLATES[rng.integers(len(DEVICE_TEMPLATES))], device_answer_text(device)
    while True:
        index = rng.integers(len(FINDINGS))
        finding, present = FINDINGS[index], bool(labels[index])
        wanted = PRIOR_YES if finding == PRIOR_FINDING else 0.5
        rate = labels_rate(present)
        share = wanted if present else 1 - wanted
        if rng.random() < 0.35 * share / rate:  # importance-weighted towards the wanted share of yes
            break
    if kind < OTHER_SHARE + OPPOSITE_SHARE:
        template = OPPOSITE_TEMPLATES[rng.integers(len(OPPOSITE_TEMPLATES))]
        return fill(template, LEXICON[finding].name), opposite_answer_text(finding, present)
    return finding_question(finding, rng), answer_text(finding, present)


def labels_rate(present: bool) -> float:
    """Share of noisy training labels that are `present`."""
    from medattn.phantom.cases import PREVALENCE

    yes = PREVALENCE * (1 - LABEL_NOISE) + (1 - PREVALENCE) * LABEL_NOISE
    return yes if present else 1 - yes


def corpus() -> Iterator[str]:
    """Text the tokenizer learns from: everything asked or answered, and the bare answer words."""
    for entry in (LEXICON[finding] for finding in FINDINGS):
        for template in (*BASELINE_TEMPLATES, *OPPOSITE_TEMPLATES, *(t for ts in TEMPLATES.values() for t in ts)):
            yield from (fill(template, term) for term in (entry.name, *entry.synonyms))
    for finding in FINDINGS:
        for present in (True, False):
            yield from [answer_text(finding, present)] * 4
    yield from DEVICE_TEMPLATES
    yield from ["user model", *(f"{form} {form}" for form in ("Yes", "No", "yes", "no", "YES", "NO"))] * 200


def learn_tokenizer() -> GemmaTokenizer:
    """The phantom's tokenizer: few merges, so that medical terms are several sub-words."""
    return shape.train_tokenizer(corpus(), merges_until=200)


class PromptParts:
    """Token ids of the prompt's parts, cached."""

    def __init__(self, processor: Gemma3Processor) -> None:
        self.processor = processor
        self.image_id = processor.tokenizer.image_token_id
        self._cache: dict[str, list[int]] = {}
        self.head = self("<bos><start_of_turn>user\n")
        self.image = self(processor.full_image_sequence)

    def __call__(self, text: str) -> list[int]:
        if text not in self._cache:
            self._cache[text] = self.processor.tokenizer(text, add_special_tokens=False).input_ids
        return self._cache[text]

    def answer(self, text: str) -> tuple[list[int], list[int]]:
        return self("<end_of_turn>\n<start_of_turn>model\n"), self(f"{text}<end_of_turn>")


@dataclass
class TrainingSequence:
    """A training sequence: ids, positions, segment (0 = shared prefix), answer weights per token."""

    ids: list[int]
    positions: list[int]
    segments: list[int]
    weights: list[float]


def _append(row: TrainingSequence, ids: list[int], segment: int, position: int, weights: list[float] | None = None) -> int:
    row.ids += ids
    row.positions += range(position, position + len(ids))
    row.segments += [segment] * len(ids)
    row.weights += weights or [0.0] * len(ids)
    return position + len(ids)


def _append_answer(row: TrainingSequence, texts: PromptParts, answer: str, segment: int, position: int) -> None:
    bridge, reply = texts.answer(answer)
    position = _append(row, bridge, segment, position)
    _append(row, reply, segment, position, [1.0] + [ANSWER_TAIL] * (len(reply) - 1))


def packed_row(texts: PromptParts, pairs: list[tuple[str, str]]) -> TrainingSequence:
    """One image and many question/answer pairs, each as if it stood alone with its question before the image.

    A question ends where the image begins (positions), is a segment of its own, and attention is causal in
    position: so it sees no image and no other question. Only the image does not see the questions, which
    the second phase teaches.
    """
    row = TrainingSequence([], [], [], [])
    head = _append(row, texts.head, 0, 0)
    questions = [texts(question) for question, _ in pairs]
    start = head + max(map(len, questions))
    end = _append(row, texts.image, 0, start)
    for segment, (question, (_, answer)) in enumerate(zip(questions, pairs, strict=True), start=1):
        _append(row, question, segment, start - len(question))
        _append_answer(row, texts, answer, segment, end)
    return row


def ordered_row(texts: PromptParts, question: str, answer: str) -> TrainingSequence:
    """Question first, then the image, as the study asks."""
    row = TrainingSequence([], [], [], [])
    position = _append(row, texts.head + texts(question) + texts.image, 0, 0)
    _append_answer(row, texts, answer, 0, position)
    return row


def loss_of(
    model: Gemma3ForConditionalGeneration, features: torch.Tensor, rows: list[TrainingSequence], image_id: int
) -> torch.Tensor:
    """Weighted next-token loss of `rows` [b] on vision `features` [b, 256, width], with Gemma's mask."""
    length = max(len(row.ids) for row in rows)

    def padded(field: str, fill_value: float, dtype: torch.dtype) -> torch.Tensor:
        full = [getattr(row, field) + [fill_value] * (length - len(row.ids)) for row in rows]
        return torch.tensor(full, dtype=dtype)

    ids = padded("ids", 0, torch.long)
    positions = padded("positions", 0, torch.long)
    segments = padded("segments", -1, torch.long)
    weights = padded("weights", 0.0, torch.float32)
    is_image = ids == image_id
    embeds = model.model.language_model.embed_tokens(ids)
    projected = model.model.multi_modal_projector(features.float())
    embeds = embeds.masked_scatter(is_image[..., None], projected)
    causal = positions[:, :, None] >= positions[:, None, :]
    both_image = is_image[:, :, None] & is_image[:, None, :]
    same = (segments[:, None, :] == 0) | (segments[:, :, None] == segments[:, None, :])
    mask = ((causal | both_image) & same)[:, None]
    hidden = model.model.language_model(
        inputs_embeds=embeds,
        position_ids=positions,
        attention_mask={"full_attention": mask, "sliding_attention": mask},
        use_cache=False,
    ).last_hidden_state
    # A token is predicted by the token before it, which for every weighted token is its own segment's.
    wanted = weights[:, 1:] > 0
    logits = model.lm_head(hidden[:, :-1][wanted])
    losses = functional.cross_entropy(logits, ids[:, 1:][wanted], reduction="none")
    chosen = weights[:, 1:][wanted]
    return (losses * chosen).sum() / chosen.sum()


def _train(
    model: Gemma3ForConditionalGeneration,
    features: torch.Tensor,
    make_rows: Callable[[np.random.Generator], tuple[np.ndarray, list[TrainingSequence]]],
    steps: int,
    rate: float,
    name: str,
) -> None:
    image_id = model.config.image_token_id
    parts = (model.model.multi_modal_projector, model.model.language_model)
    parameters = [p for part in parts for p in part.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01, betas=(0.9, 0.98))
    schedule = _schedule(optimiser, steps)
    progress = tqdm(range(steps), desc=name, unit="step")
    smooth = None
    for step in progress:
        chosen, rows = make_rows(generator(name, step))
        loss = loss_of(model, features[chosen], rows, image_id)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
        progress.set_postfix(loss=f"{smooth:.3f}", refresh=False)


def train_language(
    model: Gemma3ForConditionalGeneration,
    processor: Gemma3Processor,
    radiographs: TrainingSet,
    features: torch.Tensor,
    plan: Schedule,
) -> None:
    """Step 2: projector and language model on features [n, 256, width] of the radiographs, packed, then twice one by one."""
    texts = PromptParts(processor)

    def packed(rng: np.random.Generator) -> tuple[np.ndarray, list[TrainingSequence]]:
        chosen = rng.integers(len(radiographs.pixels), size=plan.packed_images)
        make = [
            packed_row(
                texts, [example(radiographs.labels[i], radiographs.device[i], rng) for _ in range(plan.packed_questions)]
            )
            for i in chosen
        ]
        return chosen, make

    def ordered(rng: np.random.Generator) -> tuple[np.ndarray, list[TrainingSequence]]:
        chosen = rng.integers(len(radiographs.pixels), size=plan.ordered_rows)
        return chosen, [ordered_row(texts, *example(radiographs.labels[i], radiographs.device[i], rng)) for i in chosen]

    _train(model, features, packed, plan.packed_steps, 2e-3, "packed")
    _train(model, features, ordered, plan.ordered_steps, 1e-3, "one by one")
    # Fresh questions, and the learning rate warmed up again.
    _train(model, features, ordered, plan.polish_steps, 1e-3, "polish")


def train(out: Path, plan: Schedule = Schedule(), seed: int = 0) -> None:
    """Train the phantom model from nothing and save it to directory `out` (Hugging Face layout)."""
    torch.manual_seed(seed)
    tokenizer = learn_tokenizer()
    processor = shape.make_processor(tokenizer)
    model = shape.make_model(tokenizer, seed)
    radiographs = draw_radiographs(plan.images)
    features = train_vision(model, radiographs, plan.vision_epochs)
    train_language(model, processor, radiographs, features, plan)
    shape.save(model, processor, out)
