"""Images are found wherever they may lie, and used only if they are the published ones."""

import gzip
import hashlib
import shutil

import pytest

from medattn.base.errors import InputError
from medattn.mimic import layout
from medattn.mimic.archive import Archive, PinnedImage
from medattn.mimic.labels import near, read_labels, related

from .conftest import AP, IMAGES, LATERAL, OTHER, PA, SECOND, path_of


def opened(root, **options) -> Archive:
    archive = Archive(root, **options)
    archive.read_sums(IMAGES)
    return archive


def test_an_image_is_pinned_by_the_hash_of_its_bytes_and_its_own_size(root):
    archive = opened(root)
    for dicom_id, (subject, study, view, split, size) in IMAGES.items():
        content = (root / path_of(dicom_id)).read_bytes()
        assert archive.pin(dicom_id) == PinnedImage(path_of(dicom_id), hashlib.sha256(content).hexdigest(), *size)
        assert archive.images[dicom_id][1:5] == (subject, study, view, split)


@pytest.mark.parametrize(
    "place",
    [f"{PA}.jpg", f"p10_p10000001_s50000001_{PA}.jpg", PA, f"p10/p10000001/s50000001/{PA}.jpg"],
    ids=["flat", "flat with ids", "bare", "no files/"],
)
def test_flat_copies_are_found(root, place):
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    shutil.move(root / path_of(PA), root / place)
    assert opened(root).pin(PA).path == place


def test_an_image_that_is_missing_changed_unlisted_or_damaged_is_not_used_and_the_reason_is_reported(root):
    (root / path_of(PA)).unlink()
    (root / path_of(AP)).write_bytes(b"other")
    sums = (root / layout.SHA256SUMS).read_text().splitlines(keepends=True)
    damaged = root / path_of(SECOND)
    damaged.write_bytes(damaged.read_bytes()[:200])
    kept = [line for line in sums if LATERAL not in line and SECOND not in line]
    kept.append(f"{hashlib.sha256(damaged.read_bytes()).hexdigest()}  {path_of(SECOND)}\n")
    (root / layout.SHA256SUMS).write_text("".join(kept))
    archive = opened(root)
    assert archive.pin(PA) == "image file is not on disk"
    assert archive.pin(AP) == "image file differs from SHA256SUMS.txt"
    assert archive.pin(LATERAL) == "not listed in SHA256SUMS.txt"
    assert archive.pin(SECOND) == "image file cannot be decoded as 8-bit grey or RGB"
    assert isinstance(archive.pin(OTHER), PinnedImage)


def test_without_sums_the_files_themselves_are_hashed(root):
    (root / layout.SHA256SUMS).unlink()
    assert opened(root).pin(PA).sha256 == hashlib.sha256((root / path_of(PA)).read_bytes()).hexdigest()
    with pytest.raises(InputError, match="--trust-sums needs it"):
        Archive(root, trust_sums=True)


def test_trusted_sums_open_no_image(root):
    expected = {dicom_id: opened(root).pin(dicom_id) for dicom_id in IMAGES}
    shutil.rmtree(root / "files")
    archive = opened(root, trust_sums=True)
    assert {dicom_id: archive.pin(dicom_id) for dicom_id in IMAGES} == expected


def test_a_study_stands_for_its_pa_image_then_ap_then_the_rest(root):
    archive = opened(root)
    assert archive.of_study("50000001", ()).dicom_id == PA
    assert archive.of_study("50000001", ("AP", "LATERAL")).dicom_id == AP
    assert archive.of_study("50000001", ("LATERAL",)).dicom_id == LATERAL
    assert archive.of_study("50000002", ("PA",)) is None and archive.of_study("59999999", ()) is None


def test_labels_are_decided_only_by_one_and_zero(root):
    assert read_labels(opened(root)) == {
        "50000001": {"cardiomegaly": "yes", "pneumothorax": "no"},
        "50000002": {"cardiomegaly": "no", "pneumothorax": "yes"},
    }
    assert list(read_labels(opened(root), {"50000002"})) == ["50000002"]


def test_findings_that_include_each_other_are_related():
    assert related("cardiomegaly") == {"cardiomegaly", "enlarged cardiomediastinum", "enlarged cardiac silhouette"}
    assert "lung opacity" in related("pneumonia") and related("support devices") == {"support devices"}
    assert "lung opacity" in related("pleural effusion") and "pneumonia" not in related("pleural effusion")
    assert all(finding in related(finding) for finding in layout.LABELS.values())


@pytest.mark.parametrize(
    ("question", "includes"),
    [
        ("is there either atelectasis or edema?", {"atelectasis", "edema", "lung opacity"}),
        ("is there a small pleural effusion?", {"pleural effusion", "pleural other"}),
        ("is there an infiltrate?", {"lung opacity", "pneumonia"}),
        ("is there a chest tube?", {"support devices"}),
        ("is there heart failure?", {"edema", "cardiomegaly", "pleural effusion"}),
        ("are there any abnormalities?", set(layout.LABELS.values())),
    ],
)
def test_a_question_of_unknown_finding_may_be_about_whatever_its_words_may_mean(question, includes):
    assert includes <= near(question, None)


@pytest.mark.parametrize("name", [layout.METADATA, layout.SPLIT])
def test_a_missing_cut_or_foreign_table_is_named(root, name):
    content = (root / name).read_bytes()
    (root / name).write_bytes(content[:-20])
    with pytest.raises(InputError, match=f"{name} cannot be read as CSV"):
        Archive(root)
    (root / name).write_bytes(gzip.compress(b"a,b\n1,2\n"))
    with pytest.raises(InputError, match=f"{name}: column dicom_id.* is missing; it has a, b"):
        Archive(root)
    (root / name).write_bytes(gzip.compress(gzip.decompress(content) + b"too,few\n"))
    with pytest.raises(InputError, match=f"{name}, row 7: 2 cells under"):
        Archive(root)
    (root / name).unlink()
    with pytest.raises(InputError, match=f"{name} not found"):
        Archive(root)


def test_sizes_and_sums_that_are_none_are_named_by_row(root):
    table = gzip.decompress((root / layout.METADATA).read_bytes()).decode()
    (root / layout.METADATA).write_bytes(gzip.compress(table.replace("48,64", ",64", 1).encode()))
    with pytest.raises(InputError, match=r"row 2: Rows x Columns is '' x '64'"):
        Archive(root)
    (root / layout.METADATA).write_bytes(gzip.compress(table.encode()))
    with (root / layout.SHA256SUMS).open("a") as file:
        file.write("zz\n")
    with pytest.raises(InputError, match=r"SHA256SUMS.txt, line 6: expected 64 hexadecimal digits"):
        opened(root)


def test_a_root_that_is_none_is_named(root, tmp_path):
    with pytest.raises(InputError, match="is not a directory: give --root"):
        Archive(tmp_path / "nowhere")
    (root / layout.IMAGE_FILENAMES).write_text("files/x.bmp\n")
    with pytest.raises(InputError, match=r"ends with '\.bmp', expected \.jpg or \.dcm"):
        Archive(root)
