"""What a public function's docstring says: the shape of its arrays, and that it raises."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.import_closure import ROOT

ROOMS = (
    "attention", "base", "checks", "disclosure", "extract", "language", "measures", "mimic", "model", "phantom", "radiographs",
    "study",
)  # fmt: skip
ARRAY = re.compile(r"\b(?:ndarray|Tensor|ArrayLike)\b")
SHAPE = re.compile(r"\[[^\[\]]*(?:[A-Za-z]|\d\d|\.\.\.)[^\[\]]*\]")  # [layer, head], [256], [...]; not the range [0, 1]
RAISES = re.compile(r"\bRaises?\b|Error\b")


def public(room: str) -> Iterator[tuple[str, ast.FunctionDef, str]]:
    """(file:function, its node, its docstring) of every public function and method; of __init__ the class's docstring, too."""
    for path in sorted((ROOT / "medattn" / room).rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            owner = node if isinstance(node, ast.ClassDef) else None
            for item in owner.body if owner else [node]:
                if isinstance(item, ast.FunctionDef) and all(map(is_public, (owner.name if owner else "", item.name))):
                    said = [ast.get_docstring(one) or "" for one in (item, owner) if one is item or item.name == "__init__"]
                    yield f"{path.relative_to(ROOT)}:{item.name}", item, " ".join(said)


def is_public(name: str) -> bool:
    return not name.startswith("_") or name in ("__init__", "__call__")


def takes_or_gives_an_array(node: ast.FunctionDef) -> bool:
    annotations = [argument.annotation for argument in (*node.args.args, *node.args.kwonlyargs)] + [node.returns]
    return any(ARRAY.search(ast.unparse(annotation)) for annotation in annotations if annotation)


def raises(node: ast.FunctionDef) -> bool:
    """Whether it raises an error of its own: not what only says that something cannot be, or ends a command."""
    raised = (ast.unparse(item.exc) for item in ast.walk(node) if isinstance(item, ast.Raise) and item.exc)
    return any(not text.startswith(("AssertionError", "SystemExit")) for text in raised)


@pytest.mark.parametrize("room", ROOMS)
def test_a_function_on_arrays_names_their_shape(room):
    silent = [name for name, node, said in public(room) if takes_or_gives_an_array(node) and not SHAPE.search(said)]
    assert not silent, "no shape, such as [layer, head, row, token], in the docstring of " + ", ".join(silent)


@pytest.mark.parametrize("room", ROOMS)
def test_a_function_that_raises_says_so(room):
    silent = [name for name, node, said in public(room) if raises(node) and not RAISES.search(said)]
    assert not silent, "the docstring does not say Raises …: " + ", ".join(silent)
