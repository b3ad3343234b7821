"""Pin what a study rests on: its model's files in model.json, its tables' digest in params.yaml."""

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import cast

import yaml
from tqdm import tqdm

from medattn.base.errors import InputError
from medattn.base.hashes import files_below
from medattn.base.params.whole import load as load_params
from medattn.base.tables import write_bytes
from medattn.base.yaml_files import dumped
from medattn.study.model_files import local_directory
from medattn.study.schema import ModelPins, read_study

CHUNK = 1 << 22  # bytes read at once


def pin_model(directory: Path) -> ModelPins:
    """Hash every file of the model that the study in `directory` asks, and write <study>/model.json, all or nothing.

    The model lies in its own directory or in the local Hugging Face cache at study.yaml's revision. Raises InputError
    for a study without a model, a Hugging Face model without a revision, and files that are not on this machine.
    """
    study = read_study(directory)
    model = study.about.defaults.model
    where = f"{directory / 'study.yaml'}: defaults.model"
    if model.id is None:
        raise InputError(f"{where}.id is null: name the study's model there")
    location = study.model_location(model)
    if isinstance(location, str) and model.revision is None:
        raise InputError(f"{where}.revision is null: {location} may change; name the commit to pin")
    pins = ModelPins(revision=model.revision, files=hashes_with_progress(local_directory(location, model.revision)))
    write_bytes(directory / "model.json", (json.dumps(pins.model_dump(), indent=1, sort_keys=True) + "\n").encode())
    return pins


def hashes_with_progress(directory: Path) -> dict[str, str]:
    """Relative path -> SHA-256 of every file below `directory`, sorted; as hashes.hashes_of, with a progress bar."""
    names = sorted(files_below(directory))
    total = sum((directory / name).stat().st_size for name in names)
    with tqdm(total=total, desc="hash model", unit="B", unit_scale=True) as progress:
        return {name: _hash(directory / name, progress) for name in names}


def _hash(path: Path, progress: tqdm) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            progress.update(len(chunk))
    return digest.hexdigest()


# --- params.yaml ------------------------------------------------------------------------------------------------------


def study_name(params_path: Path, study_dir: Path) -> str:
    """How params.yaml names a study: relative to its own directory with forward slashes; outside of it, in full."""
    relative = Path(os.path.relpath(study_dir.absolute(), params_path.absolute().parent))
    return (study_dir.absolute() if ".." in relative.parts else relative).as_posix()


def pin_study(params_path: Path, study_dir: Path, digest: str) -> None:
    """Write the study's digest under `study_digests` of params.yaml, in place of an older one; nothing else changes.

    All or nothing. Raises InputError if params.yaml is not valid.
    """
    _edit(params_path, lambda text: _with_digest(text, study_name(params_path, study_dir), digest))


def use_study(params_path: Path, study_dir: Path, digest: str) -> None:
    """pin_study, and make it the study that is run: `dvc repro` then reproduces it."""
    name = study_name(params_path, study_dir)
    _edit(params_path, lambda text: _with_study(_with_digest(text, name, digest), name))


def _edit(path: Path, change: Callable[[str], str]) -> None:
    """Replace the text of a valid params.yaml by a changed one, once that has been found valid, too."""
    load_params(path)
    changed = change(path.read_bytes().decode("utf-8")).encode("utf-8")
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_bytes(changed)
        load_params(draft)
    finally:
        draft.unlink(missing_ok=True)
    write_bytes(path, changed)


def _entries(text: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """Top-level key -> (key, value) as nodes, which say where in `text` they stand."""
    top = cast(yaml.MappingNode, yaml.compose(text, Loader=yaml.SafeLoader))
    return {key.value: (key, value) for key, value in top.value}


def _replaced(text: str, node: yaml.Node, new: str) -> str:
    return text[: node.start_mark.index] + new + text[node.end_mark.index :]


def _with_study(text: str, name: str) -> str:
    return _replaced(text, _entries(text)["study"][1], _scalar(name))


def _with_digest(text: str, name: str, digest: str) -> str:
    """`text` with `name: digest` under study_digests, which may be written in lines or in braces, full or empty."""
    mapping = cast(yaml.MappingNode, _entries(text)["study_digests"][1])
    for key, value in mapping.value:
        if key.value == name:
            return _replaced(text, value, _scalar(digest))
    entry = f"{_scalar(name)}: {_scalar(digest)}"
    if not mapping.value:
        return _replaced(text, mapping, f"{{{entry}}}")
    last_key, last_value = mapping.value[-1]
    if mapping.flow_style:
        end = last_value.end_mark.index
        return f"{text[:end]}, {entry}{text[end:]}"
    end = text.find("\n", last_value.end_mark.index)  # behind a comment on the last entry's line
    end = len(text) if end < 0 else end
    newline = "\r\n" if "\r\n" in text else "\n"
    head, tail = text[:end].removesuffix("\r"), text[end:].removeprefix("\n")
    return f"{head}{newline}{' ' * last_key.start_mark.column}{entry}{newline}{tail}"


def _scalar(value: str) -> str:
    """`value` as YAML reads it back as the same text: plain where that is safe, else in double quotes."""
    if re.fullmatch(r"[\w./][\w./-]*", value, re.ASCII) and dumped(value).splitlines()[0] == value:
        return value
    return json.dumps(value, ensure_ascii=False)
