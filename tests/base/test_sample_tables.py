"""What one stage wrote is read by the next as it was, or refused with the stage that fixes it."""

import pytest

from medattn.base.errors import InputError
from medattn.base.sample_tables import ANSWERS, FAILURES, read
from medattn.base.tables import write_csv

HEADER = "sample_id,image_id,condition,reason\n"


def test_rows_come_back_by_sample_in_order_of_their_ids(tmp_path):
    rows = [{"sample_id": name, "image_id": "i,1", "condition": "clean", "reason": 'it "is"\nso'} for name in ("b", "a")]
    write_csv(tmp_path / "failures.csv", FAILURES, rows)
    found = read(tmp_path / "failures.csv", FAILURES, "extract")
    assert list(found.items()) == [("a", rows[1]), ("b", rows[0])]


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "table.csv not found: run `dvc repro extract` first"),
        ("sample_id,reason\n", "columns are .*, expected sample_id, image_id, condition, reason: run `dvc repro -f extract`"),
        (HEADER + "a,i,clean,x\na,i,clean,x\n", "row 3: sample_id 'a' is duplicated: run `dvc repro -f extract`"),
        ("", "columns are None, expected sample_id"),
    ],
)
def test_a_file_that_no_stage_wrote_is_named(tmp_path, content, message):
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=message):
        read(path, FAILURES, "extract")


def test_only_the_list_of_failures_may_be_empty(tmp_path):
    write_csv(tmp_path / "table.csv", FAILURES, [])
    assert read(tmp_path / "table.csv", FAILURES, "extract") == {}
    write_csv(tmp_path / "table.csv", ANSWERS, [])
    with pytest.raises(InputError, match=r"table\.csv holds no row: run `dvc repro -f extract`"):
        read(tmp_path / "table.csv", ANSWERS, "extract")
