"""Is the study what the run read? The embedded one file by file; another by the hash of its directory and its pinned digest."""

from pathlib import Path, PurePosixPath

from medattn.base.dvc import Entry, IgnoreRules, directory_hash, hash_content, hash_files, read_listing, read_pointer
from medattn.base.errors import InputError
from medattn.reproduce import store
from medattn.reproduce.verify.discrepancies import DATA, Findings, compare_listings, told
from medattn.reproduce.verify.recorded_content import RecordedContent
from medattn.reproduce.verify.trees import Commit
from medattn.study.schema import read_study


def audit(root: Path, head: Commit, contents: RecordedContent, findings: Findings) -> None:
    """Add a mismatch for every file of the study, and of the store inside the repository, that is not as recorded."""
    name = head.study
    if is_embedded(head):
        _store(head, findings)
    if not (root / name).is_dir():
        remedy = f"`dvc pull {name}.dvc`" if is_embedded(head) else "put the study there"
        findings.not_here.append(f"{name}: the study ({remedy})")
        return
    files = hash_files(root / name, ignored(head, name))
    if is_embedded(head):
        _embedded(root, name, files, head, contents, findings)
    else:
        _recorded(name, files, head, findings)
    _digest(root, name, head, findings)
    findings.checked[DATA] = f"study {name}, {len(files)} files"


def is_embedded(head: Commit) -> bool:
    """Whether a .dvc file of HEAD tracks the study, so that it can be fetched."""
    return f"{head.study}.dvc" in head


def ignored(head: Commit, study: str) -> IgnoreRules:
    """What DVC leaves out of the study: .dvcignore has no say outside of the repository."""
    outside = PurePosixPath(study).is_absolute() or ".." in PurePosixPath(study).parts
    return IgnoreRules(b"") if outside else head.ignored


def _store(head: Commit, findings: Findings) -> None:
    pointer = store.POINTER.as_posix()
    if pointer not in head:
        return
    start = f"{store.STORE.as_posix()}/"
    held = {path: content for path, content in head.content.items() if path.startswith(start)}
    hashes = {path: hash_content(content) for path, content in held.items()}
    for line in store.compare(head.content[pointer], hashes, held.get):
        path, _, problem = line.partition(": ")
        findings.mismatch(DATA, path, f"{problem} (in HEAD)")


def _embedded(
    root: Path, name: str, files: dict[str, str], head: Commit, contents: RecordedContent, findings: Findings
) -> None:
    tracked = read_pointer(head.content[f"{name}.dvc"], f"{name}.dvc")[PurePosixPath(name).name]
    recorded = listing(tracked, head, contents)
    if recorded is None:
        if directory_hash(files) != tracked.hash:
            findings.mismatch(
                DATA, name, f"its files are not those that {name}.dvc records; which cannot be told without the listing"
            )
        return
    for file in compare_listings(findings, DATA, name, recorded, files):
        findings.mismatch(DATA, f"{name}/{file}", *told(file, contents.file(recorded[file]), root / name / file))


def listing(tracked: Entry, head: Commit, contents: RecordedContent) -> dict[str, str] | None:
    """Path -> MD5 of the files of a directory that a .dvc file tracks: from the store in HEAD, else from DVC's cache."""
    held = head.content.get(store.object_path(tracked.hash))
    return (read_listing(held, tracked.hash) if held is not None else None) or contents.listing(tracked.hash)


def _recorded(name: str, files: dict[str, str], head: Commit, findings: Findings) -> None:
    """A study that nothing tracks: dvc.lock has one hash for all of it."""
    recorded = {stage.deps[name].hash: stage.deps[name] for stage in head.lock.values() if name in stage.deps}
    for hash, entry in recorded.items():
        if directory_hash(files) != hash:
            findings.mismatch(
                DATA,
                name,
                f"its files are not those that dvc.lock records ({len(files)} files, recorded {entry.files}); which, cannot be"
                " told",
            )


def _digest(root: Path, name: str, head: Commit, findings: Findings) -> None:
    """The tables of the study against the digest that params.yaml pins."""
    pins = head.params.get("study_digests") or {}
    pinned = pins.get(PurePosixPath(name).as_posix()) or pins.get(name)
    if not pinned:
        findings.notes.append(f"{name}: params.yaml pins no digest of this study")
        return
    try:
        found = read_study(root / name).digest()
    except InputError as error:
        findings.mismatch(DATA, name, str(error))
        return
    if found != pinned:
        findings.mismatch(DATA, name, f"its tables have digest {found[:12]}, params.yaml pins {pinned[:12]}")
