"""The last line and the exit code follow from what was found, and nothing is called identical too early."""

import json

import pytest

from medattn.reproduce.verify.against import Reference
from medattn.reproduce.verify.deviation import Comparison, Deviation, Verdict
from medattn.reproduce.verify.discrepancies import Findings
from medattn.reproduce.verify.judge import OutputVerdict
from medattn.reproduce.verify.rerun import StageRun
from medattn.reproduce.verify.verification import EXIT_CODES, RECORD, Verification, audit_lines, output_lines

HEAD = Reference("HEAD", "HEAD", "0123456789abcdef", {}, {}, {})
RAN = [StageRun("extract", "re-run", 3.0), StageRun("metrics", "re-run", 1.0)]
CLOSE = Comparison(Verdict.EQUIVALENT, Deviation(1e-6, "row 2, column x: 0.500001, recorded 0.5"), Deviation(2e-6, "row 2"))


def made(*comparisons: Comparison, mismatch: bool = False, **more) -> Verification:
    """A verification of outputs results/0, reports/1, results/2 …"""
    findings = Findings()
    if mismatch:
        findings.mismatch("data", "data/images/a.png", "pixel 3, 4: 1 of 255 levels", "is extra")
    paths = [f"{'reports' if number == 1 else 'results'}/{number}" for number in range(len(comparisons))]
    verdicts = [
        OutputVerdict("extract", path, None, None, one, {"": one}) for path, one in zip(paths, comparisons, strict=True)
    ]
    return Verification("0123456789abcdef", HEAD, findings, **({"stages": RAN, "verdicts": verdicts} | more))


SAME, WRONG = Comparison(Verdict.IDENTICAL), Comparison(Verdict.DIFFERENT, why=("row 2, column x: 0.7, recorded 0.5",))
UNKNOWN = Comparison(Verdict.INCOMPARABLE, why=("has other bytes",))


@pytest.mark.parametrize(
    ("verification", "code", "line"),
    [
        (made(SAME, SAME), 0, "identical: 2 outputs of 2 stages have the bytes that HEAD (0123456789ab) records"),
        (made(SAME, CLOSE), 3, "equivalent: largest deviation absolute 1e-06 (reports/1: row 2, column x: 0.500001, recorded "),
        (made(SAME, WRONG), 1, "different: reports/1"),
        (made(WRONG, CLOSE, begun=["extract"]), 1, "different: results/0; it began in stage extract"),
        (made(UNKNOWN, CLOSE), 2, "not comparable: other bytes, and the recorded content is not here: results/0"),
        (made(UNKNOWN, WRONG), 1, "different: reports/1"),
        (made(UNKNOWN, CLOSE, by_reports=True), 3, "equivalent: largest deviation absolute 1e-06"),
        (made(UNKNOWN, SAME, by_reports=True), 3, "equivalent: largest deviation none"),
        (made(SAME, UNKNOWN, by_reports=True), 2, "not comparable: "),
        (made(SAME, SAME, mismatch=True), 1, "tampered: data/images/a.png: pixel 3, 4: 1 of 255 levels (and 1 more)"),
        (made(SAME, stages=[RAN[0], StageRun("metrics", "failed", 1.0)]), 1, "different: stage metrics failed"),
        (made(SAME, stages=[RAN[0], StageRun("metrics", "skipped", 0.0)]), 1, "different: stage metrics did not run"),
        (made(stages=[]), 0, "audit passed (nothing was recomputed)"),
        (made(SAME, stages=[]), 0, "audit passed (nothing was recomputed; outputs are those of HEAD (0123456789ab))"),
        (made(CLOSE, stages=[]), 3, "equivalent: largest deviation absolute 1e-06"),
        (made(mismatch=True, stages=[]), 1, "tampered: "),
    ],
)  # fmt: skip
def test_the_verdict_follows_from_the_worst_that_was_found(verification, code, line):
    assert verification.line().startswith(line)
    assert EXIT_CODES[verification.verdict()[0]] == code


def test_what_was_not_compared_is_named_beside_an_equivalent():
    assert made(UNKNOWN, CLOSE, by_reports=True).line().endswith("; not compared: results/0")


def test_without_a_re_run_it_is_said_and_nothing_is_identical():
    for verification in (made(stages=[]), made(SAME, stages=[]), made(CLOSE, stages=[]), made(WRONG, stages=[])):
        assert "nothing was recomputed" in verification.line() and not verification.line().startswith("identical")


def test_the_record_has_everything_and_the_terminal_the_first_of_many(tmp_path):
    findings = Findings(not_here=["results/captures: a result"], checked={"data": "study data, 318 files"})
    findings.mismatch("data", "data/a.csv", *(f"row {number}" for number in range(50)))
    verification = Verification("0123", HEAD, findings, stages=RAN, verdicts=made(CLOSE, WRONG).verdicts)
    verification.write(tmp_path)
    record = json.loads((tmp_path / RECORD).read_text())
    assert record["verdict"] == "tampered" and record["exit_code"] == 1 and record["recomputed"] is True
    assert len(record["audit"]["mismatches"]) == 50
    assert record["audit"]["mismatches"][0] == {"part": "data", "path": "data/a.csv", "problem": "row 0"}
    assert record["outputs"][0]["absolute"] == {"value": 1e-06, "place": "row 2, column x: 0.500001, recorded 0.5"}
    assert record["outputs"][1]["why"] == ["row 2, column x: 0.7, recorded 0.5"]
    assert record["stages"][0] == {"name": "extract", "status": "re-run", "seconds": 3.0}
    lines = audit_lines(findings)
    assert lines[0].split() == ["data", "50", "mismatches", "study", "data,", "318", "files"]
    assert "    data/a.csv: row 0" in lines and any("and 38 more" in line for line in lines)
    assert "results/captures" in lines[-1]
    table = output_lines(verification.verdicts)
    assert table[1].split() == ["extract", "results/0", "equivalent"] and "absolute 1e-06" in table[2]
    assert table[3].split() == ["extract", "reports/1", "different"] and table[4].strip() == WRONG.why[0]
