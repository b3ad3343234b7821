"""What this machine has for a run, what is missing, and the remedy.

Looks and computes nothing: no image but a few is opened, no hash of a weight is taken (`prepare` does both). Exit code 0: the
study that params.yaml names can run here. 1: something is missing.
"""

import json
import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medattn.base.errors import InputError
from medattn.base.sizes import directory_size
from medattn.reproduce.doctor.line import Line, missing, shown

if TYPE_CHECKING:
    from medattn.reproduce.doctor.study import RunInputs

Check = Callable[[], Iterable[Line]]


@dataclass
class EarlierResults:
    """What earlier checks have found out for later ones."""

    dvc: dict[str, str] = field(default_factory=dict)  # DVC's settings
    inputs: "RunInputs | None" = None


def examine(root: Path) -> list[Line]:
    """Every line of the report, the slowest last. A check that cannot be made is missing, and the others go on."""
    earlier = EarlierResults()
    checks: dict[str, Check] = {
        "python": lambda: _python(root),
        "system": lambda: _system(root),
        "packages": lambda: _packages(root),
        "tools": lambda: _tools(root, earlier),
        "study": lambda: _study(root, earlier),
        "disk": lambda: _storage(root, earlier),
        "torch": lambda: _compute(earlier),
    }
    lines: list[Line] = []
    for about, check in checks.items():
        try:
            lines += check()
        except ImportError as error:
            lines.append(missing(about, f"cannot be checked: {error}", "run `make setup` (image: build it again)"))
        except (OSError, InputError) as error:
            lines.append(missing(about, "cannot be checked", str(error)))
    return lines


def _python(root: Path) -> Iterable[Line]:
    from medattn.reproduce.doctor import software, system

    return [system.python_line(platform.python_version(), software.project(root)[0])]


def _system(root: Path) -> Iterable[Line]:
    from medattn.reproduce.doctor import system
    from medattn.reproduce.machine import processor, usable

    yield system.system_line(platform.system(), platform.machine(), system.libc())
    yield system.processor_line(processor(), usable())
    yield system.memory_line(*system.memory())
    yield system.image_line(os.environ, system.other_locks(root))
    yield system.writable_line(root)


def _packages(root: Path) -> Iterable[Line]:
    from medattn.reproduce import locks
    from medattn.reproduce.doctor import software

    pinned = locks.pins(root, locks.torch_build(locks.installed().get("torch")))
    return software.package_lines(pinned, locks.differences(pinned, locks.installed()), software.project(root)[1])


def _tools(root: Path, earlier: EarlierResults) -> Iterable[Line]:
    from medattn.reproduce.doctor import software, storage

    earlier.dvc = software.dvc_settings(root)
    return [*software.tool_lines(), software.history_line(root, earlier.dvc), storage.remote_line(earlier.dvc)]


def _study(root: Path, earlier: EarlierResults) -> Iterable[Line]:
    from medattn.reproduce.doctor.study import run_inputs

    earlier.inputs = run_inputs(root)
    return earlier.inputs.lines


def _storage(root: Path, earlier: EarlierResults) -> Iterable[Line]:
    from medattn.reproduce.doctor import storage
    from medattn.reproduce.doctor.plan import needed_room

    inputs, needed, cache = earlier.inputs, None, True
    if inputs is not None and inputs.params is not None:
        cache = inputs.params.run.cache
        if inputs.study is not None and inputs.directory is not None:
            needed = needed_room(inputs.study, inputs.params, root)
    cache_place = storage.unit_cache_of(inputs.study if inputs is not None else None, root)
    units, dvc = directory_size(cache_place), directory_size(storage.dvc_cache_of(earlier.dvc, root))
    held = directory_size(root / "results") + dvc + (0 if cache_place.is_relative_to(root / "results") else units)
    yield storage.room_line(storage.free_room(root), held, needed)
    yield from storage.cache_lines(units, dvc, cache, os.environ.get(storage.SWITCH))


def _compute(earlier: EarlierResults) -> Iterable[Line]:
    from medattn.reproduce.doctor import compute, system
    from medattn.reproduce.machine import cards

    listed = cards()
    yield from compute.card_lines(listed)
    torch = compute.ask_torch()
    yield compute.torch_line(torch, listed)
    if earlier.inputs is not None and (model := earlier.inputs.model) is not None:
        directory = earlier.inputs.directory
        parameters = compute.parameters_of(directory) if directory is not None else None
        yield from compute.run_lines(model.device, model.dtype, torch, listed, parameters, system.memory()[1])


def verdict(lines: Iterable[Line]) -> str:
    lacking = list(dict.fromkeys(line.about for line in lines if line.status == "missing"))
    if not lacking:
        return "The study that params.yaml names can run here."
    return f"The study that params.yaml names cannot run here: see {', '.join(lacking)}."


@click.command(name="doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--plan", "planned", is_flag=True, help="Say what a run of the study will take: samples, files, bytes, hours.")
def command(as_json: bool, planned: bool) -> None:
    """Say what this machine has for a run, what is missing, and the remedy. Exit code 1 if the study cannot run.

    --plan: exit code 2 if what the run takes cannot fit.
    """
    if planned:
        from medattn.reproduce.doctor.plan import plan

        click.echo(plan(Path(".")))
        return
    lines = examine(Path("."))
    can_run = all(line.status != "missing" for line in lines)
    if as_json:
        click.echo(
            json.dumps({"can_run": can_run, "verdict": verdict(lines), "lines": [line._asdict() for line in lines]}, indent=1)
        )
    else:
        click.echo("\n".join([*map(shown, lines), "", verdict(lines)]))
    raise SystemExit(0 if can_run else 1)
