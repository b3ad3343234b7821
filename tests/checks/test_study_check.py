"""A study that cannot be used is refused with one message that names file, row, value and remedy."""

import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from medattn.base.errors import InputError
from medattn.checks.study_check import SHOWN, check, digest
from tests.conftest import change, read, sha256


def set_cell(table: str, row: int, column: str, value: str):
    """A spoiler: cell `column` of `row` (as messages count rows) becomes `value`."""
    return lambda study: change(study / table, lambda rows: rows[row - 2].__setitem__(column, value))


def set_cells(table: str, row: int, **cells: str):
    return lambda study: change(study / table, lambda rows: rows[row - 2].update(cells))


def drop_column(table: str, column: str):
    return lambda study: change(study / table, lambda rows: [row.pop(column) for row in rows])


def first_image(study: Path) -> Path:
    return study / "images" / read(study / "images.csv")[0]["path"]


def replace_image(content, pin: bool = True):
    """A spoiler: the first image's bytes become `content(path)`; the new hash is pinned unless `pin` is False."""

    def spoil(study: Path) -> None:
        path = first_image(study)
        path.write_bytes(content(path))
        if pin:
            change(study / "images.csv", lambda rows: rows[0].__setitem__("sha256", sha256(path)))

    return spoil


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def converted(mode: str):
    return lambda path: encoded(Image.open(path).convert(mode))


def sixteen_bit_grey(path: Path) -> bytes:
    return encoded(Image.fromarray(np.asarray(Image.open(path)).astype(np.uint16) * 257))


def sixteen_bit_rgb(path: Path) -> bytes:
    """Pillow reads such a file as 8-bit RGB."""
    import struct
    import zlib

    width, height = 320, 384

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    pixels = zlib.compress((b"\x00" + b"\x12\x34" * 3 * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def truncated_jpeg(path: Path) -> bytes:
    content = encoded(Image.open(path), "JPEG")
    return content[: len(content) // 2]


def remove_first_image(study: Path) -> None:
    first_image(study).unlink()


def link_out_of_the_root(study: Path) -> None:
    path, outside = first_image(study), study.parent / "outside.png"
    path.rename(outside)
    path.symlink_to(outside)


def link_a_folder_out_of_the_root(study: Path) -> None:
    path, outside = first_image(study), study.parent / "outside"
    outside.mkdir()
    path.rename(outside / path.name)
    (study / "images/more").symlink_to(outside, target_is_directory=True)
    set_cell("images.csv", 2, "path", f"more/{path.name}")(study)


def folder(name: str):
    def spoil(study: Path) -> None:
        (study / name).unlink()
        (study / name).mkdir()

    return spoil


def dead_link(name: str):
    def spoil(study: Path) -> None:
        (study / name).unlink()
        (study / name).symlink_to("nowhere")

    return spoil


def text_of(name: str, change_text):
    return lambda study: (study / name).write_text(change_text((study / name).read_text())) and None


def encoding(name: str, codec: str):
    return lambda study: (study / name).write_bytes((study / name).read_text().encode(codec)) and None


def link_to_nothing(study: Path) -> None:
    link_out_of_the_root(study)
    (study.parent / "outside.png").unlink()


def link_to_itself(study: Path) -> None:
    first_image(study).unlink()
    first_image(study).symlink_to(first_image(study).name)


def link_to_other_bytes(study: Path) -> None:
    link_out_of_the_root(study)
    (study.parent / "outside.png").write_bytes(b"other")


def repeat_row(table: str, row: int):
    return lambda study: change(study / table, lambda rows: rows.append(dict(rows[row - 2])))


def same_file_as_another_patients(study: Path) -> None:
    """The last image of another patient than the first becomes the first's file, under its own name."""
    rows = read(study / "images.csv")
    index = max(index for index, row in enumerate(rows) if row["subject_id"] != rows[0]["subject_id"])
    (study / "images" / rows[index]["path"]).write_bytes(first_image(study).read_bytes())
    set_cell("images.csv", index + 2, "sha256", rows[0]["sha256"])(study)


def drop_row(table: str, row: int):
    return lambda study: change(study / table, lambda rows: rows.pop(row - 2))


def spoil_mask(edit):
    def spoil(study: Path) -> None:
        path = study / read(study / "regions.csv")[0]["mask"]
        path.write_bytes(encoded(Image.fromarray(edit(np.array(Image.open(path))))))
        set_cell("regions.csv", 2, "mask_sha256", sha256(path))(study)

    return spoil


def region_of_an_absent_finding(study: Path) -> None:
    no = next(row for row in read(study / "questions.csv") if row["answer"] == "no")
    set_cells("regions.csv", 2, image_id=no["image_id"], finding=no["finding"])(study)


def rewrite(name: str, old: str, new: str):
    def spoil(study: Path) -> None:
        text = (study / name).read_text()
        assert old in text
        (study / name).write_text(text.replace(old, new))

    return spoil


QUESTIONS, IMAGES, REGIONS = "questions.csv", "images.csv", "regions.csv"
ROW_2, ROW_3 = f"{QUESTIONS}, row 2", f"{QUESTIONS}, row 3"
BAD = {
    # columns and cells
    "missing question column": (drop_column(QUESTIONS, "strategy"), [QUESTIONS, "column strategy is missing", "add it"]),
    "missing image column": (drop_column(IMAGES, "sha256"), [IMAGES, "column sha256 is missing"]),
    "missing region column": (drop_column(REGIONS, "mask"), [REGIONS, "column mask is missing"]),
    "folder for a table": (folder(QUESTIONS), [QUESTIONS, "cannot be read (Is a directory)"]),
    "folder for regions": (folder(REGIONS), [REGIONS, "is no file"]),
    "folder for pins": (folder("model.json"), ["model.json", "is no file"]),
    "regions linked to nothing": (dead_link(REGIONS), [REGIONS, "is a link to", "which is not there: mount it"]),
    "pins linked to nothing": (dead_link("model.json"), ["model.json", "is a link to", "which is not there: mount it"]),
    "semicolons": (text_of(QUESTIONS, lambda text: text.replace(",", ";")), [QUESTIONS, "separated by semicolons"]),
    "UTF-16 without a mark": (encoding(QUESTIONS, "utf-16-le"), [QUESTIONS, "its first line holds control characters"]),
    "blanks in the header": (text_of(IMAGES, lambda text: text.replace("sha256", " sha256", 1)),
        [IMAGES, "column sha256 is missing", "' sha256'"]),
    "missing table": (lambda study: (study / QUESTIONS).unlink(), [QUESTIONS, "not found"]),
    "row with too few cells": (rewrite(IMAGES, ",PA,test\n", ",PA\n"), [f"{IMAGES}, row 2", "8 cells under 9 columns"]),
    "table that is not UTF-8": (lambda s: (s / QUESTIONS).write_bytes(b"\xff\xfe"), [QUESTIONS, "not UTF-8"]),
    "no row": (lambda s: (s / IMAGES).write_text((s / IMAGES).read_text().split("\n")[0] + "\n"), [IMAGES, "holds no row"]),
    # questions
    "duplicate variant": (repeat_row(QUESTIONS, 3), [QUESTIONS, "duplicate variant_index '1'", "row 3", "remove one"]),
    "two variants alike": (
        lambda s: change(s / QUESTIONS, lambda rows: rows[1].update(question=rows[2]["question"])),
        [f"{QUESTIONS}, row 4", "duplicate question", "row 3"],
    ),
    "empty label": (set_cell(QUESTIONS, 3, "answer", ""), [ROW_3, "answer (the label) is ''", "expected yes or no"]),
    "NaN label": (set_cell(QUESTIONS, 3, "answer", "nan"), [ROW_3, "answer (the label) is 'nan'"]),
    "label in upper case": (set_cell(QUESTIONS, 3, "answer", "YES"), [ROW_3, "is 'YES'"]),
    "empty question": (set_cell(QUESTIONS, 3, "question", "  "), [ROW_3, "question is empty", "write the question"]),
    "question with white space": (set_cell(QUESTIONS, 3, "question", "Is it? "), [ROW_3, "starts or ends with white space"]),
    **{
        f"question with {one!r}": (
            set_cell(QUESTIONS, 3, "question", f"Is there ede{one}ma?"), [ROW_3, repr(one), "nobody sees and the model reads"]
        )
        for one in ("\u200b", "\u202e", "\u00ad", "\ufeff", "\U000e0041")
    },
    "question of two lines": (set_cell(QUESTIONS, 3, "question", "Is\nit?"), [ROW_3, "control character", "remove it"]),
    **{
        f"question with {token}": (
            set_cell(QUESTIONS, 3, "question", f"Is there {token} here?"), [ROW_3, repr(token), "control token", "remove it"]
        )
        for token in (
            "<image_soft_token>", "<start_of_image>", "<end_of_image>", "<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>",
            "<pad>", "<unused7>", "<0x0A>", "<Image_Soft_Token>",
        )
    },
    "baseline with a token": (set_cell(QUESTIONS, 2, "question", "<bos>"), [ROW_2, "control token"]),
    "empty strategy": (set_cell(QUESTIONS, 3, "strategy", ""), [ROW_3, "strategy is empty"]),
    "unknown role": (set_cell(QUESTIONS, 2, "role", "judge"), [ROW_2, "role is 'judge'", "study or control"]),
    "finding without a zone": (set_cell(QUESTIONS, 2, "zone", "elbow"), [ROW_2, "zone 'elbow'", "pneumothorax"]),
    "empty finding": (set_cell(QUESTIONS, 2, "finding", ""), [ROW_2, "finding is empty"]),
    "unsafe question id": (set_cell(QUESTIONS, 2, "question_id", "../q"), [ROW_2, "question_id is '../q'", "letters"]),
    "empty question id": (set_cell(QUESTIONS, 2, "question_id", ""), [ROW_2, "question_id is ''"]),
    "ids alike but for case": (
        lambda s: change(s / QUESTIONS, lambda rows: rows[1].update(question_id=rows[0]["question_id"].upper())),
        [ROW_3, "upper and lower case"],
    ),
    "unknown image": (set_cell(QUESTIONS, 2, "image_id", "nobody"), [ROW_2, "'nobody' is not in images.csv"]),
    "another patient than the image's": (set_cell(QUESTIONS, 2, "subject_id", "p9"), [ROW_2, "subject_id is 'p9'"]),
    **{
        f"variants that disagree on {name}": (set_cell(QUESTIONS, 3, name, value), [ROW_3, f"{name} is '{value}'", "row 2"])
        for name, value in (
            ("finding", "edema"), ("zone", "edema"), ("image_id", "phantom-002-1"), ("baseline_question", "Is it?")
        )
    },
    "no baseline variant": (drop_row(QUESTIONS, 2), [ROW_2, "no baseline variant", "add it"]),
    "baseline that is not its own": (set_cell(QUESTIONS, 2, "question", "Is it?"), [ROW_2, "baseline variant is 'Is it?'"]),
    "strategy of another variant": (set_cell(QUESTIONS, 3, "strategy", "baseline"), [ROW_3, "variant_index 1"]),
    "name of another variant": (set_cell(QUESTIONS, 3, "question_variant", "original"), [ROW_3, "'hard_positive_strategy-1'"]),
    "variant that is not a number": (set_cell(QUESTIONS, 3, "variant_index", "1.0"), [ROW_3, "variant_index is '1.0'"]),
    # images
    "absent image": (remove_first_image, [f"{IMAGES}, row 2", "absent", "restore it, or remove the row"]),
    "hash mismatch": (
        replace_image(lambda path: path.read_bytes() + b"\n", pin=False), [f"{IMAGES}, row 2", "has sha256", "the table pins"]
    ),
    "empty hash": (set_cell(IMAGES, 2, "sha256", ""), [f"{IMAGES}, row 2", "the table pins ''"]),
    "zero-byte file": (replace_image(lambda path: b""), [f"{IMAGES}, row 2", "zero bytes"]),
    "unreadable image": (replace_image(lambda path: b"not an image"), [f"{IMAGES}, row 2", "cannot be decoded"]),
    "truncated PNG": (replace_image(lambda path: path.read_bytes()[:20000]), [f"{IMAGES}, row 2", "cannot be decoded"]),
    "damaged PNG": (replace_image(lambda p: p.read_bytes()[:300] + b"\0" * 500), [f"{IMAGES}, row 2", "cannot be decoded"]),
    "truncated JPEG": (replace_image(truncated_jpeg), [f"{IMAGES}, row 2", "truncated"]),
    "16-bit grey image": (replace_image(sixteen_bit_grey), [f"{IMAGES}, row 2", "16 bits", "convert it"]),
    "16-bit RGB image": (replace_image(sixteen_bit_rgb), [f"{IMAGES}, row 2", "mode RGB, 16 bits", "convert it"]),
    "palette image": (replace_image(converted("P")), [f"{IMAGES}, row 2", "mode P"]),
    "path that leaves the root": (set_cell(IMAGES, 2, "path", "../study.yaml"), [f"{IMAGES}, row 2", "'../study.yaml' leaves"]),
    "absolute path": (set_cell(IMAGES, 2, "path", "/etc/hostname"), [f"{IMAGES}, row 2", "'/etc/hostname' leaves"]),
    "empty path": (set_cell(IMAGES, 2, "path", ""), [f"{IMAGES}, row 2", "path is empty"]),
    "path of a directory": (set_cell(IMAGES, 2, "path", "."), [f"{IMAGES}, row 2", "no file"]),
    "link to nothing": (link_to_nothing, [f"{IMAGES}, row 2", "is a link to", "which is not there", "mount it"]),
    "link to itself": (link_to_itself, [f"{IMAGES}, row 2", "is a link to", "which is not there"]),
    "link to other bytes": (link_to_other_bytes, [f"{IMAGES}, row 2", "has sha256", "the table pins"]),
    "name too long": (set_cell(IMAGES, 2, "path", "a" * 300), [f"{IMAGES}, row 2", "cannot be read"]),
    "width that disagrees": (set_cell(IMAGES, 2, "width", "384"), [f"{IMAGES}, row 2", "'384' x '384'", "320 x 384"]),
    "NaN height": (set_cell(IMAGES, 2, "height", ""), [f"{IMAGES}, row 2", "width x height is '320' x ''"]),
    "one grey": (replace_image(lambda path: encoded(Image.new("L", (320, 384), 9))), [f"{IMAGES}, row 2", "9 to 9 only"]),
    "one file of two patients": (
        same_file_as_another_patients,
        [f"{IMAGES}, row ", "of patient", "has the sha256 of row 2, of patient", "remove both rows"],
    ),
    "duplicate image": (repeat_row(IMAGES, 2), [f"{IMAGES}, row 10", "image_id", "stands in row 2 already"]),
    "unsafe image id": (set_cell(IMAGES, 2, "image_id", "a/b"), [f"{IMAGES}, row 2", "image_id is 'a/b'"]),
    "unsafe patient id": (set_cell(IMAGES, 2, "subject_id", "Mr X"), [f"{IMAGES}, row 2", "subject_id is 'Mr X'"]),
    "image root that is absent": (rewrite("study.yaml", "image_root: images", "image_root: films"), ["image_root is 'films'"]),
    # regions
    "box outside the image": (set_cell(REGIONS, 2, "x", "310"), [f"{REGIONS}, row 2", "310", "inside the image of 320 x 384"]),
    "NaN box": (set_cell(REGIONS, 2, "w", "nan"), [f"{REGIONS}, row 2", "nan", "fix the box"]),
    "box without width": (set_cell(REGIONS, 2, "w", "0"), [f"{REGIONS}, row 2", "expected a box"]),
    "box that is not the mask's": (set_cell(REGIONS, 2, "w", "1"), [f"{REGIONS}, row 2", "bounding box"]),
    "mask hash": (set_cell(REGIONS, 2, "mask_sha256", "0" * 64), [f"{REGIONS}, row 2", "mask", "the table pins"]),
    "absent mask": (set_cell(REGIONS, 2, "mask", "masks/none.png"), [f"{REGIONS}, row 2", "masks/none.png is absent"]),
    "mask outside the study": (set_cell(REGIONS, 2, "mask", "../m.png"), [f"{REGIONS}, row 2", "leaves"]),
    "hash without a mask": (set_cell(REGIONS, 2, "mask", ""), [f"{REGIONS}, row 2", "without a mask"]),
    "empty mask": (spoil_mask(np.zeros_like), [f"{REGIONS}, row 2", "is empty"]),
    "mask of another size": (spoil_mask(lambda mask: mask[:-1]), [f"{REGIONS}, row 2", "320 x 383 pixels"]),
    "grey mask": (spoil_mask(lambda mask: mask // 2), [f"{REGIONS}, row 2", "other than 0 and 255"]),
    "unknown side": (set_cell(REGIONS, 2, "side", "top"), [f"{REGIONS}, row 2", "side is 'top'"]),
    "conspicuity not a number": (set_cell(REGIONS, 2, "conspicuity", "nan"), [f"{REGIONS}, row 2", "conspicuity is 'nan'"]),
    "region of an unknown image": (set_cell(REGIONS, 2, "image_id", "nobody"), [f"{REGIONS}, row 2", "'nobody'"]),
    "region of an absent finding": (region_of_an_absent_finding, [f"{REGIONS}, row 2", "this finding is absent"]),
    # study.yaml and the model
    "no study.yaml": (lambda study: (study / "study.yaml").unlink(), ["study.yaml not found", "set `study`"]),
    "unknown licence": (rewrite("study.yaml", "licence: open", "licence: free"), ["study.yaml: licence", "'free'"]),
    "unknown key": (rewrite("study.yaml", "name: phantom", "name: phantom\ncolour: red"), ["study.yaml: colour", "'red'"]),
    "broken YAML": (rewrite("study.yaml", "name: phantom", "name: [phantom"), ["study.yaml is not valid YAML"]),
    "changed weights": (rewrite("model/weights.safetensors", "w", "W"), ["weights.safetensors: SHA-256", "model.json pins"]),
    "absent weights": (lambda s: (s / "model/weights.safetensors").unlink(), ["weights.safetensors", "absent"]),
    "file that is not pinned": (lambda s: (s / "model/more.json").write_text("{}"), ["model/more.json", "not listed"]),
    "another revision": (rewrite("model.json", "null", '"abc"'), ["revision is 'abc'", "study.yaml has None"]),
    "pins of a file elsewhere": (
        rewrite("model.json", "config.json", "../study.yaml"), ["model.json: files", "'../study.yaml' is not inside the model"],
    ),
    "pins of an absolute path": (
        rewrite("model.json", "config.json", "/etc/passwd"), ["model.json: files", "'/etc/passwd' is not inside the model"],
    ),
    "broken model.json": (rewrite("model.json", "files", "fils"), ["model.json: files", "model.json: fils"]),
    "absent model": (rewrite("study.yaml", "{id: model,", "{id: other,"), ["model.id is 'other'", "not a directory"]),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "parts"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_refused_with_file_row_value_and_remedy(study, spoil, parts):
    spoil(study)
    with pytest.raises(InputError) as caught:
        check(study)
    for part in parts:
        assert part in str(caught.value)


def test_a_sound_study_is_counted(study):
    report = check(study)
    assert (report.questions, report.variants, report.controls, report.images) == (8, 48, 16, 8)
    assert report.yes + report.no == 8 and sum(report.findings.values()) == 8
    assert report.digest == digest(study)


def test_rgb_and_jpeg_images_are_accepted(study):
    replace_image(converted("RGB"))(study)
    check(study)
    replace_image(lambda path: encoded(Image.open(path), "JPEG"))(study)
    check(study)


def link_every_file(study: Path) -> None:
    """As DVC does where cache.type is symlink."""
    for number, path in enumerate(path for path in sorted(study.rglob("*")) if path.is_file()):
        path.rename(study.parent / f"{number}")
        path.symlink_to(study.parent / f"{number}")


@pytest.mark.parametrize("link", [link_out_of_the_root, link_a_folder_out_of_the_root, link_every_file])
def test_a_link_is_accepted_where_the_pinned_hash_holds(study, link):
    link(study)
    check(study)


def test_a_region_may_be_a_box_alone(study):
    set_cells(REGIONS, 2, mask="", mask_sha256="")(study)
    assert check(study).regions == len(read(study / REGIONS))


def test_a_study_needs_no_regions_and_no_model(study):
    (study / REGIONS).unlink()
    (study / "model.json").unlink()
    (study / "model/config.json").write_text("{}")
    assert check(study).regions == 0


def test_columns_of_the_readers_own_are_left_alone(study):
    change(study / QUESTIONS, lambda rows: [row.update(remark="mine") for row in rows])
    check(study)


def test_many_problems_are_counted_and_the_first_are_shown(study):
    change(study / QUESTIONS, lambda rows: [row.update(answer="maybe") for row in rows])
    with pytest.raises(InputError) as caught:
        check(study)
    lines = str(caught.value).splitlines()
    assert len(lines) == SHOWN + 1 and lines[-1] == f"… and {64 - SHOWN} more problems"


@pytest.mark.parametrize("name", [QUESTIONS, IMAGES, REGIONS, "model.json"])
def test_the_digest_follows_every_table(study, name):
    before = digest(study)
    with (study / name).open("a") as file:
        file.write("\n")
    assert digest(study) != before


def test_the_digest_is_that_of_sorted_names_and_hashes(study):
    import hashlib

    about = yaml.safe_load((study / "study.yaml").read_text())
    del about["image_root"]
    assert about["defaults"]["model"].pop("revision") is None
    hashes = {name: sha256(study / name) for name in (QUESTIONS, IMAGES, REGIONS, "model.json")}
    hashes["study.yaml"] = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    text = "".join(f"{name} {hashes[name]}\n" for name in sorted(hashes))
    assert digest(study) == hashlib.sha256(text.encode()).hexdigest()


def test_the_digest_is_the_same_wherever_the_images_lie_and_another_for_any_other_key(study):
    before, text = digest(study), (study / "study.yaml").read_text()
    (study / "study.yaml").write_text(text.replace("image_root: images", "image_root: ../elsewhere"))
    assert digest(study) == before
    for old, new in (
        ("max_new_tokens: 24", "max_new_tokens: 25"),
        ("licence: open", "licence: credentialed"),
        ("dtype: float64", "dtype: float32"),
    ):
        (study / "study.yaml").write_text(text.replace(old, new))
        assert digest(study) != before


def test_a_controls_answer_may_be_unknown_and_a_questions_may_not(study):
    change(study / QUESTIONS, lambda rows: [row.update(answer="") for row in rows if row["role"] == "control"])
    check(study)
    change(study / QUESTIONS, lambda rows: rows[0].update(answer=""))
    with pytest.raises(InputError, match=r"answer \(the label\) is '', expected yes or no"):
        check(study)


def test_a_model_without_256_image_tokens_is_refused(study):
    (study / "model/config.json").write_text(json.dumps({"mm_tokens_per_image": 64}))
    with pytest.raises(InputError, match="mm_tokens_per_image is 64, expected 256"):
        check(study)


def test_checking_changes_nothing(study):
    before = {path: path.stat().st_mtime_ns for path in study.rglob("*")}
    check(study)
    assert before == {path: path.stat().st_mtime_ns for path in study.rglob("*")}
    assert os.listdir(study.parent) == ["data"]


# --- under record ------------------------------------------------------------------------------------------------------


def shortened(path: Path) -> bytes:
    return path.read_bytes()[: path.stat().st_size // 2]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (replace_image(shortened, pin=False), "has sha256"),
        (replace_image(shortened), "cannot be decoded, it is truncated"),
        (replace_image(lambda path: b""), "holds zero bytes"),
        (replace_image(sixteen_bit_grey), "16 bits"),
        (lambda study: first_image(study).unlink(), "is absent or no file"),
    ],
)
def test_under_record_an_image_file_that_cannot_be_read_is_an_entry_of_the_report(study, spoil, reason):
    spoil(study)
    with pytest.raises(InputError, match=reason):
        check(study)
    found = check(study, on_error="record")
    assert list(found.unreadable) == [read(study / "images.csv")[0]["image_id"]]
    assert reason in next(iter(found.unreadable.values()))
    assert found.images == len(read(study / "images.csv"))


def test_the_reports_of_a_study_without_fault_are_the_same_under_both(study):
    assert check(study, on_error="record") == check(study) and not check(study).unreadable


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (set_cell("images.csv", 2, "path", "../elsewhere.png"), "leaves"),
        (set_cell("images.csv", 2, "width", "1.5"), r"images.csv, row 2: width x height is '1.5' x"),
        (set_cell("images.csv", 3, "width", "7"), r"images.csv, row 3: width x height is '7' x"),
        (lambda study: change(study / "regions.csv", lambda rows: [row.update(x="99999") for row in rows]), "expected a box"),
    ],
)
def test_under_record_what_the_tables_say_of_a_damaged_image_is_still_checked(study, spoil, message):
    first_image(study).write_bytes(b"damaged")
    spoil(study)
    with pytest.raises(InputError, match=message) as raised:
        check(study, on_error="record")
    assert "sha256" not in str(raised.value)


def test_the_regions_of_an_image_that_cannot_be_read_are_checked_against_its_size_in_the_table(study):
    """Else a mask that is damaged as well would stop a later stage."""
    with_mask = next(row for row in read(study / "regions.csv") if row["mask"])
    image = next(row for row in read(study / "images.csv") if row["image_id"] == with_mask["image_id"])
    (study / "images" / image["path"]).write_bytes(b"damaged")
    assert list(check(study, on_error="record").unreadable) == [image["image_id"]]
    (study / with_mask["mask"]).write_bytes(b"damaged")
    with pytest.raises(InputError, match="mask: "):
        check(study, on_error="record")


def test_under_record_a_file_that_this_user_may_not_read_is_an_entry_of_the_report(study, monkeypatch):
    path, read_bytes = first_image(study), Path.read_bytes

    def refuse(self: Path) -> bytes:
        if self == path:
            raise PermissionError(13, "Permission denied")
        return read_bytes(self)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\): let this user read it, or restore the file"):
        check(study)
    assert list(check(study, on_error="record").unreadable) == [read(study / "images.csv")[0]["image_id"]]


def test_a_missing_package_is_no_fault_of_a_file_and_refuses_under_record_too(study, monkeypatch):
    """Else every DICOM image of a study would fail for want of one package."""
    path = first_image(study).with_suffix(".dcm")
    path.write_bytes(first_image(study).read_bytes())
    change(study / "images.csv", lambda rows: rows[0].update(path=path.name))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(InputError, match="pydicom reads it: `pip install"):
        check(study, on_error="record")
