"""Which keys differ between two versions of params.yaml, dvc.yaml or dvc.lock."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from medattn.base.errors import InputError
from medattn.base.yaml_files import parse

ABSENT = object()
SHOWN = 60  # characters of a value


def changed_keys(recorded: bytes, found: bytes) -> list[str]:
    """One line per key whose value differs: "key: 5, was 3". Entries of a list that have a path are told apart by it.

    Falls back to one line when either is not valid YAML, or when only comments and layout differ.
    """
    try:
        before, after = parse(recorded, "as recorded", "restore it"), parse(found, "as found", "restore it")
    except InputError as error:
        return [str(error)]
    return list(changes(before, after)) or ["only comments or layout differ"]


def changes(before: Any, after: Any, key: str = "") -> Iterator[str]:
    """One line per leaf that differs between two trees of mappings and lists."""
    before, after = _keyed(before), _keyed(after)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in [*before, *(name for name in after if name not in before)]:
            inner = f"{key}.{name}" if key and not str(name).startswith("[") else f"{key}{name}"
            yield from changes(before.get(name, ABSENT), after.get(name, ABSENT), inner)
    elif before is ABSENT:
        yield f"{key}: {shown(after)}, was not there"
    elif after is ABSENT:
        yield f"{key}: is not there, was {shown(before)}"
    elif before != after or type(before) is not type(after):
        yield f"{key or '(everything)'}: {shown(after)}, was {shown(before)}"


def shown(value: Any) -> str:
    """A value in one short line."""
    text = value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True, width=10_000)
    text = " ".join(text.removesuffix("...\n").split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _keyed(value: Any) -> Any:
    """A list of entries with a path as a mapping; another list that holds mappings by position; anything else as it is."""
    if not isinstance(value, list) or not any(isinstance(one, Mapping) for one in value):
        return value
    if all(isinstance(one, Mapping) and "path" in one for one in value):
        return {f"[{one['path']}]": one for one in value}
    return {f"[{number}]": one for number, one in enumerate(value)}
