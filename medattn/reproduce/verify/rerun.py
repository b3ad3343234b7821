"""Step 2: recompute the last commit in a clean clone of it, every stage by force, with nothing that an earlier run left behind.

The clone takes its files from git objects, its data from the store inside the repository (another study is copied without its
unit cache), and has no unit cache, no DVC cache, no hash state and none of the user's own settings of DVC.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from medattn.base.content_cache import SWITCH
from medattn.base.errors import InputError
from medattn.base.git import git
from medattn.reproduce.verify.audit_data import is_embedded
from medattn.reproduce.verify.trees import Commit

_RUNNING = re.compile(r"Running stage '([^']+)'")
_SKIPPED = re.compile(r"Stage '([^']+)' (?:didn't change|is cached)")
TAIL = 40  # lines of a failed run that are shown
# They would keep Python from the clone's code, and lead git to another repository.
UNSET = (
    "PYTHONSAFEPATH", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR", "GIT_PREFIX",
)  # fmt: skip


@dataclass(frozen=True)
class StageRun:
    """How a stage fared. status: re-run, failed, or skipped."""

    name: str
    status: str
    seconds: float


@dataclass
class ScratchDirectory:
    """A private directory for a clone. keep: leave it there."""

    path: Path
    keep: bool


@contextmanager
def scratch_directory(parent: Path, keep: bool) -> Iterator[ScratchDirectory]:
    """A new directory below `parent`, removed in the end unless `keep` was set; an error leaves it and says where."""
    parent.mkdir(parents=True, exist_ok=True)
    place = ScratchDirectory(Path(tempfile.mkdtemp(prefix="verify-", dir=parent)), keep)  # mode 0700
    try:
        yield place
    except Exception:
        place.keep = True
        print(f"left for a look: {place.path}", file=sys.stderr)
        raise
    finally:
        if not place.keep:
            shutil.rmtree(place.path)


def clone(root: Path, head: Commit, place: Path) -> Path:
    """A clean checkout of `head` at `place`/repository, with its study. Raises InputError if the study cannot be had."""
    made = place / "repository"
    no_hooks = ("-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")
    # --no-local: git reads every object and checks it, instead of linking its files
    for where, command in (
        (root, ("clone", "--quiet", "--no-local", "--no-checkout", str(root), str(made))),
        (made, ("checkout", "--quiet", "--detach", head.name)),
    ):
        try:
            git(where, *no_hooks, *command, environment=environment(place))
        except InputError as error:
            raise InputError(f"{error}, so HEAD cannot be recomputed") from None
    study = head.study
    if is_embedded(head):
        _pull(place, made, f"{study}.dvc")
    elif not PurePosixPath(study).is_absolute():
        _copy_study(root, made, study)
    elif not Path(study).is_dir():
        raise InputError(f"study {study} of HEAD's params.yaml is not on this machine: put it there")
    return made


def _copy_study(root: Path, made: Path, study: str) -> None:
    if ".." in PurePosixPath(study).parts:
        raise InputError(
            f"params.yaml: study {study!r} lies outside of the repository: name it in full, so that a clone finds it"
        )
    if not (root / study).is_dir():
        raise InputError(f"study {study} of HEAD's params.yaml is not here: assemble it again, or copy it to {root / study}")
    (made / study).parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(root / study, made / study, ignore=shutil.ignore_patterns(".cache", "__pycache__"))


def environment(place: Path) -> dict[str, str]:
    """The environment of a re-run: this Python first on PATH, no cache, no settings but the commit's own."""
    kept = {name: value for name, value in os.environ.items() if name not in UNSET and not name.startswith(("GIT_", "DVC_"))}
    for name in ("site", "global", "system"):
        (place / name).mkdir(exist_ok=True)
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}",
        SWITCH: "off",
        "PYTHONUNBUFFERED": "1",
        "DVC_SITE_CACHE_DIR": str(place / "site"),
        "DVC_GLOBAL_CONFIG_DIR": str(place / "global"),
        "DVC_SYSTEM_CONFIG_DIR": str(place / "system"),
    }


def _pull(place: Path, made: Path, pointer: str) -> None:
    command = [sys.executable, "-m", "dvc", "pull", "--quiet", pointer]
    done = subprocess.run(command, cwd=made, env=environment(place), capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise InputError(f"`{' '.join(command)}` failed, so HEAD cannot be recomputed: {said}")


def rerun(
    made: Path, place: Path, stages: Mapping[str, object], say: Callable[[str, bool], None]
) -> tuple[list[StageRun], list[str]]:
    """Run every stage of the clone by force. How each of `stages` fared, and the last lines of a run that failed.

    say: writes a text; True ends the line. The whole output lies in `place`/repro.log.
    """
    # --no-commit: DVC keeps no copy of what it hashes, so half the space is enough
    command = [sys.executable, "-m", "dvc", "repro", "--force", "--no-commit"]
    ran: list[StageRun] = []
    skipped: set[str] = set()
    last: deque[str] = deque(maxlen=TAIL)
    current, start = "", time.monotonic()

    def finish(status: str) -> None:
        if current:
            ran.append(StageRun(current, status, time.monotonic() - start))
            say(f"{status}  {ran[-1].seconds:.0f} s", True)

    with (
        (place / "repro.log").open("w", encoding="utf-8") as log,
        subprocess.Popen(
            command,
            cwd=made,
            env=environment(place),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            if line.strip() and "it/s]" not in line and "|" not in line:
                last.append(line.rstrip())
            if (match := _RUNNING.match(line)) is not None:
                finish("re-run")
                current, start = match[1], time.monotonic()
                say(f"  {current:<12} ", False)
            elif (match := _SKIPPED.match(line)) is not None:
                skipped.add(match[1])
    failed = process.returncode != 0
    finish("failed" if failed else "re-run")
    done = {one.name for one in ran}
    ran += [StageRun(name, "skipped", 0.0) for name in stages if name not in done]
    return ran, list(last) if failed else []
