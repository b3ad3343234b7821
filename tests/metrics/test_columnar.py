"""Rows held in columns say what the rows said that they were made of."""

import tracemalloc

import numpy as np
import pytest

from medattn.base.rows import SampleRow
from medattn.metrics.columnar import Columns

NAMES = ("sample_id", "condition", "role", "variant_index", "flip", "margin", "correct", "strength")
ROWS = [
    SampleRow(zip(NAMES, cells, strict=True))
    for cells in (
        ("b", "clean", "study", 0, None, None, True, None),
        ("a", "rotation", "control", 1, True, -0.5, False, "10"),
        ("c", "clean", "study", 2, False, 0.0, None, None),
    )
]


def test_every_cell_comes_back_as_it_was_and_of_the_type_it_was():
    held = list(Columns.of(ROWS))
    assert [dict(row) for row in held] == ROWS
    assert [[type(cell) for cell in row.values()] for row in held] == [[type(cell) for cell in row.values()] for row in ROWS]


def test_a_held_row_answers_as_the_row_did():
    for held, row in zip(Columns.of(ROWS), ROWS, strict=True):
        for name in ("is_clean", "is_baseline", "is_control", "is_study", "is_rotated", "setting"):
            assert getattr(held, name) == getattr(row, name), name
        assert list(held) == list(row) and len(held) == len(row) and "margin" in held and "other" not in held


def test_a_changed_row_has_its_own_cells_and_leaves_the_held_one_alone():
    rows = Columns.of(ROWS)
    changed = rows[1] | {"margin": 2, "new": "x"} | {"new": "y"}
    assert (changed["margin"], changed["new"], changed["sample_id"], changed.is_rotated) == (2, "y", "a", True)
    assert list(changed) == [*ROWS[0], "new"] and dict(rows[1]) == ROWS[1]


def test_rows_are_sorted_by_a_column_and_cut_to_some():
    rows = Columns.of(ROWS, by="sample_id")
    assert [row["sample_id"] for row in rows] == ["a", "b", "c"] and [row["margin"] for row in rows] == [-0.5, None, 0.0]
    assert [dict(row) for row in rows.only(("margin", "role"))] == [
        {"margin": -0.5, "role": "control"},
        {"margin": None, "role": "study"},
        {"margin": 0.0, "role": "study"},
    ]
    assert rows[-1]["sample_id"] == "c" and [row["sample_id"] for row in reversed(rows)] == ["c", "b", "a"]


def test_no_rows_are_no_columns():
    none = Columns.of(iter(()))
    assert list(none) == list(none.only(("margin",))) == list(Columns.of([], by="sample_id")) == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"a": 1.0}, {"a": "x"}], "column a is 'x', after decimal numbers"),
        ([{"a": "x"}, {"a": 1.0}], "column a is 1.0, after cells that are no decimal numbers"),
        ([{"a": float("nan")}], "column a is not a number: write None where there is none"),
        ([{"a": 1}, {"b": 1}], r"row has columns \['b'\], expected \['a'\]"),
    ],
)
def test_what_a_column_cannot_hold_is_named(rows, message):
    with pytest.raises(ValueError, match=message):
        Columns.of(rows)


def test_a_row_of_a_hundred_columns_takes_less_than_a_kilobyte():
    count, rng = 4000, np.random.default_rng(0)
    names = [f"n{number}" for number in range(66)]

    def rows():
        for index in range(count):
            texts = {f"t{number}": f"text {index % 7}" for number in range(32)}
            yield {"sample_id": f"phantom-{index:06d}-nodule-v0-clean"} | texts | dict(zip(names, rng.random(66), strict=True))

    tracemalloc.start()
    made = Columns.of(rows())
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(made) == count and size / count < 1000
