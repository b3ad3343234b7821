"""What a run's reports must be: made again from its own manifest, answers and grids, by the code that lies here.

A file of reports/ that has other bytes was not made by this run, whatever dvc.lock records of it: a radiograph in a chart's
place, a cell, a part of a PNG or PDF. So nobody has to look into charts.
"""

import os
import tempfile
from pathlib import Path

from medattn.base import paths
from medattn.base.params.whole import Params
from medattn.disclosure.suppression import least_patients
from medattn.figures import stage as figures
from medattn.figures.inputs import read_results
from medattn.metrics import stage as metrics
from medattn.reproduce.crate.stage import CRATE, described
from medattn.study.schema import read_study

READ = (paths.MANIFEST, paths.BODIES, paths.ANSWERS, paths.GRIDS_STORE, paths.PUBLISHED)
REMEDY = "run `dvc repro --force metrics figures describe`"
MADE = (paths.TABLES, paths.METRICS, paths.FIGURES, paths.LATEX, paths.REPORT)


def reports(root: Path, params: Params) -> dict[str, bytes]:
    """Path -> bytes of every file of reports/, and of the crate, that the code makes of the results below `root`.

    Takes as long as the stages metrics and figures. Raises InputError as they do.
    """
    (root / paths.RUN).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="release-", dir=root / paths.RUN) as temporary:  # for this user alone
        place = Path(temporary)
        for path in READ:
            (place / path).parent.mkdir(exist_ok=True)
            os.symlink((root / path).resolve(), place / path)
        here = params.model_copy(update={"study": str((root / params.study).resolve())})
        study = read_study(Path(here.study))
        metrics.run(here, place)
        figures.publish(here, study, read_results(place, least_patients(study.licence)), place, place)
        files = (file for path in MADE for file in ([place / path] if (place / path).is_file() else (place / path).rglob("*")))
        made = {file.relative_to(place).as_posix(): file.read_bytes() for file in files}
    return made | {CRATE.as_posix(): described(root)}


def differences(root: Path, params: Params, found: dict[str, bytes]) -> list[str]:
    """A line for every file of `found` (path -> bytes; reports/ and the crate) that is not what the run makes."""
    made = reports(root, params)
    wrong = [f"{name}: is not what this run's own results make: {REMEDY}" for name in found if found[name] != made.get(name)]
    return wrong + [f"{name}: is missing: {REMEDY}" for name in sorted(made.keys() - found.keys())]
