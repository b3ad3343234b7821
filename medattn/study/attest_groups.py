"""The tables of a study in groups of patients, each with digests that are safe to publish (see `medattn.study.attest`)."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field

from medattn.base.errors import InputError
from medattn.base.params.reading import Section
from medattn.study.schema import IMAGE_COLUMNS, QUESTION_COLUMNS, REGION_COLUMNS, Study

FORMAT: Literal[2] = 2
FEWEST = 5  # patients that a digest or a count covers
ABOUT = 20  # patients in a group
TableName = Literal["variants", "controls", "images", "regions"]
TABLES: tuple[TableName, ...] = ("variants", "controls", "images", "regions")
KEYS = {
    "variants": ("question_id", "variant_index"),
    "controls": ("question_id", "variant_index"),
    "images": ("image_id",),
    "regions": ("image_id", "finding"),
}
CONTENT = {
    "variants": QUESTION_COLUMNS,
    "controls": QUESTION_COLUMNS,
    "images": tuple(name for name in IMAGE_COLUMNS if name != "path"),
    "regions": ("subject_id", *(name for name in REGION_COLUMNS if name != "mask")),
}

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class Group(Section):
    """Some patients' rows of a table; both digests are those of no line where there is no row."""

    rows: Count
    keys: Digest
    content: Digest


class Table(Section):
    """A table; rows is None, and groups empty, where 1 to 4 patients have rows.

    How many patients is not told: the difference to another table's may be 1 to 4.
    """

    rows: Count | None
    groups: tuple[Group, ...]


def rows_of(study: Study) -> dict[str, Sequence[dict[str, str]]]:
    """The rows of each table, each with its subject_id. Raises InputError for a region of no image of the study."""
    questions, images = study.questions(), study.images()
    subjects = {row["image_id"]: row["subject_id"] for row in images}
    regions = []
    for number, row in enumerate(study.regions(), start=2):
        if row["image_id"] not in subjects:
            raise InputError(
                f"{study.directory / 'regions.csv'}, row {number}: the image is not in images.csv: run `medattn study check`"
            )
        regions.append({**row, "subject_id": subjects[row["image_id"]]})
    variants, controls = ([row for row in questions if row.is_control is control] for control in (False, True))
    return {"variants": variants, "controls": controls, "images": images, "regions": regions}


def shown(rows: Sequence[dict[str, str]]) -> int | None:
    """How many rows, as it may be published: None where 1 to 4 patients have rows."""
    return len(rows) if not rows or len({row["subject_id"] for row in rows}) >= FEWEST else None


def table(name: str, rows: Sequence[dict[str, str]], number: int | None) -> Table:
    """The table in `number` groups, or as many as are safe to publish."""
    patients = {row["subject_id"] for row in rows}
    if not number and 0 < len(patients) < FEWEST:
        return Table(rows=None, groups=())
    if number is None:
        number = _safe_number(patients)
    grouped = defaultdict(list)
    for row in rows:
        grouped[_group(row["subject_id"], number) if number else 0].append(row)
    groups = tuple(_digests(name, grouped[index]) for index in range(number))
    return Table(rows=len(rows), groups=groups)


def _safe_number(patients: set[str]) -> int:
    """How many groups: about ABOUT patients each, none with 1 to 4."""
    number = 1
    while number * 2 * ABOUT <= len(patients):
        number *= 2
    while number > 1 and min(Counter(_group(patient, number) for patient in patients).values()) < FEWEST:
        number //= 2
    return number


def _group(subject_id: str, number: int) -> int:
    """Which of `number` groups a patient is in, whatever the study."""
    return int.from_bytes(hashlib.sha256(f"medattn attest {subject_id}".encode()).digest()[:8], "big") % number


def _digests(name: str, rows: Sequence[dict[str, str]]) -> Group:
    return Group(
        rows=len(rows),
        keys=digest(f"{name} keys", ([row[column] for column in KEYS[name]] for row in rows)),
        content=digest(f"{name} content", ([row[column] for column in CONTENT[name]] for row in rows)),
    )


def digest(what: str, values: Iterable[object]) -> str:
    """SHA-256 over sorted lines of JSON; `what` keeps digests of different things apart."""
    lines = sorted(json.dumps(value) for value in values)
    return hashlib.sha256("\n".join([f"medattn attest {FORMAT} {what}", *lines]).encode()).hexdigest()


def settings(study: Study) -> str:
    """Digest of what no patient is in: licence, default model and prompt, variant exposure, model.json."""
    about = study.about.model_dump(mode="json", include={"licence", "defaults", "strategy_exposure"})
    pins = study.model_pins()
    return digest("settings", [json.dumps([about, pins and pins.model_dump(mode="json")], sort_keys=True)])
