"""Sections of params.yaml as typed, validated objects; what each holds, the modules beside this one say.

They are apart because a stage depends on the modules that it imports: on its own sections, and on no other stage's.
"""

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medattn.base.errors import InputError
from medattn.base.paths import PARAMS
from medattn.base.validation import problems
from medattn.base.yaml_files import read

Positive = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """No unknown key, no silent conversion ("3" is not 3), immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Kind = TypeVar("Kind", bound=Section)


def load_sections(kind: type[Kind], path: Path = PARAMS) -> Kind:
    """The sections of params.yaml that are fields of `kind`; the others may hold anything. Raises InputError as `validated`."""
    raw = read_params(path)
    if isinstance(raw, dict):
        raw = {name: raw[name] for name in kind.model_fields if name in raw}
    return validated(kind, raw, path)


def read_params(path: Path) -> object:
    """What params.yaml holds, not validated. Raises InputError without the file, or if it is none."""
    return read(path, "run this from the repository's root", f"fix it, or undo it with `git checkout {path}`")


def validated(kind: type[Kind], raw: object, path: Path) -> Kind:
    """`raw`, which stands in `path`, as a `kind`. Raises InputError naming file, key, value and what was expected."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        lines = [*problems(path, error), f"Fix {path} (or undo it with `git checkout {path}`)."]
        raise InputError("\n".join(lines)) from None
