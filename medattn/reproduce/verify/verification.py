"""The verdict: as a table, as one last line, and as results/run/verification.json (docs/verify.md says what is in it)."""

import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from medattn.base import paths
from medattn.base.tables import write_bytes
from medattn.reproduce.verify.against import Reference
from medattn.reproduce.verify.deviation import Comparison, Verdict, worst
from medattn.reproduce.verify.discrepancies import PARTS, Findings
from medattn.reproduce.verify.judge import OutputVerdict
from medattn.reproduce.verify.rerun import StageRun
from medattn.reproduce.verify.tolerance import Tolerance

FORMAT = 1
RECORD = paths.RUN / "verification.json"
IDENTICAL, EQUIVALENT, DIFFERENT, TAMPERED, UNDECIDED, PASSED = (
    "identical", "equivalent", "different", "tampered", "not comparable", "audit passed",
)  # fmt: skip
EXIT_CODES = {IDENTICAL: 0, PASSED: 0, EQUIVALENT: 3, DIFFERENT: 1, TAMPERED: 1, UNDECIDED: 2}
SHOWN = 12  # lines about one part or output on the terminal; the record has them all


@dataclass
class Verification:
    """Everything that was found out."""

    commit: str
    reference: Reference
    findings: Findings
    by_reports: bool = False
    tolerance: Tolerance | None = None
    stages: Sequence[StageRun] = ()
    verdicts: Sequence[OutputVerdict] = ()
    begun: Sequence[str] = ()  # stages that made other outputs of the same inputs
    suspects: Sequence[str] = ()  # cache entries that hold wrong content
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)
    started: str = ""
    seconds: float = 0.0

    @property
    def recomputed(self) -> bool:
        return bool(self.stages)

    def worst(self) -> Verdict:
        """Of all outputs; without what cannot be compared where reports/ are to decide."""
        verdicts = [
            one.comparison.verdict
            for one in self.verdicts
            if not (self.by_reports and one.comparison.verdict is Verdict.INCOMPARABLE and not one.path.startswith("reports/"))
        ]
        left_out = len(verdicts) < len(self.verdicts)
        return max([*verdicts, Verdict.EQUIVALENT if left_out else Verdict.IDENTICAL])

    def verdict(self) -> tuple[str, str]:
        """One of EXIT_CODES, and what is said about it."""
        if self.findings.mismatches:
            first, more = self.findings.mismatches[0], len(self.findings.mismatches) - 1
            return TAMPERED, f"{first}" + (f" (and {more} more)" if more else "")
        if unfinished := [
            f"stage {one.name} {'failed' if one.status == 'failed' else 'did not run'}"
            for one in self.stages
            if one.status != "re-run"
        ]:
            return DIFFERENT, ", ".join(unfinished)
        worst = self.worst()
        if worst is Verdict.DIFFERENT:
            return DIFFERENT, self._named(Verdict.DIFFERENT) + (
                f"; it began in stage {', '.join(self.begun)}" if self.begun else ""
            )
        if worst is Verdict.INCOMPARABLE:
            return UNDECIDED, f"other bytes, and the recorded content is not here: {self._named(Verdict.INCOMPARABLE)}"
        if worst is Verdict.EQUIVALENT:
            left_out = self._named(Verdict.INCOMPARABLE)
            return EQUIVALENT, deviations(self._overall()) + (f"; not compared: {left_out}" if left_out else "")
        if not self.recomputed:
            same = f"; outputs are those of {self.reference.title}" if self.verdicts else ""
            return PASSED, f"nothing was recomputed{same}"
        return (
            IDENTICAL,
            f"{len(self.verdicts)} outputs of {len(self.stages)} stages have the bytes that {self.reference.title} records",
        )

    def line(self) -> str:
        """The last line."""
        verdict, said = self.verdict()
        if verdict == PASSED:
            return f"{verdict} ({said})"
        return f"{verdict}: {said}" + ("" if self.recomputed or verdict == TAMPERED else " (nothing was recomputed)")

    def _named(self, verdict: Verdict) -> str:
        return ", ".join(one.path for one in self.verdicts if one.comparison.verdict is verdict)

    def _overall(self) -> Comparison:
        return worst(one.comparison.inside(one.path) for one in self.verdicts)

    # --- as JSON ------------------------------------------------------------------------------------------------------

    def as_json(self) -> dict[str, object]:
        verdict, said = self.verdict()
        return {
            "format": FORMAT,
            "commit": self.commit,
            "against": {"kind": self.reference.kind, "name": self.reference.name, "identity": self.reference.identity},
            "verdict": verdict,
            "said": said,
            "exit_code": EXIT_CODES[verdict],
            "recomputed": self.recomputed,
            "by_reports": self.by_reports,
            "started": self.started,
            "seconds": round(self.seconds, 1),
            "host": {"platform": platform.platform(), "machine": platform.machine(), "python": platform.python_version()},
            "audit": {
                "checked": self.findings.checked,
                "mismatches": [one._asdict() for one in self.findings.mismatches],
                "not_here": self.findings.not_here,
                "notes": self.findings.notes,
            },
            "tolerance": self.tolerance.as_json() if self.tolerance else None,
            "stages": [asdict(one) | {"seconds": round(one.seconds, 1)} for one in self.stages],
            "outputs": [_output(one) for one in self.verdicts],
            "began_in": list(self.begun),
            "suspects": list(self.suspects),
            "context": {name: list(lines) for name, lines in self.context.items()},
        }

    def write(self, root: Path) -> None:
        """Write RECORD below `root`, all or nothing."""
        text = json.dumps(self.as_json(), indent=1, ensure_ascii=False)
        write_bytes(root / RECORD, f"{text}\n".encode())


def _output(one: OutputVerdict) -> dict[str, object]:
    comparison = one.comparison
    return {
        "stage": one.stage,
        "path": one.path,
        "verdict": str(comparison.verdict),
        "recorded": one.recorded.hash if one.recorded else None,
        "found": one.found.hash if one.found else None,
        "files": dict(Counter(str(file.verdict) for file in one.files.values())),
        "absolute": comparison.absolute._asdict(),
        "relative": comparison.relative._asdict(),
        "pixels": comparison.pixels._asdict(),
        "why": list(comparison.why),
        "more": comparison.more,
        "deviating": {
            name: {
                "verdict": str(file.verdict),
                "absolute": file.absolute.value,
                "relative": file.relative.value,
                "pixels": file.pixels.value,
            }
            for name, file in one.files.items()
            if file.verdict is not Verdict.IDENTICAL and name
        },
    }


# --- as text ----------------------------------------------------------------------------------------------------------


def deviations(comparison: Comparison) -> str:
    """The largest deviations and where they are."""
    said = [
        f"{kind} {mark.value:.2g} ({mark.place})"
        for kind, mark in (("absolute", comparison.absolute), ("relative", comparison.relative))
        if mark.value
    ]
    if comparison.pixels.value:
        said.append(f"pixels ({comparison.pixels.place})")
    return "largest deviation " + ("; ".join(said) or "none: the bytes differ, no value does")


def audit_lines(findings: Findings) -> list[str]:
    """What was audited, and every mismatch by name."""
    lines = []
    for part in PARTS:
        wrong = findings.of(part)
        if part not in findings.checked and not wrong:
            continue
        state = f"{len(wrong)} mismatch{'es' if len(wrong) > 1 else ''}" if wrong else "as recorded"
        lines.append(f"  {part:<12} {state:<14} {findings.checked.get(part, '')}".rstrip())
        lines += [f"    {one}" for one in wrong[:SHOWN]]
        if len(wrong) > SHOWN:
            lines.append(f"    and {len(wrong) - SHOWN} more: {RECORD}")
    lines += [f"  not here     {one}" for one in findings.not_here]
    return lines + [f"  note         {one}" for one in findings.notes]


def output_lines(verdicts: Sequence[OutputVerdict]) -> list[str]:
    """A table of outputs, each with its verdict, and what is to be said about it below."""
    width = max((len(one.path) for one in verdicts), default=0)
    lines = [f"  {'stage':<12} {'output':<{width}}  verdict"]
    for one in verdicts:
        lines.append(f"  {one.stage:<12} {one.path:<{width}}  {one.comparison.verdict}")
        if one.comparison.verdict in (Verdict.EQUIVALENT, Verdict.DIFFERENT) and any(
            mark.value for mark in one.comparison.marks
        ):
            lines.append(f"    {deviations(one.comparison)}")
        lines += [f"    {line}" for line in one.comparison.why[:SHOWN]]
        if more := len(one.comparison.why[SHOWN:]) + one.comparison.more:
            lines.append(f"    and {more} more: {RECORD}")
    return lines
