"""Are results/, reports/ and DVC's copies what HEAD's dvc.lock records? Each file, and of a table row and column."""

from collections.abc import Callable, Iterator
from pathlib import Path

from medattn.base import paths
from medattn.base.dvc import Entry, directory_hash, hash_file, hash_files, outputs, read_pointer
from medattn.reproduce.verify.audit_data import is_embedded, listing
from medattn.reproduce.verify.discrepancies import CACHE, RESULTS, Findings, compare_listings, told
from medattn.reproduce.verify.recorded_content import RecordedContent
from medattn.reproduce.verify.trees import Commit, Tree

REPORTS, RESULTS_ROOT = "reports", "results"
Tell = Callable[[str, str, Path], list[str]]  # a file's name, its recorded hash, and where it lies -> lines


def audit(root: Path, head: Commit, contents: RecordedContent, findings: Findings) -> None:
    """Add a mismatch for every file that is not as recorded. Sound outputs are added to `contents`."""
    recorded = outputs(head.lock)
    here = 0
    for path, (_, entry) in recorded.items():
        if head.entry(path) is not None:
            contents.add_listing(directory_hash(head.below(path)), head.below(path))
            here += 1
        elif not (root / path).exists():
            findings.not_here.append(f"{path}: a result (`dvc repro` makes it)")
        else:
            here += 1
            audit_output(root, entry, head, contents, findings, lambda name, hash, now: told(name, contents.file(hash), now))
    findings.checked[RESULTS] = f"{here} of {len(recorded)} outputs"
    _strays(root, head, findings)
    _cache(root, head, contents, findings)


def audit_output(root: Path, entry: Entry, tree: Tree, contents: RecordedContent, findings: Findings, tell: Tell) -> None:
    """Add a mismatch for every file of one output that `tree` records otherwise. tell: in what two files differ."""
    path = root / entry.path
    if not path.exists():
        findings.mismatch(RESULTS, entry.path, "not found")
        return
    if path.is_dir() != entry.is_directory:
        kind = "directory" if path.is_dir() else "file"
        findings.mismatch(RESULTS, entry.path, f"is a {kind}, which {tree.title} does not record")
        return
    if not entry.is_directory:
        found = hash_file(path)
        if found == entry.hash:
            contents.add_file(found, path)
        else:
            findings.mismatch(RESULTS, entry.path, *tell(entry.path, entry.hash, path))
        return
    files = hash_files(path, tree.ignored)
    if directory_hash(files) == entry.hash:
        contents.add_listing(entry.hash, files)
        for name, hash in files.items():
            contents.add_file(hash, path / name)
        return
    recorded = contents.listing(entry.hash)
    if recorded is None:
        findings.mismatch(
            RESULTS, entry.path,
            f"its files are not those that {tree.title} records ({len(files)} files, recorded {entry.files}); which, cannot be"
            " told: DVC's cache has no sound listing of them",
        )  # fmt: skip
        return
    for name in compare_listings(findings, RESULTS, entry.path, recorded, files):
        findings.mismatch(RESULTS, f"{entry.path}/{name}", *tell(name, recorded[name], path / name))


def _strays(root: Path, head: Commit, findings: Findings) -> None:
    """Files that no stage wrote. In reports/, which is published, they are a mismatch."""
    for file in sorted((root / REPORTS).rglob("*")):
        name = file.relative_to(root).as_posix()
        if not file.is_dir() and name not in head:
            findings.mismatch(RESULTS, name, "is extra: no stage of HEAD wrote it")
    known = {Path(path).parts[1] for path in outputs(head.lock) if path.startswith(f"{RESULTS_ROOT}/")} | {paths.RUN.name}
    for file in sorted((root / RESULTS_ROOT).glob("*")):
        if file.name not in known:
            findings.notes.append(f"{RESULTS_ROOT}/{file.name}: no stage of HEAD wrote it")


# --- DVC's cache ------------------------------------------------------------------------------------------------------


def _cache(root: Path, head: Commit, contents: RecordedContent, findings: Findings) -> None:
    """Objects that HEAD names and whose content is not what their own name says: DVC would restore them unseen."""
    count = 0
    for hash, what in _named(head, contents):
        path = contents.object(hash)
        count += path.is_file()
        if (found := contents.damaged(hash)) is not None:
            name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
            findings.mismatch(CACHE, name, f"hashes to {found[:12]}, not to its name; it is to be {what} of HEAD: remove it")
    findings.checked[CACHE] = f"{count} objects that HEAD names"


def _named(head: Commit, contents: RecordedContent) -> Iterator[tuple[str, str]]:
    """Hash -> file of every object that HEAD's lock and data name."""
    entries = [entry for _, entry in outputs(head.lock).values()]
    if is_embedded(head):
        pointer = f"{head.study}.dvc"
        tracked = list(read_pointer(head.content[pointer], pointer).values())
        entries += tracked
        for entry in tracked:
            if (files := listing(entry, head, contents)) is not None:
                contents.add_listing(entry.hash, files)
    for entry in entries:
        yield entry.hash, entry.path
        if entry.is_directory:
            yield from ((hash, f"{entry.path}/{name}") for name, hash in (contents.listing(entry.hash) or {}).items())
