"""results/bodies: what was found once in every radiograph of a study, the patient's body and the true regions.

Prepare writes it; every later stage reads where things lie from here, and none looks for a body again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError

from medattn.base.errors import InputError
from medattn.radiographs.areas import Area, AreaTable, key_of

SHARDS = 32  # pinned: by a hash of what is looked for, never by how many processes there are
FRONTAL = ("PA", "AP")
BODIES, REGIONS = "bodies", "regions"  # tables: by a file's SHA-256, and by image_id


class NoBodyError(InputError):
    """It is not known where the body is in an image."""


@dataclass(frozen=True)
class Body(Area):
    """The patient's body in a radiograph."""

    doubt: str  # why its mask may be wrong, in a few words; "" if nothing speaks against it


def shard_of(text: str) -> int:
    """In which shard the rows of an image or a file lie."""
    return key_of(text)[0] % SHARDS


def shard_path(directory: Path, table: str, shard: int) -> Path:
    return directory / f"{table}-{shard:02d}.safetensors"


def is_frontal(view: str) -> bool:
    """Whether a column `view` names a view from the front or the back."""
    return view.upper() in FRONTAL


class Bodies:
    """Reads results/bodies."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._open: dict[tuple[str, int], AreaTable | None] = {}

    def of(self, image_id: str, sha256: str) -> Body:
        """The body in the file with this SHA-256, of an image that messages name.

        Raises NoBodyError if none was found there, or the file could not be read when prepare looked into it.
        """
        found = self._rows(BODIES, sha256)
        if not found:
            raise NoBodyError(
                f"{self.directory} does not say where the body is in image {image_id!r}: run `dvc repro -f prepare`"
            )
        ((note, area),) = found
        if area.is_empty:
            raise NoBodyError(f"image {image_id!r}: no body found: {note}; remove the image from the study")
        return Body(area.width, area.height, area.pixels, area.changes, area.coverage, note)

    def regions(self, image_id: str) -> Mapping[str, Area]:
        """Finding -> the union of its true regions in an image, in order of finding; empty where none is known."""
        return dict(self._rows(REGIONS, image_id))

    def _rows(self, table: str, text: str) -> list[tuple[str, Area]]:
        place = (table, shard_of(text))
        if place not in self._open:
            self._open[place] = self._opened(shard_path(self.directory, *place))
        opened = self._open[place]
        return [] if opened is None else list(opened.rows(key_of(text)))

    def _opened(self, path: Path) -> AreaTable | None:
        """None: there are no rows of this shard."""
        if not self.directory.is_dir():
            raise InputError(f"{self.directory} not found: run `dvc repro prepare` first")
        try:
            return AreaTable.opened(path) if path.exists() else None
        except SafetensorError as error:
            raise InputError(f"{path} is damaged ({error}): run `dvc repro -f prepare`") from None
