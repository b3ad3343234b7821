"""True regions of three sources land where they were drawn, and what becomes none is counted. All rows are made up."""

import csv
import hashlib
import io
import json
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medattn.base.errors import InputError
from medattn.checks.study_check import box_of
from medattn.measures.body import cell_coverage
from medattn.measures.localisation import region_cells
from medattn.mimic import layout, region_geometry, regions, regions_imagenome, regions_ms_cxr, regions_reflacx
from medattn.mimic.regions import Region
from medattn.study.schema import REGION_COLUMNS

WIDE, TALL = (3056, 2544), (2544, 3056)
A, B, C, OTHER = ("-".join([digit * 8] * 5) for digit in "abc0")
SIZES = {A: WIDE, B: TALL, C: (640, 480)}
CORNERS = {"top left": (0, 0), "top right": (0, 15), "bottom left": (15, 0), "bottom right": (15, 15)}


def read(kind: str, path: Path, images=SIZES) -> tuple[list[Region], dict[str, int]]:
    counts: Counter[str] = Counter()
    return list(regions.read(kind, path, images, counts)), dict(counts)


# --- geometry ---------------------------------------------------------------------------------------------------------


def corner(name: str, size: tuple[int, int], edge: int = 60) -> tuple[int, int, int, int]:
    """A square of `edge` pixels in a corner of an image of (width, height)."""
    width, height = size
    return (width - edge if "right" in name else 0, height - edge if "bottom" in name else 0, edge, edge)


@pytest.mark.parametrize("size", [WIDE, TALL])
@pytest.mark.parametrize("shape", ["box", "ellipse"])
@pytest.mark.parametrize("name", CORNERS)
def test_a_region_in_a_corner_of_the_image_is_in_the_corner_cell(name, shape, size):
    mask = regions.mask_of(Region(A, "edema", "", *corner(name, size), shape), size)
    assert mask.shape == size[::-1]
    coverage = cell_coverage(mask)
    assert [tuple(cell) for cell in np.argwhere(coverage > 0)] == [CORNERS[name]]
    assert [tuple(cell) for cell in np.argwhere(region_cells(coverage)[0])] == [CORNERS[name]]


def squashed(mask: np.ndarray) -> np.ndarray:
    """Independent of medattn: the mask as the processor squashes its image, 896 x 896, in 16 x 16 cells of 56 pixels."""
    image = Image.fromarray(mask.astype(np.uint8) * 255).resize((896, 896), Image.Resampling.BOX)
    return np.asarray(image, dtype=np.float64).reshape(16, 56, 16, 56).mean(axis=(1, 3)) / 255


@pytest.mark.parametrize("size", [WIDE, TALL])
@pytest.mark.parametrize("shape", ["box", "ellipse"])
def test_coverage_is_that_of_the_image_as_the_processor_squashes_it(shape, size):
    generator = np.random.default_rng(7)
    for _ in range(3):
        w, h = generator.integers(20, 1500, 2)
        x, y = generator.integers(0, size[0] - w), generator.integers(0, size[1] - h)
        mask = regions.mask_of(Region(A, "edema", "", x, y, w, h, shape), size)
        np.testing.assert_allclose(
            cell_coverage(mask), squashed(mask), atol=0.01
        )  # half a pixel on either side of a cell of 159


@pytest.mark.parametrize("size", [WIDE, TALL])
def test_a_pixel_is_in_the_cell_of_its_position_over_the_size_of_the_image(size):
    """col = floor(16 x / W), row = floor(16 y / H): of pixels that lie in one cell wholly."""
    generator = np.random.default_rng(3)
    for x, y in zip(generator.integers(0, size[0], 8), generator.integers(0, size[1], 8), strict=True):
        cell = (16 * y // size[1], 16 * x // size[0])
        if (16 * (y + 1) - 1) // size[1] != cell[0] or (16 * (x + 1) - 1) // size[0] != cell[1]:
            continue
        mask = regions.mask_of(Region(A, "edema", "", x, y, 1, 1), size)
        assert mask.sum() == 1 and mask[y, x]
        assert [tuple(found) for found in np.argwhere(cell_coverage(mask) > 0)] == [cell]


def test_an_ellipse_holds_the_pixels_whose_centres_it_holds():
    mask = regions.mask_of(Region(A, "edema", "", 2, 1, 4, 6, "ellipse"), (8, 8))
    expected = np.array([[((c + 0.5 - 4) / 2) ** 2 + ((r + 0.5 - 4) / 3) ** 2 <= 1 for c in range(8)] for r in range(8)])
    assert np.array_equal(mask, expected)
    assert mask.sum() == 20 and box_of(mask) == (2, 1, 4, 6)


def test_an_ellipse_has_the_area_of_an_ellipse():
    mask = regions.mask_of(Region(A, "edema", "", 300.5, 200.25, 801.5, 1203.25, "ellipse"), WIDE)
    assert mask.sum() == pytest.approx(np.pi / 4 * 801.5 * 1203.25, rel=1e-3)


def test_an_ellipse_that_leaves_the_image_keeps_its_form():
    """Cutting its box would make another ellipse."""
    half = Region(A, "edema", "", -50, 10, 100, 40, "ellipse")
    counts: Counter[str] = Counter()
    assert region_geometry.fit(half, (200, 100), counts) == half
    assert counts == {region_geometry.CLIPPED: 1}
    whole = regions.mask_of(Region(A, "edema", "", 50, 10, 100, 40, "ellipse"), (200, 100))
    assert np.array_equal(regions.mask_of(half, (200, 100))[:, :50], whole[:, 100:150])


@pytest.mark.parametrize(
    ("box", "shape", "expected", "reason"),
    [
        ((10, 20, 30, 40), "box", (10, 20, 30, 40), None),
        ((10.5, 20.5, 30, 40), "box", (10, 20, 31, 41), None),  # every pixel that it touches
        ((0, 0, 200, 100), "box", (0, 0, 200, 100), None),
        ((-5, -6, 10, 10), "box", (0, 0, 5, 4), region_geometry.CLIPPED),
        ((195, 95, 10, 10), "box", (195, 95, 5, 5), region_geometry.CLIPPED),
        ((200, 0, 10, 10), "box", None, region_geometry.OUTSIDE),
        ((-10, 0, 10, 10), "box", None, region_geometry.OUTSIDE),
        ((10, 10, 0, 5), "box", None, region_geometry.OUTSIDE),
        ((10, 10, 5, -5), "box", None, region_geometry.OUTSIDE),
        ((200, 0, 10, 10), "ellipse", None, region_geometry.OUTSIDE),
        ((10.6, 10.6, 0.5, 0.5), "ellipse", None, region_geometry.NO_CENTRE),
    ],
)
def test_a_region_becomes_what_its_image_holds_of_it(box, shape, expected, reason):
    counts: Counter[str] = Counter()
    found = region_geometry.fit(Region(A, "edema", "left", *box, shape), (200, 100), counts)
    assert (None if found is None else (found.x, found.y, found.w, found.h)) == expected
    assert counts == ({reason: 1} if reason else {})


# --- MS-CXR -----------------------------------------------------------------------------------------------------------

MS_CXR = [  # dicom_id, category, x, y, w, h, width, height
    (A, "Pleural Effusion", 0, 2400, 300, 144, *WIDE),
    (A, "Pleural Effusion", 2700, 2300, 356, 244, *WIDE),  # the same phrase, another box
    (B, "Cardiomegaly", 900, 1500, 1000, 900, *TALL),
    (B, "Cardiomegaly", 900, 1500, 1000, 900, *TALL),  # another phrase, the same box
    (B, "Lung Opacity", 2500, -10, 100, 50, *TALL),
    (B, "Edema", 2544, 0, 100, 50, *TALL),
    (C, "Edema", 10, 10, 50, 50, 1280, 960),
    (C, "Granuloma", 10, 10, 50, 50, 640, 480),
    (OTHER, "Edema", 10, 10, 50, 50, 640, 480),
]
MS_CXR_REGIONS = [
    Region(A, "pleural effusion", "", 0, 2400, 300, 144),
    Region(A, "pleural effusion", "", 2700, 2300, 356, 244),
    Region(B, "cardiomegaly", "", 900, 1500, 1000, 900),
    Region(B, "cardiomegaly", "", 900, 1500, 1000, 900),
    Region(B, "lung opacity", "", 2500, 0, 44, 40),
]
MS_CXR_COUNTS = {
    region_geometry.CLIPPED: 1,
    region_geometry.OUTSIDE: 1,
    region_geometry.OTHER_SIZE: 1,
    "category 'Granuloma' is not a finding of this study": 1,
    region_geometry.OTHER_IMAGE: 1,
}
MS_CXR_COLUMNS = ("category_name", "label_text", "dicom_id", "path", "x", "y", "w", "h", "image_width", "image_height", "split")


def ms_cxr_csv(path: Path, rows=MS_CXR, columns=MS_CXR_COLUMNS) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for dicom_id, category, *numbers in rows:
            writer.writerow([category, "a made-up phrase, with a comma", dicom_id, f"files/{dicom_id}.jpg", *numbers, "test"])
    return path


def ms_cxr_json(path: Path) -> Path:
    names = sorted({row[1] for row in MS_CXR})
    images = sorted({(row[0], row[6], row[7]) for row in MS_CXR})
    content = {
        "info": {"version": "1.1.0"},
        "categories": [{"id": index, "name": name} for index, name in enumerate(names)],
        "images": [
            {"id": index, "file_name": f"{dicom_id}.jpg", "width": width, "height": height, "path": f"files/{dicom_id}.jpg"}
            for index, (dicom_id, width, height) in enumerate(images)
        ],
        "annotations": [
            {"id": index, "image_id": images.index((row[0], row[6], row[7])), "category_id": names.index(row[1]),
             "bbox": list(row[2:6]), "label_text": "made up", "split": "test"}
            for index, row in enumerate(MS_CXR)
        ],
    }  # fmt: skip
    path.write_text(json.dumps(content))
    return path


def test_ms_cxr_boxes_are_read_and_the_rest_is_counted(tmp_path):
    assert read("ms-cxr", ms_cxr_csv(tmp_path / "MS_CXR_Local_Alignment_v1.1.0.csv")) == (MS_CXR_REGIONS, MS_CXR_COUNTS)


def test_ms_cxr_in_cocos_form_is_the_same(tmp_path):
    assert read("ms-cxr", ms_cxr_json(tmp_path / "MS_CXR_Local_Alignment_v1.1.0.json")) == (MS_CXR_REGIONS, MS_CXR_COUNTS)


def test_ms_cxr_is_found_in_its_folder(tmp_path):
    with pytest.raises(InputError, match="expected one file"):
        read("ms-cxr", tmp_path)
    ms_cxr_json(tmp_path / "MS_CXR_Local_Alignment_v1.1.0.json")
    assert read("ms-cxr", tmp_path) == (MS_CXR_REGIONS, MS_CXR_COUNTS)
    ms_cxr_csv(tmp_path / "MS_CXR_Local_Alignment_v1.1.0.csv")
    assert read("ms-cxr", tmp_path) == (MS_CXR_REGIONS, MS_CXR_COUNTS)


def test_a_row_of_ms_cxr_without_numbers_is_named(tmp_path):
    path = ms_cxr_csv(tmp_path / "boxes.csv", [MS_CXR[0], (A, "Edema", 1, "", "nan", 4, *WIDE)])
    with pytest.raises(InputError) as error:
        read("ms-cxr", path)
    assert str(error.value) == (
        f"{path}, row 3: x, y, w, h, image_width, image_height are 1, , nan, 4, 3056, 2544, expected numbers: download it again"
    )


def test_bytes_that_are_no_text_are_not_shown(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_bytes(b"\x1f\x8b" + b"secret" * 100)
    with pytest.raises(InputError, match=r"is not UTF-8") as error:
        read("ms-cxr", path)
    assert "secret" not in str(error.value)


def test_ms_cxr_without_a_column_is_refused(tmp_path):
    path = ms_cxr_csv(tmp_path / "boxes.csv", columns=[name.replace("image_width", "width") for name in MS_CXR_COLUMNS])
    with pytest.raises(InputError, match=r"boxes\.csv: column image_width is missing"):
        read("ms-cxr", path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "boxes.json is not JSON"),
        ("[]", "boxes.json is not a JSON object: it holds list: restore it"),
        ("[" * 100_000, "boxes.json is not JSON that can be read: it nests too deeply"),
        ('{"categories": [], "images": []}', "boxes.json is not a COCO file .KeyError: 'annotations'"),
        ('{"categories": [], "images": [], "annotations": [{"image_id": 3}]}', "boxes.json, annotation 0: KeyError: 3"),
        (
            '{"categories": [{"id": 1, "name": "Edema"}], "images": [{"id": 3, "file_name": "a.jpg", "width": 1, "height": 1}],'
            ' "annotations": [{"image_id": 3, "category_id": 1, "bbox": [1, 2, 3]}]}',
            "boxes.json, annotation 0: bbox is .1, 2, 3., expected 4 numbers",
        ),
    ],
)
def test_coco_that_is_malformed_is_refused(tmp_path, content, message):
    path = tmp_path / "boxes.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read("ms-cxr", path)


# --- Chest ImaGenome --------------------------------------------------------------------------------------------------


def place(dicom_id: str, name: str, *box) -> dict:
    x1, y1, x2, y2 = box
    return {
        "object_id": f"{dicom_id}_{name}", "bbox_name": name, "x1": 1, "y1": 2, "x2": 3, "y2": 4, "name": name.capitalize(),
        "original_x1": x1, "original_y1": y1, "original_x2": x2, "original_y2": y2, "original_width": x2 - x1,
        "original_height": y2 - y1,
    }  # fmt: skip


def statement(dicom_id: str, name: str, *phrases: list[str]) -> dict:
    return {
        name: True, "bbox_name": name, "name": name.capitalize(), "attributes": list(phrases),
        "phrases": ["made up"] * len(phrases), "object_id": f"{dicom_id}_{name}",
    }  # fmt: skip


GRAPHS = {
    A: {
        "image_id": A,
        "objects": [
            place(A, "right lung", 300, 200, 1400, 2100),
            place(A, "left lower lung zone", 1700, 1500, 2700, 2100),
            place(A, "left costophrenic angle", 2900, 2000, 3100, 2300),
            place(A, "cardiac silhouette", 1200, 1200, 2200, 2100),
            place(A, "left apical zone", 3060, 100, 3200, 200),
            place(A, "spine", 1500, 0, 1500, 2544),
        ],
        "attributes": [
            statement(A, "right lung", ["anatomicalfinding|no|lung opacity", "nlp|yes|normal"]),
            statement(
                A, "left lower lung zone",
                ["anatomicalfinding|yes|lung opacity", "nlp|yes|abnormal", "texture|yes|opacity"],
                ["disease|yes|pneumonia", "anatomicalfinding|yes|infiltration"],
                ["anatomicalfinding|yes|atelectasis"],
                ["anatomicalfinding|no|atelectasis"],
            ),
            statement(A, "left costophrenic angle", ["anatomicalfinding|yes|pleural effusion"],
                 ["anatomicalfinding|yes|pleural effusion"]),
            statement(A, "cardiac silhouette", ["anatomicalfinding|yes|enlarged cardiac silhouette", "severity|yes|mild"]),
            statement(A, "left apical zone", ["anatomicalfinding|yes|pneumothorax"]),
            statement(A, "spine", ["anatomicalfinding|yes|spinal fracture"]),
            statement(A, "left breast", ["anatomicalfinding|yes|lung opacity"]),
        ],
    },
    OTHER: {"image_id": OTHER, "objects": [place(OTHER, "right lung", 0, 0, 9, 9)], "attributes": []},
    C: {"image_id": C, "objects": [], "attributes": []},
}  # fmt: skip
IMAGENOME_REGIONS = [
    Region(A, "cardiomegaly", "", 1200, 1200, 1000, 900),
    Region(A, "pleural effusion", "left", 2900, 2000, 156, 300),
    Region(A, "lung opacity", "left", 1700, 1500, 1000, 600),
    Region(A, "pneumonia", "left", 1700, 1500, 1000, 600),
]
IMAGENOME_COUNTS = {
    region_geometry.OTHER_IMAGE: 1,
    regions_imagenome.NO_GRAPH: 1,  # of B
    region_geometry.CLIPPED: 1,
    region_geometry.OUTSIDE: 2,  # the apical zone, and the spine of no width
    regions_imagenome.NO_BOX: 1,
    regions_imagenome.DENIED: 1,
    "category 'infiltration' is not a finding of this study": 1,
}


def scene_graphs(path: Path, graphs: dict[str, object] = GRAPHS) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("scene_graph/", "")
        for dicom_id, graph in graphs.items():
            content = graph if isinstance(graph, str) else json.dumps(graph)
            archive.writestr(f"scene_graph/{dicom_id}_SceneGraph.json", content)
    return path


def test_imagenome_places_that_show_a_finding_are_its_regions(tmp_path):
    found, counts = read("imagenome", scene_graphs(tmp_path / "scene_graph.zip"))
    assert sorted(found) == sorted(IMAGENOME_REGIONS)
    assert counts == IMAGENOME_COUNTS


@pytest.mark.parametrize("inner", [".", "scene_graph", "silver_dataset/scene_graph", "silver_dataset/scene_graph/scene_graph"])
def test_imagenome_is_read_from_folders_as_from_the_zip(tmp_path, inner):
    folder = tmp_path / "data" / inner
    folder.mkdir(parents=True, exist_ok=True)
    for dicom_id, graph in GRAPHS.items():
        (folder / f"{dicom_id}_SceneGraph.json").write_text(json.dumps(graph))
    found, counts = read("imagenome", tmp_path / "data")
    assert sorted(found) == sorted(IMAGENOME_REGIONS)
    assert counts == IMAGENOME_COUNTS


def test_imagenomes_zip_is_found_in_the_datasets_folder(tmp_path):
    (tmp_path / "silver_dataset").mkdir()
    scene_graphs(tmp_path / "silver_dataset/scene_graph.zip")
    assert read("imagenome", tmp_path)[1] == IMAGENOME_COUNTS


def test_only_wanted_scene_graphs_are_read(tmp_path):
    """The others may hold anything: they are not opened."""
    many = {f"{number:08x}-" + "-".join(["1" * 8] * 4): "{not JSON" for number in range(2000)}
    found, counts = read("imagenome", scene_graphs(tmp_path / "scene_graph.zip", {**many, A: GRAPHS[A]}), {A: WIDE})
    assert len(found) == 4 and counts[region_geometry.OTHER_IMAGE] == 2000


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ("{", "is not JSON: "),
        ({"image_id": A, "objects": []}, "is not a scene graph .KeyError: 'attributes'"),
        (
            {"image_id": A, "objects": [], "attributes": [statement(A, "right lung", ["pneumonia"])]},
            "is not a scene graph .ValueError",
        ),
        ({"image_id": B, "objects": [], "attributes": []}, f"image_id is '{B}', expected the file's: download it again"),
    ],
)
def test_a_malformed_scene_graph_is_named(tmp_path, graph, message):
    path = scene_graphs(tmp_path / "scene_graph.zip", {A: graph})
    with pytest.raises(InputError, match=message) as error:
        read("imagenome", path)
    assert str(error.value).startswith(f"{path}, scene_graph/{A}_SceneGraph.json")


def test_a_damaged_zip_is_refused(tmp_path):
    path = scene_graphs(tmp_path / "scene_graph.zip")
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"scene_graph\.zip is not a zip file, or is damaged"):
        read("imagenome", path)
    path.write_bytes(b"no zip")
    with pytest.raises(InputError, match=r"scene_graph\.zip is not a zip file, or is damaged"):
        read("imagenome", path)


SPACES = json.dumps(GRAPHS[A]).encode() + bytes([32]) * 200_000_000  # 200 kB once compressed
PLAIN = json.dumps(GRAPHS[A]).encode()


@pytest.mark.parametrize(
    ("content", "method", "said", "message"),
    [
        (SPACES, zipfile.ZIP_DEFLATED, {}, "has more than 8000000 bytes, which no scene graph has"),
        (SPACES, zipfile.ZIP_DEFLATED, {"file_size": len(PLAIN)}, "has more than 8000000 bytes"),
        (PLAIN + b" " * 9, zipfile.ZIP_DEFLATED, {"file_size": len(PLAIN), "CRC": zlib.crc32(PLAIN)}, "is not a zip"),
        (PLAIN + b" " * 9, zipfile.ZIP_STORED, {"file_size": len(PLAIN)}, f"unpacks to {len(PLAIN) + 9} bytes, and says"),
        (PLAIN, zipfile.ZIP_DEFLATED, {"file_size": 1 << 40}, f"unpacks to {len(PLAIN)} bytes, and says {1 << 40}"),
        (PLAIN, zipfile.ZIP_BZIP2, {}, "is compressed by method 12, expected a plain zip file"),
        (PLAIN, zipfile.ZIP_LZMA, {}, "is compressed by method 14, expected a plain zip file"),
        (PLAIN, zipfile.ZIP_DEFLATED, {"flag_bits": 1}, "is encrypted, expected a plain zip file"),
        (b"PK\x03\x04\xff\xfe", zipfile.ZIP_STORED, {}, "is not UTF-8"),
    ],
    ids=["bomb", "bomb that denies it", "more with the hash of less", "more than said", "less than said", "bzip2", "lzma",
         "encrypted", "a zip in the zip"],
)  # fmt: skip
def test_an_entry_that_unpacks_to_more_than_it_says_or_not_plainly_is_refused(tmp_path, content, method, said, message):
    path, name = tmp_path / "scene_graph.zip", f"{A}_SceneGraph.json"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(name, content)
        for key, value in said.items():  # written to the directory, which is all that a reader believes, when it is closed
            setattr(archive.getinfo(name), key, value)
    with pytest.raises(InputError, match=rf"scene_graph\.zip.* {message}.*: download it again$"):
        read("imagenome", path, {A: WIDE})


def test_an_image_with_two_scene_graphs_in_the_zip_is_named(tmp_path):
    path = scene_graphs(tmp_path / "scene_graph.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"silver/{A}_SceneGraph.json", json.dumps(GRAPHS[A]))
    with pytest.raises(InputError, match=rf"scene_graph\.zip: {A}_SceneGraph.json is in it more than once: download it again"):
        read("imagenome", path)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_a_zip_of_which_the_end_is_missing_is_refused(tmp_path, kept):
    path = scene_graphs(tmp_path / "scene_graph.zip")
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(InputError, match=r"scene_graph\.zip is not a zip file, or is damaged: .*: download it again"):
        read("imagenome", path)


def test_a_scene_graph_in_a_folder_that_is_no_file_or_huge_is_named(tmp_path):
    at = tmp_path / f"{A}_SceneGraph.json"
    at.mkdir()
    with pytest.raises(InputError, match=f"{at.name} is not a file: download it again"):
        read("imagenome", tmp_path, {A: WIDE})
    at.rmdir()
    with at.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputError, match=f"{at.name} has more than 8000000 bytes, which no scene graph has"):
        read("imagenome", tmp_path, {A: WIDE})


def test_a_folder_without_scene_graphs_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no scene_graph\.zip and no file \*_SceneGraph\.json in it"):
        read("imagenome", tmp_path)


# --- REFLACX ----------------------------------------------------------------------------------------------------------

LABELS = ("Atelectasis", "Enlarged cardiac silhouette", "Pleural abnormality", "Pneumothorax", "Support devices")


def reflacx(root: Path, readings: dict[str, tuple[str, tuple[int, int], list[list]]]) -> Path:
    """Two metadata files, and the ellipses of each reading (None: no file)."""
    main = root / "main_data"
    main.mkdir(parents=True)
    for phase, names in ((1, list(readings)[:1]), (3, list(readings)[1:])):
        with (main / f"metadata_phase_{phase}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "split", "eye_tracking_data_discarded", "image", "dicom_id", "image_size_x", "image_size_y"])
            for name in names:
                dicom_id, size, _ = readings[name]
                writer.writerow([name, "train", "False", f"files/{dicom_id}.dcm", dicom_id, *size])
    for name, (_, _, ellipses) in readings.items():
        (main / name).mkdir()
        if ellipses is not None:
            with (main / name / "anomaly_location_ellipses.csv").open("w", newline="") as file:
                csv.writer(file).writerows([["xmin", "ymin", "xmax", "ymax", "certainty", *LABELS], *ellipses])
    return root


READINGS = {
    "P1R1": (A, WIDE,
             [[0, 0, 100, 60, 5, True, False, False, False, False], [10, 10, 20, 20, 2, True, False, False, False, False]]),
    "P3R1": (B, TALL,
             [[-50, 3000, 150.5, 3100, 3, True, True, True, False, False],
              [2600, 1, 2700, 9, 4, False, False, False, True, False]]),
    "P3R2": (C, (1280, 960), [[1, 1, 9, 9, 5, True, False, False, False, False]]),
    "P3R3": (C, (640, 480), [[10.6, 10.6, 11.1, 11.1, 5, True, False, False, False, False]]),
    "P3R4": (C, (640, 480), []),
    "P3R5": (C, (640, 480), None),
    "P3R6": (OTHER, (640, 480), [[1, 1, 9, 9, 5, True, False, False, False, False]]),
}  # fmt: skip
REFLACX_REGIONS = [
    Region(A, "atelectasis", "", 0, 0, 100, 60, "ellipse"),
    Region(B, "atelectasis", "", -50, 3000, 200.5, 100, "ellipse"),
    Region(B, "cardiomegaly", "", -50, 3000, 200.5, 100, "ellipse"),
]
REFLACX_COUNTS = {
    regions_reflacx.UNLIKELY: 1,
    region_geometry.CLIPPED: 2,
    "category 'pleural abnormality' is not a finding of this study": 1,
    region_geometry.OUTSIDE: 1,
    region_geometry.OTHER_SIZE: 1,
    region_geometry.NO_CENTRE: 1,
    regions_reflacx.NO_ELLIPSES: 1,
    region_geometry.OTHER_IMAGE: 1,
}


@pytest.mark.parametrize("inner", ["", "main_data"])
def test_reflacx_ellipses_are_read_and_the_rest_is_counted(tmp_path, inner):
    assert read("reflacx", reflacx(tmp_path / "data", READINGS) / inner) == (REFLACX_REGIONS, REFLACX_COUNTS)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0, 0, "", 60, 5, True, False, False, False, False], "row 2: xmin, ymin, xmax, ymax, certainty are not numbers"),
        ([0, 0, 9, 60, 5, "maybe", False, False, False, False], "row 2: Atelectasis is 'maybe', expected True or False"),
        ([0, 0, 9, 60], "row 2: 4 cells under 10 columns"),
    ],
)
def test_a_malformed_row_of_ellipses_is_named(tmp_path, row, message):
    root = reflacx(tmp_path / "data", {"P1R1": (A, WIDE, [row])})
    with pytest.raises(InputError, match=message) as error:
        read("reflacx", root)
    assert str(error.value).startswith(str(root / "main_data/P1R1/anomaly_location_ellipses.csv"))


def test_a_certainty_that_is_blank_is_counted_and_the_others_are_read(tmp_path):
    rows = [[0, 0, 100, 60, certainty, True, False, False, False, False] for certainty in ("", 5, " ", "nan")]
    root = reflacx(tmp_path / "data", {"P1R1": (A, WIDE, rows)})
    assert read("reflacx", root) == (REFLACX_REGIONS[:1], {regions_reflacx.UNKNOWN: 3})


def test_reflacx_without_its_metadata_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no metadata_phase_\*\.csv in it or in .*main_data: unpack main_data\.zip"):
        read("reflacx", tmp_path)


def test_sources_without_a_row_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"metadata_phase_\*\.csv hold no row"):
        read("reflacx", reflacx(tmp_path / "data", {}))
    with pytest.raises(InputError, match=r"boxes\.csv holds no row"):
        read("ms-cxr", ms_cxr_csv(tmp_path / "boxes.csv", []))
    (tmp_path / "boxes.json").write_text('{"categories": [], "images": [], "annotations": []}')
    with pytest.raises(InputError, match=r"boxes\.json holds no annotation"):
        read("ms-cxr", tmp_path / "boxes.json")


# --- all sources ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [regions_ms_cxr, regions_imagenome, regions_reflacx])
def test_every_source_names_findings_as_the_study_does(module):
    assert set(module.FINDINGS.values()) <= set(layout.LABELS.values())


@pytest.mark.parametrize("resized", [(1528, 1272), (3055, 2544), (2544, 3056)])
@pytest.mark.parametrize("kind", regions.KINDS)
def test_regions_of_an_image_that_is_not_of_its_published_size_are_not_used(tmp_path, kind, resized):
    """Whatever the source says of the size, or where it says nothing."""
    readings = [(A, size, READINGS["P1R1"][2]) for size in (WIDE, resized, ("", ""))]
    path = {
        "ms-cxr": lambda: ms_cxr_csv(tmp_path / "boxes.csv", [MS_CXR[0], (*MS_CXR[1][:6], *resized)]),
        "imagenome": lambda: scene_graphs(tmp_path / "scene_graph.zip"),
        "reflacx": lambda: reflacx(tmp_path / "data", dict(zip(("P1R1", "P3R2", "P3R3"), readings, strict=True))),
    }[kind]()
    counts: Counter[str] = Counter()
    assert list(regions.read(kind, path, {A: resized}, counts, {A: WIDE})) == []
    assert counts[region_geometry.OTHER_SIZE] >= 2
    assert list(regions.read(kind, path, {A: WIDE}, counts, {A: WIDE}))


@pytest.mark.parametrize("kind", regions.KINDS)
def test_a_source_that_is_absent_is_named(tmp_path, kind):
    with pytest.raises(InputError) as error:
        read(kind, tmp_path / "absent")
    assert (
        str(error.value) == f"{tmp_path / 'absent'} not found: --regions {kind}:PATH names the data as PhysioNet lays them out"
    )


def test_the_option_names_a_kind_and_a_path():
    assert regions.parse_option("ms-cxr:/data/a:b.csv") == ("ms-cxr", Path("/data/a:b.csv"))


@pytest.mark.parametrize("text", ["ms-cxr", "ms-cxr:", "vindr:/data", "/data", ""])
def test_an_option_that_names_none_is_refused(text):
    with pytest.raises(InputError) as error:
        regions.parse_option(text)
    assert str(error.value) == (
        f"--regions is {text!r}, expected KIND:PATH with one of ms-cxr, imagenome, reflacx, e.g. ms-cxr:/data/ms-cxr"
    )


def test_regions_of_findings_that_labels_deny_are_dropped_and_counted():
    found = [Region(A, "edema", "", 0, 0, 1, 1), Region(B, "edema", "", 0, 0, 1, 1), Region(A, "pneumonia", "", 0, 0, 1, 1)]
    questions = [
        {"image_id": A, "finding": "edema", "answer": "no"},
        {"image_id": B, "finding": "edema", "answer": "yes"},
        {"image_id": B, "finding": "pneumonia", "answer": "no"},
    ]
    counts: Counter[str] = Counter()
    assert list(regions.drop_absent(found, questions, counts)) == found[1:]
    assert counts == {"labels say absent": 1}


# --- rows -------------------------------------------------------------------------------------------------------------


def test_rows_are_sorted_once_each_and_ellipses_are_masks(tmp_path):
    given = [
        Region(B, "edema", "left", 10, 20, 30, 40),
        Region(A, "edema", "", 5.25, 6, 20.5, 10, "ellipse"),
        Region(B, "edema", "left", 10, 20, 30, 40),
        Region(A, "edema", "", -4, 6, 20, 10, "ellipse"),
        Region(A, "lung opacity", "", 5.25, 6, 20.5, 10, "ellipse"),
    ]
    counts: Counter[str] = Counter()
    rows = regions.write_regions(tmp_path, given, {A: (40, 30), B: (60, 70)}, counts)
    assert counts == {region_geometry.DUPLICATED: 1}
    assert [(row["image_id"], row["finding"], row["side"], row["mask"]) for row in rows] == [
        (A, "edema", "", f"masks/{A}-edema-1.png"),
        (A, "edema", "", f"masks/{A}-edema-2.png"),
        (A, "lung opacity", "", f"masks/{A}-lung-opacity-1.png"),
        (B, "edema", "left", ""),
    ]
    assert rows[-1] == dict(zip(REGION_COLUMNS, (B, "edema", "left", "", 10, 20, 30, 40, "", ""), strict=True))
    for row, drawn in zip(rows[:3], (given[3], given[1], given[4]), strict=True):
        content = (tmp_path / row["mask"]).read_bytes()
        assert row["mask_sha256"] == hashlib.sha256(content).hexdigest()
        image = Image.open(io.BytesIO(content))
        assert (image.mode, image.size) == ("L", (40, 30))
        pixels = np.asarray(image)
        assert set(np.unique(pixels)) == {0, 255}
        assert np.array_equal(pixels > 0, regions.mask_of(drawn, (40, 30)))
        assert box_of(pixels > 0) == tuple(row[name] for name in "xywh")
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == sorted(row["mask"][6:] for row in rows[:3])


def test_rows_do_not_depend_on_the_order_of_the_regions(tmp_path):
    given = MS_CXR_REGIONS + REFLACX_REGIONS
    first = regions.write_regions(tmp_path / "first", given, SIZES, Counter())
    second = regions.write_regions(tmp_path / "second", given[::-1], SIZES, Counter())
    assert first == second


def test_a_study_accepts_the_rows(study):
    """check.py's own rules, on a copy of the phantom study."""
    from medattn.base.tables import write_csv
    from medattn.checks.study_check import check
    from tests.conftest import read as read_rows

    images = read_rows(study / "images.csv")
    sizes = {row["image_id"]: (int(row["width"]), int(row["height"])) for row in images}
    counts: Counter[str] = Counter()
    given = []
    for finding in ("edema", "pleural effusion", "pneumothorax"):
        for image_id, (width, height) in sizes.items():
            for shape, box in (("box", (width - 20.5, height - 9.5, 30, 30)), ("ellipse", (-7.3, 5.5, 31.7, 12.2))):
                if fitted := region_geometry.fit(Region(image_id, finding, "", *box, shape), sizes[image_id], counts):
                    given.append(fitted)
    kept = regions.drop_absent(given, read_rows(study / "questions.csv"), counts)
    rows = regions.write_regions(study, kept, sizes, counts)
    write_csv(study / "regions.csv", REGION_COLUMNS, rows)
    assert counts[region_geometry.ABSENT] > 0 and counts[region_geometry.CLIPPED] == len(given)
    assert check(study).regions == len(rows) > 0


def test_a_lung_gives_way_to_its_zone_that_shows_the_same_finding(tmp_path):
    graph = {
        "image_id": A,
        "objects": [place(A, "left lung", 1700, 300, 2700, 2200), place(A, "left lower lung zone", 1700, 1500, 2700, 2100)],
        "attributes": [
            statement(A, "left lung", ["anatomicalfinding|yes|lung opacity", "disease|yes|pneumonia"]),
            statement(A, "left lower lung zone", ["anatomicalfinding|yes|lung opacity"]),
        ],
    }
    found, counts = read("imagenome", scene_graphs(tmp_path / "scene_graph.zip", {A: graph}), {A: WIDE})
    assert sorted(found) == [
        Region(A, "lung opacity", "left", 1700, 1500, 1000, 600), Region(A, "pneumonia", "left", 1700, 300, 1000, 1900),
    ]  # fmt: skip
    assert counts == {regions_imagenome.WHOLE: 1}
