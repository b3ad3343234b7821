"""Tables as they are written and read."""

import numpy as np
import pytest

from medattn.base.errors import InputError
from medattn.base.tables import csv_rows, csv_text, fresh_directory, read_table, text_of, write_bytes


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (True, "true"), (np.bool_(False), "false"), ("a,b", "a,b"), (3, "3"), (np.int64(4), "4"),
        (0.1234567, "0.123457"), (1e-12, "0.0"), (-1e-12, "0.0"), (np.float32(0.5), "0.5"), (1234567.0, "1234570.0"),
    ],
)  # fmt: skip
def test_a_cell_is_written_in_one_way(value, text):
    assert text_of(value) == text


def test_rows_have_exactly_the_columns():
    assert csv_text(("a", "b"), [{"b": 1, "a": "x,y"}]) == 'a,b\n"x,y",1\n'
    with pytest.raises(ValueError, match="expected"):
        csv_text(("a", "b"), [{"a": 1}])


def test_a_number_that_is_none_is_an_error():
    with pytest.raises(ValueError, match="write None"):
        csv_text(("a",), [{"a": float("nan")}])


def test_a_file_is_replaced_at_once(tmp_path):
    write_bytes(tmp_path / "deep/er/file", b"one")
    write_bytes(tmp_path / "deep/er/file", b"two")
    assert [path.name for path in (tmp_path / "deep/er").iterdir()] == ["file"]
    assert (tmp_path / "deep/er/file").read_bytes() == b"two"


def test_a_directory_is_replaced_whole_or_not_at_all(tmp_path):
    place = tmp_path / "out"
    place.mkdir()
    (place / "old").write_text("old")

    def fails_halfway() -> None:
        with fresh_directory(place) as part:
            (part / "new").write_text("new")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        fails_halfway()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "old"]
    with fresh_directory(place) as part:
        (part / "new").write_text("new")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "new"]


def test_tables_are_read_as_text(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes('\ufeffid,value,more\r\n007,NA,"a\nb"\r\n1e3,,x\r\n'.encode())
    assert read_table(path, ("id", "value")) == [{"id": "007", "value": "NA"}, {"id": "1e3", "value": ""}]


def test_empty_lines_are_skipped_and_counted(tmp_path):
    (tmp_path / "t.csv").write_text("id,value\n1,2\n\n3\n")
    with pytest.raises(InputError, match="row 4: 1 cells under 2 columns"):
        read_table(tmp_path / "t.csv", ("id", "value"))
    (tmp_path / "t.csv").write_text("id,value\n1,2\n\n")
    assert len(read_table(tmp_path / "t.csv", ("id", "value"))) == 1


def test_a_column_given_twice_is_an_error(tmp_path):
    (tmp_path / "t.csv").write_text("id,id\n1,2\n")
    with pytest.raises(InputError, match="column 'id' is duplicated"):
        read_table(tmp_path / "t.csv", ("id",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "t.csv not found: run it again"),
        (b"", "column id, value is missing; it has none: add it"),
        (b"id\n1\n", "column value is missing; it has id: add it"),
        (b"id,value\n", "holds no row: add at least one"),
        (b"id,value\n1,\xff\n", r"is not UTF-8 \(byte 11\): save it as UTF-8"),
        (b'id,value\n1,"2\n', "is not valid CSV: unexpected end of data; fix it"),
    ],
)
def test_what_is_wrong_with_a_table_is_named_with_its_remedy(tmp_path, content, message):
    if content is not None:
        (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / "t.csv", ("id", "value"), "run it again")


def test_every_column_is_read_where_none_is_named(tmp_path):
    (tmp_path / "t.csv").write_text("id,value\n1,2\n")
    assert read_table(tmp_path / "t.csv", None) == [{"id": "1", "value": "2"}]
    (tmp_path / "t.csv").write_text("")
    assert read_table(tmp_path / "t.csv", None, may_be_empty=True) == []


def test_rows_are_read_one_by_one():
    columns, rows = csv_rows(iter(["a,b\n", "1,2\n", "3\n"]), "somewhere", "make it again")
    assert columns == ["a", "b"] and next(rows) == {"a": "1", "b": "2"}
    with pytest.raises(InputError, match="somewhere, row 3: 1 cells under 2 columns: make it again"):
        next(rows)
