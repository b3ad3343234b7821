"""Finished units of extraction, so that an interrupted run goes on where it stopped.

An entry's name is the hash of everything that decides its content; its first 32 bytes are the SHA-256 of the rest.
The cache lies outside every DVC output and can be deleted at any time.
"""

import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path

from medattn import paths
from medattn.params import Params
from medattn.study.schema import Study

SWITCH = "MEDATTN_CACHE"  # environment: "off" recomputes every unit, for exactness checks and timings
LIBRARIES = ("torch", "transformers", "tokenizers", "numpy", "pillow", "safetensors", "scipy")
PACKAGE = Path(__file__).parent
# Every module that extract imports (a test walks its imports).
SOURCES = (
    "__init__.py", "attention/__init__.py", "attention/gqa.py", "captures.py", "conditions.py", "errors.py",
    "extract.py", "measures/__init__.py", "measures/body.py", "measures/rotation.py", "model/__init__.py",
    "model/cache.py", "model/capture.py", "model/checks.py", "model/decode.py", "model/last_position.py",
    "model/load.py", "model/precision.py", "model/prompt.py", "params.py", "paths.py", "private_files.py",
    "rounding.py", "seeding.py", "study/__init__.py", "study/films.py", "study/image_files.py", "study/model_files.py",
    "study/schema.py", "tables.py", "unit_cache.py",
)  # fmt: skip


def directory_of(study: Study, root: Path = Path(".")) -> Path:
    """Where finished units are kept: beside a credentialed study, else in results/run of the repository at `root`."""
    return study.directory / ".cache" if study.licence == "credentialed" else root / paths.RUN / "units"


def is_on(params: Params) -> bool:
    """Whether params.yaml and the environment want units kept."""
    return params.run.cache and os.environ.get(SWITCH) != "off"


def key_of(content: dict) -> str:
    """Name of a unit: SHA-256 of `content` (JSON) together with the extraction code and the libraries' versions."""
    code = {name: hashlib.sha256((PACKAGE / name).read_bytes()).hexdigest() for name in SOURCES}
    libraries = {name: version(name) for name in LIBRARIES}
    text = json.dumps({"unit": content, "code": code, "libraries": libraries}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class UnitCache:
    """A directory of finished units; `directory` None switches it off."""

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def read(self, key: str) -> bytes | None:
        """The entry's content, or None if there is none or its checksum does not match (which is said)."""
        if self.directory is None:
            return None
        path = self.directory / key
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(raw[32:]).digest() != raw[:32]:
            print(f"unit cache: {path} is damaged and is computed again")
            return None
        return raw[32:]

    def write(self, key: str, content: bytes) -> None:
        """Store an entry: written aside, flushed to disk, renamed."""
        if self.directory is None:
            return
        path = self.directory / key
        temporary = path.with_suffix(f".{os.getpid()}.part")
        with temporary.open("wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
