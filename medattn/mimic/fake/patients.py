"""Fictitious patients in MIMIC-CXR's form: ids, studies, views, dates, splits, labels, and the phantom's images for them.

Every id is a random number of the right form, decided by the seed; it names nobody. All images of a study show the same
findings on the same sides, whatever their view is called: one called LATERAL or LL is a frontal phantom too.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from medattn.base.seeding import choose, generator
from medattn.checks.study_check import box_of
from medattn.mimic.layout import ABSENT, LABELS, NO_FINDING, PRESENT, UNCERTAIN
from medattn.phantom.anatomy import SIDES, DrawnRadiograph, draw
from medattn.phantom.cases import make_case

Box = tuple[int, int, int, int]  # x, y, w, h in the image's pixels; x and y of the top left corner

FRONTAL = ("PA", "AP")
# Views of a study's images. The first studies take them in turn, so that each is there; then by chance.
VIEWS = (("PA", "LATERAL"), ("AP",), ("PA", "LL"), ("AP", "AP"), ("",), ("PA",), ("AP", "LATERAL"), ("PA", "PA", "LL"))
STUDIES = (3, 1, 2, 1, 1, 2)  # of a patient, in the same way
SPLITS = ("train", "test", "train", "validate", "test", "train")  # of the patients, in turn
# Every other image is wider than high: background beside the phantom, columns (left, right), the left never equal to the right.
MARGINS = ((0, 0), (40, 88), (0, 0), (72, 56))
# Column of the label tables -> the finding as the phantom names it.
DRAWN = {
    "Cardiomegaly": "cardiomegaly", "Consolidation": "consolidation", "Lung Lesion": "nodule",
    "Pleural Effusion": "pleural effusion", "Pneumothorax": "pneumothorax",
}  # fmt: skip
COLUMNS = tuple(sorted((*LABELS, NO_FINDING)))  # as the label tables order them


@dataclass(frozen=True)
class Finding:
    """A true finding in an image."""

    name: str  # as the phantom names it
    side: str  # the patient's "left" or "right"; "" for cardiomegaly
    box: Box


@dataclass(frozen=True)
class FakeImage:
    """What is known of an image."""

    subject_id: str
    study_id: str
    dicom_id: str
    view: str
    split: str  # train, validate or test
    date: str  # YYYYMMDD
    time: str  # HHMMSS.sss
    width: int
    height: int
    findings: tuple[Finding, ...]
    lungs: dict[str, Box]  # side -> the lung field

    @property
    def frontal(self) -> bool:
        return self.view in FRONTAL

    def finding(self, name: str) -> Finding | None:
        return next((finding for finding in self.findings if finding.name == name), None)


@dataclass(frozen=True)
class Study:
    """A visit of a patient. `labels` has every column of the label tables, "" where the report says nothing."""

    subject: int  # the patient's number, from 0
    number: int  # of the patient's studies, from 0
    subject_id: str
    study_id: str
    split: str
    views: tuple[str, ...]
    labels: dict[str, str]
    images: tuple[FakeImage, ...] = ()

    @property
    def frontal(self) -> FakeImage | None:
        """The image that stands for the study: PA before AP, then the lowest dicom_id."""
        found = [image for image in self.images if image.frontal]
        return min(found, key=lambda image: (FRONTAL.index(image.view), image.dicom_id), default=None)

    def answer(self, column: str) -> str | None:
        """yes or no, where the label is decided."""
        return {PRESENT: "yes", ABSENT: "no"}.get(self.labels[column])


def design(patients: int, seed: int) -> list[Study]:
    """All studies without their images and labels, by subject_id and study_id."""
    subjects, numbers = _ids(patients, "1", "subject", seed), iter(_ids(patients * max(STUDIES), "5", "study", seed))
    made: list[Study] = []
    for subject in range(patients):
        count = STUDIES[subject] if subject < len(STUDIES) else choose(STUDIES, "studies", seed, subject)
        for number in range(count):
            views = VIEWS[len(made)] if len(made) < len(VIEWS) else choose(VIEWS, "views", seed, subject, number)
            split = SPLITS[subject % len(SPLITS)]
            made.append(Study(subject, number, subjects[subject], next(numbers), split, views, {}))
    return sorted(made, key=lambda study: (study.subject_id, study.study_id))


def _ids(count: int, first: str, *names: object) -> list[str]:
    """Different 8-digit numbers that begin with the digit `first`."""
    chance = generator("ids", *names)
    found: dict[str, None] = {}
    while len(found) < count:
        found[f"{first}{int(chance.integers(10**7)):07d}"] = None
    return list(found)


def with_images(study: Study, seed: int) -> tuple[Study, list[np.ndarray]]:
    """The study with its labels and images, and the images' pixels, uint8 [height, width] each."""
    case = make_case(seed, study.subject, study.number)
    first = case.radiograph
    conspicuity = {lesion.finding: lesion.conspicuity for lesion in first.lesions}
    sides = {lesion.finding: lesion.side for lesion in first.lesions}
    images, pixels = [], []
    for index, view in enumerate(study.views):
        shown = first
        if index:  # the same patient and findings, exposed once more
            habitus = generator("habitus", seed, study.subject)
            exposure = generator("exposure", seed, study.subject, study.number, index)
            shown = draw(habitus, exposure, conspicuity, sides, device=first.device, lookalikes=first.lookalikes)
        left, right = MARGINS[(study.subject + study.number + index) % len(MARGINS)]
        pixels.append(_widened(shown, left, right))
        height, width = pixels[-1].shape
        findings = tuple(Finding(lesion.finding, lesion.side, _box(lesion.mask, left)) for lesion in shown.lesions)
        lungs = {side: _box(_lung(shown, side), left) for side in SIDES}
        date, time = _when(study, index, seed)
        dicom_id = _dicom_id(seed, study.study_id, index)
        images.append(
            FakeImage(study.subject_id, study.study_id, dicom_id, view, study.split, date, time, width, height, findings, lungs)
        )
    return replace(study, labels=labels_of(study, set(conspicuity), first.device, seed), images=tuple(images)), pixels


def _when(study: Study, index: int, seed: int) -> tuple[str, str]:
    """StudyDate and StudyTime: in a century to come, a year between a patient's studies, a minute between their images."""
    year, month, day = (
        int(generator("birth", seed, study.subject).integers(*span)) for span in ((2110, 2205), (1, 13), (1, 29))
    )
    hour, second = (int(number) for number in generator("visit", seed, study.study_id).integers(24, size=2))
    return f"{year + study.number}{month:02d}{day:02d}", f"{hour:02d}{10 + index:02d}{second:02d}.{second:03d}"


def _dicom_id(seed: int, study_id: str, index: int) -> str:
    digits = generator("dicom", seed, study_id, index).bytes(20).hex()
    return "-".join(digits[at : at + 8] for at in range(0, 40, 8))


def _widened(shown: DrawnRadiograph, left: int, right: int) -> np.ndarray:
    """uint8 [height, width + left + right]: the phantom with background beside it, as grey as its own."""
    return np.pad(shown.image, ((0, 0), (left, right)), constant_values=int(np.median(shown.image[~shown.body])))


def _lung(shown: DrawnRadiograph, side: str) -> np.ndarray:
    """bool [height, width]: the lung field mostly in the image's half of `side`; the patient's left is on the right."""
    parts, _ = ndimage.label(shown.lungs)
    middle = parts.shape[1] // 2
    half = parts[:, middle:] if side == "left" else parts[:, :middle]
    return parts == 1 + np.argmax(np.bincount(half[half > 0])[1:])


def _box(mask: np.ndarray, left: int) -> Box:
    x, y, w, h = box_of(mask)
    return x + left, y, w, h


def labels_of(study: Study, present: set[str], device: bool, seed: int) -> dict[str, str]:
    """A row of the label tables. What the image shows is labelled as it is, now and then uncertain, or not mentioned.

    What the phantom cannot show falls by chance, mostly not mentioned; "Lung Opacity" follows consolidation and nodule,
    "Support Devices" the device, "No Finding" the others.
    """
    chance = generator("labels", seed, study.study_id)
    labels = {}
    for column in LABELS:
        fate = chance.random()
        if column in DRAWN:
            there = DRAWN[column] in present
            labels[column] = (
                UNCERTAIN if fate < 0.08 else "" if fate > (0.95 if there else 0.75) else PRESENT if there else ABSENT
            )
        else:
            labels[column] = PRESENT if fate < 0.05 else UNCERTAIN if fate < 0.1 else ABSENT if fate < 0.3 else ""
    if present & {"consolidation", "nodule"}:
        labels["Lung Opacity"] = PRESENT
    labels["Support Devices"] = PRESENT if device else ""
    if study.subject == study.number == 0:  # whatever the seed, these two are there
        labels["Pleural Effusion"], labels["Pneumothorax"] = UNCERTAIN, ""
    known = {label for column, label in labels.items() if column != "Support Devices"}
    labels[NO_FINDING] = "" if known & {PRESENT, UNCERTAIN} else PRESENT
    return {column: labels[column] for column in COLUMNS}
