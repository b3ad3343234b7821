"""What params.yaml asks for: is it valid, is the study here and as pinned, can its images be read, is the model here?"""

from pathlib import Path
from typing import NamedTuple

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.hashes import files_below
from medattn.base.params.whole import Params
from medattn.base.params.whole import load as load_params
from medattn.base.sizes import size
from medattn.base.tables import read_table
from medattn.prepare import check_pin
from medattn.radiographs.image_files import ImageFileError, open_radiograph
from medattn.reproduce.doctor.line import Line, missing, note, ok
from medattn.study.model_files import local_directory
from medattn.study.schema import ModelChoice, Study, read_study, settings

SAMPLE = 5  # images opened
MASKS = paths.GROUPS / "body_masks.csv"  # of the metrics stage


class RunInputs(NamedTuple):
    """What the run would use, as far as it was found, and the lines about it."""

    params: Params | None
    study: Study | None
    model: ModelChoice | None
    directory: Path | None  # the model's
    lines: list[Line]


def run_inputs(root: Path) -> RunInputs:
    """Everything that params.yaml names, looked for in this order: what is not there ends the search."""
    lines: list[Line] = []
    params = study = model = directory = None
    about, said = "params", "cannot be used"
    try:
        params = load_params(root / "params.yaml")
        lines.append(ok("params", f"params.yaml is valid; study {params.study}"))
        about, said = "study", f"{params.study} cannot be used"
        study = read_study(root / params.study)
        lines += [study_line(study), digest_line(study, params), *image_lines(study), *mask_lines(study, root)]
        about, said = "model", "cannot be used"
        model = settings(study, params)[0]
        about, said = "model", f"{model.id} is not complete on this machine"
        location = study.model_location(model)
        directory = local_directory(location, model.revision)
        lines.append(model_line(study, model, directory))
    except InputError as error:
        lines.append(missing(about, said, str(error)))
        if about != "model":
            lines.append(note("model", "not looked for"))
    return RunInputs(params, study, model, directory, lines)


def study_line(study: Study) -> Line:
    return ok("study", f"{study.about.name} ({study.licence}): {study.about.title}")


def digest_line(study: Study, params: Params) -> Line:
    """Is it the study that params.yaml pins? Tables only: prepare checks every image and weight."""
    try:
        digest = study.digest()
        check_pin(params, digest)
    except InputError as error:
        return missing("digest", "not that of a pinned study", str(error))
    if digest in params.study_digests.values():
        return ok("digest", f"{digest[:12]}, as pinned")
    return note(
        "digest", f"{digest[:12]} is not pinned (allow_unpinned is true)", f"pin it: `medattn study pin {params.study}`"
    )


def image_lines(study: Study) -> list[Line]:
    """Is image_root there, and can a few images be read? Of a credentialed study none is named: this report is shown around."""
    try:
        rows = study.images()
    except InputError as error:
        return [missing("images", "images.csv cannot be used", str(error))]
    if not study.image_root.is_dir():
        return [
            missing(
                "images", f"image_root {study.image_root} is not a directory",
                f"mount or restore it, or fix image_root in {study.directory / 'study.yaml'}",
            )
        ]  # fmt: skip
    tried = rows[:: max(1, len(rows) // SAMPLE)][:SAMPLE]
    bad = []
    for row in tried:
        try:
            open_radiograph(study.image_root, row["path"], row["sha256"])
        except ImageFileError as error:
            bad.append(error)
        except InputError as error:
            return [missing("images", "cannot be read on this machine", str(error))]
    if not bad:
        return [ok("images", f"{len(rows):,}; {len(tried)} opened, each with its pinned bytes")]
    named = str(bad[0]) if study.licence == "open" else bad[0].reason
    remedy = f"{named}; `medattn study check {study.directory}` names every image and what is wrong"
    return [missing("images", f"{len(bad)} of {len(tried)} opened cannot be used ({len(rows):,} in all)", remedy)]


def mask_lines(study: Study, root: Path) -> list[Line]:
    """Which body masks of the last run are doubtful; of a credentialed study only how many. Nothing without such a run."""
    if not (root / MASKS).is_file():
        return []
    known = {row["image_id"] for row in study.images()}
    rows = read_table(root / MASKS, ("image_id", "doubt"), "run `dvc repro metrics`", may_be_empty=True)
    if not rows or not known.issuperset(row["image_id"] for row in rows):
        return []  # of another study
    doubtful = [row for row in rows if row["doubt"]]
    if not doubtful:
        return [ok("body masks", f"{len(rows):,} in the last run, none doubtful")]
    named = "\n".join(f"image {row['image_id']!r}: {row['doubt']}" for row in doubtful)
    remedy = "look at the images, remove what is no chest radiograph: " + (
        f"\n{named}" if study.licence == "open" else f"{MASKS} names them"
    )
    return [note("body masks", f"{len(doubtful):,} of {len(rows):,} in the last run are doubtful", remedy)]


def model_line(study: Study, model: ModelChoice, directory: Path) -> Line:
    """A complete model: where, how large, pinned or not."""
    total = sum((directory / name).stat().st_size for name in files_below(directory))
    revision = f", revision {model.revision[:12]}" if model.revision else ""
    said = f"{model.id}{revision}: {size(total)}, complete"
    if study.model_pins(model) is None:
        return note("model", f"{said}; its files are not pinned", f"`medattn study pin {study.directory}`")
    return ok("model", f"{said}, its files pinned in model.json (prepare compares them)")
