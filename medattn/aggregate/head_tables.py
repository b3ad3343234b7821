"""What is kept of every head's maps: their mean over patients, and their mass in the true regions of the image."""

from collections.abc import Sequence

import numpy as np

from medattn.aggregate.regions import TrueRegions
from medattn.aggregate.samples import Samples
from medattn.attention.captures import Capture
from medattn.attention.grid_writer import Writer
from medattn.attention.heads import PatientMean, head_maps, region_mass
from medattn.base.errors import InputError


class HeadTables:
    """Of the reference samples with a grid, each added once. shape: layers and heads of the model."""

    def __init__(self, samples: Samples, regions: TrueRegions, shape: tuple[int, int]) -> None:
        self._samples, self._regions = samples, regions
        self._patient_samples = np.ones(len(samples), np.int32)  # reference samples that the patient has about the finding
        self._means = {}
        for finding, rows in samples.by_finding().items():
            patients, which, counts = np.unique(samples.columns["patient"][rows], return_inverse=True, return_counts=True)
            self._patient_samples[rows] = counts[which]
            self._means[finding] = PatientMean((*shape, 256), len(patients))
        in_image = np.array([len(regions.findings_in(image_id)) for image_id in samples.images], np.int64)
        self._ends = np.cumsum(in_image[samples.columns["image"][samples.references]])

    @property
    def findings(self) -> list[str]:
        """Those that a reference sample is about, in order."""
        return [self._samples.findings[finding] for finding in self._means]

    @property
    def regions(self) -> int:
        """Pairs of a reference sample and a true region in its image."""
        return int(self._ends[-1]) if len(self._ends) else 0

    def add(self, capture: Capture, rows: Sequence[int], store: Writer) -> None:
        """The reference samples `rows`, which the capture is of; the masses are written.

        Raises InputError for a head that gives the image no attention.
        """
        if not rows:
            return
        try:
            maps = head_maps(capture)
        except ValueError as error:
            raise InputError(f"sample {capture.sample_id!r}: {error}") from None
        for row in rows:
            self._means[int(self._samples.columns["finding"][row])].add(maps, int(self._patient_samples[row]))
            self._write_masses(maps, row, store)

    def _write_masses(self, maps: np.ndarray, row: int, store: Writer) -> None:
        image_id = self._samples.images[self._samples.columns["image"][row]]
        findings = self._regions.findings_in(image_id)
        if not findings:
            return
        start = int(self._ends[np.searchsorted(self._samples.references, row)]) - len(findings)
        covered = zip(findings, self._regions.coverages(image_id), strict=True)
        for at, (finding, coverage) in enumerate(covered, start):
            store.put("regions|sample", at, self._samples.grid_rows[row])
            store.put("regions|finding", at, self._regions.findings.index(finding))
            store.put("regions|mass", at, region_mass(maps, coverage))

    def write_means(self, store: Writer) -> None:
        """The means, once every sample was added."""
        for at, mean in enumerate(self._means.values()):
            store.put("heads|mean", at, mean.value())
