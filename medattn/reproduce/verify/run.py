"""Both steps in order, and what is said on the way."""

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from medattn.base import paths
from medattn.base.dvc import LOCK, RecordedStage, directory_hash, outputs, read_lock
from medattn.base.errors import InputError
from medattn.base.params.whole import load as load_params
from medattn.disclosure.private_files import OWNER_ONLY, protect
from medattn.reproduce.verify import against, origins, verification
from medattn.reproduce.verify.audit import audit
from medattn.reproduce.verify.discrepancies import ARCHIVE
from medattn.reproduce.verify.judge import Judge
from medattn.reproduce.verify.recorded_content import RecordedContent
from medattn.reproduce.verify.rerun import clone, rerun, scratch_directory
from medattn.reproduce.verify.tolerance import Tolerance, tolerance
from medattn.reproduce.verify.trees import Commit
from medattn.reproduce.verify.verification import Verification
from medattn.study.schema import read_study, settings

Say = Callable[[str, bool], None]


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    audit_only: bool = False
    against: str | None = None
    absolute: float | None = None
    relative: float | None = None
    pixels: float | None = None
    work: Path | None = None
    keep: bool = False
    keep_going: bool = False
    by_reports: bool = False


def verify(root: Path, options: Options, say: Say) -> Verification:
    """Audit, re-run, compare, and write the record. Raises InputError for what cannot be done; no record is left then."""
    (root / verification.RECORD).unlink(missing_ok=True)  # an earlier verdict is not this one
    start, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    for name in ("absolute", "relative", "pixels"):
        tolerance("float64", **{name: getattr(options, name)})  # a bad bound is said before anything else
    head = Commit(root, "HEAD")
    _protect(root, head.study)
    own = against.of_commit(head, "HEAD", "HEAD")
    reference = against.find(root, options.against) if options.against else own
    with tempfile.TemporaryDirectory() as temporary:
        contents = RecordedContent(root, Path(temporary))
        say(f"audit of commit {head.name[:12]}", True)
        findings = audit(root, head, contents)
        for problem in reference.problems:
            path, _, what = problem.partition(": ")
            findings.mismatch(ARCHIVE, f"{reference.name}: {path}", what)
        if reference.kind == "archive":
            findings.checked[ARCHIVE] = f"{reference.name}, {len(reference.files)} members"
        for line in verification.audit_lines(findings):
            say(line, True)
        made = Verification(head.name, reference, findings, options.by_reports, started=started)
        if reference is not own:
            made.context = against.context(own, reference)
            _say_context(made, say)
        contents.hold(reference.files)
        for files in reference.listings.values():
            contents.add_listing(directory_hash(files), files)
        if findings.mismatches and not options.keep_going:
            if not options.audit_only:
                say("nothing was recomputed: fix what differs, or add --keep-going", True)
        elif options.audit_only:
            if reference is not own:
                _compare_workspace(root, head, contents, options, made, say)
        else:
            _recompute(root, head, contents, options, made, say)
    made.seconds = time.monotonic() - start
    made.write(root)
    return made


def _protect(root: Path, study: str) -> None:
    """Close what may hold patients' data; a study that cannot be read counts as credentialed."""
    try:
        protect(read_study(root / study), root)
    except InputError:
        os.umask(OWNER_ONLY)


def _bounds(place: Path, options: Options) -> Tolerance:
    """The tolerance of a run of what lies at `place`."""
    params = load_params(place / paths.PARAMS)
    model, _ = settings(read_study(place / params.study), params)
    return tolerance(model.dtype, options.absolute, options.relative, options.pixels)


def _compare_workspace(
    root: Path, head: Commit, contents: RecordedContent, options: Options, made: Verification, say: Say
) -> None:
    """The workspace's outputs, which are HEAD's, with those of another reference."""
    made.tolerance = _bounds(root, options)
    found = outputs(head.lock)
    absent = {path for path in found if not (root / path).exists()}
    made.verdicts = Judge(root, contents, made.tolerance, head.ignored).judge(
        outputs(_in_order(head, made.reference.lock)), found, absent
    )
    say(f"outputs here, compared with {made.reference.title}", True)
    for line in verification.output_lines(made.verdicts):
        say(line, True)


def _recompute(root: Path, head: Commit, contents: RecordedContent, options: Options, made: Verification, say: Say) -> None:
    with scratch_directory((options.work or root / paths.RUN).resolve(), options.keep) as place:
        say(f"re-run of commit {head.name[:12]} in a clean clone, {place.path}", True)
        repository = clone(root, head, place.path)
        made.tolerance = _bounds(repository, options)
        (repository / LOCK).unlink()  # whatever it holds afterwards was recorded by this run
        made.stages, failure = rerun(repository, place.path, head.pipeline, say)
        place.keep = place.keep or bool(failure)
        for line in failure:
            say(f"    {line}", True)
        lock = read_lock((repository / LOCK).read_bytes()) if (repository / LOCK).exists() else {}
        recorded = _in_order(head, made.reference.lock)
        made.verdicts = Judge(repository, contents, made.tolerance, head.ignored).judge(outputs(recorded), outputs(lock))
        made.begun = origins.begun(recorded, lock, made.verdicts)
        made.suspects = origins.suspects(root, repository, recorded, lock, made.verdicts, contents)
        say(f"compared with {made.reference.title}, tolerances of {made.tolerance.dtype}", True)
        for line in [*verification.output_lines(made.verdicts), *(f"  suspect      {line}" for line in made.suspects)]:
            say(line, True)
        if place.keep:
            say(f"kept: {place.path}", True)


def _in_order(head: Commit, lock: Mapping[str, RecordedStage]) -> dict[str, RecordedStage]:
    """The stages of a lock in the order of the flow: DVC appends the one that it has not seen before."""
    known = list(head.pipeline)
    return {name: lock[name] for name in sorted(lock, key=lambda name: known.index(name) if name in known else len(known))}


def _say_context(made: Verification, say: Say) -> None:
    for name, lines in made.context.items():
        say(f"  {name} that are not those of {made.reference.title}: {len(lines) or 'none'}", True)
        for line in lines[: verification.SHOWN]:
            say(f"    {line}", True)
        if len(lines) > verification.SHOWN:
            say(f"    and {len(lines) - verification.SHOWN} more: {verification.RECORD}", True)
