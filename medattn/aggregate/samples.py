"""The manifest as aggregate holds it: a few numbers a sample, not its texts, so that it may be long."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np

from medattn.attention.grid_store import ById
from medattn.base import sample_tables
from medattn.base.errors import InputError
from medattn.base.rows import SampleRow

AGAIN = "run `dvc repro -f extract`"
CHUNK = 4096  # rows that are texts at one time
COLUMNS = np.dtype(
    [
        ("image", np.int32),  # whose question it is: a place in `images`
        ("shown", np.int32),  # what is shown: a place in `images`, −1 for no image
        ("finding", np.int32),  # a place in `findings`
        ("patient", np.int32),
        ("reference", np.bool_),  # see is_reference
        ("blank", np.bool_),  # a baseline variant about a blank image
        ("moved", np.bool_),  # the sinks of the image that is shown are not where they lie in it
        ("failed", np.bool_),  # extract could not compute it
    ]
)


@dataclass(frozen=True)
class Samples:
    """The samples of the manifest, in order of sample_id."""

    ids: np.ndarray  # bytes [sample], UTF-8
    columns: np.ndarray  # COLUMNS [sample]
    images: list[str]  # in order
    findings: list[str]  # in order

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def row_of(self) -> ById[int]:
        """sample_id -> its place."""
        return ById(self.ids, int)

    @cached_property
    def with_grid(self) -> np.ndarray:
        """int [grid]: samples that show an image and did not fail."""
        return np.flatnonzero((self.columns["shown"] >= 0) & ~self.columns["failed"])

    @cached_property
    def references(self) -> np.ndarray:
        """int [reference]: reference samples with a grid."""
        return self.with_grid[self.columns["reference"][self.with_grid]]

    @cached_property
    def grid_rows(self) -> np.ndarray:
        """int [sample]: the place of its grid among those `with_grid`, −1 without one."""
        places = np.full(len(self), -1, np.int32)
        places[self.with_grid] = np.arange(len(self.with_grid))
        return places

    @cached_property
    def asked_images(self) -> np.ndarray:
        """int [image]: those that a reference sample with a grid is about, in order."""
        return np.unique(self.columns["image"][self.references])

    def by_finding(self) -> dict[int, np.ndarray]:
        """finding -> the reference samples with a grid that are about it, in order of findings."""
        findings = self.columns["finding"][self.references]
        return {finding: self.references[findings == finding] for finding in np.unique(findings).tolist()}

    def by_image(self) -> Iterator[np.ndarray]:
        """Of each of `asked_images` the reference and blank samples with a grid."""
        both = self.columns["reference"] | self.columns["blank"]
        there = self.with_grid[both[self.with_grid]]
        there = there[np.argsort(self.columns["image"][there], kind="stable")]
        images = self.columns["image"][there]
        bounds = (np.searchsorted(images, self.asked_images, side).tolist() for side in ("left", "right"))
        for start, end in zip(*bounds, strict=True):
            yield there[start:end]

    def sinks_row(self, row: int) -> int | None:
        """Which of `asked_images` a sample shows; None for another one, and where its sinks are not in their places."""
        sample = self.columns[row]
        at = int(np.searchsorted(self.asked_images, sample["shown"]))
        known = at < len(self.asked_images) and self.asked_images[at] == sample["shown"]
        return at if known and not sample["moved"] else None


def is_reference(row: SampleRow) -> bool:
    """Clean baseline variants and controls: one question per finding, in one template, for every image."""
    return row.is_clean and row.is_baseline


def read_samples(manifest: Path, failures: Path) -> Samples:
    """The samples of the manifest, and which of them failed.

    Raises InputError for tables that cannot be used, and if every sample failed, or one that is not in the manifest.
    """
    images: dict[str, int] = {}
    findings: dict[str, int] = {}
    patients: dict[str, int] = {}
    ids, columns = [], []
    stream = sample_tables.rows(manifest, sample_tables.MANIFEST, "prepare")
    while rows := list(islice(stream, CHUNK)):
        ids.append(np.array([row["sample_id"].encode() for row in rows], np.bytes_))
        made = [
            (
                images.setdefault(row["image_id"], len(images)),
                images.setdefault(row["shown_image_id"], len(images)) if row["shown_image_id"] else -1,
                findings.setdefault(row["finding"], len(findings)),
                patients.setdefault(row["subject_id"], len(patients)),
                is_reference(row),
                row["condition"] == "blank" and row.is_baseline,
                row["condition"] in ("blank", "rotation"),  # no content is in sight, or it is elsewhere
                False,
            )
            for row in rows
        ]
        columns.append(np.array(made, COLUMNS))
    unsorted, table = np.concatenate(ids), np.concatenate(columns)
    order = np.argsort(unsorted, kind="stable")
    samples = Samples(unsorted[order], table[order], sorted(images), sorted(findings))
    same = np.flatnonzero(samples.ids[1:] == samples.ids[:-1])
    if len(same):
        number = int(order[same + 1].min())
        raise InputError(
            f"{manifest}, row {number + 2}: sample_id {unsorted[number].decode()!r} is duplicated: run `dvc repro -f prepare`"
        )
    for name, numbers in (("image", images), ("shown", images), ("finding", findings)):
        _renumber(samples.columns[name], numbers)
    _mark_failed(samples, failures)
    return samples


def _renumber(column: np.ndarray, numbers: dict[str, int]) -> None:
    """Let a column's numbers be places in the sorted list of the texts; −1 stays."""
    places = np.empty(len(numbers) + 1, np.int32)
    places[[numbers[text] for text in sorted(numbers)]] = np.arange(len(numbers))
    places[-1] = -1
    column[:] = places[column]


def _mark_failed(samples: Samples, path: Path) -> None:
    failed = sample_tables.read(path, sample_tables.FAILURES, "extract")
    for sample_id in failed:
        if (row := samples.row_of.get(sample_id)) is None:
            raise InputError(f"{path} lists sample {sample_id!r}, the manifest does not: run `dvc repro extract`")
        samples.columns["failed"][row] = True
    if failed and len(failed) == len(samples):
        first = failed[min(failed)]
        raise InputError(
            f"{path} lists every sample of the manifest ({len(failed)}), so there is nothing to aggregate; the first is"
            f" {first['sample_id']!r}: {first['reason']}: fix that, then {AGAIN}"
        )
