"""`medattn study mimic-cxr` and `medattn study fake-mimic`."""

import os
from pathlib import Path
from typing import Any

import click

from medattn.base.errors import InputError
from medattn.model.published_models import DEFAULT, PUBLISHED

VARIANTS = ("rules", "keep", "none")

PATH = click.Path(path_type=Path)


@click.command(name="mimic-cxr")
@click.option(
    "--root", type=PATH, required=True, help="MIMIC-CXR-JPG (or MIMIC-CXR's .dcm) as PhysioNet lays it out; only read."
)
@click.option(
    "--questions",
    type=PATH,
    help=(
        "Question set: csv, json, or the folder of the jsons."
        "  [default: presence questions from the CheXpert labels, as many yes as no]"
    ),
)
@click.option("--out", type=PATH, required=True, help="New directory, for example studies/mimic-cxr.")
@click.option(
    "--variants",
    type=click.Choice(VARIANTS),
    help=(
        "Other variants: five made by rule, the file's own, or none.  [default: keep for a file of hard positives, else rules]"
    ),
)
@click.option("--limit", type=click.IntRange(1), help="Baseline questions in all, findings and answers in turn.")
@click.option("--per-finding", type=click.IntRange(1), help="Baseline questions per finding.")
@click.option("--view", default="PA,AP", show_default=True, help="View positions, joined by commas; all for every image.")
@click.option("--split", type=click.Choice(["train", "validate", "test"]), help="MIMIC-CXR's own split.  [default: all]")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides which questions are drawn, and the controls."
)
@click.option(
    "--controls", type=click.IntRange(0, 5), default=2, show_default=True, help="Questions about other findings, per image."
)
@click.option(
    "--regions",
    multiple=True,
    metavar="KIND:PATH",
    help="True regions: ms-cxr, imagenome or reflacx, and where it lies; several times.",
)
@click.option("--model", default=DEFAULT.name, show_default=True, help="Hugging Face name, or a model's directory.")
@click.option("--revision", help="Of a Hugging Face model.  [default: the pinned one, where one is known]")
@click.option("--dtype", type=click.Choice(["bfloat16", "float32", "float64"]), default=DEFAULT.dtype, show_default=True)
@click.option("--device", type=click.Choice(["auto", "cuda", "cpu"]), default=DEFAULT.device, show_default=True)
@click.option(
    "--trust-sums",
    is_flag=True,
    help="Open no image now: hashes from SHA256SUMS.txt, sizes from the metadata. Later stages check every image.",
)
def mimic_cxr(
    out: Path, questions: Path | None, variants: str | None, view: str, regions: tuple[str, ...], **more: Any
) -> None:
    """Assemble a study from MIMIC-CXR; print what was used, what was not and why, and the digest to pin."""
    from medattn.mimic import question_sets
    from medattn.mimic.assemble import Options, assemble, assembled_before
    from medattn.mimic.regions import parse_option

    if variants is None:
        own = questions is not None and question_sets.format_of(questions) == question_sets.HARD_POSITIVES
        variants = "keep" if own else "rules"
    model = {name: more.pop(name) for name in ("model", "revision", "dtype", "device")}
    options = Options(
        questions=questions,
        variants=variants,
        model=model_choice(out, **model),
        prompt=prompt_for(model["model"]),
        views=() if view.strip().lower() == "all" else tuple(part.strip().upper() for part in view.split(",")),
        regions=tuple(parse_option(text) for text in regions),
        **more,
    )
    if assembled_before(out, options):
        click.echo(f"{out} is there already, assembled from the same: kept as it is; remove it to assemble it anew")
        return
    click.echo(assemble(out, options).text())


def model_choice(out: Path, model: str, revision: str | None, dtype: str, device: str) -> dict[str, object]:
    """study.yaml's defaults.model. A directory is named relative to the study. Raises InputError if there is none."""
    if Path(model).is_dir():
        if revision is not None:
            raise InputError(
                f"--revision {revision} is given for a directory, {model}: leave it out, model.json pins its files"
            )
        model = Path(os.path.relpath(model, out)).as_posix()
    elif model.startswith((".", "/")) or model.count("/") != 1:
        raise InputError(f"--model {model} is neither a directory nor a Hugging Face name (owner/name): fix it")
    elif revision is None:
        revision = PUBLISHED[model].revision if model in PUBLISHED else None
    return {"id": model, "revision": revision, "dtype": dtype, "device": device}


def prompt_for(name: str) -> dict[str, object]:
    """study.yaml's defaults.prompt: the published model's, the default's for any other."""
    known = PUBLISHED.get(name, DEFAULT)
    return {key: getattr(known, key) for key in ("system", "template", "order", "max_new_tokens")}


@click.command()
@click.argument("out", type=PATH, default="questions.csv")
def template(out: Path) -> None:
    """Write an empty csv for questions of your own to OUT (default: questions.csv); `mimic-cxr --questions` reads it."""
    from medattn.mimic.question_sets import OWN_COLUMNS, write_template

    write_template(out)
    click.echo(f"{out}: {', '.join(OWN_COLUMNS)}; a row per question about an image, answer yes or no, finding may be empty")


@click.command(name="fake-mimic")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New directory.")
@click.option("--patients", type=click.IntRange(8, 999), default=24, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--dicom", is_flag=True, help="Write .dcm files instead of .jpg.")
def fake_mimic(out: Path, patients: int, seed: int, dicom: bool) -> None:
    """Write a tree of MIMIC-CXR's exact layout with drawn radiographs of fictitious patients: to try the real commands."""
    from medattn.mimic.fake.tree import write

    click.echo(write(out, patients, seed, dicom))
