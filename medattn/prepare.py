"""Stage 1: study -> manifest, one row per image x wording x condition.

Everything that can be wrong with a study, its model's files or its settings is found here, before a model is loaded
and before any earlier result is touched.
"""

from pathlib import Path, PurePosixPath

import click

from medattn import paths
from medattn.errors import InputError
from medattn.params import CONDITIONS, Params
from medattn.params import load as load_params
from medattn.study.check import check
from medattn.study.schema import Study, read_study, settings
from medattn.tables import write_csv

MANIFEST_COLUMNS = (
    "sample_id", "question_id", "role", "condition", "strength", "image_id", "shown_image_id", "image_path", "image_sha256",
    "width", "height", "study_id", "subject_id", "view", "split", "finding", "zone", "baseline_question", "question", "answer",
    "question_variant", "variant_index", "strategy",
)  # fmt: skip


def run(params: Params, root: Path = Path(".")) -> str:
    """Check the study and write the manifest below `root`; one line that says what was written. Raises InputError."""
    study = read_study(root / params.study)
    model, _ = settings(study, params)
    unknown = sorted(set(params.conditions) - set(CONDITIONS))
    if unknown:
        raise InputError(f"params.yaml: conditions: {unknown[0]!r} is unknown, expected some of {', '.join(CONDITIONS)}")
    report = check(study.directory, model)
    check_pin(params, report.digest)
    check_layers(params, study.model_layers(model))
    rows = manifest_rows(study, params)
    write_csv(root / paths.MANIFEST, MANIFEST_COLUMNS, rows)
    return f"{len(rows)} samples -> {paths.MANIFEST} (study {params.study}, digest {report.digest[:12]})"


def check_layers(params: Params, count: int | None) -> None:
    """Every profile's layers must be among the model's `count` (None: not known here; aggregate checks again)."""
    for name, profile in params.aggregate.profiles.items():
        outside = [layer for layer in profile.layers if count is not None and not -count <= layer < count]
        if outside:
            raise InputError(
                f"params.yaml: aggregate.profiles.{name}.layers: layer {outside[0]} is out of range: the model has layers"
                f" 0 … {count - 1} (or −{count} … −1)"
            )


def check_pin(params: Params, found: str) -> None:
    """The study's digest must be the one params.yaml pins; without a pin, allow_unpinned must say so.

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


def manifest_rows(study: Study, params: Params) -> list[dict[str, str]]:
    """Rows of the manifest in order of sample_id, from a study that was checked.

    `limit` keeps the first N baseline questions by question_id, with all their wordings and the controls of their
    images.
    """
    images = {row["image_id"]: row for row in study.images()}
    questions = study.questions()
    if params.limit is not None:
        kept = set(sorted({row["question_id"] for row in questions if row["role"] == "study"})[: params.limit])
        shown = {row["image_id"] for row in questions if row["question_id"] in kept}
        questions = [
            row for row in questions if (row["question_id"] in kept if row["role"] == "study" else row["image_id"] in shown)
        ]
    rows = [
        manifest_row(question, images[question["image_id"]], condition)
        for question in questions
        for condition, asked in params.conditions.items()
        if condition == "clean"
        or (question["role"] == "study" and (asked.wordings == "all" or question["variant_index"] == "0"))
    ]
    return sorted(rows, key=lambda row: row["sample_id"])


def manifest_row(question: dict[str, str], image: dict[str, str], condition: str) -> dict[str, str]:
    """One sample. Without an image the columns still say which image the question belongs to; shown_image_id is empty."""
    shared = {name: question[name] for name in MANIFEST_COLUMNS if name in question}
    return shared | {
        "sample_id": f"{question['question_id']}-v{question['variant_index']}-{condition}",
        "condition": condition,
        "strength": "",
        "shown_image_id": "" if condition == "no_image" else image["image_id"],
        "image_path": image["path"],
        "image_sha256": image["sha256"],
        **{name: image[name] for name in ("width", "height", "view", "split")},
    }


@click.command(name="prepare")
def command() -> None:
    """Check the study and write one row per image x wording x condition."""
    paths.check_root()
    click.echo(run(load_params()))
