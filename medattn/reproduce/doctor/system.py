"""The machine: interpreter, system, processor, memory, and whether this is the container image."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path

import psutil
from packaging.specifiers import SpecifierSet

from medattn.base.sizes import size
from medattn.reproduce.doctor.line import Line, missing, note, ok
from medattn.reproduce.locks import LOCKS
from medattn.reproduce.machine import Processor

CGROUP = Path("/sys/fs/cgroup/memory.max")
VECTORS = ("sse4_2", "avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16")  # those that decide speed
IMAGE_REQUIREMENTS = Path("/opt/medattn/requirements")  # what the image was built from


def python_line(version: str, wanted: str) -> Line:
    """wanted: pyproject's requires-python."""
    if SpecifierSet(wanted).contains(version):
        return ok("python", version)
    return missing("python", f"{version}, needed is {wanted}", "install one of these and run `make setup PYTHON=<its path>`")


def system_line(system: str, machine: str, libc: str) -> Line:
    said = " ".join(part for part in (system, machine, libc) if part)
    if (system, machine) == ("Linux", "x86_64"):
        return ok("system", said)
    return note(
        "system", said, "the same bytes are promised on Linux x86-64; elsewhere `medattn verify` says how far off they are"
    )


def processor_line(processor: Processor, usable: int) -> Line:
    vectors = [name for name in VECTORS if name in processor.flags]
    return ok(
        "processor", f"{processor.model or 'unknown'}, {usable} usable; {' '.join(vectors) or 'no vector instructions known'}"
    )


def memory() -> tuple[int, int]:
    """(all, available) bytes: the machine's, or less where a container's limit is lower."""
    found = psutil.virtual_memory()
    limit = CGROUP.read_text().strip() if CGROUP.is_file() else ""
    total = min(found.total, int(limit)) if limit.isdigit() else found.total
    return total, min(found.available, total)


def memory_line(total: int, available: int) -> Line:
    return ok("memory", f"{size(available)} of {size(total)} available")


def image_line(environment: Mapping[str, str], differing: list[str]) -> Line:
    """differing: lock files that are not those the image was built from."""
    if "MEDATTN_VENV" not in environment:
        return ok("image", "not inside the container image")
    if differing:
        return missing(
            "image", f"built from another {', '.join(differing)} than the one here",
            "build it again (`make image`), or check out the commit that it was built from",
        )  # fmt: skip
    if digest := environment.get("MEDATTN_IMAGE"):
        return ok("image", f"inside the container image {digest}")
    remedy = "start it with `docker run -e MEDATTN_IMAGE=<digest>`, and provenance records it"
    return note("image", "inside the container image; its digest is not known here", remedy)


def other_locks(root: Path, image: Path = IMAGE_REQUIREMENTS) -> list[str]:
    """Lock files of a run that differ between the image and `root`, of those that both have."""
    shared = [lock for lock in LOCKS if (image / lock.name).is_file() and (root / lock).is_file()]
    return [lock.name for lock in shared if (image / lock.name).read_bytes() != (root / lock).read_bytes()]


def libc() -> str:
    return " ".join(platform.libc_ver()).strip()


def writable_line(root: Path) -> Line:
    """Whether stages can write their results below `root`."""
    place = root / "results" if (root / "results").is_dir() else root
    if os.access(place, os.W_OK):
        return ok("writable", f"{place.resolve()}")
    remedy = "mount or own it writable (docker run --user $(id -u):$(id -g)), or work in a clone of your own"
    return missing("writable", f"{place.resolve()} cannot be written by this user", remedy)
