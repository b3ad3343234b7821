"""HTML pages that hold everything they show in one file: no server, no network, no date, the same bytes on every run.

Templates, styles and scripts lie in templates/. The pages forbid themselves, by a content security policy, to load
anything from elsewhere.
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
    """JSON to stand in a script element: without "<", no text in it can end the element or open a comment."""
    text = json.dumps(_printable(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))
