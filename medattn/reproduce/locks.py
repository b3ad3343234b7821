"""The lock files of a run: what they pin, and whether that is what is installed.

requirements/dev.txt, for tests and lint, is not among them: no result depends on it.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKED = Path("requirements/locked.txt")  # all that a run needs but torch
TORCH = {build: Path(f"requirements/torch-{build}.txt") for build in ("cpu", "cuda")}
LOCKS = (Path("requirements/build.txt"), LOCKED, *TORCH.values())
_ENTRY = re.compile(r"^[A-Za-z0-9][^\\\n]*", re.MULTILINE)


class Difference(NamedTuple):
    """A package that is not installed as its lock pins it. installed: None if it is not installed at all."""

    name: str
    pinned: str
    installed: str | None


@cache
def installed() -> Mapping[str, str]:
    """Canonical name -> version of every installed package; of one that is found twice, the first counts, as for `import`."""
    found: dict[str, str] = {}
    for distribution in distributions():
        found.setdefault(canonicalize_name(distribution.name), distribution.version)
    return found


def torch_build(version: str | None) -> str:
    """cpu | cuda: whose lock a torch of this version belongs to."""
    return "cpu" if version is not None and version.endswith("+cpu") else "cuda"


def pins(root: Path, build: str) -> dict[str, str]:
    """Canonical name -> version of all that the locks pin for this Python on this platform, with this build of torch."""
    return {
        name: version
        for path in (LOCKED, TORCH[build])
        for name, version, here in _entries(root / path)
        if here  # of a package with a version for each Python, one is for this
    }


def every_pin(root: Path) -> dict[str, str]:
    """Canonical name -> version of all that the locks pin for any Python and platform; "1.0, 2.0" where these differ."""
    found: dict[str, set[str]] = {}
    for path in LOCKS:
        for name, version, _ in _entries(root / path):
            found.setdefault(name, set()).add(version)
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def _entries(path: Path) -> Iterator[tuple[str, str, bool]]:
    """(canonical name, version, whether it is for this Python on this platform) of every entry of a lock; none without it."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    for entry in map(Requirement, _ENTRY.findall(text)):
        (pin,) = entry.specifier
        yield canonicalize_name(entry.name), pin.version, entry.marker is None or entry.marker.evaluate()


def differences(pinned: Mapping[str, str], found: Mapping[str, str]) -> list[Difference]:
    """Packages that are missing, or there in another version. A build's own suffix (2.13.0+cpu) makes no other version."""
    return [
        Difference(name, version, found.get(name))
        for name, version in sorted(pinned.items())
        if name not in found or not Requirement(f"{name}=={version}").specifier.contains(found[name], prereleases=True)
    ]
