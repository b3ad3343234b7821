"""What extract would leave for a manifest, drawn at random: the stages behind it can be measured without a model."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from medattn.attention import captures
from medattn.attention.captures import TOTALS, Capture
from medattn.base import paths, sample_tables
from medattn.base.rows import SampleRow
from medattn.base.seeding import generator
from medattn.base.tables import csv_rows, write_bytes, write_csv

SHARES = {"bos": 0.3, "image": 0.2, "question": 0.2, "other_prompt": 0.2, "generated": 0.1}  # of a row's attention
WITHOUT_IMAGE = SHARES | {"bos": 0.5, "image": 0.0}
RIGHT = 0.8  # share of the answers that are
TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class CaptureShape:
    """Of a model, and the rows that are stored."""

    layers: int
    heads: int
    key_value_heads: int
    rows: int = 6

    @property
    def shared(self) -> dict[str, object]:
        """What every shard says of the model."""
        agreed = {"blind_layers": [], "difference": 0.0, "power": 1.0, "tolerance": 1e-4}
        return {
            "cross_attention": [], "eager_agreement": agreed, "heads": self.heads, "image_side": 224, "layers": self.layers,
            "key_value_heads": self.key_value_heads,
        }  # fmt: skip


def draw(root: Path, shape: CaptureShape, shards: int) -> None:
    """Write captures, answers.csv and failures.csv for the manifest below `root`; one shard is in memory at a time."""
    dealt: dict[int, list[SampleRow]] = {}
    with (root / paths.MANIFEST).open(encoding="utf-8", newline="") as file:
        for row in csv_rows(file, paths.MANIFEST)[1]:
            dealt.setdefault(captures.shard_of(row["shown_image_id"] or row["image_id"], shards), []).append(SampleRow(row))
    for index, rows in sorted(dealt.items()):
        made = [capture_of(row, shape) for row in tqdm(rows, desc=f"draw {index + 1}/{shards}", unit="sample", leave=False)]
        write_bytes(captures.shard_path(root / paths.CAPTURES, index), captures.encode(made, shape.shared))
    rows = sorted((row for some in dealt.values() for row in some), key=lambda row: row["sample_id"])
    write_csv(root / paths.ANSWERS, sample_tables.ANSWERS, map(answer_of, rows))
    write_csv(root / paths.FAILURES, sample_tables.FAILURES, ())


def capture_of(row: Mapping[str, str], shape: CaptureShape) -> Capture:
    """Attention that falls on every token by chance, decided by the sample_id: every row sums to 1."""
    chance = generator("drawn capture", row["sample_id"])
    offsets = tuple(found.span() for found in TOKEN.finditer(row["question"]))
    shows_image = row["shown_image_id"] != ""
    shares = SHARES if shows_image else WITHOUT_IMAGE
    totals = np.array([shares[name] for name in TOTALS], dtype=np.float32)

    def spread(tokens: int, share: float) -> np.ndarray:
        weights = chance.standard_exponential((shape.layers, shape.heads, shape.rows, tokens), dtype=np.float32)
        return weights * (share / weights.sum(axis=-1, keepdims=True))

    return Capture(
        sample_id=row["sample_id"],
        question=row["question"],
        offsets=offsets,
        valid=np.ones(shape.rows, dtype=bool),
        image_weights=spread(256, shares["image"]) if shows_image else None,
        question_weights=spread(len(offsets), shares["question"]),
        totals=np.broadcast_to(totals, (shape.layers, shape.heads, shape.rows, len(TOTALS))),
    )


def answer_of(row: Mapping[str, str]) -> dict[str, object]:
    """A row of answers.csv: a plain answer, right as often as RIGHT says."""
    chance = generator("drawn answer", row["sample_id"])
    truth = row["answer"] == "yes"
    said = truth if chance.random() < RIGHT else not truth
    favoured, other = chance.normal(8, 1, 6), chance.normal(-8, 1, 6)
    yes, no = (favoured, other) if said else (other, favoured)
    return {
        "sample_id": row["sample_id"],
        "status": "ok" if row["shown_image_id"] else "no_grid",
        "answer_text": ("Yes, this image shows " if said else "No, there is no sign of ") + f"{row['finding']}, as asked.",
        "answer_ids": "310 269 344 370 321 376 355 445 441 270 1", "answer_tokens": 11, "prompt_tokens": 278,
        "yes_logits": " ".join(f"{value:.6g}" for value in yes), "no_logits": " ".join(f"{value:.6g}" for value in no),
        "forms_probability": round(float(chance.uniform(0.99, 1.0)), 6),
    }  # fmt: skip
