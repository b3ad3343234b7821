"""Packages whose modules are collected rather than listed: adding one to them is adding a file."""

import pkgutil
from importlib import import_module
from types import ModuleType


def collect(package: str) -> list[ModuleType]:
    """Every module of the package with this dotted name, imported, in alphabetical order.

    Call it with a literal: the generated dependencies of the stages read the name from the source text.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(import_module(package).__path__))
    return [import_module(f"{package}.{name}") for name in names]
