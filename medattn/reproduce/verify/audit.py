"""Step 1: is everything here what the last commit records? Nothing is computed, only hashed; every mismatch is named."""

from collections.abc import Iterator
from pathlib import Path

from medattn.base.dvc import LOCK, PIPELINE, hash_content, outputs
from medattn.reproduce.verify import audit_data, audit_outputs, audit_records
from medattn.reproduce.verify.discrepancies import CODE, DATA, RECORDS, RESULTS, SETTINGS, Findings, told
from medattn.reproduce.verify.key_changes import changed_keys
from medattn.reproduce.verify.recorded_content import RecordedContent
from medattn.reproduce.verify.trees import PARAMS, Commit

PACKAGE, STORE = "medattn", "dvc-store"
IMPORTED = (".py", ".pyc", ".so", ".pyd")  # what Python imports


def audit(root: Path, head: Commit, contents: RecordedContent) -> Findings:
    """Everything below `root` against `head`. Raises InputError if `head` has no lock, parameters or pipeline."""
    findings = Findings()
    contents.hold(head.content)
    for path in head.damaged:
        findings.mismatch(
            _part(path, head), path, "git's object has another content than its name says: clone the repository again"
        )
    _workspace(root, head, contents, findings)
    for path in untracked_code(root, head):
        findings.mismatch(CODE, path, "is not in HEAD, and Python may import it: commit it or remove it")
    audit_records.audit(head, findings)
    audit_data.audit(root, head, contents, findings)
    audit_outputs.audit(root, head, contents, findings)
    return findings


def _part(path: str, head: Commit) -> str:
    if path == LOCK:
        return RECORDS
    if path == PARAMS:
        return SETTINGS
    if path.startswith(f"{STORE}/") or path.endswith(".dvc"):
        return DATA
    made = any(path == output or path.startswith(f"{output}/") for output in outputs(head.lock))
    return RESULTS if made else CODE


def _workspace(root: Path, head: Commit, contents: RecordedContent, findings: Findings) -> None:
    """Files that git tracks, byte by byte: neither git's index nor file times are trusted."""
    for path in sorted(head.files):
        problems = _problems(root, path, head, contents)
        if problems:
            findings.mismatch(_part(path, head), path, *problems)
    findings.checked[CODE] = f"{len(head.files)} files that git tracks, and no other code"


def _problems(root: Path, path: str, head: Commit, contents: RecordedContent) -> list[str]:
    now, then = root / path, head.content[path]
    if head.is_link(path) != now.is_symlink():
        return ["is a link" if now.is_symlink() else "is missing" if not now.exists() else "is not a link, as it is in HEAD"]
    if now.is_symlink():
        return [] if str(now.readlink()).encode() == then else [f"links to {now.readlink()}, in HEAD to {then.decode()}"]
    if not now.is_file():
        return ["is missing" if not now.exists() else "is not a file"]
    content = now.read_bytes()
    if content == then:
        return []
    if path in (LOCK, PARAMS, PIPELINE) or path.endswith(".dvc"):
        return changed_keys(then, content)
    return told(path, contents.file(hash_content(then)), now)


def untracked_code(root: Path, head: Commit) -> Iterator[str]:
    """Files that HEAD does not have and that Python would import: in the package, and beside it, where they come first."""
    for file in sorted((root / PACKAGE).rglob("*")):
        name = file.relative_to(root).as_posix()
        if name not in head and not file.is_dir() and "__pycache__" not in file.parts:
            yield name
    for file in sorted(root.iterdir()):
        if file.suffix in IMPORTED and file.name not in head and not file.is_dir():
            yield file.name
        elif file.is_dir() and file.name.isidentifier() and file.name != PACKAGE:
            first = (f"{file.name}/__init__{suffix}" for suffix in IMPORTED)
            yield from (name for name in first if (root / name).exists() and name not in head)
