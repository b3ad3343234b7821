"""The cost of extraction grows with the number of images and no faster; its memory does not grow."""

import json
import shutil
import subprocess
import sys

import pytest
import yaml

from medattn import paths, prepare
from medattn.extract.units import read_units
from medattn.params import Params
from medattn.study.write_phantom import write
from tests.extract.conftest import environment, raw_settings
from tests.import_closure import ROOT

SIZES = (50, 100, 200, 400)
MEASURED = """
import json, resource, sys
from medattn.cli import main
try:
    main()
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"seconds": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss}), file=sys.stderr)
"""


@pytest.mark.slow
def test_cost_grows_linearly_and_memory_not_at_all(pristine, tmp_path):
    """Processor time and peak memory of the command, in wordings of clean images alone."""
    write(tmp_path / "data", max(SIZES), 1, pristine / "model")
    shutil.copytree(ROOT / "medattn", tmp_path / "medattn", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    found = {}
    for size in SIZES:
        raw = raw_settings() | {"limit": size, "conditions": {"clean": {"wordings": "all"}}}
        (tmp_path / paths.PARAMS).write_text(yaml.safe_dump(raw))
        prepare.run(Params.model_validate(raw), tmp_path)
        assert len(read_units(tmp_path / paths.MANIFEST)) == size
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, "extract"], cwd=tmp_path, capture_output=True, text=True,
            env=environment(MEDATTN_CACHE="off", PYTHONPATH=str(tmp_path)),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found[size] = json.loads(done.stderr.splitlines()[-1])
    print(found)
    seconds = {size: one["seconds"] for size, one in found.items()}
    each = (seconds[400] - seconds[100]) / 300
    assert (seconds[100] - seconds[50]) / 50 == pytest.approx(each, rel=0.3)
    assert (seconds[400] - seconds[200]) / 200 == pytest.approx(each, rel=0.15)
    assert max(one["peak"] for one in found.values()) < 1.15 * min(one["peak"] for one in found.values())
