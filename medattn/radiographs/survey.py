"""The one pass over a study's images and true regions that finds what results/bodies holds.

Images go by in order of their shards, so that no more than one shard is in memory; the file of each is read once.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tqdm import tqdm

from medattn.base.content_cache import ContentCache, code_and_libraries, digest_of
from medattn.base.processes import made_ahead
from medattn.radiographs import body_finder
from medattn.radiographs.areas import Area, AreaTable, encode, key_of
from medattn.radiographs.bodies import BODIES, REGIONS, shard_of, shard_path
from medattn.radiographs.body_finder import Found, find_body
from medattn.radiographs.image_files import ImageFileError, read_pinned
from medattn.radiographs.true_regions import RegionReader
from medattn.study.schema import Study, cache_directory

Size = tuple[int, int]  # width, height
Row = Mapping[str, str]  # of images.csv or regions.csv


@dataclass(frozen=True)
class CachedFinder:
    """Looks into image files below `root`; what it finds in one is kept by the file's SHA-256."""

    root: Path
    cache: ContentCache | None

    def __call__(self, named: tuple[str, str]) -> Found | ImageFileError:
        """What a file shows, named by its path below `root` and the SHA-256 of its bytes, or why it cannot be used.

        Raises InputError where a package is missing, or the disk is full.
        """
        relative, sha256 = named
        key = key_of(sha256)
        try:
            content = read_pinned(self.root, relative, sha256)
            if self.cache and (kept := self.cache.read(sha256)):
                return next(AreaTable.decoded(kept).rows(key))
            found = find_body(self.root / relative, content)
        except ImageFileError as error:
            return error
        if self.cache:
            self.cache.write(sha256, encode([(key, *found)]))
        return found


class Survey:
    """Writes a study's bodies and true regions into the directory `part`, with the help of so many processes."""

    def __init__(self, study: Study, cache: ContentCache | None, processes: int, part: Path) -> None:
        self._study, self._part = study, part
        self._workers = processes if processes > 1 else 0
        self._find = CachedFinder(study.image_root, cache)
        self._sizes: dict[str, Size] = {}  # image_id -> that of its file, where it can be read

    def images(self, rows: Sequence[Row]) -> list[Size | ImageFileError]:
        """For every row of images.csv, in order, the size of its image or why it cannot be used; writes the bodies."""
        order = sorted(range(len(rows)), key=lambda index: shard_of(rows[index]["sha256"]))
        outcomes: list[Size | ImageFileError] = [(0, 0)] * len(rows)
        named = ((rows[index]["path"], rows[index]["sha256"]) for index in order)
        with closing(made_ahead(self._find, named, self._workers)) as made:
            seen = tqdm(zip(order, made, strict=True), total=len(rows), desc="images", unit="image", leave=False)
            for shard, some in groupby(seen, key=lambda pair: shard_of(rows[pair[0]]["sha256"])):
                bodies: dict[bytes, Found] = {}  # one a file, of however many images it is
                for index, (_, found) in some:
                    if isinstance(found, ImageFileError):
                        outcomes[index] = found
                        continue
                    outcomes[index] = self._sizes[rows[index]["image_id"]] = found[1].width, found[1].height
                    bodies[key_of(rows[index]["sha256"])] = found
                self._write(BODIES, shard, [(key, *found) for key, found in bodies.items()])
        return outcomes

    def regions(self, rows: Iterable[Row]) -> None:
        """Write the true regions of the images that can be read. rows: of regions.csv, which were checked."""
        of_image: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            if row["image_id"] in self._sizes:
                of_image[row["image_id"]].append(row)
        order = sorted(of_image, key=shard_of)
        given = ((self._sizes[image_id], of_image[image_id]) for image_id in order)
        with closing(made_ahead(RegionReader(self._study.directory), given, self._workers)) as made:
            for shard, some in groupby(zip(order, made, strict=True), key=lambda pair: shard_of(pair[0])):
                found = [(key_of(image_id), *region) for image_id, (_, regions) in some for region in regions]
                self._write(REGIONS, shard, found)

    def _write(self, table: str, shard: int, rows: list[tuple[bytes, str, Area]]) -> None:
        if rows:
            shard_path(self._part, table, shard).write_bytes(encode(rows))


def bodies_kept(study: Study, root: Path = Path(".")) -> Path:
    """The directory of bodies that the code and the libraries of now have found; beside it lie those of others."""
    made_by = digest_of(code_and_libraries(body_finder.__name__, body_finder.LIBRARIES))
    return cache_directory(study, "bodies", root) / made_by[:16]
