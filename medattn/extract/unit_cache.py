"""Finished units of extraction, so that an interrupted run goes on where it stopped.

An entry's name is the hash of everything that decides its content; its first 32 bytes are the SHA-256 of the rest.
The cache lies outside every DVC output and can be deleted at any time.
"""

import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path

from medattn.attention.captures import CaptureHeader, read_header
from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.imports import closure
from medattn.base.params.extract import ExtractParams
from medattn.study.schema import Study

SWITCH = "MEDATTN_CACHE"  # environment: "off" recomputes every unit, for exactness checks and timings
PART = ".part"  # ending of an entry that is being written, or was when its process ended
SUM = 32  # bytes of the checksum
LIBRARIES = ("torch", "transformers", "tokenizers", "numpy", "pillow", "safetensors", "scipy")
PACKAGE = Path(__file__).parents[1]
EXTRACT = "medattn.extract.stage"  # whose imports are the code that a unit depends on


def directory_of(study: Study, root: Path = Path(".")) -> Path:
    """Where finished units are kept: beside a credentialed study, else in results/run of the repository at `root`."""
    return study.directory / ".cache" if study.licence == "credentialed" else root / paths.RUN / "units"


def is_on(params: ExtractParams) -> bool:
    """Whether params.yaml and the environment want units kept."""
    return params.run.cache and os.environ.get(SWITCH) != "off"


def digest_of(content: object) -> str:
    """SHA-256 of JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def code_and_libraries() -> dict[str, dict[str, str]]:
    """What a result depends on besides its inputs: the extraction code and the libraries' versions."""
    root = PACKAGE.parent
    code = {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in closure(root, EXTRACT)}
    return {"code": code, "libraries": {name: version(name) for name in LIBRARIES}}


class UnitCache:
    """A directory of finished units, readable by several processes at once."""

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
            print(f"unit cache: {path} is damaged and is computed again")
            return None
        return raw[SUM:]

    def head(self, key: str) -> CaptureHeader:
        """The head of an entry that `read` has found whole."""
        with (self.directory / key).open("rb") as file:
            file.seek(SUM)
            return read_header(file)

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
        return InputError(
            f"{path} cannot be written: {error.strerror}: make room (`medattn cache` shows what finished units take, and"
            f" `--prune` removes those that nobody needs), then run again{': what is finished is kept' if self.durable else ''}"
        )
