"""Files made of patients' data are for the user who makes them: nobody else on the machine may read them."""

import os
from pathlib import Path

from medattn.base.errors import InputError
from medattn.study.schema import Study

OWNER_ONLY = 0o077  # umask: files 0600, directories 0700
RESULTS = Path("results")
HELD = (
    RESULTS,
    Path(".dvc/cache"),
    Path(".dvc/tmp"),
)  # DVC keeps copies of the results, and of the whole tree during experiments


def protect(study: Study, root: Path = Path(".")) -> None:
    """For a credentialed study: from now on this process makes files for its user alone; directories that hold data are closed.

    Closed are results/ (made if need be), DVC's cache and temporary files below `root`, and the study directory. Has no
    effect for an open study. Raises InputError for a directory that others can read and that belongs to somebody else.
    """
    if study.licence == "open":
        return
    os.umask(OWNER_ONLY)
    (root / RESULTS).mkdir(parents=True, exist_ok=True)
    for directory in (*(root / held for held in HELD), study.directory):
        if directory.is_dir():
            _close(directory)


def _close(directory: Path) -> None:
    mode = directory.stat().st_mode
    if not mode & OWNER_ONLY:
        return
    try:
        directory.chmod(mode & 0o7700)
    except PermissionError:
        raise InputError(
            f"{directory} holds patients' data, others can read it (mode {mode & 0o777:03o}), and it belongs to somebody else:"
            " have its owner run `chmod 700` on it, or copy it to a directory of your own"
        ) from None
