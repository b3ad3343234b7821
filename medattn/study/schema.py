"""A study is a directory; this is what its files hold and how they are read.

study.yaml is read into typed objects; the tables are read as text, so that no id, label or number changes on the way.
`medattn.checks.study_check` says whether what they hold can be used.
"""

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from medattn.base import json_files
from medattn.base.errors import InputError
from medattn.base.hashes import files_below, hashes_of, sha256_of, sha256_of_lines
from medattn.base.params.model import Model, Prompt, StudyParams
from medattn.base.params.reading import Section
from medattn.base.paths import RUN
from medattn.base.rows import QuestionRow
from medattn.base.tables import read_table
from medattn.base.validation import problems
from medattn.base.yaml_files import read
from medattn.study.model_config import check_config
from medattn.study.model_files import CONFIG, local_directory, snapshot

QUESTION_COLUMNS = (
    "question_id", "role", "image_id", "study_id", "subject_id", "finding", "zone", "baseline_question", "question", "answer",
    "question_variant", "variant_index", "strategy",
)  # fmt: skip
IMAGE_COLUMNS = ("image_id", "path", "sha256", "width", "height", "subject_id", "study_id", "view", "split")
REGION_COLUMNS = ("image_id", "finding", "side", "conspicuity", "x", "y", "w", "h", "mask", "mask_sha256")
TABLE_ABSENT = "every study needs it; restore it, or make the study again"

_HUGGING_FACE_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


class Defaults(Section):
    """What holds where params.yaml says null."""

    model: Model
    prompt: Prompt


class About(Section):
    """study.yaml."""

    name: str
    title: str
    licence: Literal["open", "credentialed"]
    image_root: str
    source: str
    defaults: Defaults
    drawn: bool | None = None  # true: its images were drawn to try the commands on, not taken of patients
    # How often a trained phantom saw each strategy; unknown for any other model.
    strategy_exposure: dict[str, float] | None = None


class ModelPins(Section):
    """model.json: the revision, and the SHA-256 of every file of the model directory."""

    revision: str | None
    files: dict[str, str]


class ModelChoice(Section):
    """The model a run uses."""

    id: str
    revision: str | None
    dtype: Literal["float64", "float32", "bfloat16"]
    device: Literal["cpu", "cuda", "auto"]
    redraw_language: int | None = None


class PromptChoice(Section):
    """The prompt a run uses."""

    system: str
    template: str
    order: Literal["question_first", "image_first"]
    max_new_tokens: int


@dataclass(frozen=True)
class Study:
    """A study directory and its study.yaml."""

    directory: Path
    about: About

    @property
    def licence(self) -> str:
        return self.about.licence

    @property
    def image_root(self) -> Path:
        """Where the paths of images.csv start."""
        return self.directory / self.about.image_root

    def questions(self) -> list[QuestionRow]:
        return [QuestionRow(row) for row in read_table(self.directory / "questions.csv", QUESTION_COLUMNS, TABLE_ABSENT)]

    def images(self) -> list[dict[str, str]]:
        return read_table(self.directory / "images.csv", IMAGE_COLUMNS, TABLE_ABSENT)

    def regions(self) -> list[dict[str, str]]:
        """The true regions; none where the study has no regions.csv."""
        path = self.directory / "regions.csv"
        return read_table(path, REGION_COLUMNS, TABLE_ABSENT, may_be_empty=True) if is_there(path) else []

    def digest(self) -> str:
        """SHA-256 over the study's tables, which pin images, masks and weights by hash.

        Of study.yaml every key that is not null counts but `image_root`: a study has one digest wherever its images lie.
        """
        about = json.dumps(self.about.model_dump(exclude={"image_root"}, exclude_none=True), sort_keys=True)
        hashes = {"study.yaml": hashlib.sha256(about.encode()).hexdigest()}
        for name in ("questions.csv", "images.csv", "regions.csv", "model.json"):
            if is_there(self.directory / name):
                hashes[name] = sha256_of(self.directory / name)
        return sha256_of_lines(hashes)

    # --- the model ----------------------------------------------------------------------------------------------------

    def model_location(self, model: ModelChoice | Model) -> Path | str:
        """The model's directory, or its Hugging Face name. Raises InputError if `model.id` is neither."""
        if model.id is None:
            raise InputError(
                f"{self.directory / 'study.yaml'}: defaults.model.id is null, and params.yaml names no model: set one of them"
            )
        directory = self.directory / model.id
        if directory.is_dir():
            return directory
        if _HUGGING_FACE_NAME.fullmatch(model.id):
            return model.id
        raise InputError(
            f"model.id is {model.id!r}: {directory} is not a directory and this is not a Hugging Face name (owner/name); set"
            f" model.id in params.yaml or {self.directory / 'study.yaml'}, or restore the directory (embedded study:"
            " `dvc pull data.dvc`)"
        )

    def model_pins(self, model: ModelChoice | None = None) -> ModelPins | None:
        """What model.json pins; None without one, or if `model` is not the model of study.yaml.

        Raises InputError for a model.json that is not valid.
        """
        path, default = self.directory / "model.json", self.about.defaults.model
        if not is_there(path) or (model is not None and (model.id, model.revision) != (default.id, default.revision)):
            return None
        content = json_files.parse(path.read_bytes(), str(path), f"make it again (`medattn study pin {self.directory}`)")
        try:
            return ModelPins.model_validate(content)
        except ValidationError as error:
            raise InputError("\n".join(problems(path, error, "fix it"))) from None

    def model_files(self, model: ModelChoice | None = None) -> dict[str, str]:
        """Relative path -> SHA-256 of every file of the model (default: study.yaml's); {} if it is not on this machine."""
        pins = self.model_pins(model)
        if pins is not None:
            return pins.files
        place = self._local_model(model or self.about.defaults.model)
        return {} if place is None else hashes_of(place)

    def check_model(self, model: ModelChoice | None = None) -> None:
        """Raise InputError unless the model has 256 image tokens and the files model.json pins. Nothing is loaded.

        The model of a run must be complete on this machine. Without one, study.yaml's is checked as far as it is here.
        """
        chosen = model or self.about.defaults.model
        place, pins = self._local_model(chosen), self.model_pins(model)
        if place is not None:
            check_config(place / CONFIG)
        if model is not None and isinstance(location := self.model_location(chosen), str):
            local_directory(location, chosen.revision)
        if place is None:
            return
        if pins is None:
            return
        remedy = f"restore the file, or make {self.directory / 'model.json'} again for another model"
        if pins.revision != chosen.revision:
            raise InputError(
                f"{self.directory / 'model.json'}: revision is {pins.revision!r}, study.yaml has {chosen.revision!r}:"
                " make them agree"
            )
        for name, pinned in sorted(pins.files.items()):
            if not (place / name).is_file():
                raise InputError(f"{place / name}: listed in model.json, but absent: {remedy}")
            if (found := sha256_of(place / name)) != pinned:
                raise InputError(f"{place / name}: SHA-256 is {found}, model.json pins {pinned}: {remedy}")
        if place == self.model_location(chosen):  # a file that is not pinned could change what is loaded
            for name in sorted(files_below(place) - set(pins.files)):
                raise InputError(f"{place / name}: not listed in model.json: remove it, or make model.json again")

    def model_layers(self, model: ModelChoice) -> int | None:
        """Number of language layers in the model's config.json; None if it is not on this machine or does not say."""
        place = self._local_model(model)
        config = json.loads((place / CONFIG).read_bytes()) if place is not None else {}
        return config.get("text_config", {}).get("num_hidden_layers")

    def _local_model(self, model: ModelChoice | Model) -> Path | None:
        """The model's directory on this machine: its own, or its snapshot in the Hugging Face cache."""
        location = self.model_location(model)
        if isinstance(location, Path):
            return location
        return snapshot(location, model.revision)


def cache_directory(study: Study, kind: str, root: Path = Path(".")) -> Path:
    """Where finished work of a kind is kept: beside a credentialed study, else in results/run of the repository at `root`."""
    place = study.directory / ".cache" if study.licence == "credentialed" else root / RUN
    return place / kind


def is_there(path: Path) -> bool:
    """Whether a file that a study may lack is there. Raises InputError for a link to nothing, and for what is no file."""
    if path.is_symlink() and not path.exists():
        raise InputError(f"{path} is a link to {path.readlink()}, which is not there: mount it, or link it again")
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is no file: remove it, or put the file in its place")
    return path.is_file()


def read_study(directory: Path) -> Study:
    """Read study.yaml. Raises InputError naming file, key, value and what was expected."""
    path = directory / "study.yaml"
    absent = f"{directory} is not a study directory; set `study` in params.yaml to one (embedded study: `dvc pull data.dvc`)"
    try:
        return Study(directory, About.model_validate(read(path, absent, "fix it")))
    except ValidationError as error:
        raise InputError("\n".join(problems(path, error, "fix it"))) from None


def settings(study: Study, params: StudyParams) -> tuple[ModelChoice, PromptChoice]:
    """Model and prompt of a run: what params.yaml says, and where that is null what study.yaml says."""
    return (
        ModelChoice.model_validate(_resolved("model", params.model, study, optional={"revision", "redraw_language"})),
        PromptChoice.model_validate(_resolved("prompt", params.prompt, study)),
    )


def _resolved(section: str, given: Model | Prompt, study: Study, optional: Collection[str] = ()) -> dict[str, object]:
    defaults = getattr(study.about.defaults, section)
    values = {}
    for name in type(given).model_fields:
        value = getattr(given, name)
        if isinstance(given, Model) and name == "revision" and given.id not in (None, defaults.id):
            values[name] = value  # another model has no use for the revision of the study's own
            continue
        values[name] = getattr(defaults, name) if value is None else value
        if values[name] is None and name not in optional:
            raise InputError(
                f"params.yaml: {section}.{name} is null, and so is defaults.{section}.{name} of"
                f" {study.directory / 'study.yaml'}: set one of them"
            )
    return values
