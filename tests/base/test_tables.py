"""Tables as they are written."""

import numpy as np
import pytest

from medattn.base.tables import csv_text, fresh_directory, text_of, write_bytes


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
