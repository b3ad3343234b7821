"""A small run in a fresh clone, committed; every test that plants something does so in a copy of it."""

import os
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.clones import dvc, fresh_clone, medattn, run

LEFT_OUT = (
    "gaussian_noise", "contrast", "brightness", "blur", "few_pixels", "rotation", "blank", "shuffled_image", "occlude_region",
    "occlude_elsewhere",
)  # fmt: skip
QUICK = {
    "limit: null": "limit: 4",
    "bootstrap_draws: 2000": "bootstrap_draws: 200",
    "permutation_draws: 10000": "permutation_draws: 200",
    "dpi: 300": "dpi: 72",
}


def verify(clone: Path, *arguments: str | Path):
    """`medattn verify` in a process of its own, with the clone's code."""
    done = medattn(clone, "verify", *arguments, check=False)
    print(done.stdout[-6000:], done.stderr[-3000:])
    return done


def recorded(clone: Path) -> dict[str, list[str]]:
    """Stage -> outputs, as the clone's dvc.lock has them."""
    stages = yaml.safe_load((clone / "dvc.lock").read_text())["stages"]
    return {name: [out["path"] for out in stage["outs"]] for name, stage in stages.items()}


def everything(clone: Path) -> str:
    """How a verdict on all of a clone's outputs begins."""
    stages = recorded(clone)
    return f"{sum(map(len, stages.values()))} outputs of {len(stages)} stages have the bytes that "


def commit(clone: Path, message: str) -> None:
    run(clone, "git", "add", "--all")
    run(clone, "git", "-c", "user.name=tester", "-c", "user.email=tester@example.org", "commit", "--quiet", "-m", message)


def replace(path: Path, old: str, new: str) -> None:
    """The first `old` of a text file becomes `new`. The file is written anew: DVC may have linked it to its cache."""
    text = path.read_text(encoding="utf-8")
    assert old in text, (path, old)
    path.unlink()
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Path:
    """Four questions, clean and without image, recomputed in a fresh clone and committed there."""
    clone = fresh_clone(tmp_path_factory.mktemp("small") / "medattn")
    for old, new in QUICK.items():
        replace(clone / "params.yaml", old, new)
    text = (clone / "params.yaml").read_text(encoding="utf-8")
    for name in LEFT_OUT:
        text, count = re.subn(rf"^  {name}: .*$", f"  {name}: null", text, flags=re.MULTILINE)
        assert count == 1, name
    (clone / "params.yaml").write_text(text, encoding="utf-8")
    dvc(clone, "repro")
    commit(clone, "A small run")
    return clone


@pytest.fixture
def tree(small, tmp_path) -> Path:
    """A copy of the small run to plant something in."""
    return shutil.copytree(small, tmp_path / "tree", symlinks=True)


@pytest.fixture(autouse=True)
def _umask():
    """A study that cannot be read makes this process close its files."""
    before = os.umask(0o022)
    yield
    os.umask(before)
