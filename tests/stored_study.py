"""The embedded study as the remote inside the repository holds it, so that a test needs no `data/`."""

import json
import shutil
from pathlib import Path

import yaml

from tests.import_closure import ROOT

STORE = ROOT / "dvc-store/files/md5"


def stored(md5: str) -> Path:
    return STORE / md5[:2] / md5[2:]


def entries() -> list[dict[str, str]]:
    """relpath and md5 of every file."""
    (out,) = yaml.safe_load((ROOT / "data.dvc").read_text())["outs"]
    assert out["path"] == "data"
    return json.loads(stored(out["md5"]).read_text())


def stored_model(directory: Path) -> Path:
    """`directory`, with the files of the trained phantom in it."""
    for entry in entries():
        if entry["relpath"].startswith("model/"):
            shutil.copy(stored(entry["md5"]), directory / Path(entry["relpath"]).name)
    return directory
