"""Attempts to let something of a patient out in a release, by class; each is refused with a line that says what and where."""

import base64
import codecs
import gzip
import io
import json
import zipfile
import zlib
from html import escape
from pathlib import Path
from urllib.parse import quote

import pytest

from medattn.release import shapes
from medattn.release.pack import problems_of
from medattn.release.scan import RestrictedContent, make
from tests.release.conftest import ANSWER, BY_FINDING, IMAGE, QUESTION, QUESTION_ID, STUDY, SUBJECT, by_finding, headline

KNOWN = make({SUBJECT, STUDY, IMAGE, QUESTION_ID, "a12-0007"}, {QUESTION, ANSWER})


def said(name: str, content: str | bytes, known: RestrictedContent = KNOWN) -> list[str]:
    content = content.encode() if isinstance(content, str) else content
    return list(problems_of(name, content, "credentialed", known, Path("/nowhere")))


def packed(content: bytes) -> str:
    return base64.b64encode(content).decode()


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("x", content)
    return buffer.getvalue()


# --- encodings: an identifier in what people write by hand -------------------------------------------------------------

ID = SUBJECT.encode()
ENCODED = {
    "plain": SUBJECT,
    "a float": f"{SUBJECT}.0",
    "a longer float": f"{SUBJECT}.00",
    "a power of ten": "1.2345003e7",
    "a power of ten with a sign": "1.2345003E+07",
    "thousands": "12,345,003",
    "thousands with points": "12.345.003",
    "thousands with spaces": "12 345 003",
    "thousands with thin spaces": "12\u2009345\u2009003",
    "underscores": "12_345_003",
    "pairs": "12-34-50-03",
    "two halves": "1234 / 5003",
    "two lines of a list": "1234\n# 5003",
    "every digit apart": " ".join(SUBJECT),
    "in a longer word": f"patient{SUBJECT}x",
    "as a folder": f"files/p12/p{SUBJECT}",
    "as a study": f"s{STUDY}",
    "fullwidth": SUBJECT.translate({48 + n: 0xFF10 + n for n in range(10)}),
    "raised": SUBJECT.translate({48 + n: ord("⁰¹²³⁴⁵⁶⁷⁸⁹"[n]) for n in range(10)}),
    "Arabic digits": SUBJECT.translate({48 + n: 0x660 + n for n in range(10)}),
    "invisible characters between": "\u200b".join(SUBJECT),
    "a soft hyphen": "1234\u00ad5003",
    "backwards": SUBJECT[::-1],
    "number words": "one two three four five zero zero three",
    "a hexadecimal number": hex(int(SUBJECT)),
    "HTML entities": "".join(f"&#{one};" for one in ID),
    "hexadecimal entities": "".join(f"&#x{one:x};" for one in ID),
    "of a URL": "".join(f"%{one:02x}" for one in ID),
    "twice of a URL": quote("".join(f"%{one:02x}" for one in ID)),
    "JSON escapes": "".join(f"\\u{one:04x}" for one in ID),
    "Python escapes": "".join(f"\\x{one:02x}" for one in ID),
    "quoted-printable": "".join(f"={one:02X}" for one in ID),
    "Base64": packed(ID),
    "Base64 without its end": packed(ID).rstrip("="),
    "Base64 of a sentence": packed(b"the patient is " + ID),
    "Base64 of a URL": base64.urlsafe_b64encode(b"\xfb\xff" + ID).decode(),
    "Base64 twice": packed(packed(b"patient " + ID).encode()),
    "Base64 backwards": packed(ID)[::-1],
    "Base64 of it backwards": packed(ID[::-1]),
    "Base64 of UTF-16": packed(SUBJECT.encode("utf-16")),
    "Base64 of UTF-32": packed(SUBJECT.encode("utf-32-be")),
    "Base64 of gzip": packed(gzip.compress(ID)),
    "Base64 of zlib": packed(zlib.compress(ID)),
    "Base32": base64.b32encode(ID).decode(),
    "hexadecimal": ID.hex(),
    "hexadecimal with spaces": ID.hex(" "),
    "hexadecimal with colons": ID.hex(":"),
    "hexadecimal of UTF-16": SUBJECT.encode("utf-16-be").hex(),
    "an image's identifier": IMAGE,
    "an image's, in capitals": IMAGE.upper(),
    "an image's without hyphens": IMAGE.replace("-", ""),
    "an image's with spaces": IMAGE.replace("-", " "),
    "an image's backwards": IMAGE[::-1],
    "an image's in Base64": packed(IMAGE.encode()),
    "a question's": QUESTION_ID.replace("-", "."),
    "a local identifier": "A12_0007",
    "a question": QUESTION,
    "a question in capitals, with other spaces": QUESTION.upper().replace(" ", "  "),
    "a question in Base64": packed(QUESTION.encode()),
    "a question with entities": "".join(f"&#{ord(one)};" for one in QUESTION),
    "an answer": ANSWER.rstrip("."),
    "an answer of a URL": quote(ANSWER),
}  # fmt: skip


@pytest.mark.parametrize("how", ENCODED)
@pytest.mark.parametrize("name", ["params.yaml", "CITATION.cff"])
def test_an_identifier_or_a_text_is_found_in_a_comment_however_it_is_written(name, how):
    lines = said(name, f"key: value\n# see {ENCODED[how]} here\n")
    assert lines and all(
        "an identifier of the study" in line or " the form of " in line or "an answer of" in line for line in lines
    )
    assert any("line 2: " in line or "line 3: " in line for line in lines), lines


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("dvc.yaml", "stages:\n  x:\n    cmd: x\n    desc: see ", "\n"),
        ("medical_terms.txt", "effusion\n", "\n"),
        ("LICENSE", "Apache License\n", "\n"),
        ("requirements/locked.txt", "click==8.1.0\n    # via ", "\n"),
        ("ro-crate-metadata.json", '{"@graph": [{"name": "', '"}]}'),
        ("environment.json", '{"packages": {"', '": 1}}'),
        ("code.json", '{"untracked_code": ["medattn/', '.py"]}'),
        ("reports/latex/by_finding.tex", "% see ", "\n"),
        ("reports/index.html", "<p title='", "'></p>"),
        (BY_FINDING, by_finding().splitlines()[0] + "\neffusion ", "," * (by_finding().splitlines()[0].count(",")) + "\n"),
    ],
)
@pytest.mark.parametrize(
    "how", ["plain", "a float", "JSON escapes", "HTML entities", "Base64", "backwards", "an image's identifier"]
)
def test_an_identifier_is_found_in_every_member(name, before, after, how):
    assert any("holds '" in line for line in said(name, before + ENCODED[how] + after)), name


def test_numbers_that_stand_side_by_side_in_reports_are_no_identifier():
    assert said("reports/latex/by_finding.tex", "% needs booktabs\neffusion & 12 & 34 & 50.03 \\\\\n") == []
    assert said("reports/index.html", "<td>12</td><td>34</td><td>50</td><td>03</td> 12,34,50,03") == []


def test_dvc_writes_no_comments_and_its_sizes_are_no_identifiers():
    lock = "schema: '2.0'\nstages:\n  x:\n    cmd: x\n    outs:\n    - path: y\n      md5: abc\n      size: 12345003\n"
    assert said("dvc.lock", lock) == []
    assert said("dvc.lock", lock + "# anything\n") == ["line 9: holds a comment, and DVC writes none: run `dvc repro`"]
    assert said("dvc.lock", lock.replace("abc", "abc # anything"))


# --- containers: what is no text ---------------------------------------------------------------------------------------

BLOB = bytes(range(256)) * 3
CONTAINERS = {
    "a JPEG": b"\xff\xd8\xff\xe0" + BLOB,
    "a PNG": b"\x89PNG\r\n\x1a\n" + BLOB,
    "a DICOM image": b"\0" * 128 + b"DICM" + BLOB,
    "an array": b"\x93NUMPY\1\0" + BLOB,
    "a zip": zipped(ID),
    "a gzip": gzip.compress(ID),
    "a pickle": b"\x80\x04\x95\x0c\0\0\0\0\0\0\0\x8c\x0812345003\x94.",
    "a database": b"SQLite format 3\0" + BLOB,
    "a table of columns": b"PAR1" + BLOB + b"PAR1",
    "UTF-16": SUBJECT.encode("utf-16"),
    "UTF-32": SUBJECT.encode("utf-32"),
    "Latin-1": "Größe 12345003".encode("latin-1"),
    "EBCDIC": SUBJECT.encode("cp500"),
}


@pytest.mark.parametrize("what", CONTAINERS)
@pytest.mark.parametrize("name", [BY_FINDING, "reports/latex/values.tex", "LICENSE"])
def test_what_is_no_text_is_refused_under_the_name_of_one(name, what):
    (line,) = said(name, CONTAINERS[what])
    assert line.startswith("is ") and ", not text: " in line


@pytest.mark.parametrize(
    "text",
    [
        f"data:image/jpeg;base64,{packed(CONTAINERS['a JPEG'])}",
        packed(CONTAINERS["a PNG"]),
        "\n".join(f"# {packed(BLOB[at : at + 57])}" for at in range(0, 570, 57)),
        base64.a85encode(BLOB, adobe=True).decode(),
        "\n".join(codecs.encode(BLOB[:45], "uu").decode().splitlines()).replace("begin 666 <data>", "begin 666 film.jpg"),
        " ".join(map(str, BLOB)),
        ",".join(map(str, BLOB)),
        f"P2\n16 16\n255\n{' '.join(map(str, range(256)))}",
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    ],
)
def test_an_image_packed_into_text_is_refused(text):
    assert any(line.split(": ")[-1].startswith(("packs a file", "is a grid", "is a pointer")) for line in said("LICENSE", text))


# --- look-alike columns ------------------------------------------------------------------------------------------------

COLUMNS = (
    "subject_id", "Subject_ID", "subject id", "SubjectID", "subject\u200b_id", "ѕubject_id", "patient", "mrn",
    "patient_no", "MRN", "pid", "dicom", "image", "film", "study", "answer", "Answer", "answer_text", "question", "text",
    "path", "key", "id", "", " ", "n ", "findings", "accuracy2", "notes", "Unnamed: 0",
)  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_that_no_table_declares_is_refused(column):
    header, *rows = by_finding({}).splitlines()
    (line,) = said(BY_FINDING, "\n".join([f"{header},{column}", *(f"{row},1" for row in rows), ""]))
    assert line == f"has a column {column!r}, which this table does not declare: {shapes.REMEDY}"


def test_columns_missing_exchanged_or_twice_are_refused():
    text = by_finding({})
    for other in (
        text.replace("finding,n,", "n,finding,"),
        text.replace("finding,n,", "finding,n,n,"),
        "finding,n\neffusion,60\n",
    ):
        assert len(said(BY_FINDING, other)) == 1


def test_a_tables_caveat_is_its_first_column_and_a_text_like_any_other():
    def headed(caveat: str) -> str:
        header, row = by_finding({}).splitlines()
        return f"caveat,{header}\n{caveat},{row}\n"

    assert said(BY_FINDING, headed("drawn, not patients".join('""'))) == []
    assert len(said(BY_FINDING, headed(f"patient {SUBJECT}"))) >= 1
    header, row = by_finding({}).splitlines()
    (line,) = said(BY_FINDING, f"{header},caveat\n{row},drawn\n")
    assert line == f"has a column 'caveat', which this table does not declare: {shapes.REMEDY}"


@pytest.mark.parametrize("name", sorted(shapes.shapes()))
def test_every_published_table_has_a_shape_and_no_column_about_a_single_patient(name):
    shape = shapes.shapes()[name]
    assert shape.texts <= set(shape.columns)
    assert not {"sample_id", "question_id", "image_id", "study_id", "subject_id", "question", "answer"} & set(shape.columns)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n"), lambda text: text + "\n",
        lambda text: text.rstrip("\n"), lambda text: text.replace("effusion", '"effusion"'), lambda text: "# a note\n" + text,
        lambda text: text.replace(",", ";"),
        lambda text: text + "1\n",
    ],
)  # fmt: skip
def test_a_table_is_written_as_the_stages_write_it(change):
    assert said(BY_FINDING, by_finding({})) == []
    assert len(said(BY_FINDING, change(by_finding({})))) == 1


# --- counts as text ----------------------------------------------------------------------------------------------------

COUNTS = (
    "1", "4", "3.0", " 3", "3 ", "+3", "03", "3e0", "0x3", "three", "THREE", "III", "³", "３", "٣", "3*", "<5", "< 5",
    "1-4", "~3",
    "3/6", "3 of 6", "-3", "3,0", "a few", "suppressed (3)", "Suppressed", "true", "nan", "inf", "1e1",
    "60.0", "6_0", "①", "0b11", "½",
    "n=3",
)  # fmt: skip


@pytest.mark.parametrize("cell", COUNTS)
@pytest.mark.parametrize("column", ["n", "patients", "positives"])
def test_a_count_of_a_few_is_refused_however_it_is_written(column, cell):
    (line,) = said(BY_FINDING, by_finding({column: cell}))
    assert line.startswith(f"row 2: {column} is {cell!r}, ") and line.endswith(shapes.REMEDY)


@pytest.mark.parametrize("cell", ["0", "5", "60", "1200", "suppressed", ""])
def test_a_count_of_nobody_of_enough_or_suppressed_is_published(cell):
    assert said(BY_FINDING, by_finding({"n": cell, "patients": cell})) == []


@pytest.mark.parametrize(
    "cell", ["0.80000001", "0.12345003", "80 %", "4 of 5", "0,8", "+0.8", " 0.8", ".8", "8e-1", "high", "nan", "1.0e0"]
)
def test_a_number_is_written_as_the_stages_write_it(cell):
    assert any(line.startswith(f"row 2: accuracy is {cell!r}, ") for line in said(BY_FINDING, by_finding({"accuracy": cell})))


@pytest.mark.parametrize("cell", ["effusion 1234567", " effusion", "effusion\u200b", "effusion\ttab", "19420317"])
def test_the_name_of_a_row_is_a_name(cell):
    assert any(line.startswith("row 2: finding is ") for line in said(BY_FINDING, by_finding({"finding": cell})))


@pytest.mark.parametrize("cell", ["0.8", "1.0", "0.0", "1.2e-05", "-0.15", "", "true"])
def test_ordinary_numbers_pass(cell):
    assert said(BY_FINDING, by_finding({"accuracy": cell})) == []


METRICS = {
    "a count of a few": headline(n_failed=2),
    "a count as a float": headline(n_failed=3.0),
    "a count as text": headline(n_failed="3"),
    "a count in words": headline(n_samples="three"),
    "a negative count": headline(n_failed=-3),
    "text": headline(accuracy_all="0.8"),
    "truth": headline(accuracy_all=True),
    "a list": headline(accuracy_all=[0.8]),
    "an object": headline(accuracy_all={"p": 1}),
    "too many digits": headline(accuracy_all=0.12345003),
    "another name": headline(worst=0.5),
    "a patient's name": headline(**{SUBJECT: 0.5}),
    "fewer names": '{\n "n_samples": 60\n}\n',
    "not finite": headline().replace("0.8", "NaN"),
    "a name twice": headline().replace('"accuracy_all"', '"accuracy_all": 3,\n "accuracy_all"'),
    "escapes": headline().replace("n_failed", "n_\\u0066ailed"),
    "other spaces": json.dumps(json.loads(headline())),
    "behind it": headline() + "{}",
    "no object": "[1]",
    "a comment": headline() + "// p\n",
}


@pytest.mark.parametrize("what", METRICS)
def test_the_headline_holds_its_numbers_and_nothing_else(what):
    assert said("reports/metrics.json", headline()) == []
    assert said("reports/metrics.json", METRICS[what])


# --- paths of this machine ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["/home/ana/mimic", "/Users/ana", r"C:\Users\ana", "/root/x", escape("'/home/ana'")])
def test_a_home_directory_is_refused(text):
    assert any(line.endswith("a home directory of this machine") for line in said("CITATION.cff", f"title: {text}\n"))
