"""As many images as MIMIC-CXR holds, drawn: what prepare takes for all of them, and aggregate and metrics for a hundredth.

Nothing comes from a patient. The images are phantoms of 64 x 77 pixels, so that an hour is enough to write and to check them:
decoding a true radiograph and finding the body in it takes longer, and is measured beside them. Captures are drawn in the
shape of a small model, so that they fit on a disk: metrics reads grids, which are as large for any model.
"""

import io
import json
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import ceil, floor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.hashes import sha256_of
from medattn.base.sizes import directory_size, size
from medattn.base.tables import write_bytes, write_csv
from medattn.bench.drawn_captures import CaptureShape, draw
from medattn.bench.growth import samples_of
from medattn.bench.processes import run_measured
from medattn.bench.roots import drawn_study, make_root
from medattn.measures.silhouette import body_mask
from medattn.phantom import shape
from medattn.phantom.cases import make_case
from medattn.phantom.study import png
from medattn.phantom.training import learn_tokenizer
from medattn.study.model_files import CONFIG
from medattn.study.schema import IMAGE_COLUMNS, REGION_COLUMNS, Study, read_study

IMAGES = 377_110  # of MIMIC-CXR 2.1.0
PART = 100  # metrics is measured on one in so many of them
DRAWN = 64  # different images; the others are copies under other names, each a file of its own
WIDTH = 64  # pixels of a drawn image; the body is still found
SMALL = CaptureShape(layers=3, heads=2, key_value_heads=1)  # a profile reads three layers
SHARD = 64  # images, on average, in a file of drawn captures
TRUE_SIZE = (2544, 3056)  # pixels of most radiographs of MIMIC-CXR
QUALITY = 95  # of its JPEG files, about
BYTES_AN_IMAGE = 45_000  # on the disk while this runs: two small files, 29 rows of the manifest twice, a hundredth's captures


@dataclass(frozen=True)
class StageCost:
    """What a stage took: seconds, and bytes of memory (see Cost) and of results/ afterwards."""

    stage: str
    images: int
    samples: int
    wall: float
    seconds: float
    own: int
    resident: int
    disk: int


def measured(images: int) -> tuple[str, dict[str, object]]:
    """What was measured for `images` images, as text and for JSON; in the working directory, a repository's root.

    Raises InputError where the disk is too small or a stage fails.
    """
    root = paths.check_root()
    (root / paths.RUN).mkdir(parents=True, exist_ok=True)
    needed, free = images * BYTES_AN_IMAGE, shutil.disk_usage(root / paths.RUN).free
    if free < needed:
        raise InputError(
            f"{images:,} images take {size(needed)} below {root / paths.RUN}, {size(free)} are free: make room, or"
            " measure fewer with --images"
        )
    with tempfile.TemporaryDirectory(prefix="archive-", dir=root / paths.RUN) as place:
        found = list(_measure(Path(place), images))
    seconds = seconds_a_radiograph()
    return _table(found, seconds), {"stages": [asdict(one) for one in found], "seconds_a_radiograph": seconds}


def _table(found: Iterable[StageCost], seconds: float) -> str:
    heads = ("minutes", "CPU min", "own GB", "resident GB", "disk GB")
    lines = [f"{'stage':12}{'images':>10}{'samples':>12}" + "".join(f"{head:>13}" for head in heads)]
    for one in found:
        values = (one.wall / 60, one.seconds / 60, one.own / 1e9, one.resident / 1e9, one.disk / 1e9)
        lines.append(f"{one.stage:12}{one.images:10,}{one.samples:12,}" + "".join(f"{value:13.2f}" for value in values))
    return "\n".join(
        [
            *lines,
            f"a true radiograph, {TRUE_SIZE[0]} x {TRUE_SIZE[1]} pixels: {seconds:.2f} s to decode it and find the body,"
            f" {seconds * IMAGES / 3600:.0f} hours for {IMAGES:,} in one process",
        ]
    )


def _measure(place: Path, images: int) -> Iterable[StageCost]:
    tokenizer = learn_tokenizer()
    shape.save(shape.make_model(tokenizer), shape.make_processor(tokenizer), place / "untrained")  # prepare looks for a model
    forget_heads(place / "untrained" / CONFIG)
    study = shrunk(drawn_study(place / "drawn", min(DRAWN, images), place / "untrained"), place / "small")
    for stages, count in ((("prepare",), images), (("aggregate", "metrics"), max(1, images // PART))):
        root, shards = place / stages[0], ceil(count / SHARD)
        make_root(root, study, count, shards)
        if stages != ("prepare",):
            run_measured(root, "prepare")
            draw(root, SMALL, shards)
        for stage in tqdm(stages, desc=f"{count:,} images", unit="stage"):
            cost = run_measured(root, stage)
            held = directory_size(root / "results")
            yield StageCost(stage, count, samples_of(root), cost.wall, cost.seconds, cost.own, cost.resident, held)
        shutil.rmtree(root)


def forget_heads(config: Path) -> None:
    """Let a model's configuration not say how many heads it has: prepare refuses captures that are larger than the disk, and of
    the whole archive none will be made."""
    read = json.loads(config.read_bytes())
    del read["text_config"]["num_attention_heads"]
    write_bytes(config, json.dumps(read).encode())


def shrunk(study: Study, out: Path) -> Study:
    """The study with images WIDTH pixels wide, and boxes in place of masks, at `out`."""
    scales = {}
    images = []
    for row in study.images():
        with Image.open(study.image_root / row["path"]) as image:
            scale = WIDTH / image.width
            small = image.resize((WIDTH, round(image.height * scale)), Image.Resampling.BOX)
        write_bytes(out / "images" / row["path"], png(np.asarray(small)))
        scales[row["image_id"]] = scale, small.height
        sha256 = sha256_of(out / "images" / row["path"])
        images.append(row | {"sha256": sha256, "width": str(WIDTH), "height": str(small.height)})
    write_csv(out / "images.csv", IMAGE_COLUMNS, images)
    write_csv(out / "regions.csv", REGION_COLUMNS, [_boxed(row, *scales[row["image_id"]]) for row in study.regions()])
    for name in ("questions.csv", "study.yaml", "model.json", "model"):
        (out / name).symlink_to((study.directory / name).resolve())
    return read_study(out)


def _boxed(row: dict[str, str], scale: float, height: int) -> dict[str, object]:
    x, y, w, h = (float(row[name]) * scale for name in "xywh")
    left, top, right, bottom = floor(x), floor(y), min(WIDTH, ceil(x + w)), min(height, ceil(y + h))
    return row | {"x": left, "y": top, "w": right - left, "h": bottom - top, "mask": "", "mask_sha256": ""}


def seconds_a_radiograph() -> float:
    """Processor seconds of decoding a JPEG file of a radiograph's true size, and of finding the body in it."""
    content = io.BytesIO()
    Image.fromarray(make_case(0, 0, 0).radiograph.image).resize(TRUE_SIZE).save(content, "JPEG", quality=QUALITY)
    began = time.process_time()
    body_mask(np.asarray(Image.open(content)))
    return time.process_time() - began
