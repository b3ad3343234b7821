"""What a fresh clone holds: the embedded study, whole, in the remote inside the repository."""

import hashlib
import json

import yaml

from tests.import_closure import ROOT

STORE = ROOT / "dvc-store/files/md5"


def stored(md5: str):
    return STORE / md5[:2] / md5[2:]


def entries() -> list[dict[str, str]]:
    (out,) = yaml.safe_load((ROOT / "data.dvc").read_text())["outs"]
    assert out["path"] == "data"
    return json.loads(stored(out["md5"]).read_text())


def test_the_store_holds_every_file_of_the_study_and_no_other():
    listed = entries()
    for entry in listed:
        content = stored(entry["md5"]).read_bytes()
        assert hashlib.md5(content).hexdigest() == entry["md5"], entry["relpath"]
    assert len([path for path in STORE.rglob("*") if path.is_file()]) == len({entry["md5"] for entry in listed}) + 1


def test_the_pinned_digest_is_that_of_the_stored_study():
    tables = {"study.yaml", "questions.csv", "images.csv", "regions.csv", "model.json"}
    lines = [
        f"{entry['relpath']} {hashlib.sha256(stored(entry['md5']).read_bytes()).hexdigest()}\n"
        for entry in entries() if entry["relpath"] in tables
    ]  # fmt: skip
    assert len(lines) == len(tables)
    pinned = yaml.safe_load((ROOT / "params.yaml").read_text())["study_digests"]["data"]
    assert hashlib.sha256("".join(sorted(lines)).encode()).hexdigest() == pinned


def test_the_model_is_small():
    sizes = {entry["relpath"]: stored(entry["md5"]).stat().st_size for entry in entries()}
    assert sum(size for name, size in sizes.items() if name.startswith("model/")) <= 8 * 2**20
    assert sum(sizes.values()) <= 20 * 2**20
