"""Variants as docs/experiments.md tells: queued, apart from the workspace, compared, applied; real DVC, a quick study."""

import csv
import io
import json
import re
import time
from itertools import product
from pathlib import Path

import pytest
import yaml

from tests.clones import dvc, fresh_clone, run

pytestmark = pytest.mark.slow

LAYERS = ("[0,1,2]", "[-3,-2,-1]", "[-1]")
GATINGS = {
    "off": ["aggregate.profiles.original.gating=false"],
    "on": ["aggregate.profiles.original.gating=true"],
    "effusion": ["aggregate.profiles.original.gating=true", "aggregate.terms=[effusion]"],
}
MEASURE = "medattn/measures/spatial.py"


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A clone whose last commit asks four questions, on clean images and without any, and has been run."""
    place = fresh_clone(tmp_path_factory.mktemp("variants") / "medattn")
    text = (place / "params.yaml").read_text().replace("\nlimit: null", "\nlimit: 4", 1)
    for condition in yaml.safe_load(text)["conditions"].keys() - {"clean", "no_image"}:
        text = re.sub(rf"^  {condition}: .*$", f"  {condition}: null", text, flags=re.M)
    (place / "params.yaml").write_text(text)
    dvc(place, "repro")
    run(
        place,
        "git",
        "-c",
        "user.name=test",
        "-c",
        "user.email=test@localhost",
        "commit",
        "--quiet",
        "--all",
        "--message",
        "quick",
    )
    return place


def set_to(*settings: str) -> list[str]:
    return [part for setting in settings for part in ("-S", setting)]


def tables(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((place / "reports/tables").iterdir())}


def experiments(place: Path) -> dict[str, dict[str, str]]:
    """Name -> row of `dvc exp show`."""
    shown = dvc(place, "exp", "show", "--csv", "--no-pager").stdout
    return {row["Experiment"]: row for row in csv.DictReader(io.StringIO(shown)) if row["Experiment"]}


def back(place: Path) -> None:
    run(place, "git", "checkout", "--quiet", ".")
    dvc(place, "checkout")


def queue_until_done(place: Path, names: list[str], seconds: float = 1800) -> str:
    dvc(place, "queue", "start", "-j", "2")
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            status = dvc(place, "queue", "status").stdout
            if not re.search(r"\b(Queued|Running)\b", status.split("Worker status")[0]):
                return status
            time.sleep(2)
        pytest.fail(f"not done after {seconds} s:\n{status}")
    finally:
        dvc(place, "queue", "stop", check=False)


def test_a_queued_grid_of_layers_and_gating_extracts_nothing(clone):
    before = tables(clone)
    grid = {f"grid-{number}-{gating}": (layers, gating) for (number, layers), gating in product(enumerate(LAYERS), GATINGS)}
    for name, (layers, gating) in grid.items():
        settings = set_to(f"aggregate.profiles.original.layers={layers}", *GATINGS[gating])
        dvc(clone, "exp", "run", "--queue", "--name", name, *settings)
    status = queue_until_done(clone, list(grid))
    assert status.count("Success") == 9, status
    shown = experiments(clone)
    for name, (layers, gating) in grid.items():
        said = dvc(clone, "queue", "logs", name).stdout
        assert "Running stage 'extract'" not in said, said
        assert json.loads(shown[name]["aggregate.profiles.original.layers"]) == json.loads(layers)
        assert shown[name]["aggregate.profiles.original.gating"] == str(gating != "off")
    assert tables(clone) == before, "a queue leaves the workspace alone"


def test_a_copy_runs_its_own_code_and_leaves_the_workspace_alone(clone):
    before, module = tables(clone), clone / MEASURE
    kept = module.read_text()
    changed = kept.replace("    return _nats(check_grid(p))\n", "    return 2 * _nats(check_grid(p))\n", 1)
    assert changed != kept
    module.write_text(changed)
    try:
        said = dvc(clone, "exp", "run", "--temp", "--name", "other-code").stdout
        assert "Running stage 'metrics'" in said and "Running stage 'extract'" not in said
        assert tables(clone) == before
        run(clone, "git", "checkout", "--quiet", ".")
        dvc(clone, "exp", "apply", "other-code")
        assert module.read_text() == changed and tables(clone) != before
    finally:
        back(clone)
    assert tables(clone) == before


def test_an_experiment_applied_or_made_a_branch_has_the_bytes_of_the_run(clone):
    before = tables(clone)
    dvc(clone, "exp", "run", "--name", "one-layer", *set_to("aggregate.profiles.decision.layers=[0]"))
    made, numbers = tables(clone), (clone / "reports/metrics.json").read_bytes()
    assert made != before
    back(clone)
    try:
        assert "region_enrichment" in dvc(clone, "exp", "diff", "HEAD", "one-layer").stdout
        dvc(clone, "exp", "apply", "one-layer")
        assert tables(clone) == made
        back(clone)
        dvc(clone, "exp", "branch", "one-layer", "kept")
        assert run(clone, "git", "show", "kept:reports/metrics.json").stdout.encode() == numbers
    finally:
        back(clone)
    assert tables(clone) == before
    dvc(clone, "exp", "remove", "one-layer")
    assert "one-layer" not in experiments(clone)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("aggregate.profile.decision.layers=[0]", "aggregate.profile"),
        ("aggregate.profiles.decision.gqa=median", "aggregate.profiles.decision.gqa"),
    ],
)
def test_a_misspelt_key_or_a_wrong_value_ends_the_run_before_any_result_is_touched(clone, setting, said):
    before = tables(clone)
    done = dvc(clone, "exp", "run", *set_to(setting), check=False)
    try:
        assert done.returncode != 0 and said in done.stdout + done.stderr
        assert tables(clone) == before
    finally:
        back(clone)
