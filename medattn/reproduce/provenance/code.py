"""Which code: the commit, and what of the tracked files is no longer the commit's."""

from pathlib import Path
from typing import Any

from medattn.base.dvc import LOCK, PIPELINE
from medattn.base.errors import InputError
from medattn.base.git import git, names
from medattn.base.hashes import sha256_of, sha256_of_lines

CODE = ("medattn", "requirements", "pyproject.toml", PIPELINE)
WRITTEN = ("reports/", LOCK, "ro-crate-metadata.json")  # by the pipeline itself, while it runs


def code(root: Path) -> dict[str, Any]:
    """The commit, a digest of the tracked code files as they are now, and which tracked files differ from the commit.

    sha256: over "{path} {SHA-256 of its bytes}" lines, sorted; a file that was deleted counts as absent. Raises InputError
    where git has no history of `root`, also if it lies inside another repository.
    """
    top = Path(git(root, "rev-parse", "--show-toplevel").decode().removesuffix("\n"))
    if not top.samefile(root):
        raise InputError(f"{root.resolve()} has no git history of its own: it lies inside the repository {top}")
    tracked = sorted(names(git(root, "ls-files", "-z", "--", *CODE)))
    hashes = {name: sha256_of(root / name) if (root / name).is_file() else "absent" for name in tracked}
    changed = sorted(names(git(root, "diff", "--name-only", "--no-renames", "-z", "HEAD")))
    untracked = sorted(names(git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", *CODE)))
    return {
        "commit": git(root, "rev-parse", "HEAD").decode().strip(),
        "sha256": sha256_of_lines(hashes),
        "files": len(tracked),
        "tree": "dirty" if changed or untracked else "clean",
        "changed": changed,
        "untracked_code": untracked,
    }


def of_run(root: Path) -> dict[str, object]:
    """`code` without the files that the pipeline writes; every value is None where git has no history of `root`."""
    try:
        found = code(root)
    except InputError:
        return dict.fromkeys(("commit", "dirty", "changed", "untracked_code", "code_sha256"))
    changed = [name for name in found["changed"] if not name.startswith(WRITTEN)]
    return {
        "commit": found["commit"],
        "dirty": bool(changed or found["untracked_code"]),
        "changed": changed,
        "untracked_code": found["untracked_code"],
        "code_sha256": found["sha256"],
    }


def of_stage(root: Path) -> dict[str, object]:
    """What every stage records of its code."""
    found = of_run(root)
    return {name: found[name] for name in ("commit", "dirty")}
