"""Where the findings of a study's images truly are, as far as aggregate asks."""

from collections import defaultdict
from functools import lru_cache

import numpy as np

from medattn.measures.body import cell_coverage
from medattn.radiographs.reader import RadiographReader
from medattn.study.schema import Study


class TrueRegions:
    """The true regions of a study's images."""

    def __init__(self, study: Study) -> None:
        self._reader = RadiographReader(study)
        by_image: defaultdict[str, set[str]] = defaultdict(set)
        for region in study.regions():
            by_image[region["image_id"]].add(region["finding"])
        self._by_image = {image_id: tuple(sorted(findings)) for image_id, findings in by_image.items()}
        self.findings = sorted({finding for findings in self._by_image.values() for finding in findings})
        self.coverages = lru_cache(1)(self._coverages)  # an image's questions follow each other

    def findings_in(self, image_id: str) -> tuple[str, ...]:
        """The findings that have a region in an image, in order."""
        return self._by_image.get(image_id, ())

    def _coverages(self, image_id: str) -> list[np.ndarray]:
        """The regions of `findings_in`, each float [16, 16]: the area fraction of each cell."""
        return [cell_coverage(self._reader(image_id).regions[finding]) for finding in self.findings_in(image_id)]
