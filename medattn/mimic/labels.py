"""What is known of a study's findings: the CheXpert labels of its report, and what they say about each other."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from medattn.base.errors import InputError
from medattn.language.findings import named
from medattn.mimic.archive import Archive
from medattn.mimic.layout import CHEXPERT, LABELS, METADATA
from medattn.mimic.numbers import identifier, whole_number

ANSWERS = {1: "yes", 0: "no", -1: ""}  # uncertain, and not mentioned, are not an answer

# Findings that include, or hardly differ from, each other, also to the eye: a control about one would not be about another
# finding than its relative. Source of the first two families and of pleural other: CheXpert's hierarchy (Irvin et al. 2019,
# figure 1); the rest is radiology: an effusion on a supine radiograph is an opacity, a hernia looks like a mass behind the
# heart.
_OPACITIES = {"lung opacity", "edema", "consolidation", "pneumonia", "lung lesion", "atelectasis", "nodule", "lung mass"}
_HEART = {"enlarged cardiomediastinum", "cardiomegaly", "enlarged cardiac silhouette"}
_PLEURA = {"pleural effusion", "pleural other", "pleural thickening", "blunting of the costophrenic angle"}
_DEVICES = {"support devices"}
_FAMILIES = (
    _OPACITIES,
    _HEART,
    _PLEURA,
    {"fracture", "rib fracture"},
    {"edema", "vascular congestion"},
    *({"lung opacity", other} for other in (*_PLEURA, "vascular congestion", "hiatal hernia")),
    *({"atelectasis", other} for other in ("pleural effusion", "blunting of the costophrenic angle")),
    *({"pneumothorax", other} for other in ("pneumomediastinum", "subcutaneous emphysema", "emphysema")),
    *({"enlarged cardiomediastinum", other} for other in ("tortuous aorta", "hiatal hernia")),
    {"consolidation", "pleural effusion"},
    {"hiatal hernia", "lung lesion"},
)
# Words of a question whose finding the lexicon does not know, and what it may be about.
_WORDS = (
    (r"opacit|opacif|infiltrat|infect|collapse|granuloma|mass|nodul|lesion|airspace|shadow", _OPACITIES),
    (r"tube|line\b|lines\b|catheter|pacemaker|port\b|device|wire|clip|picc|stent|valve|hardware", _DEVICES),
    (r"heart|cardi|mediastin|aort", _HEART),
    (r"effusion|pleura|fluid|costophrenic", _PLEURA),
    (r"fractur|broken|bone|rib", {"fracture"}),
    (r"failure|overload|congest", {"edema", "cardiomegaly", "pleural effusion"}),
    (r"abnormal|finding|diseas|anything|assessment|problem|patholog|normal", set(LABELS.values())),
)


def related(finding: str) -> set[str]:
    """The finding and those that it includes, that include it, or that it hardly differs from."""
    return {finding}.union(*(family for family in _FAMILIES if finding in family))


def near(question: str, known: str | None) -> set[str]:
    """What a question may be about: `known`, the finding of the lexicon that it asks for, with its relatives.

    None: every finding that the text names, and what its other words may mean.
    """
    if known is not None:
        return related(known)
    found = set().union(*(related(finding) for finding, _, _ in named(question)))
    return found.union(*(meant for words, meant in _WORDS if re.search(words, question, re.IGNORECASE)))


def read_labels(archive: Archive, wanted: Collection[str] | None = None) -> dict[str, dict[str, str]]:
    """study_id -> finding -> yes or no, of all studies or those `wanted`; a finding that is not decided is left out.

    Raises InputError for a cell that is no identifier, or no label, for a study with contradicting rows, and for one whose
    patient is another than the metadata say.
    """
    labels = archive.unique(CHEXPERT, tuple(LABELS), _rows(archive, wanted))
    return {
        study_id: {finding: answer for finding, answer in zip(LABELS.values(), answers, strict=True) if answer}
        for study_id, answers in labels.items()
    }


def _rows(archive: Archive, wanted: Collection[str] | None) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """(row, study_id, an answer for each of LABELS)."""
    for number, row in archive.table(CHEXPERT, ("study_id", *LABELS), "labels"):
        study_id = identifier(row["study_id"])
        if not study_id:
            where = f"{archive.root / CHEXPERT}, row {number}"
            raise InputError(f"{where}: study_id is {row['study_id']!r}, expected an identifier: download it again")
        subject, owner = identifier(row.get("subject_id", "")), archive.owners.get(study_id, "")
        if subject and owner not in ("", subject):
            raise InputError(
                f"{archive.root / CHEXPERT}, row {number}: subject_id of study {study_id} is {subject!r}, in {METADATA}"
                f" {owner!r}: download both again, or correct the wrong one"
            )
        if wanted is None or study_id in wanted:
            yield number, study_id, tuple(_label(archive.root / CHEXPERT, number, column, row[column]) for column in LABELS)


def _label(path: Path, row: int, column: str, cell: str) -> str:
    """yes, no, or "" for uncertain and not mentioned. Raises InputError for a cell that is no label."""
    label = whole_number(cell) if cell.strip() else None
    if cell.strip() and label not in ANSWERS:
        raise InputError(f"{path}, row {row}: {column} is {cell!r}, expected 1.0, 0.0, -1.0 or nothing: download it again")
    return "" if label is None else ANSWERS[label]
