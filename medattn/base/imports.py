"""The modules that importing a module imports, found in the source text: the code that its results depend on."""

import ast
from collections.abc import Iterator
from pathlib import Path

EVERY = ".*"  # behind a package that medattn.base.modules.collect imports, all its modules


def closure(root: Path, *start: str) -> set[str]:
    """Files, relative to `root`, that importing the modules `start` reads of their own packages.

    Imports inside functions count; those under `if TYPE_CHECKING:` do not, since no run sees them.
    """
    packages = {name.partition(".")[0] for name in start}
    todo, found = list(start), set()
    while todo:
        parts = todo.pop().split(".")
        if parts[0] not in packages:
            continue
        for length in range(1, len(parts) + 1):  # a package's __init__ is read before its modules
            path = _file_of(root.joinpath(*parts[:length]))
            if path is not None and path not in found:
                found.add(path)
                for name in _imported(ast.parse(path.read_bytes())):
                    todo += _modules_of(root, name[: -len(EVERY)]) if name.endswith(EVERY) else [name]
    return {path.relative_to(root).as_posix() for path in found}


def _modules_of(root: Path, package: str) -> list[str]:
    """What medattn.base.modules.collect imports of a package."""
    files = root.joinpath(*package.split(".")).glob("*.py")
    return [f"{package}.{path.stem}" for path in files if path.stem != "__init__"]


def _file_of(base: Path) -> Path | None:
    """None: it names something inside a module."""
    return next((path for path in (base / "__init__.py", base.with_suffix(".py")) if path.exists()), None)


def _imported(node: ast.AST) -> Iterator[str]:
    """Dotted names that may be modules; `from a import b` gives a and a.b."""
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            inner: list[ast.AST] = [*node.orelse]
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
            return
        case ast.ImportFrom(module=str(module), names=names, level=0):
            yield from (module, *(f"{module}.{alias.name}" for alias in names))
            return
        case ast.Call(func=ast.Name(id="collect"), args=[ast.Constant(value=str(package))]):
            yield package + EVERY
            return
        case _:
            inner = [*ast.iter_child_nodes(node)]
    for child in inner:
        yield from _imported(child)
