"""The benchmark measures both ways on the same work, and ours is as right as it is fast."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.import_closure import ROOT


LEAST_RATIO = 6  # 8.4 and 17 were measured on two idle cores
TRIES = 3  # another process may take a core for a moment; a slow product is slow three times


def measured(out: Path) -> list[dict]:
    command = [sys.executable, "-m", "medattn", "bench", "--shape", "phantom", "--json", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    table = json.loads(out.read_text())
    assert {"ratio", "max_abs_diff", "peak_bytes"} <= set(table)
    return table["orders"]


@pytest.mark.slow
def test_ours_is_several_times_faster_and_gives_the_same_numbers(tmp_path):
    """A guard against losing speed: the ratio itself depends on the machine and is what `medattn bench` prints."""
    for _ in range(TRIES):
        orders = measured(tmp_path / "bench.json")
        assert all(row["max_abs_diff"] <= 1e-6 and row["same_tokens"] for row in orders)
        if all(row["ratio"] >= LEAST_RATIO for row in orders):
            return
    pytest.fail(f"ratios {[row['ratio'] for row in orders]}, expected at least {LEAST_RATIO}")
