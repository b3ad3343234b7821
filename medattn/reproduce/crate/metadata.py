"""The entities of the crate: study, model, software, workflow, outputs, and which stage made what.

What is distributed with the crate is a part of it. What is not (study, model, results/) is named by an identifier of its own,
"#…", so that nobody looks for a file: RO-Crate 1.1, "Contextual Entities".
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from rocrate.model import ContextEntity
from rocrate.rocrate import ROCrate

from medattn.base import paths
from medattn.base.dvc import LOCK, PIPELINE, DeclaredStage
from medattn.base.errors import InputError
from medattn.base.hashes import sha256_of_lines
from medattn.base.params.describe import DescribeParams
from medattn.base.tables import read_table
from medattn.disclosure.suppression import least_patients
from medattn.reproduce.crate.citation import CITATION, Citation
from medattn.reproduce.crate.outputs import digest, files_of, media_type
from medattn.reproduce.locks import LOCKS, every_pin
from medattn.study.caveats import caveat, noted
from medattn.study.schema import ModelChoice, Study, settings

SHA256 = "http://schema.org/sha256"  # a term that RO-Crate 1.1 does not have yet
# Neither can be a dependency of a stage, so the crate could hold an old hash; dvc.lock records the crate's own.
NOT_HASHED = (LOCK, PIPELINE)
SETTINGS = ("LICENSE", CITATION.as_posix(), paths.PARAMS.as_posix(), paths.TERMS.as_posix(), PIPELINE, LOCK)
SOFTWARE = (
    "torch", "transformers", "tokenizers", "safetensors", "numpy", "scipy", "scikit-image", "pillow", "pandas", "matplotlib",
    "dvc",
)  # fmt: skip
# Of a credentialed study these show a few chosen examples, or list the few samples that failed: a hash over fewer than
# five patients is not published.
OF_FEW = {paths.OVERLAYS.as_posix(), paths.VISUALIZATIONS.as_posix(), paths.FAILURES.as_posix()}
LICENCES = {
    "open": "May be used, changed and shared by anyone.",
    "credentialed": "For those alone whom the data's source has given access, under its data use agreement; not distributed.",
}
NOT_DISTRIBUTED = {
    "open": "Not distributed: a run makes it.",
    "credentialed": "Not distributed: it holds what the study's licence protects.",
}
HOW_HASHED = "identifier: SHA-256 over lines of each file's path and SHA-256."
Properties = dict[str, object]


def make_crate(
    root: Path, params: DescribeParams, study: Study, citation: Citation, stages: Sequence[DeclaredStage]
) -> ROCrate:
    """The crate of the run below `root`. Raises InputError for an output that is not there."""
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms["sha256"] = SHA256
    may_hash = _may_hash(root, study)
    made = [path for stage in stages for path in stage.outs]
    said = caveat(study, params.limit)
    study_path = PurePosixPath(params.study).as_posix()
    entities = {study_path: _add(crate, "#study", "Dataset", _study(study, may_hash))}
    for path in sorted(path for path in made if path.startswith("results/")):
        hashed = may_hash and (study.licence == "open" or path not in OF_FEW)
        entities[path] = _add(crate, f"#{path}", *_result(root, path, study, hashed))
    for path in (*SETTINGS, *(lock.as_posix() for lock in LOCKS if (root / lock).is_file())):
        entities[path] = crate.add_file(dest_path=path, properties=_file(root, path))
    for path in sorted(path for path in made if path.startswith("reports/")):
        entities[path] = _add_report(crate, root, path, said)
    model = _add(crate, "#model", "CreativeWork", _model(study, settings(study, params)[0]))
    software = _add_software(crate, root, citation)
    _describe_workflow(crate, entities[PIPELINE], stages, software)
    actions = [_add_action(crate, stage, entities, model) for stage in stages if any(path in entities for path in stage.outs)]
    _describe_root(crate, study, citation, entities[PIPELINE], [entities[study_path], model, *actions], said)
    return crate


def _may_hash(root: Path, study: Study) -> bool:
    """Whether the run is of as many patients as a published hash must stand for."""
    samples = read_table(root / paths.MANIFEST, ("subject_id",), "run `dvc repro`", may_be_empty=True)
    return len({row["subject_id"] for row in samples}) >= least_patients(study.licence)


def _add(crate: ROCrate, identifier: str, kind: str, properties: Properties) -> ContextEntity:
    return crate.add(ContextEntity(crate, identifier, properties={"@type": kind, **properties}))


# --- what was studied -------------------------------------------------------------------------------------------------


def _study(study: Study, may_hash: bool) -> Properties:
    return {
        "name": study.about.name,
        "description": study.about.title,
        "license": {"@id": f"#{study.licence}"},
        **({"identifier": f"sha256:{study.digest()}"} if may_hash else {}),
    }


def _model(study: Study, model: ModelChoice) -> Properties:
    """identifier only if its files are pinned: what is not pinned may be another model tomorrow."""
    pins = study.model_pins(model)
    redrawn = "" if model.redraw_language is None else f" Language weights drawn anew, seed {model.redraw_language}."
    said = HOW_HASHED if pins else "Its files are not pinned."
    local = isinstance(study.model_location(model), Path)  # a path says nothing elsewhere
    return {
        "name": f"the model of study {study.about.name}" if local else model.id,
        "description": f"Vision-language model, computed in {model.dtype}.{redrawn} {said}",
        **({"version": model.revision} if model.revision else {}),
        **({"identifier": f"sha256:{sha256_of_lines(pins.files)}"} if pins else {}),
    }


# --- files ------------------------------------------------------------------------------------------------------------


def _file(root: Path, path: str) -> Properties:
    hashed = {} if path in NOT_HASHED else {"sha256": digest(root, path)}
    return {"name": path, "encodingFormat": media_type(path), **hashed}


def _add_report(crate: ROCrate, root: Path, path: str, said: str) -> ContextEntity:
    """An output that is distributed: a file, or a directory with all its files, each with the run's caveat, if it has one."""
    warning = {"description": said} if said else {}
    if (root / path).is_file():
        return crate.add_file(dest_path=path, properties=_file(root, path) | warning)
    parts = [crate.add_file(dest_path=name, properties=_file(root, name) | warning) for name in files_of(root, path)]
    return crate.add_dataset(dest_path=path, properties={"name": path, "hasPart": parts, **warning})


def _result(root: Path, path: str, study: Study, hashed: bool) -> tuple[str, Properties]:
    """(type, properties) of an output that is not distributed. The names of the files inside may be identifiers."""
    about: Properties = {
        "name": path,
        "description": NOT_DISTRIBUTED[study.licence],
        "license": {"@id": f"#{study.licence}"},
    }
    found = digest(root, path)
    if (root / path).is_file():
        return "File", about | {"encodingFormat": media_type(path)} | ({"sha256": found} if hashed else {})
    if hashed:
        about |= {"description": f"{about['description']} {HOW_HASHED}", "identifier": f"sha256:{found}"}
    return "Dataset", about


# --- software and workflow --------------------------------------------------------------------------------------------


def _add_software(crate: ROCrate, root: Path, citation: Citation) -> list[ContextEntity]:
    """medattn and the libraries it computes with, as the locks pin them. Raises InputError for one that is not pinned."""
    pinned = every_pin(root)
    versions = {"medattn": citation.version} | {name: pinned.get(name) for name in SOFTWARE}
    absent = [name for name, version in versions.items() if version is None]
    if absent:
        raise InputError(f"{', '.join(map(str, LOCKS))}: {absent[0]} is in none of them: make them again (`make lock`)")
    return [
        _add(crate, f"#{name}", "SoftwareApplication", {"name": name, "softwareVersion": version})
        for name, version in versions.items()
    ]


def _describe_workflow(
    crate: ROCrate, workflow: ContextEntity, stages: Sequence[DeclaredStage], software: Sequence[ContextEntity]
) -> None:
    language = _add(crate, "#dvc-pipeline", "ComputerLanguage", {"name": "DVC pipeline", "url": {"@id": "https://dvc.org"}})
    workflow.properties()["@type"] = ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]
    workflow["name"] = "From a study to its figures"
    workflow["programmingLanguage"] = language
    workflow["softwareRequirements"] = list(software)
    workflow["step"] = [
        _add(crate, f"#{stage.name}", "HowToStep", {"name": stage.name, "position": number, "description": stage.says})
        for number, stage in enumerate(stages, start=1)
    ]


def _add_action(
    crate: ROCrate, stage: DeclaredStage, entities: Mapping[str, ContextEntity], model: ContextEntity
) -> ContextEntity:
    """What a stage made of what."""
    read = [entities[path] for path in stage.deps if path in entities]
    return _add(
        crate, f"#run-{stage.name}", "CreateAction",
        {
            "name": f"Run of {stage.name}",
            "instrument": entities[PIPELINE],
            "object": [*read, model] if stage.name == "extract" else read,
            "result": [entities[path] for path in stage.outs if path in entities],
        },
    )  # fmt: skip


def _describe_root(
    crate: ROCrate,
    study: Study,
    citation: Citation,
    workflow: ContextEntity,
    mentioned: Sequence[ContextEntity],
    said: str,
) -> None:
    licence = f"https://spdx.org/licenses/{citation.licence}"
    _add(crate, licence, "CreativeWork", {"name": citation.licence, "description": "Licence of code, settings and reports."})
    _add(crate, f"#{study.licence}", "CreativeWork", {"name": study.licence, "description": LICENCES[study.licence]})
    about = {
        "name": noted(citation.title, said),
        "description": f"Code, settings and aggregate results of a study: {noted(study.about.title, said)}.",
        "datePublished": citation.date_released.isoformat(),
        "version": citation.version,
        "keywords": ", ".join(citation.keywords),
        "license": {"@id": licence},
        "author": [_add(crate, author.id, author.type, {"name": author.shown}) for author in citation.authors],
        "mainEntity": workflow,
        "mentions": list(mentioned),
    }
    for name, value in about.items():
        crate.root_dataset[name] = value
