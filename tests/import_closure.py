"""The medattn modules that running a module imports, found in the source text."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent


def _file_of(name: str) -> Path | None:
    """The file of a dotted module name, or None if it names something inside a module."""
    base = ROOT.joinpath(*name.split("."))
    if (base / "__init__.py").exists():
        return base / "__init__.py"
    return base.with_suffix(".py") if base.with_suffix(".py").exists() else None


def _modules_of(package: str) -> list[str]:
    """What medattn.base.modules.collect imports of a package."""
    return [path.stem for path in ROOT.joinpath(*package.split(".")).glob("*.py") if path.stem != "__init__"]


def _imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "collect":
            names |= {f"{package.value}.{name}" for package in node.args[:1] if isinstance(package, ast.Constant)
                      for name in _modules_of(package.value)}  # fmt: skip
    return {name for name in names if name.split(".")[0] == "medattn"}


def closure(*start: str) -> set[str]:
    """Files (relative to the root) that importing the modules `start` reads, packages' __init__ included."""
    todo, found = list(start), set()
    while todo:
        name = todo.pop()
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            path = _file_of(".".join(parts[:length]))
            if path is not None and path not in found:
                found.add(path)
                todo += _imported(path)
    return {path.relative_to(ROOT).as_posix() for path in found}
