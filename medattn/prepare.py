"""Stage 1: study -> manifest, one row per image x variant x condition.

Everything that can be wrong with a study, its model's files or its settings is found here, before a model is loaded
and before any earlier result is touched.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import click
import numpy as np

from medattn.base import paths, sample_tables
from medattn.base.errors import InputError
from medattn.base.params.terms import terms_of
from medattn.base.params.whole import Params
from medattn.base.params.whole import load as load_params
from medattn.base.rows import QuestionRow, SampleRow
from medattn.base.seeding import choose
from medattn.base.tables import write_csv
from medattn.checks.study_check import check
from medattn.checks.workload import WorkloadCounter, capture_size, fitting, note_taken
from medattn.disclosure.private_files import protect
from medattn.language.strategy_labels import labels, note_unknown, unknown_labels
from medattn.measures.silhouette import doubt
from medattn.radiographs.conditions import REGIONAL
from medattn.radiographs.reader import RadiographReader
from medattn.study.schema import Study, read_study, settings


def run(params: Params, root: Path = Path(".")) -> str:
    """Check the study and write the manifest below `root`; what was written, and a line about images that cannot be read.

    Raises InputError.
    """
    study = read_study(root / params.study)
    protect(study, root)
    model, _ = settings(study, params)
    report = check(study.directory, model, params.run.on_error)
    check_pin(params, report.digest)
    check_layers(params, study.model_layers(model))
    rows, alone = manifest_rows(study, params)
    unreadable = report.unreadable if params.run.on_error == "record" else None
    rows, large = without_large_regions(rows, RadiographReader(study), unreadable)
    failing = note_unreadable(rows, unreadable or {})
    counter, size_of = WorkloadCounter(study), capture_size(study, params)
    write_csv(root / paths.MANIFEST, sample_tables.MANIFEST, fitting(rows, counter, size_of, params.extract.shards, root))
    written = f"{len(rows)} samples -> {paths.MANIFEST} (study {params.study}, digest {report.digest[:12]})"
    return written + note_taken(counter.workload(), size_of) + alone + large + failing


def check_layers(params: Params, count: int | None) -> None:
    """Raise InputError unless every profile's layers are among the model's `count` (None: not known here; aggregate checks)."""
    if count is None:
        return
    for name, profile in params.aggregate.profiles.items():
        outside = [layer for layer in profile.layers if not -count <= layer < count]
        if outside:
            raise InputError(
                f"params.yaml: aggregate.profiles.{name}.layers: layer {outside[0]} is out of range: the model has layers"
                f" 0 … {count - 1} (or −{count} … −1)"
            )


def check_pin(params: Params, found: str) -> None:
    """Raise InputError unless the study's digest is the one params.yaml pins or, without a pin, allow_unpinned says so.

    DVC rewrites data.dvc before a stage starts, so only this notices a study that has changed.
    """
    name = PurePosixPath(params.study).as_posix()
    pinned = params.study_digests.get(name) or params.study_digests.get(params.study)
    if pinned:
        if pinned != found:
            raise InputError(
                f"params.yaml: study_digests pins {pinned} for study {params.study!r}, the directory has {found}: restore the"
                f" study (embedded study: `dvc checkout data.dvc`), or, if it was changed on purpose, pin {found}"
            )
    elif not params.allow_unpinned:
        raise InputError(
            f"params.yaml: study_digests has no digest for study {params.study!r}: check the study, then add"
            f" `{name}: {found}` there, or set allow_unpinned: true"
        )


def manifest_rows(study: Study, params: Params) -> tuple[list[SampleRow], str]:
    """Rows of the manifest in order of sample_id, from a study that was checked; and a note of what cannot be asked and of
    strategy labels that are not known.

    `limit` keeps the first N baseline questions by question_id, with all their variants and the controls of their
    images. Donors of shuffled_image come from the whole study. The occlusions are asked where a true region is known.
    """
    images = {row["image_id"]: row for row in study.images()}
    every = study.questions()
    donors = Donors(images, every)
    regions = {(row["image_id"], row["finding"]) for row in study.regions()}
    asked_of, rows, alone = limited(every, params.limit), [], set()
    for question in asked_of:
        for condition, asked in params.conditions.asked().items():
            if condition != "clean" and (not question.is_study or _left_out(question, asked.variants)):
                continue
            if condition in REGIONAL and (question["image_id"], question["finding"]) not in regions:
                continue
            for strength in asked.degrees():
                row = manifest_row(question, images[question["image_id"]], condition, strength)
                if condition == "shuffled_image":
                    shown = donors.of(question)
                    if shown is None:
                        alone.add(question["question_id"])
                        continue
                    row.update(shown)
                rows.append(row)
    note = f"; no other patient's image in that view to be shown: {', '.join(sorted(alone))}" if alone else ""
    note += note_unknown(unknown_labels(question["strategy"] for question in asked_of))
    return sorted(rows, key=lambda row: row["sample_id"]), note


def without_large_regions(
    rows: list[SampleRow], radiographs: RadiographReader, unreadable: dict[str, str] | None = None
) -> tuple[list[SampleRow], str]:
    """The rows but for occlusions of regions as large as the rest of the body, and a note that says which.

    Looks for the body in every image that is shown. unreadable: image_id -> why its file cannot be read; it is not
    opened, and an image without a body is added. None: an image without a body raises InputError.
    """
    too_large, doubtful = set(), dict[str, str]()
    for row in sorted(rows, key=lambda row: row["shown_image_id"]):
        if row["shown_image_id"] and row["shown_image_id"] not in (unreadable or ()):
            radiograph = radiographs(row["shown_image_id"])
            try:
                body = np.count_nonzero(radiograph.body)
            except InputError as error:
                if unreadable is None:
                    raise
                unreadable[radiograph.image_id] = str(error).removeprefix(f"image {radiograph.image_id!r}: ")
                continue
            if why := doubt(radiograph.body):
                doubtful[radiograph.image_id] = why
            if row["condition"] in REGIONAL:
                region = radiograph.regions[row["finding"]]
                if body - np.count_nonzero(region & radiograph.body) < np.count_nonzero(region):
                    too_large.add(row["question_id"])
    kept = [row for row in rows if row["condition"] not in REGIONAL or row["question_id"] not in too_large]
    note = (
        f"; not occluded, the region is as large as the rest of the body: {', '.join(sorted(too_large))}" if too_large else ""
    )
    return kept, note + note_doubtful(doubtful)


def note_doubtful(doubtful: Mapping[str, str]) -> str:
    """A line for each image whose body mask may be wrong: image_id -> why. Empty if there is none."""
    if not doubtful:
        return ""
    listed = "".join(f"\n  image {image_id!r}: {why}" for image_id, why in sorted(doubtful.items()))
    return f"\n{len(doubtful)} body mask(s) are doubtful; look at the images, remove what is no chest radiograph:{listed}"


def note_unreadable(rows: Sequence[SampleRow], unreadable: dict[str, str]) -> str:
    """A line about the images that the rows show and that cannot be read. Raises InputError if all of them are."""
    shown = {row["shown_image_id"] for row in rows} - {""}
    failing = sorted(shown & unreadable.keys())
    if not failing:
        return ""
    first = f"image {failing[0]!r}: {unreadable[failing[0]]}"
    if len(failing) == len(shown):
        raise InputError(f"none of the {len(shown)} images can be read, so nothing is left to run; the first is {first}")
    return (
        f"\n{len(failing)} of {len(shown)} images cannot be read, their samples will be listed in {paths.FAILURES};"
        f" the first is {first}"
    )


def limited(questions: list[QuestionRow], limit: int | None) -> list[QuestionRow]:
    """The first `limit` baseline questions by question_id, their variants, and their images' controls."""
    if limit is None:
        return questions
    kept = set(sorted({row["question_id"] for row in questions if row.is_study})[:limit])
    shown = {row["image_id"] for row in questions if row["question_id"] in kept}
    return [row for row in questions if (row["question_id"] in kept if row.is_study else row["image_id"] in shown)]


def _left_out(question: QuestionRow, variants: str) -> bool:
    return variants == "baseline" and not question.is_baseline


class Donors:
    """Whose image is shown under shuffled_image: another patient's, same view, of the opposite truth where one is known."""

    def __init__(self, images: dict[str, dict[str, str]], questions: Sequence[QuestionRow]) -> None:
        self._images = images
        self._truth = {(row["image_id"], row["finding"]): row["answer"] for row in questions}

    def of(self, question: QuestionRow) -> dict[str, str] | None:
        """The manifest's columns that say what is shown: the donor, and its truth ("" if nobody asked about it).

        All variants of a question see the same donor. None if the study has no other patient in that view.
        """
        own, finding = self._images[question["image_id"]], question["finding"]
        others = [
            image_id
            for image_id, image in sorted(self._images.items())
            if image["subject_id"] != own["subject_id"] and image["view"] == own["view"]
        ]
        if not others:
            return None
        truth = {image_id: self._truth.get((image_id, finding), "") for image_id in others}
        for wanted in ({"yes", "no"} - {question["answer"]}, {""}, {question["answer"]}):
            if fitting := tuple(image_id for image_id in others if truth[image_id] in wanted):
                donor = choose(fitting, "shuffled_image", question["question_id"])
                break
        image = self._images[donor]
        return {
            "shown_image_id": donor,
            "image_path": image["path"],
            "image_sha256": image["sha256"],
            "answer": truth[donor],
            **{name: image[name] for name in ("width", "height", "view", "split")},
        }


def manifest_row(question: QuestionRow, image: dict[str, str], condition: str, strength: str) -> SampleRow:
    """One sample. Without an image the columns still say which image the question belongs to; shown_image_id is empty."""
    shared = {name: question[name] for name in sample_tables.MANIFEST if name in question}
    strategy = labels(question["strategy"])
    degree = f"-{strength.replace('-', 'm').replace('.', 'p')}" if strength else ""  # ids name files
    changed = {
        "sample_id": f"{question['question_id']}-v{question['variant_index']}-{condition}{degree}",
        "condition": condition,
        "strength": strength,
        "strategy": strategy.primary,
        "strategies": strategy.joined,
        "shown_image_id": "" if condition == "no_image" else image["image_id"],
        "image_path": image["path"],
        "image_sha256": image["sha256"],
        **{name: image[name] for name in ("width", "height", "view", "split")},
    }
    return SampleRow(shared | changed)


@click.command(name="prepare")
def command() -> None:
    """Check the study and write one row per image x variant x condition."""
    paths.check_root()
    params = load_params()
    terms_of(params.aggregate)  # a wrong one, too, ends the run before any result is touched
    click.echo(run(params))
