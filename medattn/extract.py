"""Stage 2: manifest -> captures and answers. The only stage that loads a model.

The unit of work is everything asked about one image under one condition: its wordings are decoded in one batch, a few
units together. Units are packed into a pinned number of buckets by a hash of image_id. All attention is kept per
layer and head, so that layers, gating, GQA reduction and rows are decided later, without the model.
"""

import csv
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from PIL import Image
from tqdm import tqdm

from medattn import captures, paths
from medattn.captures import Capture
from medattn.conditions import REGIONAL, shown
from medattn.errors import InputError
from medattn.model.checks import agrees_with_eager, cross_attention
from medattn.model.decode import Decoded, decode, image_features
from medattn.model.load import Loaded, load
from medattn.model.prompt import Prompt, Prompter, PromptSettings
from medattn.params import Params
from medattn.params import load as load_params
from medattn.private_files import protect
from medattn.rounding import CAPTURE_DIGITS, round_number, round_significant
from medattn.study.films import Films
from medattn.study.schema import Study, read_study, settings
from medattn.tables import write_bytes, write_csv
from medattn.unit_cache import UnitCache, directory_of, is_on, key_of

ANSWER_COLUMNS = (
    "sample_id", "status", "answer_text", "answer_ids", "answer_tokens", "prompt_tokens", "yes_logits", "no_logits",
    "forms_probability",
)  # fmt: skip

UNITS_AT_ONCE = 8  # units decoded in one batch: a step costs little more for eight than for one
Finished = tuple[list[Capture], list[dict[str, object]]]  # a unit's captures and its rows of answers.csv


@dataclass(frozen=True)
class Unit:
    """All samples of one image that are shown the same; `rows` are manifest rows in order of sample_id."""

    image_id: str
    condition: str
    strength: str
    shown: str  # image_id of the film that is shown, changed as the condition says; "" for none
    occluded: str  # the finding whose region decides what is shown; "" under any other condition
    rows: tuple[dict[str, str], ...]


def units_of(manifest: Sequence[dict[str, str]]) -> list[Unit]:
    """Manifest rows grouped into units, sorted."""
    groups: dict[tuple[str, str, str, str, str], list[dict[str, str]]] = {}
    for row in manifest:
        occluded = row["finding"] if row["condition"] in REGIONAL else ""
        key = (row["image_id"], row["condition"], row["strength"], row["shown_image_id"], occluded)
        groups.setdefault(key, []).append(row)
    return [Unit(*key, tuple(sorted(rows, key=lambda row: row["sample_id"]))) for key, rows in sorted(groups.items())]


@dataclass(frozen=True)
class Extractor:
    """A loaded model with everything that decides what a unit's result is."""

    loaded: Loaded
    prompter: Prompter
    films: Films
    max_new_tokens: int
    generated_rows: int
    identity: dict  # JSON: model digest, dtype, device, prompt

    def compute(self, units: Sequence[Unit]) -> list[Finished]:
        """Captures and answer rows of units that all show an image, or all none, rounded as they are stored."""
        features = None
        if units[0].shown:
            features = image_features(self.loaded, [self.image(unit) for unit in units])
        rows = [row for unit in units for row in unit.rows]
        prompts = [self.prompter(row["question"], units[0].shown != "") for row in rows]
        owners = [index for index, unit in enumerate(units) for _ in unit.rows]
        results = decode(self.loaded, prompts, features, self.max_new_tokens, self.generated_rows, owners)
        finished: list[Finished] = [([], []) for _ in units]
        for owner, row, prompt, result in zip(owners, rows, prompts, results, strict=True):
            finished[owner][0].append(capture_of(row["sample_id"], prompt, result))
            finished[owner][1].append(answer_row(row["sample_id"], prompt, result))
        return finished

    def image(self, unit: Unit) -> Image.Image:
        """What the model is shown."""
        try:
            return shown(self.films(unit.shown), unit.condition, unit.strength, unit.occluded, self.loaded.image_side)
        except ValueError as error:
            raise InputError(
                f"image {unit.shown!r}, condition {unit.condition}: {error}: set conditions.{unit.condition} to null"
            ) from None

    def about_model(self, units: Sequence[Unit]) -> dict:
        """What the captures say about the model that made them: its shape, and what was checked of its attention."""
        first = next((unit for unit in units if unit.condition == "clean"), None)
        agrees = None
        if first is not None:
            prompt = self.prompter(first.rows[0]["question"])
            agrees = agrees_with_eager(self.loaded, prompt, self.image(first))
        return self.loaded.shape | {
            "image_side": self.loaded.image_side,
            "cross_attention": cross_attention(self.loaded.model),
            "agrees_with_eager": agrees,
        }

    def described(self, unit: Unit) -> dict:
        """JSON: all of a unit that decides its result."""
        return {
            "condition": [unit.condition, unit.strength],
            "image": [unit.shown, unit.rows[0]["image_sha256"]] if unit.shown else None,
            "occluded": self.films.region_hashes(unit.shown, unit.occluded) if unit.occluded else None,
            "asked": [[row["sample_id"], row["question"]] for row in unit.rows],
        }

    def key(self, unit: Unit, batch: Sequence[Unit]) -> str:
        """The unit's name in the cache. What shares its batch counts: in a short dtype it shows in the last digits."""
        described = [self.described(other) for other in batch]
        return key_of(self.identity | {"unit": self.described(unit), "batch": described})

    def finish(self, units: Sequence[Unit], cache: UnitCache) -> Iterator[Finished]:
        """Every unit, UNITS_AT_ONCE in a batch; a batch is read from the cache if it is there whole, else computed."""
        for batch in batches(units):
            keys = [self.key(unit, batch) for unit in batch]
            contents = [content for key in keys if (content := cache.read(key)) is not None]
            if len(contents) == len(keys):
                for stored, shared in map(captures.decode, contents):
                    yield stored, shared["answers"]
                continue
            for key, (stored, answers) in zip(keys, self.compute(batch), strict=True):
                cache.write(key, captures.encode(stored, {"answers": answers}))
                yield stored, answers


def batches(units: Sequence[Unit]) -> Iterator[Sequence[Unit]]:
    """Units in order, UNITS_AT_ONCE at a time, those with an image apart from those without; nothing else decides."""
    for shows_image in (True, False):
        alike = [unit for unit in units if (unit.shown != "") == shows_image]
        yield from (alike[start : start + UNITS_AT_ONCE] for start in range(0, len(alike), UNITS_AT_ONCE))


def capture_of(sample_id: str, prompt: Prompt, decoded: Decoded) -> Capture:
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


def answer_row(sample_id: str, prompt: Prompt, decoded: Decoded) -> dict[str, object]:
    """What is stored of a sample's answer: a row of answers.csv."""

    def rounded(logits: tuple[float, ...]) -> str:
        return " ".join(repr(round_number(value)) for value in logits)

    return {
        "sample_id": sample_id,
        "status": "ok" if len(prompt.image) else "no_grid",
        "answer_text": decoded.text,
        "answer_ids": " ".join(map(str, decoded.ids)),
        "answer_tokens": len(decoded.ids),
        "prompt_tokens": len(prompt),
        "yes_logits": rounded(decoded.yes_logits),
        "no_logits": rounded(decoded.no_logits),
        "forms_probability": round_number(decoded.forms_probability),
    }


def extractor_for(study: Study, params: Params) -> Extractor:
    """Load the study's model with the settings that params.yaml and study.yaml resolve to."""
    model, prompt = settings(study, params)
    study.check_model(model)
    loaded = load(study.model_location(model), model.dtype, model.device, model.revision, model.redraw_language)
    asked = PromptSettings(prompt.system, prompt.template, prompt.order)
    prompter = Prompter(loaded.processor, asked, loaded.model.config.image_token_id, loaded.shape["image_tokens"])
    identity = {
        "model": study.model_files(model) or [model.id, model.revision],
        "redraw_language": model.redraw_language,
        "dtype": model.dtype,
        "device": loaded.device.type,
        "prompt": prompt.model_dump(),
        "generated_rows": params.extract.generated_rows,
    }
    rows = params.extract.generated_rows
    return Extractor(loaded, prompter, Films(study), prompt.max_new_tokens, rows, identity)


def cache_for(study: Study, params: Params) -> UnitCache:
    """The unit cache: beside a credentialed study, else in results/run; off if params.yaml or MEDATTN_CACHE say so."""
    return UnitCache(directory_of(study) if is_on(params) else None)


def run(study: Study, params: Params, manifest: Path, out: Path, answers_path: Path) -> int:
    """Extract every manifest row into buckets below `out` and `answers_path`; returns the number of samples."""
    with manifest.open(newline="", encoding="utf-8") as file:
        units = units_of(list(csv.DictReader(file)))
    if not units:
        raise InputError(f"{manifest} has no row: run `dvc repro prepare`")
    extractor, cache = extractor_for(study, params), cache_for(study, params)
    about_model = extractor.about_model(units)
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    answers: list[dict[str, object]] = []
    samples = sum(len(unit.rows) for unit in units)
    with tqdm(total=samples, desc="extract", unit="sample", smoothing=0.05) as progress:
        for index, dealt in _by_bucket(units, params.extract.buckets):
            stored: list[Capture] = []
            for more, rows in extractor.finish(dealt, cache):
                stored += more
                answers += rows
                progress.update(len(rows))
            write_bytes(captures.bucket_path(part, index), captures.encode(stored, about_model))
    shutil.rmtree(out, ignore_errors=True)
    part.replace(out)
    write_csv(answers_path, ANSWER_COLUMNS, sorted(answers, key=lambda row: str(row["sample_id"])))
    return samples


def _by_bucket(units: Sequence[Unit], buckets: int) -> Iterator[tuple[int, list[Unit]]]:
    dealt: dict[int, list[Unit]] = {}
    for unit in units:
        dealt.setdefault(captures.bucket_of(unit.image_id, buckets), []).append(unit)
    yield from sorted(dealt.items())


@click.command(name="extract")
def command() -> None:
    """Ask the model every question of the manifest and keep its attention to the image."""
    paths.check_root()
    params = load_params()
    study = read_study(Path(params.study))
    protect(study)
    count = run(study, params, paths.MANIFEST, paths.CAPTURES, paths.ANSWERS)
    click.echo(f"{count} samples -> {paths.CAPTURES}, {paths.ANSWERS}")
