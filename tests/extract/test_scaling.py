"""The cost of extraction grows with the number of images and no faster; its memory does not grow."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from medattn import prepare
from medattn.base import paths
from medattn.base.params.whole import Params
from medattn.extract.units import read_units
from medattn.phantom.study import write
from tests.extract.conftest import environment, raw_settings
from tests.import_closure import ROOT

SIZES = (50, 100, 200, 400)
TRIES = 3  # beside other processes the same work takes up to a tenth more processor time; a faster growth shows every time
MEASURED = """
import json, resource, sys
from medattn.cli import main
try:
    main()
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"seconds": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss}), file=sys.stderr)
"""


def measured(root: Path, size: int) -> dict[str, float]:
    """Processor time and peak memory of the command, in variants of `size` clean images alone."""
    raw = raw_settings() | {"limit": size, "conditions": {"clean": {"variants": "all"}}}
    (root / paths.PARAMS).write_text(yaml.safe_dump(raw))
    prepare.run(Params.model_validate(raw), root)
    assert len(read_units(root / paths.MANIFEST)) == size
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "extract"], cwd=root, capture_output=True, text=True,
        env=environment(MEDATTN_CACHE="off", PYTHONPATH=str(root)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stderr.splitlines()[-1])


@pytest.mark.slow
def test_cost_grows_linearly_and_memory_not_at_all(pristine, tmp_path):
    write(tmp_path / "data", max(SIZES), 1, pristine / "model")
    shutil.copytree(ROOT / "medattn", tmp_path / "medattn", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    for _ in range(TRIES):
        found = {size: measured(tmp_path, size) for size in SIZES}
        print(found)
        peaks = [one["peak"] for one in found.values()]
        assert max(peaks) < 1.15 * min(peaks)
        seconds = {size: one["seconds"] for size, one in found.items()}
        each = (seconds[400] - seconds[100]) / 300
        first, last = (seconds[100] - seconds[50]) / 50, (seconds[400] - seconds[200]) / 200
        if first == pytest.approx(each, rel=0.3) and last == pytest.approx(each, rel=0.15):
            return
    pytest.fail(f"seconds an image: {first:.3f} to 100 images, {each:.3f} from there to 400, {last:.3f} over the last 200")
