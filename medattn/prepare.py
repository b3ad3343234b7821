"""Stage 1: study -> manifest, one row per image x variant x condition.

Everything that can be wrong with a study, its model's files or its settings is found here, before a model is loaded
and before any earlier result is touched.
"""

from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

import click
import numpy as np

from medattn.base import paths, sample_tables
from medattn.base.content_cache import ContentCache, is_on
from medattn.base.errors import InputError
from medattn.base.params.terms import terms_of
from medattn.base.params.whole import Params
from medattn.base.params.whole import load as load_params
from medattn.base.rows import QuestionRow
from medattn.base.tables import replaced_files, write_csv
from medattn.checks.study_check import check
from medattn.disclosure.private_files import protect
from medattn.language.strategy_labels import note_unknown, unknown_labels
from medattn.radiographs.bodies import Bodies
from medattn.radiographs.donors import Donors
from medattn.radiographs.samples import Samples
from medattn.radiographs.survey import Survey, bodies_kept
from medattn.study.schema import Study, read_study, settings


def run(params: Params, root: Path = Path(".")) -> str:
    """Check the study, and write the manifest and where the bodies are below `root`.

    Returns what was written, and a line about images that cannot be read. Raises InputError.
    """
    study = read_study(root / params.study)
    protect(study, root)
    model, _ = settings(study, params)
    cache = ContentCache(bodies_kept(study, root), durable=False) if is_on(params.run) else None
    with replaced_files(root / paths.BODIES) as part:
        survey = Survey(study, cache, params.run.processes, part)
        report = check(study.directory, model, params.run.on_error, survey.images)
        check_pin(params, report.digest)
        check_layers(params, study.model_layers(model))
        survey.regions(study.regions())
        bodies, samples = Bodies(part), planned(study, params)
        shown, unreadable = samples.shown(), dict(report.unreadable)
        doubtful = check_bodies(shown, bodies, unreadable if params.run.on_error == "record" else None)
        readable = {image_id: sha256 for image_id, sha256 in shown.items() if image_id not in unreadable}
        large = leave_out_large(samples, readable, bodies)
        failing = note_unreadable(shown.keys(), unreadable)
    count = write_csv(root / paths.MANIFEST, sample_tables.MANIFEST, samples)
    written = f"{count} samples -> {paths.MANIFEST} (study {params.study}, digest {report.digest[:12]})"
    return written + note_asked(samples) + large + note_doubtful(doubtful) + failing


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


def planned(study: Study, params: Params) -> Samples:
    """What a run asks of a study that was checked.

    `limit` keeps the first N baseline questions by question_id, with all their variants and the controls of their
    images. Donors of shuffled_image come from the whole study.
    """
    images = {row["image_id"]: row for row in study.images()}
    every = study.questions()
    regions = ((row["image_id"], row["finding"]) for row in study.regions())
    return Samples(limited(every, params.limit), images, Donors(images, every), regions, params.conditions.asked())


def note_asked(samples: Samples) -> str:
    """Of what cannot be asked, and of strategy labels that are not known; empty if there is neither."""
    alone = samples.alone()
    note = f"; no other patient's image in that view to be shown: {', '.join(alone)}" if alone else ""
    return note + note_unknown(unknown_labels(question["strategy"] for question in samples.asked))


def check_bodies(shown: Mapping[str, str], bodies: Bodies, unreadable: dict[str, str] | None) -> dict[str, str]:
    """image_id -> why its body mask may be wrong, for those of the images shown (image_id -> SHA-256) of which it may be.

    unreadable: image_id -> why its file cannot be read; an image in which no body was found is added. None: such an image
    raises InputError.
    """
    doubtful = {}
    for image_id, sha256 in shown.items():
        if image_id in (unreadable or ()):
            continue
        try:
            body = bodies.of(image_id, sha256)
        except InputError as error:
            if unreadable is None:
                raise
            unreadable[image_id] = str(error).removeprefix(f"image {image_id!r}: ")
            continue
        if body.doubt:
            doubtful[image_id] = body.doubt
    return doubtful


def leave_out_large(samples: Samples, readable: Mapping[str, str], bodies: Bodies) -> str:
    """Ask no occlusion of regions as large as the rest of the body; a note that says where. readable: image_id -> SHA-256."""
    asked = {question_id: place for question_id, place in samples.occluded().items() if place[0] in readable}
    large = {place for place in set(asked.values()) if is_large(*place, readable[place[0]], bodies)}
    samples.leave_out(large)
    named = sorted(question_id for question_id, place in asked.items() if place in large)
    return f"; not occluded, the region is as large as the rest of the body: {', '.join(named)}" if named else ""


def is_large(image_id: str, finding: str, sha256: str, bodies: Bodies) -> bool:
    """Whether a true region has more pixels than the rest of the body."""
    body, region = bodies.of(image_id, sha256).mask, bodies.regions(image_id)[finding].mask
    return bool(np.count_nonzero(body & ~region) < np.count_nonzero(region))


def note_doubtful(doubtful: Mapping[str, str]) -> str:
    """A line for each image whose body mask may be wrong: image_id -> why. Empty if there is none."""
    if not doubtful:
        return ""
    listed = "".join(f"\n  image {image_id!r}: {why}" for image_id, why in sorted(doubtful.items()))
    return f"\n{len(doubtful)} body mask(s) are doubtful; look at the images, remove what is no chest radiograph:{listed}"


def note_unreadable(shown: Collection[str], unreadable: Mapping[str, str]) -> str:
    """A line about the images shown (image_id) that cannot be read. Raises InputError if all of them are."""
    failing = sorted(unreadable.keys() & shown)
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


@click.command(name="prepare")
def command() -> None:
    """Check the study and write one row per image x variant x condition."""
    paths.check_root()
    params = load_params()
    terms_of(params.aggregate)  # a wrong one, too, ends the run before any result is touched
    click.echo(run(params))
