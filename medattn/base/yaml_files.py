"""YAML as this project reads it: a tree of text, numbers, true, false and null, in which every key stands once.

What readers of YAML disagree about is an error rather than a guess. Otherwise an unquoted word is what YAML 1.2 says, and so
DVC: `no`, `1:30` and `2024-01-01` are text. Nothing is repeated by reference, so a small file stays small in memory.
"""

import math
import re
from pathlib import Path
from typing import Any, NoReturn

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from medattn.base.errors import InputError
from medattn.base.pipes import refuse_pipe

DEEPEST = 24  # levels; DVC's own files have eight
LARGEST = 1 << 24  # bytes
SHOWN = 60  # characters of a value in a message
DIGITS = 18  # of a whole number, so that it fits into 64 bits
_NULL, _BOOLEAN, _INTEGER, _FLOAT = (f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float"))
_WORDS = (  # what an unquoted word is, and the characters that it can begin with
    (_NULL, r"~|[nN]ull|NULL|", ["~", "n", "N", ""]),
    (_BOOLEAN, r"[tT]rue|TRUE|[fF]alse|FALSE", list("tTfF")),
    (_INTEGER, r"[-+]?[0-9]+", list("-+0123456789")),
    (_FLOAT, r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    (_FLOAT, r"[-+]?\.([iI]nf|INF)|\.(nan|NaN|NAN)", list("-+.")),
)
# 010 is 8 or 10, 1_000 a number or text: it depends on the reader.
_AMBIGUOUS = re.compile(r"[-+]?(0[0-9]+|0x[0-9A-Fa-f_]+|0o[0-7_]+|0b[01_]+|[0-9][0-9_]*_[0-9_]*)")


class _RefusedError(yaml.YAMLError):
    """Valid YAML, but not what this project reads; says where, and what to write instead."""


class _Loader(yaml.SafeLoader):
    """Text to nodes, none of them a reference or of a type of its own."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  (PyYAML's own way)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            _refuse(event, f"*{str(event.anchor)[:SHOWN]} repeats what an anchor names: write it out")
        if event.tag is not None:
            _refuse(event, f"tag {event.tag[:SHOWN]!r} is not read: write the value without it, text in quotes")
        self._depth += 1
        if self._depth > DEEPEST:
            _refuse(event, f"more than {DEEPEST} levels inside one another: write it flatter")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    """Quotes text that any reader of YAML, this one included, would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _tag, _pattern, _first in _WORDS:
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), _first)
    _Dumper.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), _first)
_Dumper.add_implicit_resolver(_INTEGER, re.compile(rf"{_AMBIGUOUS.pattern}\Z"), list("-+0123456789"))


def read(path: Path, absent: str, remedy: str) -> Any:
    """What the YAML file `path` holds. absent: what to do where there is none; remedy: where it cannot be read.

    Raises InputError in one line.
    """
    return parse(content_of(path, absent, remedy), str(path), remedy)


def content_of(path: Path, absent: str, remedy: str) -> bytes:
    """The bytes of a file of settings; one that is too large is cut, and `parse` says so. Raises InputError as `read`."""
    refuse_pipe(path)
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a path with a NUL
        raise InputError(f"{path} not found: {absent}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): {remedy}") from None


def parse(content: bytes, where: str, remedy: str) -> Any:
    """What YAML in UTF-8 holds; `where` names it in messages. Raises InputError in one line, with the line of the fault."""
    if len(content) > LARGEST:
        raise InputError(f"{where} is larger than {LARGEST >> 20} MiB, which no file of settings is: {remedy}")
    try:
        node = _Loader(content.decode("utf-8")).get_single_node()
        return None if node is None else _value(node)
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not UTF-8 (byte {error.start}): save it as UTF-8, or {remedy}") from None
    except _RefusedError as error:
        raise InputError(f"{where}, {error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        said = error.problem or error.context
        raise InputError(f"{where} is not valid YAML{line}: {said}; {remedy}") from None
    except yaml.YAMLError as error:  # characters that no text file holds
        raise InputError(f"{where} is not valid YAML: {' '.join(str(error).split())}; {remedy}") from None


def dumped(value: object) -> str:
    """`value` as YAML that `parse` and any other reader read as the same; keys in their order."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _value(node: Node) -> Any:
    if isinstance(node, ScalarNode):
        return _scalar(node)
    if isinstance(node, MappingNode):
        return _mapping(node)
    return [_value(one) for one in node.value]


def _mapping(node: MappingNode) -> dict[str, Any]:
    made: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, ScalarNode) or not isinstance(name := _scalar(key), str):
            _refuse(key, "a key is no text: write it in quotes")
        if name == "<<" and key.style is None:
            _refuse(key, "<< merges what an anchor names: write its keys out")
        if name in made:
            _refuse(key, f"key {name[:SHOWN]!r} is on line {lines[name]}, too: remove one of them")
        made[name], lines[name] = _value(value), key.start_mark.line + 1
    return made


def _scalar(node: ScalarNode) -> str | int | float | bool | None:
    text = node.value
    if node.style is None and _AMBIGUOUS.fullmatch(text):
        _refuse(node, f"{text[:SHOWN]} is read in different ways: write a number in decimal digits, text in quotes")
    if node.tag == _NULL:
        return None
    if node.tag == _BOOLEAN:
        return text.lower() == "true"
    if node.tag == _INTEGER:
        if len(text.lstrip("+-")) > DIGITS:
            _refuse(node, f"a whole number of more than {DIGITS} digits: text stands in quotes")
        return int(text)
    if node.tag == _FLOAT:
        value = math.nan if text.lower() == ".nan" else float(text.replace(".i", "i").replace(".I", "I"))
        if not math.isfinite(value):
            _refuse(node, f"{text[:SHOWN]} is no finite number: write another, or text in quotes")
        return value
    return text


def _refuse(where: Any, problem: str) -> NoReturn:
    raise _RefusedError(f"line {where.start_mark.line + 1}: {problem}")
