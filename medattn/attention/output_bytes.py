"""How many bytes a study's outputs take, a formula each: told before any of them is computed.

What a row takes beside its own texts was counted on the embedded study; tests hold every formula to real files.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from medattn.base.params.aggregate import Profile

FLOAT, DOUBLE = 4, 8  # bytes
CELLS = 256  # image tokens; cells of a grid
TOTALS = 5
CHARACTERS = 4.2  # of a question, a token
NAMED, IDS, OFFSETS = 318, 4, 9  # of a capture in a shard's header: bytes, times its id stands there, bytes a token
AREA, BODY_LINE, REGION_LINE = 2116, 2.5, 2.1  # of a body or a region: bytes, and bytes a line of pixels
BODY_FILE, BODY_FILES = 560, 64  # bytes of a file's header, and how many files there are at most
PAGE, PICTURE, LISTED, DRAWN = 30_000, 6890, 82, 344  # of the gallery: bytes of its page, a picture, a sample, and its grid


@dataclass(frozen=True)
class Workload:
    """What a manifest asks for."""

    samples: int
    inputs: int  # of the model: what is shown and asked alike is computed once
    blind: int  # those of the inputs that show no image
    shown: int  # different things that are shown, each with its questions a unit of the cache
    grids: int  # samples that show an image
    images: int
    regions: int  # images' true regions, of a finding each
    region_masses: int  # samples whose heads are compared, with each true region of their image
    findings: int
    pictures: int  # different small images of the gallery
    listed: int  # samples of the gallery
    longest_id: int  # of a sample, characters
    id_length: float  # the same, on average
    question_length: float  # characters, on average
    height: float  # of an image, pixels, on average


@dataclass(frozen=True)
class CaptureSize:
    """Of a model's captures."""

    layers: int
    heads: int
    rows: int


def captures(work: Workload, size: CaptureSize) -> int:
    """Bytes of results/captures, and about those of the unit cache: float32 [layer, head, row, token], and headers."""
    tokens = work.question_length / CHARACTERS + TOTALS
    weights = work.inputs * tokens + (work.inputs - work.blind) * CELLS
    return round(weights * size.layers * size.heads * size.rows * FLOAT) + headers(work)


def headers(work: Workload) -> int:
    """Bytes of the headers of all shards: what names each capture, its question and its samples."""
    each = NAMED + IDS * work.id_length + work.question_length + OFFSETS * work.question_length / CHARACTERS
    return round(work.inputs * each + (work.samples - work.inputs) * (work.id_length + IDS))


def grid_store(work: Workload, size: CaptureSize, profiles: Iterable[Profile], terms: int) -> int:
    """Bytes of results/grids.safetensors: grids and notes of every sample, sinks of every image, and what is kept of heads."""
    heads = size.layers * size.heads * DOUBLE
    sample = work.longest_id + 4 + -(-terms // 8)
    for profile in profiles:
        sample += CELLS * FLOAT * (2 if profile.sinks == "zero" else 1) + len(profile.rows) + 1 + DOUBLE
    image = work.longest_id + 2 + DOUBLE + 2 * CELLS // 8
    return work.grids * sample + work.images * image + work.region_masses * (heads + 16) + work.findings * heads * CELLS


def tables(work: Workload, profiles: int) -> Mapping[str, int]:
    """Bytes of the tables and files with a row, or a pair of files, for every sample: name -> bytes."""
    own = 5 * work.id_length + 2 * work.question_length
    return {
        "manifest.csv": round(work.samples * (103 + own)),
        "answers.csv": round(work.samples * (215 + work.id_length)),
        "evaluation_results.csv": round(work.samples * (150 + 150 * profiles + own)),
        "grids": round(work.grids * (1152 + 404 + 1500 * profiles + own)),
    }


def bodies(work: Workload) -> int:
    """Bytes of results/bodies: coverage and outline of every body and true region."""
    lines = work.height * (work.images * BODY_LINE + work.regions * REGION_LINE)
    return round((work.images + work.regions) * AREA + lines + min(BODY_FILES, 2 * work.images) * BODY_FILE)


def gallery(work: Workload) -> int:
    """Bytes of the gallery: a small JPEG of everything that is shown, a line and 256 bytes of grid for every sample."""
    line = LISTED + work.id_length + work.question_length
    drawn = work.listed * work.grids / work.samples
    return round(PAGE + work.pictures * PICTURE + work.listed * line + drawn * DRAWN)
