"""The gallery: every sample of a study with its radiograph, attention, answer and truth, one question at a time.

The page holds an index: of every question what it can be filtered by. What a question shows lies in shards beside the
page, which a reader's browser loads when it needs them, as scripts, because a page opened as a file may read nothing
else. Samples are in shards by finding, radiographs in shards of their own, so that none is stored twice. How many go into
a shard is a fixed number: borders do not move with the bytes of an image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_letters, digits
from typing import Any

import numpy as np

from medattn.base.tables import write_bytes
from medattn.report.rendering import base64_text, render, script_json

SIDE = 16
CELLS = SIDE * SIDE
SAMPLES = 1_000  # of a shard: about 0.6 MB
THUMBNAILS = 200  # of a shard: about 1.5 MB
COLUMNS = ("sample", "shown", "asked", "answer", "truth", "margin", "grid", "top")  # of a sample in its shard
LETTERS = ascii_letters + digits  # one for each way that an answer can be read, be right and have flipped

Place = tuple[int, int, int]  # where a thumbnail is: number of the shard, of the radiograph in it, of its thumbnail


@dataclass(frozen=True)
class Thumbnail:
    """What the model was shown, small."""

    jpeg: bytes  # longer side about 256 pixels
    regions: Mapping[str, str]  # finding -> outline of its true region: SVG path data, x and y in 0..1 of the image
    frontal: bool = True  # the patient's sides are marked


@dataclass(frozen=True)
class GalleryImage:
    """A radiograph in every way that it was shown."""

    image_id: str
    width: int  # of the original image, in pixels: for the aspect ratio
    height: int
    thumbnails: Sequence[Thumbnail]


@dataclass(frozen=True)
class Sample:
    """One variant under one condition."""

    sample_id: str
    question_id: str
    shown: Place | None  # None when no image was shown
    finding: str
    condition: str
    strength: str  # "" where the condition has none
    strategy: str
    variant_index: int  # 0: the baseline variant
    asked: str  # the question as it was put
    answer: str
    parsed: str  # yes | no | uncertain | contradictory | unparsed
    truth: str  # yes | no | "" where nobody knows
    correct: bool | None
    flip: bool | None  # does the answer differ from the baseline variant's? None for the baseline itself
    margin: float | None  # logit of yes minus logit of no
    grid: np.ndarray | None  # float [16, 16], sum 1, row 0 the top of the image; None without an image


class _Shard:
    """What becomes the next script: `most` of something, or a little more."""

    def __init__(self, directory: Path, most: int) -> None:
        self._directory, self._most = directory, most
        self._entries: list[Any] = []
        self._held = 0

    def put(self, entry: Any, count: int) -> int:
        """The place of `entry`, which counts as `count`."""
        self._entries.append(entry)
        self._held += count
        return len(self._entries) - 1

    def is_full(self) -> bool:
        return self._held >= self._most

    def write(self, name: str) -> None:
        """Write what was put, if anything was, and begin anew."""
        if self._entries:
            write_bytes(self._directory / f"{name}.js", f'shard("{name}",{script_json(self._entries)});\n'.encode())
        self._entries, self._held = [], 0


class Numbers(dict[Any, int]):
    """A number for each of what is looked up, by first appearance."""

    def __missing__(self, key: Any) -> int:
        self[key] = len(self)
        return self[key]


class Gallery:
    """Writes shards into `directory` as radiographs and questions come, and then the page."""

    def __init__(self, directory: Path) -> None:
        self._images, self._samples = _Shard(directory, THUMBNAILS), _Shard(directory, SAMPLES)
        self._image_shards = 0
        self._shards: list[tuple[int, int]] = []  # finding and part of every shard of samples
        self._findings, self._designs, self._outcomes = Numbers(), Numbers(), Numbers()
        self._questions: list[tuple] = []

    def add_image(self, image: GalleryImage) -> tuple[int, int]:
        """Where its thumbnails are: number of the shard, and of the radiograph in it."""
        if self._images.is_full():
            self._close_images()
        outlines = Numbers()
        entry = {
            "image": image.image_id,
            "width": image.width,
            "height": image.height,
            "thumbnails": [
                [base64_text(one.jpeg), one.frontal, outlines[tuple(sorted(one.regions.items()))]] for one in image.thumbnails
            ],
            "outlines": [dict(regions) for regions in outlines],
        }
        return self._image_shards, self._images.put(entry, len(image.thumbnails))

    def _close_images(self) -> None:
        self._images.write(f"images-{self._image_shards}")
        self._image_shards += 1

    def add_question(self, samples: Sequence[Sample]) -> None:
        """The samples of one question, in the order in which they are shown; questions of a finding come one after another.

        Raises ValueError, naming the sample, for a grid or a margin that is none.
        """
        first = samples[0]
        finding = self._findings[first.finding]
        if not self._shards or self._shards[-1][0] != finding:
            self._close_samples()
            self._shards.append((finding, 1))
        elif self._samples.is_full():
            self._close_samples()
            self._shards.append((finding, self._shards[-1][1] + 1))
        place = self._samples.put([_row(sample) for sample in samples], len(samples))
        design = self._designs[tuple((one.condition, one.strength, one.strategy, int(one.variant_index)) for one in samples)]
        outcomes = (self._outcomes[one.parsed, _truth_value(one.correct), _truth_value(one.flip)] for one in samples)
        letters = "".join(LETTERS[number] for number in outcomes)
        shard = len(self._shards) - 1
        self._questions.append((first.question_id, finding, first.truth, design, letters, shard, place))

    def _close_samples(self) -> None:
        if self._shards:
            self._samples.write(_name(*self._shards[-1]))

    def page(self, title: str, note: str) -> str:
        """The page, by question_id, once everything has been added: writes the last shards."""
        self._close_images()
        self._close_samples()
        index = {
            "findings": list(self._findings),
            "designs": list(self._designs),
            "outcomes": list(self._outcomes),
            "letters": LETTERS,
            "shards": [_name(*shard) for shard in self._shards],
            "columns": COLUMNS,
            "questions": sorted(self._questions),
        }
        return render("gallery.html", title=title, note=note, index=index)


def encoded(grid: np.ndarray) -> tuple[str, float]:
    """A grid [16, 16] as base64 of 256 uint8, row by row (255: the highest cell), and the highest cell ÷ uniform.

    An error of at most 0.2 % of the highest cell.
    """
    highest = float(grid.max())
    return base64_text(np.rint(grid / highest * 255).astype(np.uint8).tobytes()), round(highest * CELLS, 4)


def _name(finding: int, part: int) -> str:
    return f"finding-{finding + 1}-{part}"


def _row(sample: Sample) -> tuple:
    """The sample in the order of COLUMNS."""
    grid, top = (None, None) if sample.grid is None else encoded(_checked(sample.sample_id, sample.grid))
    margin = _rounded(sample.sample_id, sample.margin)
    return sample.sample_id, sample.shown, sample.asked, sample.answer, sample.truth, margin, grid, top


def _checked(sample_id: str, grid: np.ndarray) -> np.ndarray:
    if grid.shape != (SIDE, SIDE):
        raise ValueError(f"sample {sample_id}: its grid has shape {grid.shape}, not ({SIDE}, {SIDE})")
    if not np.isfinite(grid).all() or grid.min() < 0 or grid.max() <= 0:
        raise ValueError(f"sample {sample_id}: its grid is not a distribution over {CELLS} cells")
    return grid


def _truth_value(value: bool | None) -> bool | None:
    """A plain bool: JSON knows no NumPy bool."""
    return None if value is None else bool(value)


def _rounded(sample_id: str, margin: float | None) -> float | None:
    if margin is None:
        return None
    if not np.isfinite(margin):
        raise ValueError(f"sample {sample_id}: its margin is {margin}; None stands for no margin")
    return round(float(margin), 4)
