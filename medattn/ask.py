"""Ask one question about one image: answer, margin, where the model looked. No study, no tables."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.params.model import Prompt
from medattn.base.params.terms import terms_of
from medattn.base.params.whole import Params
from medattn.base.params.whole import load as load_params
from medattn.base.printable import printable
from medattn.base.tables import write_bytes

if TYPE_CHECKING:
    from PIL.Image import Image

MODEL = Path("data/model")  # the embedded study's
BARE = Prompt(system="", template="{question}", order="question_first", max_new_tokens=64)


@dataclass(frozen=True)
class Query:
    """One question about one image, and how it is to be answered."""

    image: Path
    question: str
    model: str  # directory, or Hugging Face name
    dtype: str
    device: str
    profile: str  # of aggregate.profiles
    template: str | None = None  # of the prompt; None: the study's, or the model's own


@dataclass(frozen=True)
class Reply:
    """What the model answered and where it looked."""

    answer: str
    parsed: str  # yes | no | uncertain | contradictory | unparsed
    margin: float  # log odds of yes against no at the first answer token
    forms_probability: float  # of the yes and no forms together; below 0.5 the margin means nothing
    grid: np.ndarray  # float64 [16, 16], sum 1
    image_mass: float
    terms: tuple[str, ...]
    template: str
    template_from: str
    cautions: tuple[str, ...]


def ask(query: Query, params: Params) -> Reply:
    """The answer to `query`. Raises InputError for a bad image, question, model or profile."""
    profile = params.aggregate.profiles.get(query.profile)
    if profile is None:
        known = ", ".join(params.aggregate.profiles)
        raise InputError(f"profile {query.profile!r} is not in params.yaml: aggregate.profiles has {known}")
    if profile.sinks == "zero":
        raise InputError(f"profile {query.profile!r} zeroes sinks, which one question cannot find: choose one that keeps them")
    question = checked(query.question)
    image = open_rgb(query.image)
    location = Path(query.model) if Path(query.model).is_dir() else query.model
    if isinstance(location, str) and location.startswith((".", "/", "data/")):
        raise InputError(
            f"model {query.model} is not a directory: restore it (embedded study: `dvc pull data.dvc`), or give --model"
        )

    from medattn.aggregate.stage import check_profiles
    from medattn.attention.gating import TermFinder
    from medattn.attention.grids import combine, to_grid
    from medattn.extract.extractor import capture_of
    from medattn.language.answers import answer_margin, parse_answer
    from medattn.language.question_forms import finding_in
    from medattn.model.decode import decode
    from medattn.model.load import load
    from medattn.model.prompt import PromptSettings
    from medattn.model.published_models import PUBLISHED
    from medattn.model.vision import image_features

    pinned = PUBLISHED.get(str(location))
    loaded = load(location, query.dtype, query.device, pinned.revision if pinned else None)
    given, source = prompt_of(query, params)
    settings = PromptSettings(given.system or "", str(given.template), str(given.order))
    prompt = loaded.prompter(settings)(question)
    rows = params.extract.generated_rows
    layers = check_profiles({query.profile: profile}, loaded.shape, rows + 1)[query.profile]
    features = image_features(loaded, [image])
    (decoded,) = decode(loaded, [prompt], features, int(given.max_new_tokens or 0), rows)
    if not decoded.is_finite:
        raise InputError(f"model {query.model} gave numbers that are not finite (NaN or infinite): restore its weights")
    found = TermFinder(terms_of(params.aggregate))(prompt.question)
    try:
        made = combine(capture_of("ask", prompt, decoded), profile, layers, loaded.shape["key_value_heads"], found)
        grid = to_grid(made.layers, profile)
    except ValueError as error:
        raise InputError(f"profile {query.profile!r}: {error}") from None
    finding = finding_in(question)
    parsed = parse_answer(decoded.text, finding, question)
    return Reply(
        answer=decoded.text,
        parsed=parsed,
        margin=answer_margin(decoded.yes_logits, decoded.no_logits),
        forms_probability=decoded.forms_probability,
        grid=grid,
        image_mass=made.image_mass,
        terms=made.terms,
        template=str(given.template),
        template_from=source,
        cautions=image_cautions(image, query.image) + cautions(parsed, finding, decoded.forms_probability),
    )


def checked(question: str) -> str:
    """The question without white space around it. Raises InputError for one that no study may ask: see `check_text`."""
    from medattn.checks.questions import check_text

    def wrong(message: str) -> None:
        raise InputError(message)

    text = question.strip()
    check_text("the question", text, wrong)
    return text


def prompt_of(query: Query, params: Params) -> tuple[Prompt, str]:
    """The prompt that a study of this model asks with, and where it is from.

    What params.yaml or --template says wins; else the study of params.yaml where it is this model's; else what a study of
    a published model starts with; else the question alone.
    """
    from medattn.model.published_models import PUBLISHED
    from medattn.study.schema import read_study

    chosen, source = BARE, "the question alone"
    if published := PUBLISHED.get(query.model):
        chosen = Prompt.model_validate({name: getattr(published, name) for name in Prompt.model_fields})
        source = "what a study of this model starts with"
    directory = Path(params.study)
    if (directory / "study.yaml").is_file():
        defaults = read_study(directory).about.defaults
        own = defaults.model.id if params.model.id is None else params.model.id
        if own is not None and (query.model == own or Path(query.model).resolve() == (directory / own).resolve()):
            chosen, source = defaults.prompt, str(directory / "study.yaml")
    values = {name: getattr(params.prompt, name) for name in Prompt.model_fields}
    if values["template"] is not None:
        source = "params.yaml"
    if query.template is not None:
        values["template"], source = query.template, "--template"
    merged = BARE.model_dump() | {name: value for name, value in chosen.model_dump().items() if value is not None}
    merged |= {name: value for name, value in values.items() if value is not None}
    return Prompt.model_construct(**merged), source  # PromptSettings checks the template


def cautions(parsed: str, finding: str | None, forms_probability: float) -> tuple[str, ...]:
    """What a reader of the answer should know, a sentence each."""
    from medattn.language.answers import margin_valid

    told = []
    if parsed == "contradictory":
        told.append("the answer says yes and no: it counts as neither")
    elif parsed not in ("yes", "no"):
        told.append(f"the answer is read as {parsed}, neither yes nor no")
    if finding is None:
        told.append("the question is not whether a finding of the vocabulary is there, so the answer was read without one")
    if not margin_valid(forms_probability):
        told.append("the margin is not valid: the model was about to say something else than yes or no")
    return tuple(told)


def image_cautions(image: "Image", path: Path) -> tuple[str, ...]:
    """That the image shows next to nothing, if so; a study with it would be refused."""
    from medattn.radiographs.image_files import ImageFileError, check_contrast

    try:
        check_contrast(image, path)
    except ImageFileError as error:
        return (str(error),)
    return ()


def open_rgb(path: Path) -> "Image":
    """The image at `path` as RGB. Raises InputError unless it is a complete 8-bit grey or RGB file."""
    from medattn.base.hashes import sha256_of
    from medattn.radiographs.image_files import ImageFileError, open_image

    if not path.is_file():
        raise InputError(f"{path} not found: give the path of an image")
    try:
        return open_image(path.parent, path.name, sha256_of(path)).convert("RGB")
    except ImageFileError as error:
        raise InputError(str(error)) from None


def write(reply: Reply, query: Query, out: Path) -> list[Path]:
    """Write {image}_overlay.png, _grid.npy and _answer.json into `out`; their paths."""
    from medattn.figures import style
    from medattn.figures.panels import overlay
    from medattn.radiographs.reader import Radiograph

    fig = overlay(
        f"“{query.question}”\nModel: {reply.answer}", Radiograph("asked", open_rgb(query.image), False, {}), reply.grid
    )
    figure, grid = io.BytesIO(), io.BytesIO()
    fig.savefig(figure, format="png", dpi=150, metadata={"Software": None})
    style.plt.close(fig)
    np.save(grid, reply.grid.astype(np.float32), allow_pickle=False)
    about = {
        "image": str(query.image), "question": query.question, "answer": reply.answer, "parsed": reply.parsed,
        "margin": reply.margin, "template": reply.template, "cautions": list(reply.cautions),
        "forms_probability": reply.forms_probability, "image_mass": reply.image_mass, "terms": list(reply.terms),
    }  # fmt: skip
    contents = {
        "overlay.png": figure.getvalue(),
        "grid.npy": grid.getvalue(),
        "answer.json": (json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode(),
    }
    written = []
    for name, content in contents.items():
        written.append(out / f"{query.image.stem}_{name}")
        write_bytes(written[-1], content)
    return written


@click.command(name="ask")
@click.argument("image", type=click.Path(path_type=Path))
@click.argument("question")
@click.option(
    "--model",
    default=str(MODEL),
    show_default=True,
    help="Model directory, or Hugging Face name in the local cache, MedGemma at its pinned revision.",
)
@click.option("--template", help="Of the prompt, with {question} once. Default: what a study of this model asks with.")
@click.option("--dtype", type=click.Choice(["float64", "float32", "bfloat16"]), default="float32", show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--profile", default="decision", show_default=True, help="Of aggregate.profiles in params.yaml.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=paths.RUN / "ask", show_default=True, help="Directory for the files."
)
def command(out: Path, **asked: Any) -> None:
    """Answer QUESTION about IMAGE, and show where the model looked."""
    query = Query(**asked)
    reply = ask(query, load_params())
    click.echo(f"prompt:  {reply.template}  ({reply.template_from}; --template changes it)")
    click.echo(f"answer:  {printable(reply.answer)}  ({reply.parsed})")
    click.echo(f"margin:  {reply.margin:+.2f} (log odds of yes against no)")
    peak = np.unravel_index(reply.grid.argmax(), reply.grid.shape)
    click.echo(f"looked:  most at row {peak[0]}, column {peak[1]} of 16 × 16 ({256 * reply.grid.max():.1f} × uniform)")
    for caution in reply.cautions:
        click.echo(f"caution: {caution}")
    for path in write(reply, query, out):
        click.echo(f"wrote:   {path}")
