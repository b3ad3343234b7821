"""What extract computes of a unit: captures and answers, rounded as they are stored, or why there are none."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from PIL import Image

from medattn.attention.captures import Capture
from medattn.base.errors import InputError
from medattn.base.params.extract import ExtractParams
from medattn.base.rounding import CAPTURE_DIGITS, round_number, round_significant
from medattn.extract.model_inputs import ModelInput, model_input
from medattn.extract.units import Unit, shown_in
from medattn.model.decode import Generation, decode
from medattn.model.eager_check import compare_with_eager, cross_attention
from medattn.model.load import LoadedModel, load
from medattn.model.memory import BatchBudget, is_out_of_memory
from medattn.model.prompt import Prompt, Prompter, PromptSettings
from medattn.model.vision import input_features
from medattn.radiographs.conditions import CLEAN
from medattn.radiographs.reader import RadiographReader
from medattn.study.schema import Study, settings

NOT_FINITE = "the model gave numbers that are not finite (NaN or infinite)"


@dataclass
class Result:
    """What was computed of one unit, not yet rounded."""

    unit: Unit
    decoded: list[tuple[str, Prompt, Generation]] = field(default_factory=list)  # question, …
    failed: dict[str, str] = field(default_factory=dict)  # question -> reason
    fewer_rows: bool = False  # whether memory was too short to decode its batch as it is meant to be


@dataclass
class Extractor:
    """A loaded model with everything that decides what a unit's result is."""

    loaded: LoadedModel
    prompter: Prompter
    radiographs: RadiographReader
    max_new_tokens: int
    generated_rows: int
    budget: BatchBudget

    def compute(self, batch: Sequence[Unit], inputs: Sequence[ModelInput]) -> list[Result]:
        """Results of units that all show an image, or all none; inputs: a model input or an error for each of `shown_in`.

        A unit without its model input takes part with an empty one, so that it changes nothing for those beside it.
        """
        place = {one: number for number, one in enumerate(shown_in(batch))}
        owners = [0 if unit.shown is None else place[unit.shown] for unit in batch]
        errors = [inputs[owner] if inputs else None for owner in owners]
        results = [Result(unit) for unit in batch]
        for result, error in zip(results, errors, strict=True):
            if isinstance(error, InputError):
                result.failed = dict.fromkeys(result.unit.questions, str(error))
        if all(isinstance(error, InputError) for error in errors):
            return results
        features = self._features(inputs) if inputs else None
        asked = [(number, question) for number, unit in enumerate(batch) for question in unit.questions]
        prompts = [self.prompter(question, features is not None) for _, question in asked]
        decoded = self._decode(prompts, features, [owners[number] for number, _ in asked])
        for (number, question), prompt, answer in zip(asked, prompts, decoded, strict=True):
            result = results[number]
            if question in result.failed:
                continue
            if answer.is_finite:
                result.decoded.append((question, prompt, answer))
            else:
                result.failed[question] = NOT_FINITE
        for result in results:
            result.fewer_rows = self.budget.is_short_of(len(prompts))
        return results

    def _features(self, inputs: Sequence[ModelInput]) -> torch.Tensor:
        empty = np.zeros((self.loaded.image_side, self.loaded.image_side, 3), np.uint8)
        return input_features(self.loaded, [empty if isinstance(one, InputError) else one for one in inputs])

    def _decode(self, prompts: Sequence[Prompt], features: torch.Tensor | None, owners: Sequence[int]) -> list[Generation]:
        """All answers, as many rows at once as there is room for."""
        tokens = max(map(len, prompts)) + self.max_new_tokens
        done: list[Generation] = []
        while len(done) < len(prompts):
            rows = self.budget.rows(len(prompts) - len(done), tokens, self.generated_rows)
            part = slice(len(done), len(done) + rows)
            images = sorted(set(owners[part]))
            some = None if features is None else features[images]
            where = [images.index(owner) for owner in owners[part]]
            try:
                done += decode(self.loaded, prompts[part], some, self.max_new_tokens, self.generated_rows, where)
                continue
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self.budget.halve(rows, error)
        return done

    def about_model(self, units: Sequence[Unit]) -> dict:
        """What the captures say about the model that made them: its shape, and what was checked of its attention."""
        agreement = None
        for unit in units:
            if unit.shown is None or unit.shown.condition != CLEAN:
                continue
            try:
                shown = Image.fromarray(model_input(self.radiographs, unit.shown, self.loaded.image_side))
            except InputError:  # fill says so, or records it
                continue
            _, question = min(zip(unit.samples, unit.questions, strict=True))  # the first sample's
            agreement = compare_with_eager(self.loaded, self.prompter(question), shown)
            break
        return self.loaded.shape | {
            "image_side": self.loaded.image_side,
            "cross_attention": cross_attention(self.loaded.model),
            "eager_agreement": None if agreement is None else asdict(agreement),
        }


def extractor_for(study: Study, params: ExtractParams, radiographs: RadiographReader) -> Extractor:
    """Load the study's model with the settings that params.yaml and study.yaml resolve to."""
    model, prompt = settings(study, params)
    study.check_model(model)
    loaded = load(study.model_location(model), model.dtype, model.device, model.revision, model.redraw_language)
    prompter = loaded.prompter(PromptSettings(prompt.system, prompt.template, prompt.order))
    rows = params.extract.generated_rows
    return Extractor(loaded, prompter, radiographs, prompt.max_new_tokens, rows, BatchBudget(loaded, params.run.max_memory))


def capture_of(sample_id: str, prompt: Prompt, decoded: Generation) -> Capture:
    """What is stored of a sample's attention: rounded to rounding.CAPTURE_DIGITS digits."""
    image = decoded.image_weights
    return Capture(
        sample_id=sample_id,
        question=prompt.question,
        offsets=prompt.offsets,
        valid=decoded.valid,
        image_weights=round_significant(image, CAPTURE_DIGITS) if image.shape[-1] else None,
        question_weights=round_significant(decoded.question_weights, CAPTURE_DIGITS),
        totals=round_significant(decoded.totals, CAPTURE_DIGITS),
    )


def answer_row(prompt: Prompt, decoded: Generation) -> dict[str, object]:
    """What is stored of an answer: a row of answers.csv but for the sample_id."""

    def rounded(logits: tuple[float, ...]) -> str:
        return " ".join(repr(round_number(value)) for value in logits)

    return {
        "status": "ok" if len(prompt.image) else "no_grid",
        "answer_text": decoded.text,
        "answer_ids": " ".join(map(str, decoded.ids)),
        "answer_tokens": len(decoded.ids),
        "prompt_tokens": len(prompt),
        "yes_logits": rounded(decoded.yes_logits),
        "no_logits": rounded(decoded.no_logits),
        "forms_probability": round_number(decoded.forms_probability),
    }
