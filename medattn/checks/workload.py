"""What a manifest asks for, counted, and whether it can fit: told before a model is loaded."""

import shutil
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from math import ceil
from pathlib import Path

import numpy as np

from medattn.attention import output_bytes
from medattn.attention.captures import LARGEST_HEADER
from medattn.attention.output_bytes import CaptureSize, Workload
from medattn.base.errors import InputError
from medattn.base.params.extract import ExtractParams
from medattn.base.rows import SampleRow
from medattn.base.sizes import directory_size, size
from medattn.radiographs.conditions import REGIONAL
from medattn.study.schema import Study, settings

NOTHING = ("no_image",)  # the content of an input without an image
LOOSE = 1.5  # a shard may be so much larger than the mean: they are dealt by a hash


class WorkloadCounter:
    """Counts the rows of a manifest while they stream by: a few numbers a row are kept."""

    def __init__(self, study: Study) -> None:
        self._regions = Counter(image for image, _ in {(row["image_id"], row["finding"]) for row in study.regions()})
        self._asked, self._blind, self._shown, self._pictures = (array("q") for _ in range(4))  # hashes
        self._images: set[str] = set()
        self._findings: set[str] = set()
        self._sums = Counter[str]()
        self._longest = 0

    def add(self, row: SampleRow) -> None:
        """Count a row."""
        content = content_of(row)
        number = hash((content, row["question"]))
        self._asked.append(number)
        self._shown.append(number if content == NOTHING else hash(content))
        self._images.add(row["image_id"])
        self._longest = max(self._longest, len(row["sample_id"]))
        self._sums["id"] += len(row["sample_id"])
        self._sums["question"] += len(row["question"])
        self._sums["height"] += int(row["height"])
        self._sums["listed"] += row.is_study
        if content == NOTHING:
            self._blind.append(number)
        elif row.is_study:
            self._pictures.append(hash(content))
        if row.is_clean and row.is_baseline:
            self._findings.add(row["finding"])
            self._sums["masses"] += self._regions[row["image_id"]]

    def workload(self) -> Workload:
        """What was counted, of at least one row."""
        count = len(self._asked)
        return Workload(
            samples=count, inputs=_distinct(self._asked), blind=_distinct(self._blind), shown=_distinct(self._shown),
            grids=count - len(self._blind), images=len(self._images),
            regions=sum(self._regions[image] for image in self._images), region_masses=self._sums["masses"],
            findings=len(self._findings), pictures=_distinct(self._pictures), listed=self._sums["listed"],
            longest_id=self._longest, id_length=self._sums["id"] / count, question_length=self._sums["question"] / count,
            height=self._sums["height"] / count,
        )  # fmt: skip


def workload_of(rows: Iterable[SampleRow], study: Study) -> Workload:
    """Of the rows of a manifest of the study, at least one."""
    counter = WorkloadCounter(study)
    for row in rows:
        counter.add(row)
    return counter.workload()


def content_of(row: SampleRow) -> tuple[str, ...]:
    """What decides what the model is shown."""
    condition = row["condition"]
    if condition in ("no_image", "blank"):  # there is nothing of an image in them
        return (condition,)
    occluded = row["finding"] if condition in REGIONAL else ""
    return "clean" if condition == "shuffled_image" else condition, row["strength"], row["shown_image_id"], occluded


def _distinct(hashes: array) -> int:
    return len(np.unique(np.asarray(hashes)))


def capture_size(study: Study, params: ExtractParams) -> CaptureSize | None:
    """The shape of the captures; None where the model is not on this machine or does not say its own."""
    model, _ = settings(study, params)
    layers, heads = study.model_layers(model), study.model_heads(model)
    return None if layers is None or heads is None else CaptureSize(layers, heads, params.extract.generated_rows + 1)


def fitting(
    rows: Iterable[SampleRow], counter: WorkloadCounter, size_of: CaptureSize | None, shards: int, root: Path
) -> Iterator[SampleRow]:
    """The rows, counted as they are taken. Behind the last, raises InputError if captures of them cannot fit."""
    for row in rows:
        counter.add(row)
        yield row
    if size_of is not None:
        work = counter.workload()
        check_shards(work, shards)
        check_room(f"the captures of {work.samples:,} samples", output_bytes.captures(work, size_of), root)


def note_taken(work: Workload, size_of: CaptureSize | None) -> str:
    """What is asked of model and disk, in a few words."""
    said = f"; {work.inputs:,} different model inputs"
    if size_of is None:
        return said
    return f"{said}, captures of {size(output_bytes.captures(work, size_of))} (`medattn doctor --plan`)"


def check_shards(work: Workload, shards: int) -> None:
    """Raise InputError unless the names of all captures fit into the headers of so many files."""
    named = LOOSE * output_bytes.headers(work)
    if named / shards > LARGEST_HEADER:
        raise InputError(
            f"params.yaml: extract.shards is {shards}: a capture file would name {work.inputs // shards:,} samples and more,"
            f" and holds {size(LARGEST_HEADER)} of names: set it to {ceil(named / LARGEST_HEADER)} or more"
        )


def check_room(what: str, needed: int, root: Path) -> None:
    """Raise InputError unless `what`, which takes `needed` bytes, fits onto the disk of `root`.

    What earlier runs have left in results/ counts as room: it is replaced, or used again.
    """
    room = shutil.disk_usage(root).free
    if needed > room and needed > (room := room + directory_size(root / "results")):
        raise InputError(
            f"{what} take {size(needed)}, and {root.resolve()} has room for {size(room)}: make room, work on another disk,"
            " or ask less (`limit`, fewer `conditions`)"
        )
