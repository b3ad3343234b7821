"""JSON that somebody brings: every key once, finite numbers, and nesting that ends."""

import json
from pathlib import Path
from typing import Any, NoReturn

from medattn.base.errors import InputError

SHOWN = 60  # characters of a key in a message
MOST_BYTES = 64 * 10**6  # the index of a model of a thousand billion parameters has a few


def read_object(path: Path) -> dict[str, Any]:
    """The object that the JSON file `path` holds, read as `parse` reads. Raises InputError naming the file."""
    try:
        if not path.is_file():
            raise InputError(f"{path} is not a file: restore it")
        if (size := path.stat().st_size) > MOST_BYTES:
            raise InputError(f"{path} has {size} bytes, expected at most {MOST_BYTES}: restore it")
        found = parse(path.read_bytes(), str(path), "restore it")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}: restore it") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} is not a JSON object: it holds {type(found).__name__}: restore it")
    return found


def parse(content: bytes, where: str, remedy: str) -> Any:
    """What JSON in UTF-8 holds; `where` names it in messages. Raises InputError in one line."""
    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not UTF-8 (byte {error.start}): {remedy}") from None
    except RecursionError:
        raise InputError(f"{where} is not JSON that can be read: it nests too deeply: {remedy}") from None
    except ValueError as error:
        raise InputError(f"{where} is not JSON: {error}: {remedy}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise ValueError(f"key {key[:SHOWN]!r} stands twice in one object")
        made[key] = value
    return made


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no finite number")
