"""Images are found wherever they may lie, and used only if they are the published ones."""

import gzip
import hashlib
import shutil
import sys
from pathlib import Path

import pytest

from medattn.base.errors import InputError
from medattn.mimic import layout
from medattn.mimic.archive import Archive, PinnedImage
from medattn.mimic.labels import near, read_labels, related

from .conftest import AP, IMAGES, LATERAL, OTHER, PA, SECOND, path_of, rewritten


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
    assert archive.pin(PA) == "image file is not on disk: complete the copy"
    assert archive.pin(AP) == "image file differs from SHA256SUMS.txt: fetch it again"
    assert archive.pin(LATERAL) == "image file is not listed in SHA256SUMS.txt: take the one that came with the images"
    assert archive.pin(SECOND) == "image file cannot be decoded: fetch it again"
    assert isinstance(archive.pin(OTHER), PinnedImage)


def elsewhere(root) -> None:
    """The images on storage outside of the root, which links to it."""
    (root / "files").rename(root.parent / "storage")
    (root / "files").symlink_to(root.parent / "storage")


def test_a_linked_image_is_used_where_its_published_hash_holds(root):
    expected = opened(root).pin(PA)
    elsewhere(root)
    assert opened(root).pin(PA) == expected
    (root.parent / "storage" / path_of(PA).removeprefix("files/")).write_bytes(b"other")
    assert opened(root).pin(PA).startswith("image file differs from SHA256SUMS.txt")


def test_a_linked_image_that_nothing_pins_is_used_only_inside_the_root(root):
    (root / layout.SHA256SUMS).unlink()
    (root / path_of(PA)).rename(root / "moved.jpg")
    (root / path_of(PA)).symlink_to(root / "moved.jpg")
    assert isinstance(opened(root).pin(PA), PinnedImage)
    elsewhere(root)
    assert opened(root).pin(AP) == (
        "image file is linked from outside of the root, and nothing pins it: put SHA256SUMS.txt into the root"
    )


def test_links_to_storage_that_is_not_mounted_say_so(root):
    elsewhere(root)
    (root.parent / "storage").rename(root.parent / "away")
    assert opened(root).pin(PA) == (
        "image file is behind a link to nothing: mount the storage that it leads to, or link it again"
    )


@pytest.mark.parametrize("place", [path_of(PA), f"{PA}.jpg"], ids=["published", "flat"])
@pytest.mark.parametrize(
    ("ending", "names", "reason"),
    [
        (".JPG", True, "image file ends with .JPG, expected .jpg: rename it"),
        (".png", True, "image file ends with .png, expected .jpg: a converted copy is not the published image, restore that"),
        (".dcm", False, "image file ends with .dcm, expected .jpg, as IMAGE_FILENAMES is not in the root: put the one there"
         " that came with these files"),
        (".dcm", True, "image file ends with .dcm, expected .jpg, as IMAGE_FILENAMES says so: put the one there that came with"
         " these files"),
    ],
)  # fmt: skip
def test_a_file_whose_name_ends_otherwise_says_so(root, place, ending, names, reason):
    (root / path_of(PA)).rename((root / place).with_suffix(ending))
    if not names:
        (root / layout.IMAGE_FILENAMES).unlink()
    assert opened(root).pin(PA) == reason


def test_an_empty_or_unreadable_image_says_so(root, monkeypatch):
    (root / layout.SHA256SUMS).unlink()
    (root / path_of(PA)).write_bytes(b"")
    assert opened(root).pin(PA) == "image file holds zero bytes: restore it"

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert opened(root).pin(AP) == "image file cannot be read (Permission denied): let this user read it, or restore it"


def test_a_missing_package_ends_the_assembly_at_once(root, monkeypatch):
    """It is wrong with the machine: no other image would be used either."""
    (root / layout.SHA256SUMS).unlink()
    (root / path_of(PA)).write_bytes(bytes(128) + b"DICM")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(InputError, match="pydicom reads it: `pip install"):
        opened(root).pin(PA)


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


def test_tables_that_another_program_saved_say_the_same(root):
    """pandas writes whole numbers with a gap among them as decimals; others quote, pad or prefix them."""
    expected, labels = opened(root), read_labels(opened(root))
    rewritten(
        root, layout.METADATA, ("10000001", "p10000001"), ("50000001", "50000001.0"), ("50000002", " s50000002"),
        ("48,64", "48.0,+64"), ("dicom_id,", " dicom_id,"), (LATERAL, LATERAL.upper()),
    )  # fmt: skip
    rewritten(root, layout.SPLIT, (PA, f"{PA} "), (AP, AP.upper()), ("test", " test"))
    rewritten(root, layout.CHEXPERT, ("50000001", "50000001.0"), ("50000002", "s50000002"), ("-1.0", "-1"), (",1.0", ", 1"))
    archive = opened(root)
    assert archive.images == expected.images and archive.pin(PA) == expected.pin(PA)
    assert read_labels(archive) == labels


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (layout.METADATA, (PA, "none"), "row 2: dicom_id, subject_id, study_id are 'none', '10000001', '50000001', expected"),
        (layout.METADATA, ("10000003", ""), "row 6: dicom_id, subject_id, study_id are .* '', "),
        (layout.METADATA, ("48,64", "-48,64"), "row 2: Rows x Columns is '-48' x '64'"),
        (layout.METADATA, ("48,64", "48.5,64"), "row 2: Rows x Columns is '48.5' x '64'"),
        (layout.METADATA, ("48,64", "nan,64"), "row 2: Rows x Columns is 'nan' x '64'"),
        (layout.METADATA, ("Rows", "Columns"), "column 'Columns' is duplicated"),
        (layout.SPLIT, (PA, "none"), "row 2: dicom_id is 'none', expected an identifier"),
        (layout.CHEXPERT, ("50000001", ""), "row 2: study_id is '', expected an identifier"),
        (layout.CHEXPERT, ("-1.0", "\0"), "row 2: holds a NUL character"),
        (layout.CHEXPERT, ("subject_id", "\0subject_id"), "its first line holds control characters"),
        (layout.CHEXPERT, ("-1.0", "2.0"), "row 2: Edema is '2.0', expected 1.0, 0.0, -1.0 or nothing"),
        (layout.CHEXPERT, ("-1.0", "yes"), "row 2: Edema is 'yes', expected"),
    ],
)
def test_a_cell_that_cannot_be_is_named(root, name, change, message):
    rewritten(root, name, change)
    with pytest.raises(InputError, match=f"{name}.*{message}"):
        read_labels(Archive(root))


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


@pytest.mark.parametrize("name", [layout.METADATA, layout.SPLIT, layout.CHEXPERT])
def test_a_table_without_a_row_is_named(root, name):
    header = gzip.decompress((root / name).read_bytes()).splitlines(keepends=True)[0]
    (root / name).write_bytes(gzip.compress(header))
    with pytest.raises(InputError, match=f"{name} holds no row: download it again"):
        read_labels(Archive(root))


@pytest.mark.parametrize("name", [layout.SHA256SUMS, layout.IMAGE_FILENAMES])
@pytest.mark.parametrize("content", [b"\xff\xfeutf-16", gzip.compress(b"")], ids=["UTF-16", "gzip"])
def test_a_list_that_is_no_text_is_named(root, name, content):
    (root / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name} cannot be read as text in UTF-8: .*: download it again"):
        opened(root)


@pytest.mark.parametrize("name", [layout.SHA256SUMS, layout.IMAGE_FILENAMES])
def test_a_list_that_is_linked_to_nothing_is_not_taken_for_absent(root, name):
    """Else no image would be checked against its published hash, without a word."""
    (root / name).unlink()
    (root / name).symlink_to("nowhere")
    with pytest.raises(InputError, match=f"{name} is a link to nowhere, which is not there: mount it"):
        opened(root)
    (root / name).unlink()
    (root / name).mkdir()
    with pytest.raises(InputError, match=f"{name} is no file: remove it"):
        opened(root)


def test_hashes_are_read_behind_a_mark_of_the_encoding_and_in_capitals(root):
    expected = opened(root).pin(PA)
    lines = (root / layout.SHA256SUMS).read_text().splitlines()
    lines = [f"{line[:64].upper()}{line[64:]}\r\n" for line in lines]
    (root / layout.SHA256SUMS).write_bytes(b"\xef\xbb\xbf" + "".join(lines).encode())
    assert opened(root).pin(PA) == expected


def test_a_root_that_is_none_is_named(root, tmp_path):
    with pytest.raises(InputError, match="is not a directory: give --root"):
        Archive(tmp_path / "nowhere")
    (root / layout.IMAGE_FILENAMES).write_text("files/x.bmp\n")
    with pytest.raises(InputError, match=r"ends with '\.bmp', expected \.jpg or \.dcm"):
        Archive(root)
