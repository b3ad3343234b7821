"""Stage 6: what was studied with what, and what came of it -> ro-crate-metadata.json, an RO-Crate 1.1.

Says nothing that differs between two machines that ran the same: no time, host, user or path. Of results/, which may hold
patients' data, it names the outputs that dvc.yaml declares and no file inside them.
"""

import json
from pathlib import Path

import click

from medattn.base import paths
from medattn.base.dvc import PIPELINE, DeclaredStage, read_pipeline
from medattn.base.errors import InputError
from medattn.base.params.describe import DescribeParams
from medattn.base.params.model import StudyParams
from medattn.base.params.reading import load_sections
from medattn.base.tables import write_bytes
from medattn.base.yaml_files import content_of
from medattn.reproduce.crate.citation import read_citation
from medattn.reproduce.crate.metadata import make_crate
from medattn.study.schema import read_study

CRATE = Path("ro-crate-metadata.json")


def run(root: Path = Path(".")) -> str:
    """Describe the run below `root`; one line that says what was written. Raises InputError for an output that is not there."""
    content = described(root)
    write_bytes(root / CRATE, content)
    return f"{len(json.loads(content)['@graph'])} entities -> {CRATE}"


def described(root: Path) -> bytes:
    """The crate of the run below `root`. Raises InputError for an output that is not there."""
    params = load_sections(DescribeParams, root / paths.PARAMS)
    study = read_study(root / params.study)
    crate = make_crate(root, params, study, read_citation(root), declared_stages(root, params))
    content = compacted(crate.metadata.generate())
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def declared_stages(root: Path, params: StudyParams) -> list[DeclaredStage]:
    """The stages of dvc.yaml. Raises InputError for one that does not say what it does: the crate repeats that."""
    restore = f"restore it (`git checkout {PIPELINE}`)"
    stages = list(read_pipeline(content_of(root / PIPELINE, restore, restore), params.model_dump()).values())
    for stage in stages:
        if not stage.says:
            raise InputError(f"{root / PIPELINE}: stage {stage.name} has no desc: {restore}")
    return stages


def compacted(content: dict) -> dict:
    """A list of one value is that value (RO-Crate 1.1, "RO-Crate JSON-LD")."""
    graph = [
        {name: value[0] if isinstance(value, list) and len(value) == 1 else value for name, value in entity.items()}
        for entity in content["@graph"]
    ]
    return content | {"@graph": graph}


@click.command(name="describe")
def command() -> None:
    """Describe inputs, software, outputs and licence as an RO-Crate."""
    paths.check_root()
    click.echo(run())
