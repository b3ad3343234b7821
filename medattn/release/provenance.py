"""What made the results: the code, and the environment; no host, no user, no path of the machine."""

import hashlib
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from medattn.release.git_files import git, names

CODE = ("medattn", "requirements", "pyproject.toml", "dvc.yaml")
LOCKED = Path("requirements/locked.txt")
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE)


def code(root: Path) -> dict[str, object]:
    """The commit, a digest of the tracked code files as they are now, and which tracked files differ from the commit.

    sha256: over "{path} {SHA-256 of its bytes}" lines, sorted; a file that was deleted counts as absent.
    """
    tracked = sorted(names(git(root, "ls-files", "-z", "--", *CODE)))
    lines = [
        f"{name} {hashlib.sha256((root / name).read_bytes()).hexdigest() if (root / name).is_file() else 'absent'}\n"
        for name in tracked
    ]
    changed = sorted(names(git(root, "diff", "--name-only", "--no-renames", "-z", "HEAD")))
    untracked = sorted(names(git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", *CODE)))
    return {
        "commit": git(root, "rev-parse", "HEAD").decode().strip(),
        "sha256": hashlib.sha256("".join(lines).encode()).hexdigest(),
        "files": len(tracked),
        "tree": "dirty" if changed or untracked else "clean",
        "changed": changed,
        "untracked_code": untracked,
    }


def environment(root: Path, device: str) -> dict[str, object]:
    """Interpreter, platform, packages (pinned and installed) and the device that torch computes on here.

    device: the run's setting, cpu, cuda or auto.
    """
    import torch

    pinned = {name: number for name, number in _PIN.findall((root / LOCKED).read_text(encoding="utf-8"))}
    cuda = torch.cuda.is_available() and device != "cpu"
    return {
        "python": {"version": platform.python_version(), "implementation": platform.python_implementation()},
        "platform": {
            "system": platform.system(),
            "machine": platform.machine(),
            "libc": " ".join(platform.libc_ver()).strip() or None,
        },
        "packages": {
            name: {"pinned": pinned.get(name), "installed": _installed(name)}
            for name in sorted(pinned.keys() | {"torch"}, key=str.lower)
        },
        "torch": {
            "version": torch.__version__,
            "device": "cuda" if cuda else "cpu",
            "gpu": torch.cuda.get_device_name() if cuda else None,
            "cuda": torch.version.cuda,
            "driver": _driver() if cuda else None,
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        },
    }


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _driver() -> str | None:
    """The NVIDIA driver's version; None where its own tool does not tell."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.split("\n")[0].strip() or None
