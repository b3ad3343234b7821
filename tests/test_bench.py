"""The benchmark measures both ways on the same work, and ours is as right as it is fast."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.import_closure import ROOT


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
def test_ours_is_at_least_eight_times_faster_and_gives_the_same_numbers(tmp_path):
    for _ in range(TRIES):
        orders = measured(tmp_path / "bench.json")
        assert all(row["max_abs_diff"] <= 1e-6 and row["same_tokens"] for row in orders)
        if all(row["ratio"] >= 8 for row in orders):
            return
    pytest.fail(f"ratios {[row['ratio'] for row in orders]}, expected at least 8")
