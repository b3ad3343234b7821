"""HTML pages that need no server, no network and no date: the same bytes on every run.

Templates, styles and scripts lie in templates/. The pages forbid themselves, by a content security policy, to load
anything from elsewhere: the report is one file, the gallery also reads the scripts in the folder beside it.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from medattn.base.printable import printable

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **values: object) -> str:
    """The page that `template` makes of `values`; text is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, finalize=_shown,
    )  # fmt: skip
    environment.globals.update(source=_source, embedded=_embedded)
    return environment.get_template(template).render(values)


def base64_text(content: bytes) -> str:
    """Bytes as a data URI holds them."""
    return base64.b64encode(content).decode("ascii")


def script_json(value: object) -> str:
    """JSON of `value` as people see its texts. Without "<": no text in it can end a script element or open a comment."""
    text = json.dumps(_printable(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _source(name: str) -> Markup:
    """A style or script as it stands in its file: it is ours, and Jinja must not read its braces."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _shown(value: object) -> object:
    """A value of a template as people see it; what is markup already is ours."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _printable(value: object) -> object:
    """The same for every text of a JSON value."""
    if isinstance(value, Mapping):
        return {name: _printable(one) for name, one in value.items()}
    return [_printable(one) for one in value] if isinstance(value, list | tuple) else _shown(value)


def _embedded(value: object) -> Markup:
    """JSON to stand in a script element."""
    return Markup(script_json(value))
