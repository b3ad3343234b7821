"""Names and places in MIMIC-CXR-JPG 2.1.0 (and MIMIC-CXR 2.1.0, the same tree with .dcm files).

Source: https://physionet.org/content/mimic-cxr-jpg/2.1.0/ and https://physionet.org/content/mimic-cxr/2.1.0/.
"""

METADATA = "mimic-cxr-2.0.0-metadata.csv.gz"
SPLIT = "mimic-cxr-2.0.0-split.csv.gz"
CHEXPERT = "mimic-cxr-2.0.0-chexpert.csv.gz"
NEGBIO = "mimic-cxr-2.0.0-negbio.csv.gz"
IMAGE_FILENAMES = "IMAGE_FILENAMES"  # one relative path a line
DRAWN = "fake-defects.json"  # only a tree of `medattn study fake-mimic` has it
SHA256SUMS = "SHA256SUMS.txt"  # "<64 hex>  <path>", one or two spaces

# Column of the label tables -> the finding as this study names it. "No Finding" is not one.
LABELS: dict[str, str] = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Consolidation": "consolidation",
    "Edema": "edema",
    "Enlarged Cardiomediastinum": "enlarged cardiomediastinum",
    "Fracture": "fracture",
    "Lung Lesion": "lung lesion",
    "Lung Opacity": "lung opacity",
    "Pleural Effusion": "pleural effusion",
    "Pleural Other": "pleural other",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
    "Support Devices": "support devices",
}
NO_FINDING = "No Finding"
PRESENT, ABSENT, UNCERTAIN = "1.0", "0.0", "-1.0"  # anything else: not mentioned


def image_path(subject_id: str, study_id: str, dicom_id: str, suffix: str = ".jpg") -> str:
    """Where an image lies under the root: files/p10/p10…/s5…/{dicom_id}.jpg."""
    return f"files/p{subject_id[:2]}/p{subject_id}/s{study_id}/{dicom_id}{suffix}"
