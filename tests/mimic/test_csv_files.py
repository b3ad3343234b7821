"""Tables of somebody else: whatever they are, they are read in bounded memory, or named."""

import csv
import gzip
import os
import tracemalloc
from pathlib import Path

import pytest

from medattn.base.errors import InputError
from medattn.mimic.csv_files import header_of, rows_of


def rows(path: Path) -> list[dict[str, str]]:
    return [row for _, row in rows_of(path, ("a", "b"), None)]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_a_mark_of_the_encoding_are_no_part_of_a_cell(tmp_path, ending, mark):
    path = tmp_path / "t.csv"
    path.write_bytes((mark + ending.join(["a,b", '1,"two\nlines"', "", '3,"say ""no"""'])).encode())
    assert rows(path) == [{"a": "1", "b": "two\nlines"}, {"a": "3", "b": 'say "no"'}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n".encode("utf-16"), "cannot be read as CSV in UTF-8: .*: download it again"),
        ("a,b\n1,\xe9\n".encode("latin-1"), "cannot be read as CSV in UTF-8"),
        (b"a,b,\n1,2,\n", "^$"),
        (b"a,b\n1,2,\n", "row 2: 3 cells under 2 columns"),
        (b"a,b,a\n1,2,3\n", "column 'a' is duplicated"),
        (b"A,B\n1,2\n", "column a, b is missing; it has A, B: is it the right file"),
        (b'a,b\n1,"open\n', "cannot be read as CSV in UTF-8: unexpected end of data"),
        (b'a,b\n1,"two"three\n', "cannot be read as CSV in UTF-8: .* expected after"),
        (b"a,b\n1,2\0\n", "row 2: holds a NUL character"),
        (b"a,b\n1," + b"x" * 200_000 + b"\n", "field larger than field limit"),
        (b"a,b\n1," + b"2," * 600_000 + b"\n", "a line has more than 1048576 characters"),
        (b"\n\n\n", "is empty"),
    ],
)
def test_what_is_no_table_is_named(tmp_path, content, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    if message == "^$":  # a column without a name is nobody's
        assert rows(path) == [{"a": "1", "b": "2", "": ""}]
        return
    with pytest.raises(InputError, match=rf"t\.csv.*{message}"):
        rows(path)


def test_what_is_called_gz_and_is_none_is_named(tmp_path):
    path = tmp_path / "t.csv.gz"
    for content in (b"a,b\n1,2\n", gzip.compress(b"a,b\n1,2\n")[:-3], b"", gzip.compress(b"a,b\n1,2\n") + b"more"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"t\.csv\.gz (cannot be read as CSV|is empty)"):
            rows(path)


def test_a_compressed_line_without_an_end_does_not_fill_the_memory(tmp_path):
    path = tmp_path / "t.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"a,b\n")
        for _ in range(200):
            file.write(b"0" * (1 << 20))
    tracemalloc.start()
    with pytest.raises(InputError, match="a line has more than 1048576 characters"):
        rows(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 << 20


def test_what_is_no_file_is_named_at_once(tmp_path):
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(InputError, match=r"t\.csv cannot be read as CSV in UTF-8: .*Is a directory"):
        header_of(tmp_path / "t.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match=r"pipe\.csv is a pipe or a device, expected a file"):
        header_of(tmp_path / "pipe.csv")


def test_long_tables_are_read_to_their_end(tmp_path):
    path = tmp_path / "t.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("a", "b"), *((number, "x" * 50) for number in range(20_000))])
    assert [row["a"] for row in rows(path)] == [str(number) for number in range(20_000)]
