"""What a fresh clone holds: the embedded study, whole, in the remote inside the repository."""

import hashlib
import json

import yaml

from tests.import_closure import ROOT
from tests.stored_study import entries, stored


def test_the_pinned_digest_is_that_of_the_stored_study():
    contents = {entry["relpath"]: stored(entry["md5"]).read_bytes() for entry in entries() if "/" not in entry["relpath"]}
    about = yaml.safe_load(contents.pop("study.yaml"))
    del about["image_root"], about["defaults"]["model"]["revision"]  # where the images lie; null
    contents["study.yaml"] = json.dumps(about, sort_keys=True).encode()
    assert set(contents) == {"study.yaml", "questions.csv", "images.csv", "regions.csv", "model.json"}
    lines = "".join(f"{name} {hashlib.sha256(content).hexdigest()}\n" for name, content in sorted(contents.items()))
    pinned = yaml.safe_load((ROOT / "params.yaml").read_text())["study_digests"]["data"]
    assert hashlib.sha256(lines.encode()).hexdigest() == pinned


def test_the_model_is_small():
    sizes = {entry["relpath"]: stored(entry["md5"]).stat().st_size for entry in entries()}
    assert sum(size for name, size in sizes.items() if name.startswith("model/")) <= 8 * 2**20
    assert sum(sizes.values()) <= 20 * 2**20
