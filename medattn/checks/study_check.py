"""Is a study directory fit to run? Every row, every hash, every image, before anything is computed.

Problems are collected and reported together, each with file, row, value and remedy. Rows count from 2 (row 1 is the
header).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

import numpy as np
from tqdm import tqdm

from medattn.base.errors import InputError
from medattn.base.params.run import OnError
from medattn.base.rows import QuestionRow
from medattn.checks.questions import Problem, check_ids, check_questions
from medattn.measures.body import pixel_box
from medattn.radiographs.image_files import ImageFileError, UnreadableFileError, open_image, open_radiograph
from medattn.study.schema import ModelChoice, Study, is_there, read_study

SHOWN = 20  # problems reported in full
Outcome = tuple[int, int] | ImageFileError  # an image's width and height, or why its file cannot be used
Look = Callable[[Sequence[Mapping[str, str]]], Iterable[Outcome]]  # rows of images.csv -> the outcome of each, in order
SIDES = ("", "left", "right", "bilateral")  # the patient's


@dataclass(frozen=True)
class StudySummary:
    """What a study holds."""

    questions: int  # baseline questions, controls left out
    variants: int  # rows of these questions, the baseline among them
    controls: int
    images: int
    patients: int
    findings: dict[str, int]  # finding -> baseline questions about it
    yes: int  # baseline questions whose answer is yes
    no: int
    regions: int
    digest: str
    unreadable: dict[str, str] = field(default_factory=dict)  # image_id -> why its file cannot be read; under record only


def digest(directory: Path) -> str:
    """SHA-256 that pins a study: its tables, and through them images, masks and weights."""
    study = read_study(directory)
    for read in (study.questions, study.images):
        read()  # both must be there and readable
    return study.digest()


def check(
    directory: Path, model: ModelChoice | None = None, on_error: OnError = "raise", look: Look | None = None
) -> StudySummary:
    """Check the study in `directory`, and the model it is run with (default: the one it pins, if any).

    look: who opens the images (default: this process, one after another).

    Raises InputError with the first SHOWN problems and the number of the others. Under `record` an image file that
    cannot be read is an entry of the report, not a problem; all that the tables say of the image is still checked.
    """
    study = read_study(directory)
    questions, images, regions = study.questions(), study.images(), study.regions()
    problems: list[str] = []
    unreadable: dict[str, str] | None = {} if on_error == "record" else None

    def problem(file: str, row: int | None, message: str) -> None:
        problems.append(f"{directory / file}{f', row {row}' if row else ''}: {message}")

    sizes = _check_images(study, images, look or _opened(study), problem, unreadable)
    check_questions(questions, {row["image_id"]: row for row in images}, problem)
    _check_regions(study, regions, sizes, questions, problem)
    if problems:
        more = len(problems) - SHOWN
        raise InputError("\n".join(problems[:SHOWN]) + (f"\n… and {more} more problems" if more > 0 else ""))
    if model is not None or is_there(directory / "model.json"):
        study.check_model(model)
    baselines = [row for row in questions if row.is_study and row.is_baseline]
    return StudySummary(
        questions=len(baselines),
        variants=sum(row.is_study for row in questions),
        controls=sum(row.is_control for row in questions),
        images=len(images),
        patients=len({row["subject_id"] for row in images}),
        findings=dict(sorted(Counter(row["finding"] for row in baselines).items())),
        yes=sum(row["answer"] == "yes" for row in baselines),
        no=sum(row["answer"] == "no" for row in baselines),
        regions=len(regions),
        digest=study.digest(),
        unreadable=unreadable or {},
    )


# --- images -----------------------------------------------------------------------------------------------------------


def _check_images(
    study: Study, images: list[dict[str, str]], look: Look, problem: Problem, unreadable: dict[str, str] | None
) -> dict[str, tuple[int, int]]:
    """Check images.csv and every file it names; (width, height) of each image that could be decoded.

    unreadable: where files that cannot be read are noted (None: they are problems); their size is what the table says.
    """
    file, sizes = "images.csv", {}
    if not study.image_root.is_dir():
        raise InputError(
            f"{study.directory / 'study.yaml'}: image_root is {study.about.image_root!r}, but {study.image_root} is not a"
            " directory: fix image_root, or restore the images"
        )
    first: dict[tuple[str, str], int] = {}
    owners: dict[str, tuple[int, str]] = {}  # SHA-256 -> row and subject_id of the first image
    for number, (row, outcome) in enumerate(zip(images, look(images), strict=True), start=2):
        check_ids(file, number, row, ("image_id", "subject_id", "study_id"), problem)
        for name, value in (("image_id", row["image_id"].casefold()), ("path", row["path"])):
            if (earlier := first.setdefault((name, value), number)) != number:
                problem(file, number, f"{name} {row[name]!r} stands in row {earlier} already: remove one of the rows")
        earlier, subject = owners.setdefault(row["sha256"].lower() or row["path"], (number, row["subject_id"]))
        if subject != row["subject_id"]:
            problem(
                file, number,
                f"image {row['image_id']!r} of patient {row['subject_id']!r} has the sha256 of row {earlier}, of patient"
                f" {subject!r}: one radiograph is of one patient; correct subject_id, or remove both rows and their questions",
            )  # fmt: skip
        if isinstance(outcome, ImageFileError):
            if unreadable is None or not isinstance(outcome, UnreadableFileError):
                problem(file, number, f"image {row['image_id']!r}: {outcome}")
            elif (size := _stated_size(row)) is None:
                problem(file, number, f"width x height is {row['width']!r} x {row['height']!r}, expected pixels: fix the row")
            else:
                unreadable[row["image_id"]], sizes[row["image_id"]] = str(outcome), size
            continue
        width, height = sizes[row["image_id"]] = outcome
        if (row["width"], row["height"]) != (str(width), str(height)):
            problem(
                file, number,
                f"width x height is {row['width']!r} x {row['height']!r}, the file {row['path']!r} has {width} x {height}:"
                " fix the row",
            )  # fmt: skip
    return sizes


def _opened(study: Study) -> Look:
    """Opens one image after another."""

    def look(rows: Sequence[Mapping[str, str]]) -> Iterator[Outcome]:
        for row in tqdm(rows, desc="check images", unit="image", leave=False):
            try:
                yield open_radiograph(study.image_root, row["path"], row["sha256"]).size
            except ImageFileError as error:
                yield error

    return look


def _stated_size(row: dict[str, str]) -> tuple[int, int] | None:
    """(width, height) as images.csv has them, or None where they are not sizes."""
    if not all(row[name].isascii() and row[name].isdigit() and int(row[name]) for name in ("width", "height")):
        return None
    return int(row["width"]), int(row["height"])


# --- regions ----------------------------------------------------------------------------------------------------------


def _check_regions(
    study: Study,
    regions: list[dict[str, str]],
    sizes: dict[str, tuple[int, int]],
    questions: Sequence[QuestionRow],
    problem: Problem,
) -> None:
    """Check regions.csv: boxes inside their image, masks complete and equal to their box, none for an absent finding."""
    absent = {(row["image_id"], row["finding"]) for row in questions if row["answer"] == "no"}
    spelled = {row["finding"].casefold(): row["finding"] for row in questions}
    for number, row in enumerate(regions, start=2):

        def wrong(message: str, number: int = number, row: dict[str, str] = row) -> None:
            problem("regions.csv", number, f"region of {row['finding']!r} in image {row['image_id']!r}: {message}")

        if not row["finding"].strip():
            wrong("finding is empty: name it")
        if (asked := spelled.get(row["finding"].casefold(), row["finding"])) != row["finding"]:
            wrong(f"questions.csv spells the finding {asked!r}: make them agree")
        if (row["image_id"], row["finding"]) in absent:
            wrong("questions.csv says that this finding is absent (answer no): remove the region, or correct the answer")
        if row["side"] not in SIDES:
            wrong(f"side is {row['side']!r}, expected left, right, bilateral or nothing")
        conspicuity = _number(row["conspicuity"]) if row["conspicuity"] else 0.0
        if conspicuity is None or conspicuity < 0:
            wrong(f"conspicuity is {row['conspicuity']!r}, expected a number from 0, or nothing")
        size = sizes.get(row["image_id"])
        if size is None:
            wrong("the image is not in images.csv, or cannot be read: remove the region, or fix the image")
            continue
        box = _check_box(row, size, wrong)
        if row["mask"]:
            _check_mask(study, row, size, box, wrong)
        elif row["mask_sha256"]:
            wrong("mask_sha256 is given without a mask: name the mask, or leave both empty")


def _number(text: str) -> float | None:
    """A finite decimal number, or None where the text is not one, as NaN."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def _check_box(row: dict[str, str], size: tuple[int, int], wrong: Callable[[str], None]) -> tuple[float, ...] | None:
    """(x, y, w, h) in pixels, or None if they are not a box inside the image."""
    given = f"x, y, w, h are {', '.join(row[name] for name in 'xywh')}"
    box = tuple(value for name in "xywh" if (value := _number(row[name])) is not None)
    if len(box) == 4:
        x, y, w, h = box
        if x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= size[0] and y + h <= size[1]:
            return box
    wrong(f"{given}: expected a box inside the image of {size[0]} x {size[1]} pixels: fix the box")
    return None


def _check_mask(
    study: Study, row: dict[str, str], size: tuple[int, int], box: tuple[float, ...] | None, wrong: Callable[[str], None]
) -> None:
    try:
        image = open_image(study.directory, row["mask"], row["mask_sha256"], modes=("L",))
    except ImageFileError as error:
        wrong(f"mask: {error}")
        return
    name, mask = study.directory / row["mask"], np.asarray(image)
    if image.size != size:
        wrong(f"mask {name} is {image.width} x {image.height} pixels, its image {size[0]} x {size[1]}: fix the mask")
    elif not np.isin(mask, (0, 255)).all():
        wrong(f"mask {name} holds values other than 0 and 255: threshold it")
    elif not mask.any():
        wrong(f"mask {name} is empty: remove the region, or fix the mask")
    elif box is not None and box != (found := box_of(mask > 0)):
        given = ", ".join(f"{value:g}" for value in box)
        wrong(f"x, y, w, h are {given}, the mask's bounding box is {', '.join(map(str, found))}: fix one of them")


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """(x, y, w, h) of the smallest box that holds a non-empty mask, bool [height, width], in pixels."""
    x0, y0, x1, y1 = pixel_box(mask)
    return x0, y0, x1 - x0, y1 - y0
