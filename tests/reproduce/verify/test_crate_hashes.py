"""The crate is as good as what it hashes: equivalent outputs do not make it different, and a wrong hash does."""

import json
from pathlib import Path

import pytest

from medattn.base.dvc import Entry, IgnoreRules, hash_file
from medattn.reproduce.verify.crate_hashes import CRATE
from medattn.reproduce.verify.deviation import Verdict
from medattn.reproduce.verify.judge import Judge
from medattn.reproduce.verify.recorded_content import RecordedContent
from medattn.reproduce.verify.tolerance import TOLERANCES

TABLE = "results/evaluation_results.csv"


def crate(table: str, name: str = "a study", settings: str = "1") -> str:
    graph = [
        {"@id": "./", "name": name},
        {"@id": "params.yaml", "sha256": settings},
        {"@id": f"#{TABLE}", "sha256": f"of {table}"},
    ]
    return json.dumps({"@context": "x", "@graph": graph})


def verdicts(tmp_path: Path, table: str, described: str, here: bool = True) -> dict[str, Verdict]:
    """Verdicts on a run that found `table` and `described`, where 0.5 was recorded."""
    sides: dict[str, dict] = {}
    for side, files in {"then": {TABLE: "x\n0.5\n", CRATE: crate("0.5")}, "now": {TABLE: table, CRATE: described}}.items():
        for path, content in files.items():
            (tmp_path / side / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / side / path).write_text(content)
        sides[side] = {path: ("stage", Entry(path, hash_file(tmp_path / side / path), None, None)) for path in files}
    (tmp_path / "blobs").mkdir()
    contents = RecordedContent(tmp_path, tmp_path / "blobs")
    contents.cache = tmp_path / "no cache"
    known = (TABLE, CRATE) if here else (CRATE,)
    contents.hold({path: (tmp_path / "then" / path).read_bytes() for path in known})
    judge = Judge(tmp_path / "now", contents, TOLERANCES["float64"], IgnoreRules(b""))
    return {one.path: one.comparison.verdict for one in judge.judge(sides["then"], sides["now"])}


@pytest.mark.parametrize(
    ("table", "described", "verdict"),
    [
        ("x\n0.5\n", crate("0.5"), Verdict.IDENTICAL),
        ("x\n0.5000001\n", crate("0.5000001"), Verdict.EQUIVALENT),
        ("x\n0.9\n", crate("0.9"), Verdict.DIFFERENT),
        ("x\n0.5\n", crate("0.9"), Verdict.DIFFERENT),  # a hash that is not the output's
        ("x\n0.5000001\n", crate("0.5000001", name="another"), Verdict.DIFFERENT),
        ("x\n0.5000001\n", crate("0.5000001", settings="2"), Verdict.DIFFERENT),
    ],
)
def test_the_crate_is_as_good_as_the_outputs_that_it_hashes_and_the_rest_must_be_the_same(tmp_path, table, described, verdict):
    assert verdicts(tmp_path, table, described)[CRATE] is verdict


def test_where_an_output_cannot_be_compared_neither_can_its_hash(tmp_path):
    assert verdicts(tmp_path, "x\n0.5000001\n", crate("0.5000001"), here=False)[CRATE] is Verdict.INCOMPARABLE
