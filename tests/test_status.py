"""medattn status: what the last run holds, why samples failed, and an exit code that a script can go by."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from medattn.base import paths, sample_tables
from medattn.base.errors import InputError
from medattn.base.tables import write_csv
from medattn.status import SHOWN, Status, status
from tests.import_closure import ROOT
from tests.metrics.failing import REASON, failing_root

FAILED = 10  # of the tiny study's samples, where image i1 cannot be shown


def is_shown_i1(row: dict) -> bool:
    return row["shown_image_id"] == "i1"


def repository(root: Path, fails) -> Path:
    """A run of the tiny study in a directory that holds the code, so that the real command runs there."""
    failing_root(root, fails)
    shutil.copy(ROOT / "dvc.yaml", root)
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    (root / "params.yaml").write_text(yaml.safe_dump(raw | {"study": "data"}))
    shutil.copytree(ROOT / "medattn", root / "medattn", ignore=shutil.ignore_patterns("__pycache__"))
    return root


def medattn_status(root: Path) -> tuple[int, str]:
    """Exit code of the command, and what it says."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-m", "medattn", "status"], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_a_complete_run_exits_with_0(tmp_path):
    code, said = medattn_status(repository(tmp_path, lambda row: False))
    assert code == 0, said
    assert said.splitlines() == [
        "tiny: 48 samples", "       36 answered, with a grid", "       12 answered without an image", "        0 failed",
    ]  # fmt: skip


def test_a_run_with_failed_samples_exits_with_4_and_says_why_and_what_to_do(tmp_path):
    code, said = medattn_status(repository(tmp_path, is_shown_i1))
    assert code == 4, said
    assert said.splitlines() == [
        "tiny: 48 samples", "       26 answered, with a grid", "       12 answered without an image",
        "       10 failed, listed in results/failures.csv:", f"       10 × {REASON}",
        "Fix what is named, then run `dvc repro -f extract` and `dvc repro`: units that are finished are reused.",
    ]  # fmt: skip


@pytest.mark.parametrize("path, stage", [(paths.MANIFEST, "prepare"), (paths.ANSWERS, "extract"), (paths.FAILURES, "extract")])
def test_a_run_that_has_not_got_there_exits_with_2_and_names_the_stage(tmp_path, path, stage):
    root = repository(tmp_path, is_shown_i1)
    (root / path).unlink()
    code, said = medattn_status(root)
    assert code == 2 and said == f"medattn: {path} not found: run `dvc repro {stage}` first\n"


def test_answers_and_failures_that_disagree_name_the_sample(tmp_path):
    root = failing_root(tmp_path, is_shown_i1)
    shutil.copy(ROOT / "params.yaml", root)
    assert status(root).failed == FAILED
    write_csv(root / paths.FAILURES, sample_tables.FAILURES, [])
    with pytest.raises(
        InputError, match=r"sample 'q1-v0-blank' failed according to .* not to both: run `dvc repro -f extract`"
    ):
        status(root)


def test_reasons_are_counted_the_most_frequent_first_and_ten_of_them_are_shown():
    reasons = Counter({f"image 'i{number:02}' is absent": number for number in range(1, SHOWN + 4)})
    lines = Status("one", Counter(failed=reasons.total(), ok=1234), reasons).lines()
    assert lines[0] == "one: 1,325 samples" and lines[1] == "    1,234 answered, with a grid"
    assert lines[4:14] == [f"{number:>9} × image 'i{number:02}' is absent" for number in range(13, 3, -1)]
    assert lines[14] == "          … and 3 more reasons" and lines[15].startswith("Fix") and len(lines) == 16
    reasons = Counter({str(number): 1 for number in range(SHOWN + 1)})
    assert "          … and 1 more reason" in Status("one", Counter(failed=SHOWN + 1), reasons).lines()
