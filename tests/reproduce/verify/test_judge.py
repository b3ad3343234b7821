"""The verdict on outputs: the worst file counts, a PDF follows its tables, and what is not here is never called the same."""

from hashlib import md5
from pathlib import Path

import pytest

from medattn.base.dvc import Entry, IgnoreRules, directory_hash, hash_files
from medattn.reproduce.verify.deviation import Verdict
from medattn.reproduce.verify.judge import Judge
from medattn.reproduce.verify.recorded_content import RecordedContent
from medattn.reproduce.verify.tolerance import TOLERANCES

TABLE = "finding,x\nall,0.5\nnodule,0.25\n"
DRAWING = "1 0 obj\n<< /Length 12 0 R >>\nstream\n10.000000 20.000000 m\nendstream\nendobj\nxref\n0 3\n"
FILES = {"reports/tables/robustness.csv": TABLE, "reports/figures/robustness.pdf": DRAWING, "results/manifest.csv": TABLE}
OUTPUTS = {"reports/tables": "metrics", "reports/figures": "figures", "results/manifest.csv": "prepare"}


def written(place: Path, **changes: str | None) -> Path:
    """A run's files at `place`; changes: stem -> content, None: absent."""
    for name, content in FILES.items():
        content = changes.get(Path(name).stem if not name.endswith(".pdf") else "drawing", content)
        if content is not None:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(content)
    return place


def entries(place: Path) -> dict[str, tuple[str, Entry]]:
    found = {}
    for path, stage in OUTPUTS.items():
        if (place / path).is_dir():
            hash, count = directory_hash(hash_files(place / path, IgnoreRules(b""))), len(list((place / path).iterdir()))
        else:
            hash, count = md5((place / path).read_bytes()).hexdigest(), None
        found[path] = (stage, Entry(path, hash, None, count))
    return found


@pytest.fixture
def judged(tmp_path):
    """Judges a run with `changes` against the recorded one, whose contents are here unless `forgotten`."""

    def judge(forgotten: bool = False, **changes: str | None):
        recorded, found = written(tmp_path / "recorded"), written(tmp_path / "found", **changes)
        (tmp_path / "blobs").mkdir()
        contents = RecordedContent(tmp_path, tmp_path / "blobs")
        contents.cache = tmp_path / "no cache"
        if not forgotten:
            contents.hold({name: (recorded / name).read_bytes() for name in FILES})
            for path in ("reports/tables", "reports/figures"):
                files = hash_files(recorded / path, IgnoreRules(b""))
                contents.add_listing(directory_hash(files), files)
        judge = Judge(found, contents, TOLERANCES["float64"], IgnoreRules(b""))
        return {one.path: one.comparison for one in judge.judge(entries(recorded), entries(found))}

    return judge


def verdicts(judged: dict) -> list[str]:
    return [str(judged[path].verdict) for path in OUTPUTS]


def test_the_same_bytes_are_identical_even_where_the_recorded_content_is_not_here(judged):
    assert verdicts(judged(forgotten=True)) == ["identical"] * 3


def test_other_bytes_are_not_comparable_where_the_recorded_content_is_not_here(judged):
    found = judged(forgotten=True, robustness=TABLE.replace("0.5", "0.500001"), manifest=TABLE.replace("0.5", "0.500001"))
    assert verdicts(found) == ["not comparable", "identical", "not comparable"]
    assert "the content is not here" in found["results/manifest.csv"].why[0]


def test_a_pdf_is_as_good_as_its_table_whatever_was_drawn(judged):
    found = judged(robustness=TABLE.replace("0.25", "0.250001"), drawing=DRAWING.replace("10.0", "99.0"))
    assert verdicts(found)[:2] == ["equivalent", "equivalent"]
    place = "robustness.pdf: reports/tables/robustness.csv: row 3 (nodule), column x: 0.250001, recorded 0.25"
    assert found["reports/figures"].absolute.place == place


def test_a_pdf_of_another_table_is_different(judged):
    found = judged(robustness=TABLE.replace("0.25", "0.75"), drawing=DRAWING.replace("10.0", "99.0"))
    assert verdicts(found)[:2] == ["different", "different"]
    assert found["reports/figures"].why == (
        "robustness.pdf: reports/tables/robustness.csv: row 3 (nodule), column x: 0.75, recorded 0.25",
    )


def test_a_pdf_that_was_drawn_otherwise_from_the_same_table_is_different(judged):
    found = judged(drawing=DRAWING.replace("10.0", "99.0"))
    assert verdicts(found) == ["identical", "different", "identical"]
    assert (
        found["reports/figures"].why[0].startswith("robustness.pdf: is drawn otherwise, though its tables are the same: line ")
    )


def test_a_pdf_with_other_last_digits_and_offsets_from_the_same_table_is_equivalent(judged):
    found = judged(drawing=DRAWING.replace("10.000000", "10.0000001").replace("0 3", "0 4"))
    assert verdicts(found) == ["identical", "equivalent", "identical"]


def test_files_that_are_missing_or_extra_are_named(tmp_path):
    recorded, found = written(tmp_path / "a"), written(tmp_path / "b")
    (found / "reports/figures/robustness.pdf").unlink()
    (found / "reports/figures/sinks.pdf").write_text(DRAWING)
    (tmp_path / "blobs").mkdir()
    contents = RecordedContent(tmp_path, tmp_path / "blobs")
    contents.cache = tmp_path / "no cache"
    files = hash_files(recorded / "reports/figures", IgnoreRules(b""))
    contents.add_listing(directory_hash(files), files)
    judge = Judge(found, contents, TOLERANCES["float64"], IgnoreRules(b""))
    then, now = entries(recorded), entries(found)
    figures = {one.path: one.comparison for one in judge.judge(then, now)}["reports/figures"]
    assert figures.verdict is Verdict.DIFFERENT
    assert figures.why == ("robustness.pdf: is missing", "sinks.pdf: is extra")
    del now["results/manifest.csv"]
    now["results/more"] = ("prepare", Entry("results/more", "1", None, None))
    outputs = {one.path: one.comparison.why for one in judge.judge(then, now)}
    assert outputs["results/manifest.csv"] == ("was not made",)
    assert outputs["results/more"] == ("no such output was recorded",)


def test_an_output_that_is_known_by_its_hash_alone_can_still_be_the_same(tmp_path):
    then = entries(written(tmp_path / "a"))
    now = entries(written(tmp_path / "b", manifest=TABLE + "more,0.1\n"))
    (tmp_path / "blobs").mkdir()
    contents = RecordedContent(tmp_path, tmp_path / "blobs")
    contents.cache = tmp_path / "no cache"
    judge = Judge(tmp_path / "nothing", contents, TOLERANCES["float64"], IgnoreRules(b""))
    assert [str(one.comparison.verdict) for one in judge.judge(then, now, OUTPUTS)] == [
        "identical",
        "identical",
        "not comparable",
    ]
