"""A repository root to run subcommands in: the code and the settings of the one that runs, and a study of any size."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from medattn.base import paths
from medattn.base.params.whole import load
from medattn.base.tables import write_bytes
from medattn.bench.copies import multiply
from medattn.phantom.study import write
from medattn.study.schema import Study, read_study

CODE = Path(__file__).resolve().parents[1]
NEEDED = (paths.PIPELINE, paths.TERMS, paths.PUBLISHED.parent, Path("requirements"), Path("CITATION.cff"), Path("LICENSE"))
STUDY = "study"


def drawn_study(place: Path, images: int, model: Path) -> Study:
    """A phantom study of `images` images at `place`, with that model directory."""
    write(place, images, 0, model)
    return read_study(place)


def make_root(place: Path, study: Study, images: int, shards: int) -> None:
    """A root at `place` whose params.yaml is that of the working directory, for copies of the study of `images` images."""
    place.mkdir(parents=True)
    shutil.copytree(CODE, place / CODE.name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in NEEDED:
        copy = shutil.copytree if path.is_dir() else shutil.copyfile
        copy(path, place / path)
    multiply(study, images, place / STUDY)
    params = load().model_dump(mode="json")
    params["extract"]["shards"] = shards
    set_params(place, params | {"study": STUDY, "study_digests": {}, "allow_unpinned": True, "limit": None})


def set_params(root: Path, params: Mapping[str, object]) -> None:
    """Write params.yaml of `root`."""
    write_bytes(root / paths.PARAMS, yaml.safe_dump(dict(params), sort_keys=False).encode())


def set_limit(root: Path, limit: int) -> None:
    """Let the root's stages take the first `limit` baseline questions."""
    set_params(root, load(root / paths.PARAMS).model_dump(mode="json") | {"limit": limit})
