"""Finished work by content: an entry's name is the hash of everything that decides what it holds.

The first 32 bytes of an entry are the SHA-256 of the rest. A cache lies outside every DVC output and can be deleted at any
time.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from medattn.base.errors import InputError
from medattn.base.imports import closure
from medattn.base.params.run import Run

SWITCH = "MEDATTN_CACHE"  # environment: "off" recomputes everything, for exactness checks and timings
PART = ".part"  # ending of an entry that is being written, or was when its process ended
SUM = 32  # bytes of the checksum
PACKAGE = Path(__file__).parents[1]


def is_on(run: Run) -> bool:
    """Whether params.yaml and the environment want finished work kept."""
    return run.cache and os.environ.get(SWITCH) != "off"


def digest_of(content: object) -> str:
    """SHA-256 of JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def code_and_libraries(module: str, libraries: Sequence[str]) -> dict[str, dict[str, str]]:
    """What a result depends on besides its inputs: the source of all that a module imports, and versions ("": not there)."""
    root = PACKAGE.parent
    code = {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in closure(root, module)}
    return {"code": code, "libraries": {name: _version(name) for name in libraries}}


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


class ContentCache:
    """A directory of finished work, readable by several processes at once."""

    def __init__(self, directory: Path, durable: bool = True) -> None:
        """durable: whether an entry must outlive the machine's failure, and not only the process's."""
        self.directory, self.durable = directory, durable
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def read(self, key: str) -> bytes | None:
        """The entry's content, or None if there is none or its checksum does not match (which is reported)."""
        path = self.directory / key
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(memoryview(raw)[SUM:]).digest() != raw[:SUM]:
            print(f"cache: {path} is damaged and is computed again")
            return None
        return raw[SUM:]

    def write(self, key: str, content: bytes) -> None:
        """Store an entry: written aside, flushed to disk, renamed. Raises InputError if the disk takes no more."""
        path = self.directory / key
        temporary = path.with_suffix(f".{os.getpid()}{PART}")
        try:
            with temporary.open("wb") as file:
                file.write(hashlib.sha256(content).digest())
                file.write(content)
                if self.durable:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise self.cannot_write(path, error) from error

    def cannot_write(self, path: Path, error: OSError) -> InputError:
        """What to tell when the disk takes no more."""
        return InputError(f"{path} cannot be written: {error.strerror}: make room, then run again")
