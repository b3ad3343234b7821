"""What a manifest asks for, counted, and whether it can fit: told before a model is loaded."""

import shutil
from collections import Counter
from collections.abc import Iterable
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

LOOSE = 1.5  # a shard may be so much larger than the mean: they are dealt by a hash


def workload_of(rows: Iterable[SampleRow], study: Study) -> Workload:
    """Count the rows of a manifest of the study, at least one."""
    regions = Counter(image for image, _ in {(row["image_id"], row["finding"]) for row in study.regions()})
    asked, shown, pictures, blind = [], [], [], []
    lengths = np.zeros(4)  # samples, characters of ids, of questions, pixels of height
    longest = grids = masses = listed = 0
    images, findings = set(), set()
    for row in rows:
        content = content_of(row)
        number = hash((content, row["question"]))
        asked.append(number)
        shown.append(hash(content if content[0] != "no_image" else (content, row["question"])))
        lengths += (1, len(row["sample_id"]), len(row["question"]), int(row["height"]))
        longest = max(longest, len(row["sample_id"]))
        images.add(row["image_id"])
        listed += row.is_study
        if row["shown_image_id"]:
            grids += 1
            if row.is_study:
                pictures.append(hash((content, row["shown_image_id"])))
        else:
            blind.append(number)
        if row.is_clean and row.is_baseline:
            findings.add(row["finding"])
            masses += regions[row["image_id"]]
    count = int(lengths[0])
    return Workload(
        samples=count, inputs=_distinct(asked), blind=_distinct(blind), shown=_distinct(shown), grids=grids,
        images=len(images), regions=sum(regions[image] for image in images), region_masses=masses,
        findings=len(findings), pictures=_distinct(pictures), listed=listed, longest_id=longest,
        id_length=float(lengths[1] / count), question_length=float(lengths[2] / count), height=float(lengths[3] / count),
    )  # fmt: skip


def content_of(row: SampleRow) -> tuple[str, ...]:
    """What decides what the model is shown."""
    condition = row["condition"]
    if condition in ("no_image", "blank"):
        return (condition,)
    occluded = row["finding"] if condition in REGIONAL else ""
    return "clean" if condition == "shuffled_image" else condition, row["strength"], row["shown_image_id"], occluded


def _distinct(hashes: list[int]) -> int:
    return len(np.unique(np.array(hashes, dtype=np.int64)))


def capture_size(study: Study, params: ExtractParams) -> CaptureSize | None:
    """The shape of the captures; None where the model is not on this machine or does not say its own."""
    model, _ = settings(study, params)
    layers, heads = study.model_layers(model), study.model_heads(model)
    return None if layers is None or heads is None else CaptureSize(layers, heads, params.extract.generated_rows + 1)


def note_taken(work: Workload, size_of: CaptureSize | None, shards: int, root: Path) -> str:
    """What is asked of model and disk, in a few words. Raises InputError where the captures cannot fit into files or disk."""
    said = f"; {work.inputs:,} different model inputs"
    if size_of is None:
        return said
    needed = output_bytes.captures(work, size_of)
    check_shards(work, shards)
    check_room(f"the captures of {work.samples:,} samples", needed, root)
    return f"{said}, captures of {size(needed)} (`medattn doctor --plan`)"


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
