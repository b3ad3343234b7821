"""The tiny study with samples that could not be computed, as extract leaves it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from medattn.base import paths, sample_tables
from tests.conftest import surveyed
from tests.metrics.conftest import make_answers, make_grids, make_manifest, make_root, write

Fails = Callable[[dict], bool]
OCCLUDED = ("occlude_region", "occlude_elsewhere")
CHANGED = (
    ("blank", ""),
    ("gaussian_noise", "0.1"),
    ("rotation", "10"),
    ("shuffled_image", ""),
    *((name, "") for name in OCCLUDED),
)
DONORS = {"i1": "i4", "i2": "i4", "i3": "i4", "i4": "i1"}
REASON = "cannot be decoded"


def changed_rows(rows: Sequence[dict]) -> list[dict]:
    """The baseline variants of a manifest's questions, asked about changed images."""
    made = []
    for row in rows:
        if row["role"] != "study" or row["condition"] != "clean" or row["variant_index"] != 0:
            continue
        for condition, strength in CHANGED:
            if condition in OCCLUDED and row["answer"] != "yes":
                continue
            shown = DONORS[row["image_id"]] if condition == "shuffled_image" else row["image_id"]
            (sha256,) = {other["image_sha256"] for other in rows if other["image_id"] == shown}
            changes = {"condition": condition, "strength": strength, "shown_image_id": shown, "image_sha256": sha256}
            made.append(row | changes | {"sample_id": f"{row['question_id']}-v0-{condition}"})
    return made


def fail(root: Path, rows: Sequence[dict], fails: Fails) -> None:
    """Write what metrics reads of `rows`, without those that `fails` admits; an image that only they show is damaged."""
    rows = sorted(rows, key=lambda row: row["sample_id"])
    failed = [row for row in rows if fails(row)]
    with_grid = [row | {"condition": "clean"} for row in rows if row["shown_image_id"] and row not in failed]
    names = {row["sample_id"] for row in failed}
    answers = make_answers([row | {"condition": "clean"} if row["shown_image_id"] else row for row in rows])
    nothing = dict.fromkeys(sample_tables.ANSWERS, "") | {"status": "failed"}
    answers = [nothing | {"sample_id": row["sample_id"]} if row["sample_id"] in names else row for row in answers]
    listed = [{name: row[name] for name in sample_tables.FAILURES[:-1]} | {"reason": REASON} for row in failed]
    write(root / paths.MANIFEST, sample_tables.MANIFEST, rows)
    write(root / paths.ANSWERS, sample_tables.ANSWERS, answers)
    write(root / paths.FAILURES, sample_tables.FAILURES, listed)
    (root / paths.GRIDS_STORE).write_bytes(make_grids(with_grid))
    for image_id in {row["image_id"] for row in rows} - {row["shown_image_id"] for row in with_grid}:
        (root / f"data/images/{image_id}.png").write_bytes(b"damaged")
    surveyed(root / "data", root / paths.BODIES)


def failing_root(root: Path, fails: Fails) -> Path:
    """The tiny study, asked about changed images too, without the samples that `fails` admits."""
    make_root(root)
    rows = make_manifest(root / "data")
    fail(root, [*rows, *changed_rows(rows)], fails)
    return root
