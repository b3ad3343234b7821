"""Question sets about fictitious patients, in the four formats that are in use, with the oddities that such files have.

Answers follow the labels of the study, and the phantom's side. Every set also asks about an image that is not there,
asks one question twice, and one question twice with different answers.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from medattn.base.seeding import choose, generator
from medattn.base.tables import write_bytes, write_csv
from medattn.mimic.fake.patients import DRAWN, FakeImage, Study
from medattn.mimic.layout import PRESENT, image_path

CXR_VQA, DIFF_VQA = "medical-cxr-vqa-questions.csv", "mimic_pair_questions.csv"
EXT_VQA = "mimic-ext/dataset"  # folder of train.json, valid.json and test.json
# The hard positives' file -> its answer column and how it writes yes.
HARD_POSITIVES = {
    "hard_positives.csv": ("answer", "{}"),
    "hard_positives_correct_answer.csv": ("correct_answer", "['{}']"),
    "hard_positives_ground_truth.csv": ("ground_truth", "['{}']"),
}
CXR_COLUMNS = ("subject_id", "study_id", "dicom_id", "question_type", "question", "answer", "split")
DIFF_COLUMNS = ("study_id", "subject_id", "ref_id", "question_type", "question", "answer", "split")
CXR_SPLITS = {"train": "train", "validate": "val", "test": "test"}
EXT_SPLITS = {"train": "train", "validate": "valid", "test": "test"}
EXT_NAMES = {"cardiomegaly": "enlarged cardiac silhouette", "nodule": "lung lesion"}  # as MIMIC-Ext-MIMIC-CXR-VQA names them
PRESENCE = ("is there evidence of {} in this image?", "is there {}?")
LEVELS = ("mild", "moderate", "severe")
VIEW_NAMES = {"PA": "pa view", "AP": "ap view", "LATERAL": "lateral view", "LL": "lateral view"}

# The five variants of a hard positive, {x} the finding and {s} its synonym, with spellings of the strategy's label.
VARIANTS = (
    ("are there any signs of {x}?", ("Phrasing change", "Rephrasing")),
    (
        "in this image, is there evidence of {s}?",
        ("Synonym + clause (fronted prepositional phrase)", "lexical substitution; word order (a→b)"),
    ),
    ("on this image, is there evidence of {x}?", ("Clause fronting ('on' for 'in')", "Syntactic restructuring")),
    ("is there radiographic evidence of {x}?", ("Register, technical", "register shift / phrasing")),
    ("can {x} be seen in this image?", ("Passive voice with phrasing", "Voice (active→passive)")),
)
SYNONYMS = {
    "cardiomegaly": "an enlarged heart", "consolidation": "airspace consolidation", "nodule": "a pulmonary nodule",
    "pleural effusion": "pleural fluid", "pneumothorax": "air in the pleural space",
}  # fmt: skip
UNKNOWN_STRATEGY = "Zeugma"
OTHER = {"yes": "no", "no": "yes"}


def write_questions(directory: Path, studies: list[Study], seed: int) -> dict[str, list[str]]:
    """Write all question sets to `directory`; which defects are planted in them: name -> dicom_ids."""
    nowhere = generator("nowhere", seed)
    unknown = "-".join(nowhere.bytes(4).hex() for _ in range(5))
    asked = [(study, image) for study in studies if (image := study.frontal) and _decided(study)]
    twice, contradicted = (image.dicom_id for _, image in asked[:2])
    rows = _with_defects([row for study in studies for row in _cxr_rows(study)], "dicom_id", unknown, twice, contradicted)
    write_csv(directory / CXR_VQA, CXR_COLUMNS, rows)
    entries = _with_defects(
        [entry for study in studies for entry in _ext_entries(study)], "image_id", unknown, twice, contradicted
    )
    for split in EXT_SPLITS.values():
        chosen = [entry | {"idx": index} for index, entry in enumerate(entry for entry in entries if entry["split"] == split)]
        write_bytes(directory / EXT_VQA / f"{split}.json", (json.dumps(chosen, indent=1) + "\n").encode())
    write_csv(directory / DIFF_VQA, DIFF_COLUMNS, [row for study in studies for row in _diff_rows(study, studies)])
    groups = [group for index, (study, image) in enumerate(asked) for group in _groups(study, image, index)]
    groups.append([row | {"dicom_id": unknown, "image_path": f"{unknown}.jpg"} for row in groups[0]])
    strange, headless, misplaced = groups[1], groups[2], groups[3]
    strange[2]["strategy"] = UNKNOWN_STRATEGY
    hard_defects = {
        "hard_positive_unknown_strategy": [strange[0]["dicom_id"]],
        "hard_positive_without_original": [headless[0]["dicom_id"]],
        "hard_positive_dicom_id_as_study_id": [misplaced[0]["dicom_id"]],
    }
    del headless[0]
    for row in misplaced:
        row["study_id"], row["dicom_id"], row["image_path"] = row["dicom_id"], "", ""
    for name, (column, form) in HARD_POSITIVES.items():
        rows = [row for group in groups for row in group]
        table = [{column if key == "answer" else key: value for key, value in row.items()} for row in rows]
        table = [row | {column: form.format(row[column])} for row in table]
        write_csv(directory / name, tuple(table[0]), table)
    return {
        "question_unknown_image": [unknown],
        "question_asked_twice": [twice],
        "question_contradicted": [contradicted],
    } | hard_defects


def _decided(study: Study) -> dict[str, str]:
    """finding -> yes or no, of the findings whose label is decided."""
    return {finding: answer for column, finding in DRAWN.items() if (answer := study.answer(column))}


def _with_defects(rows: list[dict], key: str, unknown: str, twice: str, contradicted: str) -> list[dict]:
    """The rows; one more about an unknown image, one asked again, one asked again with the other answer."""
    first = {dicom_id: next(row for row in rows if row[key] == dicom_id) for dicom_id in (twice, contradicted)}
    answer = first[contradicted]["answer"]
    other = [OTHER[answer[0]]] if isinstance(answer, list) else OTHER[answer]
    stranger = {name: text.replace(twice, unknown) if isinstance(text, str) else text for name, text in first[twice].items()}
    return [*rows, stranger, dict(first[twice]), first[contradicted] | {"answer": other}]


# --- Medical-CXR-VQA --------------------------------------------------------------------------------------------------


def _cxr_rows(study: Study) -> Iterator[dict[str, str]]:
    for image in study.images:
        about = {
            "subject_id": image.subject_id,
            "study_id": image.study_id,
            "dicom_id": image.dicom_id,
            "split": CXR_SPLITS[image.split],
        }
        for kind, question, answer in _asked(study, image):
            yield about | {"question_type": kind, "question": question, "answer": answer}


def _asked(study: Study, image: FakeImage) -> Iterator[tuple[str, str, str]]:
    """(question_type, question, answer) about one image; about one that is not frontal little is asked."""
    decided = _decided(study)
    for finding, answer in decided.items():
        yield "presence", choose(PRESENCE, "presence", image.dicom_id, finding).format(finding), answer
        shown = image.finding(finding)
        if shown is None or not image.frontal or answer == "no" or not shown.side:
            continue
        for side in ("left", "right"):
            yield "location", f"is there {finding} in the {side} lung?", "yes" if side == shown.side else "no"
        yield "location", f"is the {finding} bilateral?", "no"
        yield "location", f"where in the image is the {finding} located?", f"{shown.side} lung"
        yield "level", f"what level is the {finding}?", choose(LEVELS, "level", image.dicom_id, finding)
    seen = [finding for finding, answer in decided.items() if answer == "yes"]
    if image.frontal and seen:
        yield "abnormality", "what abnormalities are seen in this image?", ", ".join(seen)
    if image.frontal and study.labels["Lung Opacity"] == PRESENT:
        yield "type", "what type is the opacity?", "airspace"
    if image.view:
        yield "view", "which view is this image taken?", VIEW_NAMES[image.view]
        yield "view", "is this a pa view?", "yes" if image.view == "PA" else "no"


# --- MIMIC-Ext-MIMIC-CXR-VQA ------------------------------------------------------------------------------------------


def _ext_entries(study: Study) -> Iterator[dict[str, object]]:
    for image in (image for image in study.images if image.frontal):
        path = image_path(image.subject_id, image.study_id, image.dicom_id).removeprefix("files/")
        for content, semantic, template, arguments, answer in _ext_asked(study, image):
            question = template
            filled: dict[str, dict[str, str]] = {"object": {}, "attribute": {}, "category": {}, "viewpos": {}, "gender": {}}
            for slot, values in arguments.items():
                filled[slot] = {str(index): value for index, value in enumerate(values)}
                for index, value in enumerate(values):
                    question = question.replace(f"${{{slot}_{index + 1}}}" if len(values) > 1 else f"${{{slot}}}", value)
            yield {
                "split": EXT_SPLITS[image.split], "idx": 0, "subject_id": image.subject_id, "study_id": image.study_id,
                "image_id": image.dicom_id, "image_path": path, "question": question, "content_type": content,
                "semantic_type": semantic, "template": template, "template_program": f"program_{content}_{semantic}",
                "template_arguments": filled, "answer": sorted(answer),
            }  # fmt: skip


def _ext_asked(study: Study, image: FakeImage) -> Iterator[tuple[str, str, str, dict[str, list[str]], list[str]]]:
    """(content_type, semantic_type, template, arguments, answer)."""
    decided = {EXT_NAMES.get(finding, finding): answer for finding, answer in _decided(study).items()}
    for name, answer in decided.items():
        yield "presence", "verify", "Is there ${attribute} in this image?", {"attribute": [name]}, [answer]
    sided = [
        finding
        for finding in image.findings
        if finding.side and decided.get(EXT_NAMES.get(finding.name, finding.name)) == "yes"
    ]
    for finding in sided:
        name = EXT_NAMES.get(finding.name, finding.name)
        for side in ("left", "right"):
            slots = {"attribute": [name], "object": [f"{side} lung"]}
            yield (
                "attribute",
                "verify",
                "Is there ${attribute} in the ${object}?",
                slots,
                ["yes" if side == finding.side else "no"],
            )
    for side in ("left", "right"):
        found = [EXT_NAMES.get(finding.name, finding.name) for finding in sided if finding.side == side]
        yield "attribute", "query", "List all findings in the ${object}.", {"object": [f"{side} lung"]}, found
    if len(decided) > 1:
        pair = list(decided)[:2]
        found = [name for name in pair if decided[name] == "yes"]
        yield "presence", "choose", "Which is present, ${attribute_1} or ${attribute_2}?", {"attribute": pair}, found
    yield "plane", "query", "In which view was this image taken?", {}, [image.view]


# --- Medical-Diff-VQA -------------------------------------------------------------------------------------------------


def _diff_rows(study: Study, studies: list[Study]) -> Iterator[dict[str, str]]:
    """About a study that has an earlier one of the same patient to be compared with."""
    earlier = next((one for one in studies if (one.subject, one.number) == (study.subject, study.number - 1)), None)
    if earlier is None or study.frontal is None:
        return
    about = {
        "study_id": study.study_id,
        "subject_id": study.subject_id,
        "ref_id": earlier.study_id,
        "split": CXR_SPLITS[study.split],
    }
    for kind, question, answer in _asked(study, study.frontal):
        yield about | {"question_type": kind, "question": question, "answer": answer}
    now, then = ({name for name, answer in _decided(one).items() if answer == "yes"} for one in (study, earlier))
    told = [f"the main image has an additional finding of {name} than the reference image." for name in sorted(now - then)]
    told += [f"the main image is missing the finding of {name} than the reference image." for name in sorted(then - now)]
    changed = " ".join(told) or "nothing has changed."
    yield about | {
        "question_type": "difference",
        "question": "what has changed compared to the reference image?",
        "answer": changed,
    }


# --- hard positives ---------------------------------------------------------------------------------------------------


def _groups(study: Study, image: FakeImage, index: int) -> Iterator[list[dict[str, str]]]:
    """Up to two baseline questions about the study's frontal image with their five variants; images are named in four ways."""
    flat = f"p{image.subject_id[:2]}_p{image.subject_id}_s{image.study_id}_{image.dicom_id}.jpg"
    published = image_path(image.subject_id, image.study_id, image.dicom_id)
    name = (flat, image.dicom_id, f"{image.dicom_id}.jpg", published)[index % 4]
    for finding, answer in list(_decided(study).items())[:2]:
        shown, place = image.finding(finding), ""
        if shown and shown.side and answer == "yes" and index % 3 == 0:
            place = f" in the {shown.side} lung"
        template = "is there {}?" if place else choose(PRESENCE, "presence", image.dicom_id, finding)
        baseline = template.format(finding + place)
        variants = [(baseline, "original")]
        for text, spellings in VARIANTS:
            variants.append((text.format(x=finding + place, s=SYNONYMS[finding] + place), spellings[index % len(spellings)]))
        yield [
            {
                "dicom_id": image.dicom_id, "study_id": image.study_id, "question": text, "answer": answer, "image_path": name,
                "baseline_question": baseline, "question_variant": f"hard_positive_strategy-{number}" if number else "original",
                "variant_index": str(number), "strategy": label,
            }
            for number, (text, label) in enumerate(variants)
        ]  # fmt: skip
