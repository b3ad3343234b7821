"""The fake tree has MIMIC-CXR-JPG's layout, tells the phantom's truth, and holds every defect it says it holds."""

import ast
import csv
import gzip
import hashlib
import io
import json
import re
import sys
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medattn.base.errors import InputError
from medattn.language.strategy_labels import labels as labels_of
from medattn.measures.silhouette import body_mask
from medattn.mimic.fake import question_sets
from medattn.mimic.fake import regions as fake_regions
from medattn.mimic.fake.patients import DRAWN, design
from medattn.mimic.fake.tree import DEFECTS, LEAST, planted_defects, write
from medattn.phantom.anatomy import WIDTH
from medattn.phantom.cases import make_case
from medattn.radiographs.image_files import open_image

PATIENTS, SEED = 10, 5
PATH = re.compile(r"files/(p1\d)/p(1\d{7})/s(5\d{7})/([0-9a-f]{8}(?:-[0-9a-f]{8}){4})\.(jpg|dcm)")
TABLES = [f"mimic-cxr-2.0.0-{name}.csv.gz" for name in ("metadata", "split", "chexpert", "negbio")]


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A tree; not to be changed."""
    out = tmp_path_factory.mktemp("fake") / "tree"
    write(out, PATIENTS, SEED)
    return out


@pytest.fixture(scope="module")
def dicom_tree(tmp_path_factory) -> Path:
    """The same patients, with DICOM files."""
    out = tmp_path_factory.mktemp("fake") / "dicom"
    write(out, PATIENTS, SEED, dicom=True)
    return out


def table(path: Path) -> list[dict[str, str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def metadata(tree: Path) -> dict[str, dict[str, str]]:
    return {row["dicom_id"]: row for row in table(tree / TABLES[0])}


def labels(tree: Path) -> dict[str, dict[str, str]]:
    return {row["study_id"]: row for row in table(tree / TABLES[2])}


def path_of(row: dict[str, str], suffix: str = ".jpg") -> str:
    return f"files/p{row['subject_id'][:2]}/p{row['subject_id']}/s{row['study_id']}/{row['dicom_id']}{suffix}"


def sums(tree: Path) -> dict[str, str]:
    lines = (tree / "SHA256SUMS.txt").read_text().splitlines()
    found = [re.fullmatch(r"([0-9a-f]{64}) {1,2}(\S+)", line) for line in lines]
    return {match[2]: match[1] for match in found}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digest(directory: Path) -> dict[str, str]:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): sha256(path) for path in files}


def truth(tree: Path) -> dict[str, tuple[int, np.ndarray, dict[str, np.ndarray]]]:
    """dicom_id of the first image of each study -> (columns left of the phantom, its pixels, finding -> mask [H, W]).

    By drawing the study's phantom again and looking for it in the JPEG.
    """
    by_study = defaultdict(list)
    for row in metadata(tree).values():
        by_study[row["study_id"]].append(row)
    found = {}
    for study in design(PATIENTS, SEED):
        drawn = make_case(SEED, study.subject, study.number).radiograph
        for row in by_study[study.study_id]:
            if not (tree / path_of(row)).exists():
                continue
            pixels = np.asarray(Image.open(tree / path_of(row))).astype(int)
            lefts = range(pixels.shape[1] - WIDTH + 1)
            errors = {left: np.abs(pixels[:, left : left + WIDTH] - drawn.image).mean() for left in lefts}
            left = min(errors, key=errors.get)
            if errors[left] < 2:
                found[row["dicom_id"]] = left, drawn.image, {lesion.finding: lesion.mask for lesion in drawn.lesions}
    assert len(found) >= 10
    return found


def box_in(mask: np.ndarray, left: int) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of a mask in the image, by its pixels' coordinates."""
    rows, columns = np.nonzero(mask)
    return columns.min() + left, rows.min(), columns.max() + left + 1, rows.max() + 1


# --- the tree ---------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tree, tmp_path):
    write(tmp_path / "again", PATIENTS, SEED)
    assert digest(tmp_path / "again") == digest(tree)
    write(tmp_path / "other", PATIENTS, SEED + 1)
    other = digest(tmp_path / "other")
    images = [path for path in other if path.startswith("files/")]
    assert images and not set(images) & set(digest(tree))


def test_a_directory_that_holds_something_is_refused_and_kept(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("mine")
    with pytest.raises(InputError) as caught:
        write(tmp_path / "out", PATIENTS, SEED)
    assert str(caught.value) == f"{tmp_path / 'out'} is there already and not empty: remove it, or choose another directory"
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine"]


def test_nothing_stays_of_a_tree_that_cannot_be_finished(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr("medattn.mimic.fake.tree.write_regions", broken)
    with pytest.raises(OSError, match="disk full"):
        write(tmp_path / "out", LEAST, SEED)
    assert not list(tmp_path.iterdir())


def test_too_few_patients_are_refused(tmp_path):
    with pytest.raises(InputError) as caught:
        write(tmp_path / "out", 7, SEED)
    assert str(caught.value) == "patients is 7, expected at least 8: each defect needs an image of its own"


@pytest.mark.parametrize("seed", range(3))
def test_the_fewest_patients_hold_every_defect_and_every_view(tmp_path, seed):
    output = write(tmp_path / "out", LEAST, seed)
    planted = planted_defects(tmp_path / "out")
    assert all(planted.values()) and set(planted) == set(DEFECTS)
    assert all(name in output for name in DEFECTS)
    assert {row["ViewPosition"] for row in metadata(tmp_path / "out").values()} == {"PA", "AP", "LATERAL", "LL", ""}


def test_tables_have_the_published_columns(tree):
    header = {name: next(csv.reader(io.StringIO(gzip.decompress((tree / name).read_bytes()).decode()))) for name in TABLES}
    assert header[TABLES[0]] == [
        "dicom_id", "subject_id", "study_id", "PerformedProcedureStepDescription", "ViewPosition", "Rows", "Columns",
        "StudyDate", "StudyTime", "ProcedureCodeSequence_CodeMeaning", "ViewCodeSequence_CodeMeaning",
        "PatientOrientationCodeSequence_CodeMeaning",
    ]  # fmt: skip
    assert header[TABLES[1]] == ["dicom_id", "study_id", "subject_id", "split"]
    assert header[TABLES[2]] == header[TABLES[3]] == [
        "subject_id", "study_id", "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Enlarged Cardiomediastinum",
        "Fracture", "Lung Lesion", "Lung Opacity", "No Finding", "Pleural Effusion", "Pleural Other", "Pneumonia",
        "Pneumothorax", "Support Devices",
    ]  # fmt: skip


def test_every_image_lies_where_its_ids_say(tree):
    listed = (tree / "IMAGE_FILENAMES").read_text().splitlines()
    assert listed == [path_of(row) for row in metadata(tree).values()] and len(set(listed)) == len(listed)
    for path in listed:
        group, subject, _, _, _ = PATH.fullmatch(path).groups()
        assert group == f"p{subject[:2]}"
    on_disk = {str(path.relative_to(tree)) for path in (tree / "files").rglob("*") if path.is_file()}
    missing = {path_of(metadata(tree)[dicom_id]) for dicom_id in planted_defects(tree)["image_missing_on_disk"]}
    assert set(listed) - on_disk == missing and on_disk < set(listed)


def test_patients_have_several_studies_and_stay_in_one_split(tree):
    studies, splits = defaultdict(set), defaultdict(set)
    for row in table(tree / TABLES[1]):
        studies[row["subject_id"]].add(row["study_id"])
        splits[row["subject_id"]].add(row["split"])
    assert len(studies) == PATIENTS and max(map(len, studies.values())) == 3
    assert all(len(split) == 1 for split in splits.values())
    assert set.union(*splits.values()) == {"train", "validate", "test"}
    assert {row["dicom_id"] for row in table(tree / TABLES[1])} == set(metadata(tree))


def test_images_are_grey_jpegs_of_both_orientations_and_never_square(tree):
    sizes = Counter()
    swapped = planted_defects(tree)["image_size_differs"]
    for dicom_id, row in metadata(tree).items():
        if dicom_id in planted_defects(tree)["image_missing_on_disk"]:
            continue
        image = Image.open(tree / path_of(row))
        assert image.format == "JPEG" and image.mode == "L"
        listed = int(row["Columns"]), int(row["Rows"])
        assert image.size == (listed[::-1] if dicom_id in swapped else listed)
        sizes[image.width > image.height] += 1
        assert image.width != image.height
        assert 0.4 < body_mask(np.asarray(image)).mean() < 0.9
    assert min(sizes[True], sizes[False]) >= 5


def test_sums_are_those_of_the_files_but_for_the_planted_defects(tree):
    listed, planted, about = sums(tree), planted_defects(tree), metadata(tree)
    paths = {name: path_of(about[planted[name][0]]) for name in planted if name.startswith("image_")}
    wrong = [path for path, value in listed.items() if (tree / path).exists() and sha256(tree / path) != value]
    assert wrong == [paths["image_differs_from_sum"]]
    expected = {path_of(row) for row in about.values()} | set(TABLES) | {"IMAGE_FILENAMES"}
    assert expected - set(listed) == {paths["image_without_sum"]} and set(listed) < expected
    text = (tree / "SHA256SUMS.txt").read_text()
    assert re.search(r"^\w{64} \S", text, re.M) and re.search(r"^\w{64}  \S", text, re.M)
    assert Image.open(tree / paths["image_differs_from_sum"]).load()


def test_defects_in_studies_lie_in_different_studies(tree):
    planted, about = planted_defects(tree), metadata(tree)
    studies = [about[planted[name][0]]["study_id"] for name in planted if name.startswith("image_")]
    studies += planted["study_without_labels"]
    assert len(set(studies)) == len(studies) == 5
    assert {row["study_id"] for row in about.values()} - set(labels(tree)) == set(planted["study_without_labels"])


def test_labels_say_what_the_phantom_shows_where_they_say_anything(tree):
    labelled, planted, counts = labels(tree), planted_defects(tree), Counter()
    for study in design(PATIENTS, SEED):
        if study.study_id not in labelled:
            continue
        case = make_case(SEED, study.subject, study.number)
        for column, finding in DRAWN.items():
            label = labelled[study.study_id][column]
            counts[label] += 1
            if label in ("1.0", "0.0"):
                assert (label == "1.0") == case.present(finding)
            else:
                assert f"{study.study_id} {column}" in planted["label_uncertain" if label == "-1.0" else "label_empty"]
        assert (labelled[study.study_id]["Support Devices"] == "1.0") == case.radiograph.device
    assert set(counts) == {"1.0", "0.0", "-1.0", ""} and counts["-1.0"] == len(planted["label_uncertain"])


def test_no_finding_excludes_findings(tree):
    for row in labels(tree).values():
        others = {
            label for name, label in row.items() if name not in ("subject_id", "study_id", "No Finding", "Support Devices")
        }
        assert (row["No Finding"] == "1.0") == (not others & {"1.0", "-1.0"})


# --- question sets ----------------------------------------------------------------------------------------------------


def test_answers_to_presence_questions_are_the_labels(tree):
    columns, labelled, planted = {finding: column for column, finding in DRAWN.items()}, labels(tree), planted_defects(tree)
    odd, checked = {*planted["question_unknown_image"], *planted["question_contradicted"]}, 0
    for row in table(tree / "questions" / question_sets.CXR_VQA):
        found = re.fullmatch(r"is there (?:evidence of )?([a-z ]+?)(?: in this image)?\?", row["question"])
        if row["question_type"] == "presence" and row["dicom_id"] not in odd and row["study_id"] in labelled:
            assert labelled[row["study_id"]][columns[found[1]]] == {"yes": "1.0", "no": "0.0"}[row["answer"]]
            checked += 1
    assert checked > 50


def test_answers_to_location_questions_are_the_phantoms_sides(tree):
    drawn, checked = truth(tree), Counter()
    for row in table(tree / "questions" / question_sets.CXR_VQA):
        found = re.fullmatch(r"is there ([a-z ]+) in the (left|right) lung\?", row["question"])
        if found and row["dicom_id"] in drawn:
            _, _, masks = drawn[row["dicom_id"]]
            in_right_half = np.nonzero(masks[found[1]])[1].mean() > WIDTH / 2  # the patient's left
            assert row["answer"] == ("yes" if in_right_half == (found[2] == "left") else "no")
            checked[row["answer"]] += 1
    assert checked["yes"] == checked["no"] >= 5


def test_medical_cxr_vqa_has_its_columns_types_and_planted_defects(tree):
    rows, planted = table(tree / "questions" / question_sets.CXR_VQA), planted_defects(tree)
    assert list(rows[0]) == ["subject_id", "study_id", "dicom_id", "question_type", "question", "answer", "split"]
    assert {row["question_type"] for row in rows} == {"presence", "abnormality", "level", "location", "view", "type"}
    assert all(row["question"] == row["question"].lower() for row in rows)
    assert {row["dicom_id"] for row in rows} - set(metadata(tree)) == set(planted["question_unknown_image"])
    asked = defaultdict(list)
    for row in rows:
        asked[row["dicom_id"], row["question"]].append(row["answer"])
    twice = {key[0]: answers for key, answers in asked.items() if len(answers) > 1}
    (same,), (other,) = planted["question_asked_twice"], planted["question_contradicted"]
    assert twice[same][0] == twice[same][1] and sorted(twice[other]) == ["no", "yes"] and set(twice) == {same, other}


def test_mimic_ext_vqa_has_lists_for_answers_and_paths_without_files(tree):
    kinds, answers, about = set(), [], metadata(tree)
    for split in ("train", "valid", "test"):
        entries = json.loads((tree / "questions/mimic-ext/dataset" / f"{split}.json").read_text())
        assert [entry["idx"] for entry in entries] == list(range(len(entries)))
        for entry in entries:
            assert entry["split"] == split and entry["answer"] == sorted(entry["answer"]) and "${" not in entry["question"]
            if entry["image_id"] in about:
                assert f"files/{entry['image_path']}" == path_of(about[entry["image_id"]])
            else:
                assert [entry["image_id"]] == planted_defects(tree)["question_unknown_image"]
            kinds.add(entry["semantic_type"])
            answers.append(entry["answer"])
    assert kinds == {"verify", "choose", "query"}
    assert [] in answers and any(len(answer) > 1 for answer in answers)


def test_medical_diff_vqa_compares_studies_of_one_patient(tree):
    rows = table(tree / "questions" / question_sets.DIFF_VQA)
    assert list(rows[0]) == ["study_id", "subject_id", "ref_id", "question_type", "question", "answer", "split"]
    patient = {row["study_id"]: row["subject_id"] for row in metadata(tree).values()}
    assert all(patient[row["study_id"]] == patient[row["ref_id"]] == row["subject_id"] for row in rows)
    assert all(row["study_id"] != row["ref_id"] for row in rows)
    assert {"difference", "presence", "view"} <= {row["question_type"] for row in rows}


@pytest.mark.parametrize(("name", "column"), [
    ("hard_positives.csv", "answer"), ("hard_positives_correct_answer.csv", "correct_answer"),
    ("hard_positives_ground_truth.csv", "ground_truth"),
])  # fmt: skip
def test_hard_positives_have_the_original_studys_oddities(tree, name, column):
    rows, planted, about = table(tree / "questions" / name), planted_defects(tree), metadata(tree)
    assert list(rows[0]) == [
        "dicom_id", "study_id", "question", column, "image_path", "baseline_question", "question_variant", "variant_index",
        "strategy"
    ]  # fmt: skip
    answers = [row[column] if column == "answer" else ast.literal_eval(row[column])[0] for row in rows]
    assert set(answers) == {"yes", "no"}
    groups = defaultdict(list)
    for row in rows:
        groups[row["dicom_id"] or row["study_id"], row["baseline_question"]].append(row)
    short = [key[0] for key, group in groups.items() if len(group) != 6]
    assert short == planted["hard_positive_without_original"]
    for group in groups.values():
        assert len({row["question"] for row in group}) == len(group)
        for row in group:
            variant = f"hard_positive_strategy-{row['variant_index']}" if row["variant_index"] != "0" else "original"
            assert row["question_variant"] == variant
            assert (row["question"] == row["baseline_question"]) == (variant == "original")
    misplaced = {row["study_id"] for row in rows if not row["dicom_id"]}
    assert misplaced == set(planted["hard_positive_dicom_id_as_study_id"]) and misplaced < set(about)
    forms = {re.sub(r"(?<=[ps])\d{8}", "N", row["image_path"].replace(row["dicom_id"] or "\0", "D")) for row in rows}
    assert {"D", "D.jpg"} < forms and any(re.fullmatch(r"p1\d_pN_sN_D\.jpg", form) for form in forms)


def test_strategy_labels_are_free_text_of_known_strategies_but_for_one(tree):
    unknown, primary = set(), set()
    for row in table(tree / "questions/hard_positives.csv"):
        if row["variant_index"] == "0":
            continue
        found = labels_of(row["strategy"])
        primary.add(found.primary)
        unknown |= {(row["dicom_id"], part) for part in found.unknown}
    assert unknown == {(planted_defects(tree)["hard_positive_unknown_strategy"][0], "Zeugma")}
    assert primary == {"phrasing", "synonym", "clause", "register", "voice", "other"}
    assert labels_of("Synonym + clause (fronted prepositional phrase)").every == ("synonym", "clause")


# --- region sets ------------------------------------------------------------------------------------------------------


def test_ms_cxr_boxes_hold_the_lesions_and_no_more(tree):
    drawn, boxes = truth(tree), defaultdict(list)
    for row in table(tree / "regions" / f"{fake_regions.MS_CXR}.csv"):
        x, y, w, h = (int(row[name]) for name in "xywh")
        boxes[row["dicom_id"], row["category_name"]].append((x, y, x + w, y + h))
    checked = 0
    for dicom_id, (left, _, masks) in drawn.items():
        for finding, mask in masks.items():
            if found := boxes.get((dicom_id, fake_regions.MS_CATEGORY[finding])):
                x1, y1, x2, y2 = np.transpose(found)
                assert (x1.min(), y1.min(), x2.max(), y2.max()) == box_in(mask, left)
                checked += 1
    assert checked >= 10
    assert any(left for left, _, _ in drawn.values()) and not all(left for left, _, _ in drawn.values())
    several = {dicom_id for (dicom_id, _), found in boxes.items() if len(found) > 1}
    assert several == set(planted_defects(tree)["ms_cxr_phrase_in_two_boxes"])


def test_ms_cxr_says_the_same_in_csv_and_coco(tree):
    rows = table(tree / "regions" / f"{fake_regions.MS_CXR}.csv")
    coco = json.loads((tree / "regions" / f"{fake_regions.MS_CXR}.json").read_text())
    images = {image["id"]: image for image in coco["images"]}
    names = {category["id"]: category["name"] for category in coco["categories"]}
    assert len(names) == 8
    flat = [
        {
            "dicom_id": images[one["image_id"]]["file_name"].removesuffix(".jpg"), "category_name": names[one["category_id"]],
            "label_text": one["label_text"], "path": images[one["image_id"]]["path"],
            **dict(zip("xywh", map(str, one["bbox"]), strict=True)),
            "image_width": str(images[one["image_id"]]["width"]), "image_height": str(images[one["image_id"]]["height"]),
            "split": one["split"],
        }
        for one in coco["annotations"]
    ]  # fmt: skip
    assert flat == rows
    about = metadata(tree)
    assert all(
        row["path"] == path_of(about[row["dicom_id"]]) and about[row["dicom_id"]]["ViewPosition"] in ("PA", "AP")
        for row in rows
    )


def graphs(tree: Path) -> dict[str, dict]:
    with zipfile.ZipFile(tree / "regions" / fake_regions.SCENE_GRAPHS) as archive:
        names = archive.namelist()
        matches = [re.fullmatch(r"scene_graph/([0-9a-f-]{44})_SceneGraph\.json", name) for name in names]
        found = {match[1]: json.loads(archive.read(match[0])) for match in matches}
    assert len(found) == len(names)
    return found


def test_scene_graphs_place_every_lesion_in_a_region_that_is_labelled_with_it(tree):
    drawn, found, checked = truth(tree), graphs(tree), Counter()
    for dicom_id, (left, _, masks) in drawn.items():
        if dicom_id not in found:
            continue
        objects = found[dicom_id]["objects"]
        boxes = {one["bbox_name"]: [one[f"original_{edge}"] for edge in ("x1", "y1", "x2", "y2")] for one in objects}
        places = defaultdict(set)
        for entry in found[dicom_id]["attributes"]:
            assert entry[entry["bbox_name"]] is True and entry["bbox_name"] in boxes
            for labels_ in entry["attributes"]:
                category, polarity, name = labels_[0].split("|")
                assert category == "anatomicalfinding"
                places[name, polarity].add(entry["bbox_name"])
        for finding in DRAWN.values():
            name = fake_regions.GRAPH_NAMES.get(finding, finding)
            assert bool(places[name, "yes"]) == (finding in masks)
            if finding in masks:
                x1, y1, x2, y2 = box_in(masks[finding], left)
                around = [boxes[region] for region in places[name, "yes"]]
                assert any(a <= x1 and b <= y1 and c >= x2 and d >= y2 for a, b, c, d in around)
                checked[finding, (x1, y1, x2, y2) in map(tuple, around)] += 1
    assert all(exact == (finding in fake_regions.EXACT_REGION) for finding, exact in checked) and sum(checked.values()) >= 10


def test_scene_graphs_have_boxes_in_the_image_and_in_a_padded_square_of_224(tree):
    found, about = graphs(tree), metadata(tree)
    frontal = {dicom_id for dicom_id, row in about.items() if row["ViewPosition"] in ("PA", "AP")}
    assert set(found) == frontal
    swapped = planted_defects(tree)["image_size_differs"]
    for dicom_id, graph in found.items():
        size = [int(about[dicom_id][name]) for name in ("Columns", "Rows")]
        width, height = size[::-1] if dicom_id in swapped else size
        for one in graph["objects"]:
            for edge, length in (("x1", width), ("x2", width), ("y1", height), ("y2", height)):
                expected = 112 + (one[f"original_{edge}"] - length / 2) * 224 / max(width, height)
                assert abs(one[edge] - expected) <= 0.5
            assert one["original_width"] == one["original_x2"] - one["original_x1"] > 0
            assert one["original_x1"] >= 0 and one["original_x2"] <= width and one["original_y2"] <= height


def test_reflacx_ellipses_touch_the_sides_of_the_lesions_boxes(tree):
    drawn, about, unsure, checked = truth(tree), metadata(tree), set(), 0
    for phase in (1, 2, 3):
        for row in table(tree / f"regions/reflacx/main_data/metadata_phase_{phase}.csv"):
            assert re.fullmatch(rf"P{phase}\d\dR\d{{6}}", row["id"]) and row["eye_tracking_data_discarded"] in ("True", "False")
            assert row["image"] == f"physionet.org/files/mimic-cxr/2.0.0/{path_of(about[row['dicom_id']], '.dcm')}"
            ellipses = table(tree / f"regions/reflacx/main_data/{row['id']}/anomaly_location_ellipses.csv")
            for ellipse in ellipses:
                (label,) = [name for name, cell in ellipse.items() if cell == "True"]
                assert row[label] == ellipse["certainty"]
                if ellipse["certainty"] == "2":
                    unsure.add(row["dicom_id"])
                if row["dicom_id"] in drawn:
                    left, _, masks = drawn[row["dicom_id"]]
                    edges = tuple(int(ellipse[edge]) for edge in ("xmin", "ymin", "xmax", "ymax"))
                    finding = next(name for name, spoken in fake_regions.READ_AS.items() if label in spoken)
                    assert edges == box_in(masks[finding], left)
                    checked += 1
    assert unsure == set(planted_defects(tree)["reflacx_unsure_ellipse"]) and checked >= 10


# --- DICOM ------------------------------------------------------------------------------------------------------------


def test_dicom_images_are_shown_as_the_phantom_was_drawn(tree, dicom_tree):
    """Byte for byte what was drawn, not what JPEG made of it, whether by a window, as a negative or by a table."""
    from pydicom import dcmread

    kinds = Counter()
    for dicom_id, (left, drawn, _) in truth(tree).items():
        path = path_of(metadata(dicom_tree)[dicom_id], ".dcm")
        if not (dicom_tree / path).exists() or dicom_id in planted_defects(dicom_tree)["image_differs_from_sum"]:
            continue
        shown = open_image(dicom_tree, path, sha256(dicom_tree / path))
        assert (np.asarray(shown)[:, left : left + WIDTH] == drawn).all()
        header = dcmread(dicom_tree / path, stop_before_pixels=True)
        kinds[header.PhotometricInterpretation, "VOILUTSequence" in header] += 1
        assert header.BitsStored == 12
    assert set(kinds) == {("MONOCHROME2", False), ("MONOCHROME1", False), ("MONOCHROME2", True)}


def test_a_dicom_tree_differs_from_the_other_in_its_files_only(tree, dicom_tree):
    jpeg, dicom = digest(tree), digest(dicom_tree)
    same = {path for path in jpeg if not path.startswith("files/") and path not in ("IMAGE_FILENAMES", "SHA256SUMS.txt")}
    assert {path: jpeg[path] for path in same} == {path: dicom[path] for path in same}
    assert {path.replace(".jpg", ".dcm") for path in jpeg} == set(dicom)
    assert (dicom_tree / "IMAGE_FILENAMES").read_text() == (tree / "IMAGE_FILENAMES").read_text().replace(".jpg", ".dcm")
    wrong = [path for path, value in sums(dicom_tree).items() if path in dicom and dicom[path] != value]
    assert wrong == [path_of(metadata(tree)[planted_defects(tree)["image_differs_from_sum"][0]], ".dcm")]


def test_a_dicom_tree_needs_pydicom(tmp_path, monkeypatch):
    for name in ("pydicom", "pydicom.dataset"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError) as caught:
        write(tmp_path / "out", LEAST, SEED, dicom=True)
    assert str(caught.value) == "--dicom writes DICOM files with pydicom: `pip install 'medattn[dicom]'`"
    assert not list(tmp_path.iterdir())
