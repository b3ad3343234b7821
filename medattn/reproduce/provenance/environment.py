"""The environment that computes: interpreter, packages, torch, processor and card; no host, no user, no path of the machine."""

import os
import platform
from pathlib import Path
from typing import Any

from medattn.base.hashes import sha256_of
from medattn.reproduce.locks import LOCKS, differences, installed, pins, torch_build
from medattn.reproduce.machine import SLOWEST, cards, processor, usable

# Environment variables that choose a code path, so that they may show in the last bits.
SWITCHES = (*SLOWEST, "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUBLAS_WORKSPACE_CONFIG")


def environment(root: Path, device: str) -> dict[str, object]:
    """Interpreter, platform, lock files, packages (pinned and installed), processor, and the device torch computes on here.

    device: the run's setting, cpu, cuda or auto.
    """
    import torch

    cuda = torch.cuda.is_available() and device != "cpu"
    pinned, found = pins(root, torch_build(torch.__version__)), installed()
    driver = cards() if cuda else None
    cpu = processor()
    return {
        "python": {"version": platform.python_version(), "implementation": platform.python_implementation()},
        "platform": {
            "system": platform.system(),
            "machine": platform.machine(),
            "libc": " ".join(platform.libc_ver()).strip() or None,
        },
        "locks": {path.as_posix(): sha256_of(root / path) for path in LOCKS if (root / path).is_file()},
        "locked": bool(pinned) and not differences(pinned, found),
        "packages": {
            name: {"pinned": pinned.get(name), "installed": found.get(name)} for name in sorted(pinned.keys() | {"torch"})
        },
        "cpu": {"model": cpu.model, "flags": list(cpu.flags), "usable": usable()},
        "torch": {
            "version": torch.__version__,
            "git": torch.version.git_version,
            "device": "cuda" if cuda else "cpu",
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version() if cuda else None,
            "driver": driver[0].driver if driver else None,
            "gpus": [_gpu(torch.cuda.get_device_properties(index)) for index in range(torch.cuda.device_count())]
            if cuda
            else [],
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
        },
        "switches": {name: os.environ[name] for name in SWITCHES if name in os.environ},
    }


def _gpu(properties: Any) -> dict[str, object]:
    return {"name": properties.name, "memory_bytes": properties.total_memory}
