"""Comparing outputs with what dvc.lock records."""

from hashlib import md5

import pytest

from medattn.base.dvc import Entry
from medattn.base.errors import InputError
from medattn.reproduce.exact import closest, compare, differing_files, file_hashes, recorded

LOCK = """\
schema: '2.0'
stages:
  one:
    cmd: python -m medattn one
    outs:
    - path: results/a.csv
      hash: md5
      md5: aaaa
      size: 10
  two:
    cmd: python -m medattn two
    outs:
    - path: results/b
      hash: md5
      md5: bbbb.dir
      size: 2000
      nfiles: 2
"""


def test_the_lock_says_what_every_output_should_be(tmp_path):
    (tmp_path / "dvc.lock").write_text(LOCK)
    assert recorded(tmp_path / "dvc.lock") == {
        "results/a.csv": Entry("results/a.csv", "aaaa", 10, None),
        "results/b": Entry("results/b", "bbbb.dir", 2000, 2),
    }
    with pytest.raises(InputError, match="run `dvc repro` first"):
        recorded(tmp_path / "other.lock")


def test_each_output_has_a_line_and_a_changed_one_is_named():
    before = {"a": Entry("a", "1111", 5, None), "b": Entry("b", "2222", 5, None)}
    after = {"a": Entry("a", "1111", 5, None), "b": Entry("b", "3333", 6, None)}
    lines, differing = compare(before, after)
    assert differing == ["b"]
    assert lines[0].split() == ["same", "1111", "5", "bytes", "a"]
    assert lines[1].split() == ["DIFFERENT", "3333", "6", "bytes", "b"]


def test_an_output_that_is_no_longer_there_differs():
    assert compare({"a": Entry("a", "1", 5, None)}, {})[1] == ["a"]


def test_files_of_a_changed_directory_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    for name in ("one", "two", "three"):
        (tmp_path / "out" / name).write_text(name)
    outputs = {"out": Entry("out", "x.dir", 1, 3)}
    before = file_hashes(outputs)
    assert before["out/one"] == md5(b"one").hexdigest()
    (tmp_path / "out/two").write_text("2")
    (tmp_path / "out/three").unlink()
    assert differing_files(before, file_hashes(outputs), ["out"]) == ["out/three", "out/two"]
    assert differing_files(before, file_hashes(outputs), ["elsewhere"]) == []


def test_the_closest_value_of_all_processes_counts(tmp_path):
    log = tmp_path / "log"
    log.write_text("1e-09 100 0\n2.5e-12 50 3\n")
    assert closest(log) == (2.5e-12, 150, 3)
    assert closest(tmp_path / "none")[1] == 0
