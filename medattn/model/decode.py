"""Greedy answers to all variants about a few images, with the attention rows of each.

All variants are decoded in one batch with left padding; what an image's prompts
share up to the image's end is prefilled once per image; finished variants leave the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from medattn.base.errors import InputError
from medattn.model.cache import buffered_cache
from medattn.model.capture import Recorder, recording
from medattn.model.load import LoadedModel
from medattn.model.prompt import Prompt, answer_forms

DECIMALS = 9  # logits are rounded to this before the largest is taken, so that the last bit decides nothing


@dataclass(frozen=True)
class Generation:
    """One variant's answer and attention. Rows: 0 = last prompt token, k = k-th answer token."""

    text: str
    ids: tuple[int, ...]  # answer tokens, without the end token
    yes_logits: tuple[float, ...]  # at the first answer position, in the order of answer_forms
    no_logits: tuple[float, ...]
    forms_probability: float  # of all yes and no forms together, in [0, 1]
    valid: np.ndarray  # bool [row]
    image_weights: np.ndarray  # float [layer, head, row, 256 or 0]
    question_weights: np.ndarray  # float [layer, head, row, question token]
    totals: np.ndarray  # float [layer, head, row, 5]: captures.TOTALS, sums to 1 in valid rows

    @property
    def is_finite(self) -> bool:
        """Whether no attention weight and no logit is NaN or infinite."""
        numbers = (*self.yes_logits, *self.no_logits, self.forms_probability)
        return bool(np.isfinite(numbers).all() and np.isfinite(self.totals).all())


@dataclass
class _Answer:
    """What is collected of one prompt while it is answered."""

    ids: list[int] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)  # [row] -> [layer, head, key]


def shared_prefix(prompts: Sequence[Prompt]) -> int:
    """Number of leading tokens that all prompts share, if the whole image lies among them; else 0."""
    shortest = min(len(prompt) for prompt in prompts) - 1  # the last token is always computed per variant
    first = prompts[0].ids
    equal = np.logical_and.reduce([prompt.ids[:shortest] == first[:shortest] for prompt in prompts])
    length = shortest if equal.all() else int(np.argmin(equal))
    image = prompts[0].image
    return length if len(prompts) > 1 and len(image) and image[-1] < length else 0


class _Batch:
    """The key/value cache of the variants still being answered, and where their padding is.

    Along the key axis lie the shared prefix, the padding, the rest of each prompt (up to `width`), the answer tokens.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        prompts: Sequence[Prompt],
        features: torch.Tensor | None,
        images: Sequence[int],
        new_tokens: int,
    ) -> None:
        self.loaded, self.model, self.prompts = loaded, loaded.model, prompts
        self.prefix = shared_prefix(prompts)
        self.width = max(len(prompt) for prompt in prompts)
        self.padding = np.array([self.width - len(prompt) for prompt in prompts])
        self.lengths = torch.tensor([len(prompt) for prompt in prompts], device=loaded.device)
        self.features, self.images = features, torch.tensor(images, device=loaded.device)
        pad = loaded.text_config.pad_token_id
        ids = np.full((len(prompts), self.width), pad, dtype=np.int64)
        real = np.ones(ids.shape, dtype=bool)
        for row, prompt in enumerate(prompts):
            ids[row, : self.prefix] = prompt.ids[: self.prefix]
            ids[row, self.prefix + self.padding[row] :] = prompt.ids[self.prefix :]
            real[row, self.prefix : self.prefix + self.padding[row]] = False
        self.ids, self.real = (torch.from_numpy(array).to(loaded.device) for array in (ids, real))
        self.cache = buffered_cache(loaded.text_config.num_hidden_layers, self.width + new_tokens)

    def position(self, row: int, token: np.ndarray) -> np.ndarray:
        """Where tokens of prompt `row` lie along the key axis."""
        return np.where(token < self.prefix, token, token + self.padding[row])

    def _visible(self, start: int, end: int, rows: int) -> torch.Tensor:
        """Additive mask [row, 1, end - start, end] (0 or −inf): the keys that each of the queries start … end - 1 sees.

        Causal, but image tokens see each other both ways; nothing sees padding, but for padding itself, which would
        otherwise see nothing and turn into NaN.
        """
        order = torch.arange(end, device=self.ids.device)
        image = self.ids[:rows, :end] == self.model.config.image_token_id
        seen = (order[start:, None] >= order) | (image[:, start:, None] & image[:, None])
        return self._additive((seen & self.real[:rows, None, :end]) | (order[start:, None] == order))[:, None]

    def _additive(self, seen: torch.Tensor) -> torch.Tensor:
        """0 where `seen`, else −inf, in the model's dtype: made once, not once per layer."""
        return torch.zeros(seen.shape, dtype=self.model.dtype, device=seen.device).masked_fill_(~seen, -torch.inf)

    def _forward(
        self, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, features: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Logits of the last position, [row, vocabulary]. `features` [row, 256, width] if `ids` hold the image."""
        more = {}
        if features is not None:
            more = {"mm_encoder_outputs": {"image": BaseModelOutputWithPooling(pooler_output=features)}}
        hidden = self.model.model(
            input_ids=ids, attention_mask={"full_attention": mask, "sliding_attention": mask}, position_ids=positions,
            past_key_values=self.cache, use_cache=True, **more,
        ).last_hidden_state[:, -1]  # fmt: skip
        return self.model.lm_head(hidden)

    def prefill(self, recorder: Recorder) -> torch.Tensor:
        """Logits after the prompts, [batch, vocabulary]; leaves row P−1 in the recorder."""
        positions = (self.real.cumsum(1) - 1).clamp(min=0)
        features = None if self.features is None else self.features[self.images]
        if self.prefix:
            recorder.enabled = False
            count, features = len(cast(torch.Tensor, self.features)), None  # the prefix holds the image
            ids, where = (array[:1, : self.prefix].expand(count, -1) for array in (self.ids, positions))
            self._forward(ids, self._visible(0, self.prefix, 1), where, self.features)
            recorder.enabled = True
            self.cache.batch_select_indices(self.images)
        mask = self._visible(self.prefix, self.width, len(self.ids))
        return self._forward(self.ids[:, self.prefix :], mask, positions[:, self.prefix :], features)

    def step(self, tokens: torch.Tensor, number: int) -> torch.Tensor:
        """Logits after feeding the `number`-th answer token [batch]; leaves its row in the recorder."""
        self.real = torch.cat([self.real, self.real.new_ones(len(tokens), 1)], dim=1)
        return self._forward(tokens[:, None], self._additive(self.real)[:, None, None], (self.lengths + number - 1)[:, None])

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows of the batch only."""
        self.cache.batch_select_indices(rows)
        self.real, self.lengths = self.real[rows], self.lengths[rows]


def _largest(logits: torch.Tensor) -> torch.Tensor:
    """Greedy choice; of logits equal at DECIMALS the smaller id."""
    return (logits.round(decimals=DECIMALS) if logits.dtype == torch.float64 else logits).argmax(dim=-1)


def end_tokens(model: PreTrainedModel) -> set[int]:
    """Ids that end an answer."""
    ids = model.generation_config.eos_token_id
    return set(ids if isinstance(ids, (list, tuple)) else [ids])


@torch.inference_mode()
def decode(
    loaded: LoadedModel,
    prompts: Sequence[Prompt],
    features: torch.Tensor | None,
    max_new_tokens: int,
    generated_rows: int,
    images: Sequence[int] | None = None,
) -> list[Generation]:
    """Answer all prompts greedily, and keep the rows P−1, g₁ … g_n.

    features [image, 256, width], None for text only; images: which of them each prompt is about (None: all the first).
    Raises InputError if prompt and answer exceed the sliding window, beyond which image tokens would drop out of sight.
    """
    longest, window = max(len(prompt) for prompt in prompts), cast(int, loaded.text_config.sliding_window)
    if longest + max_new_tokens > window:
        raise InputError(
            f"a prompt of {longest} tokens and an answer of {max_new_tokens} exceed the model's window of {window}: "
            "shorten prompt.system, prompt.template or prompt.max_new_tokens"
        )
    ends = end_tokens(loaded.model)
    answers = [_Answer() for _ in prompts]
    taken: list[tuple[list[int], torch.Tensor]] = []  # the samples of each row, and it: [sample, layer, head, key]
    alive = list(range(len(prompts)))
    with recording() as recorder:
        batch = _Batch(loaded, prompts, features, images or [0] * len(prompts), max_new_tokens)
        logits = first = batch.prefill(recorder)
        taken.append((alive, recorder.take()))
        for number in range(1, max_new_tokens + 1):
            tokens = _largest(logits)
            chosen = tokens.tolist()
            going = [i for i, token in enumerate(chosen) if token not in ends]
            for i in going:
                answers[alive[i]].ids.append(chosen[i])
            wants_row = number <= generated_rows
            if not going or not (wants_row or number < max_new_tokens):
                break
            if len(going) < len(alive):
                keep = torch.tensor(going, device=loaded.device)
                batch.keep(keep)
                tokens, alive = tokens[keep], [alive[i] for i in going]
            recorder.enabled = wants_row
            logits = batch.step(tokens, number)
            if wants_row:
                taken.append((alive, recorder.take()))
    for samples, row in taken:  # not before: a copy would make the device wait for the host at every token
        for sample, values in zip(samples, row.cpu().numpy(), strict=True):
            answers[sample].rows.append(values)
    forms = answer_forms(loaded.processor.tokenizer)
    return [_assemble(batch, index, answer, first[index], forms, generated_rows) for index, answer in enumerate(answers)]


def _assemble(
    batch: _Batch, index: int, answer: _Answer, first: torch.Tensor, forms: tuple[list[int], list[int]], generated_rows: int
) -> Generation:
    """Of prompt `index`; first [vocabulary]: the logits behind it."""
    prompt, rows = batch.prompts[index], answer.rows
    layers, heads, _ = rows[0].shape
    weights = np.zeros((layers, heads, generated_rows + 1, rows[-1].shape[-1]), rows[0].dtype)  # [layer, head, row, key]
    for number, row in enumerate(rows):
        weights[:, :, number, : row.shape[-1]] = row
    image, question = batch.position(index, prompt.image), batch.position(index, prompt.question_tokens)
    first_token = batch.position(index, np.array([0]))  # behind the padding, unless there is a shared prefix
    rest = batch.position(index, np.setdiff1d(np.arange(len(prompt)), [0, *prompt.image, *prompt.question_tokens]))
    image_weights, question_weights = weights[..., image], weights[..., question]
    parts = (weights[..., first_token], image_weights, question_weights, weights[..., rest], weights[..., batch.width :])
    totals = np.stack([part.sum(axis=-1) for part in parts], axis=-1)
    yes, no = forms
    values = first if first.dtype == torch.float64 else first.float()
    probability = values.softmax(dim=-1)[yes + no].sum().item()
    return Generation(
        text=batch.loaded.processor.tokenizer.decode(answer.ids, skip_special_tokens=False).strip(),
        ids=tuple(answer.ids),
        yes_logits=tuple(values[yes].tolist()),
        no_logits=tuple(values[no].tolist()),
        forms_probability=min(1.0, probability),
        valid=np.arange(generated_rows + 1) < len(rows),
        image_weights=image_weights,
        question_weights=question_weights,
        totals=totals,
    )
