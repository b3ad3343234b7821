"""What is known of a study's findings: the CheXpert labels of its report, and what they say about each other."""

from collections.abc import Collection

from medattn.study.mimic.archive import Archive
from medattn.study.mimic.layout import ABSENT, CHEXPERT, LABELS, PRESENT

ANSWERS = {PRESENT: "yes", ABSENT: "no"}  # uncertain and not mentioned are no answer

# Findings that include, or hardly differ from, each other: a control about one would not be about another finding than its
# relative. Source of the first two lines and of pleural other: the hierarchy of CheXpert (Irvin et al. 2019, figure 1).
_FAMILIES = (
    {"lung opacity", "edema", "consolidation", "pneumonia", "lung lesion", "atelectasis", "nodule", "lung mass"},
    {"enlarged cardiomediastinum", "cardiomegaly", "enlarged cardiac silhouette"},
    {"pleural effusion", "pleural other", "pleural thickening", "blunting of the costophrenic angle"},
    {"edema", "vascular congestion"},
    {"fracture", "rib fracture"},
)


def related(finding: str) -> set[str]:
    """The finding and those that it includes, or that include it."""
    return {finding}.union(*(family for family in _FAMILIES if finding in family))


def read_labels(archive: Archive, wanted: Collection[str] | None = None) -> dict[str, dict[str, str]]:
    """study_id -> finding -> yes or no, of all studies or those `wanted`; a finding that is not decided is left out."""
    labels = {}
    for _, row in archive.table(CHEXPERT, ("study_id", *LABELS), "labels"):
        if wanted is None or row["study_id"] in wanted:
            found = {finding: ANSWERS[_number(row[column])] for column, finding in LABELS.items() if _number(row[column]) in ANSWERS}
            labels[row["study_id"]] = found
    return labels


def _number(cell: str) -> str:
    """A label as the table writes it, 1.0, also where it was saved as 1."""
    return f"{cell}.0" if cell in ("1", "0", "-1") else cell
