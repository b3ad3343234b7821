"""JSON files that somebody else wrote, read strictly: what two readers could understand differently is an error."""

import json
from pathlib import Path
from typing import Any, NoReturn

from medattn.base.errors import InputError

MOST_BYTES = 64 * 10**6  # the index of a model of a thousand billion parameters has a few


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises InputError naming the file unless it is one: in UTF-8, each key once, no NaN."""
    try:
        if not path.is_file():
            raise InputError(f"{path} is not a file: restore it")
        if (size := path.stat().st_size) > MOST_BYTES:
            raise InputError(f"{path} has {size} bytes, expected at most {MOST_BYTES}: restore it")
        text = path.read_bytes().decode("utf-8")
        found = json.loads(text, object_pairs_hook=_each_key_once, parse_constant=_refuse)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}: restore it") from None
    except RecursionError:
        raise InputError(f"{path} is not a JSON object: nested too deeply; restore it") from None
    except ValueError as error:  # of the encoding, too
        raise InputError(f"{path} is not a JSON object: {error}; restore it") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} is not a JSON object: it holds {type(found).__name__}; restore it")
    return found


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands there twice")
        found[key] = value
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number of JSON")
