"""Is what lies here the run that the workspace's own dvc.lock records? Asked before anything of it leaves the machine.

The audit of a commit tells the same of HEAD. A run need not be committed to be packed, so here the workspace is asked.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from medattn.base.dvc import LOCK, directory_hash, outputs
from medattn.reproduce.verify import audit_outputs, audit_records
from medattn.reproduce.verify.discrepancies import RESULTS, Findings
from medattn.reproduce.verify.recorded_content import RecordedContent
from medattn.reproduce.verify.trees import Commit, Workspace

_DIFFERS = f"differs from what {LOCK} records"  # in what, a patient's row perhaps, `medattn verify` tells


def not_current(root: Path, released: Iterable[str]) -> list[str]:
    """A line of path, problem and remedy for everything below `root` that is not as its run recorded it.

    released: outputs whose bytes must be the recorded ones. Code, parameters, data that a .dvc file tracks, and outputs that
    other stages read must be those of the run. Raises InputError if dvc.lock, dvc.yaml or params.yaml cannot be read.
    """
    tree, findings = Workspace(root), Findings()
    recorded = outputs(tree.lock)
    with tempfile.TemporaryDirectory() as temporary:
        contents = RecordedContent(root, Path(temporary))
        head = Commit(root, "HEAD")
        for path in released:
            if path not in recorded:
                findings.mismatch(RESULTS, path, f"{LOCK} records no such output")
                continue
            if files := head.below(path):
                contents.add_listing(directory_hash(files), files)  # one hash for all: it takes a listing to tell them apart
            audit_outputs.audit_output(root, recorded[path][1], tree, contents, findings, lambda *_: [_DIFFERS])
    lines = [f"{one}: {tree.remedy}" for one in findings.mismatches]
    stages = Findings()
    audit_records.audit_stages(tree, stages)
    return lines + [str(one) for one in stages.mismatches]
