"""What extract records besides: image, locks and machine, study and model, and how much of the unit cache it used."""

import os
from pathlib import Path

from medattn.base import paths
from medattn.base.content_cache import is_on
from medattn.base.errors import InputError
from medattn.base.hashes import sha256_of, sha256_of_lines
from medattn.base.params.whole import Params
from medattn.base.params.whole import load as load_params
from medattn.extract.unit_cache import directory_of
from medattn.reproduce.provenance import code
from medattn.reproduce.provenance.environment import environment
from medattn.study.schema import ModelChoice, Study, read_study, settings

IMAGE = "MEDATTN_IMAGE"  # environment: digest of the container image; an image cannot know its own
Entries = dict[str, int]  # name -> time of the last change, in nanoseconds


class Extraction:
    """The run of extract below `root`: made before it starts, asked afterwards."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.code = code.of_run(root)
        self.lock = sha256_of(root / paths.LOCK) if (root / paths.LOCK).is_file() else None
        try:
            self.params: Params | None = load_params(root / paths.PARAMS)
            self.study: Study | None = read_study(root / self.params.study)
            self.model: ModelChoice | None = settings(self.study, self.params)[0]
        except InputError:  # extract says so itself
            self.params = self.study = self.model = None
        self.cache = self._cache_directory()
        self.before = _entries(self.cache)

    def described(self, finished: bool) -> dict[str, object]:
        """Further fields of extract's entry. finished: whether it ended well, so that every unit is done."""
        return {
            **self.code,
            "image": os.environ.get(IMAGE) or None,
            "dvc_lock": self.lock,
            "study": self._study(),
            "model": self._model(),
            "units": self._units() if finished else None,
            "environment": environment(self.root, self.model.device if self.model else "auto"),
        }

    def _study(self) -> dict[str, object] | None:
        if self.study is None or self.params is None:
            return None
        try:
            digest = self.study.digest()
        except OSError:  # a table was taken away
            digest = None
        return {"path": self.params.study, "name": self.study.about.name, "licence": self.study.licence, "digest": digest}

    def _model(self) -> dict[str, object] | None:
        """sha256: over "{path} {SHA-256 of its bytes}" lines of the model's files, sorted."""
        if self.study is None or self.model is None:
            return None
        try:
            files = self.study.model_files(self.model)
        except (InputError, OSError):
            files = {}
        return self.model.model_dump() | {"sha256": sha256_of_lines(files) if files else None}

    # --- the unit cache -----------------------------------------------------------------------------------------------

    def _cache_directory(self) -> Path | None:
        """Where extract keeps finished units; None if it keeps none."""
        if self.params is None or self.study is None or not is_on(self.params.run):
            return None
        return directory_of(self.study, self.root)

    def _units(self) -> dict[str, object]:
        """How many units there are, and how many of them were computed: extract writes an entry for each that it computes."""
        from medattn.extract.units import read_units

        total = len(read_units(self.root / paths.MANIFEST))
        if self.cache is None:
            return {"cache": "off", "total": total, "computed": total, "reused": 0}
        after = _entries(self.cache)
        computed = sum(self.before.get(name) != changed for name, changed in after.items())
        return {"cache": "on", "total": total, "computed": computed, "reused": total - computed}


def _entries(directory: Path | None) -> Entries:
    if directory is None or not directory.is_dir():
        return {}
    with os.scandir(directory) as found:
        return {entry.name: entry.stat().st_mtime_ns for entry in found if not entry.name.endswith(".part")}
