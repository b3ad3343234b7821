"""Finished units of extraction, so that an interrupted run goes on where it stopped."""

from pathlib import Path

from medattn.attention.captures import CaptureHeader, read_header
from medattn.base import content_cache
from medattn.base.content_cache import SUM, ContentCache
from medattn.base.errors import InputError
from medattn.study.schema import Study, cache_directory

LIBRARIES = ("torch", "transformers", "tokenizers", "numpy", "pillow", "safetensors", "scipy")
EXTRACT = "medattn.extract.stage"  # whose imports are the code that a unit depends on


def directory_of(study: Study, root: Path = Path(".")) -> Path:
    """Where finished units are kept: beside a credentialed study, else in results/run of the repository at `root`."""
    return cache_directory(study, "units", root)


def code_and_libraries() -> dict[str, dict[str, str]]:
    """What a result depends on besides its inputs: the extraction code and the libraries' versions."""
    return content_cache.code_and_libraries(EXTRACT, LIBRARIES)


class UnitCache(ContentCache):
    """A directory of finished units."""

    def head(self, key: str) -> CaptureHeader:
        """The head of an entry that `read` has found whole."""
        with (self.directory / key).open("rb") as file:
            file.seek(SUM)
            return read_header(file)

    def cannot_write(self, path: Path, error: OSError) -> InputError:
        """What to tell when the disk takes no more."""
        return InputError(
            f"{path} cannot be written: {error.strerror}: make room (`medattn cache` shows what finished units take, and"
            f" `--prune` removes those that nobody needs), then run again{': what is finished is kept' if self.durable else ''}"
        )
