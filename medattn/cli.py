"""The command line: a thin group; every command lives in the module that does its work and is imported when called."""

import os
import sys
import time
from collections.abc import Mapping
from copy import copy
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from medattn.base.errors import InputError

# name -> (module, attribute, one line of help), in the order of the flow
COMMANDS = {
    "params": ("medattn.base.params.whole", "command", "Check params.yaml."),
    "study": (__name__, "study", "Make, check and attest study directories; train the phantom model."),
    "prepare": ("medattn.prepare", "command", "Stage 1: study -> results/manifest.csv."),
    "extract": ("medattn.extract.stage", "command", "Stage 2: manifest -> captures and answers (loads the model)."),
    "aggregate": ("medattn.aggregate.stage", "command", "Stage 3: captures -> one grid per sample and profile."),
    "metrics": ("medattn.metrics.stage", "command", "Stage 4: grids and answers -> tables."),
    "figures": ("medattn.figures.stage", "command", "Stage 5: tables -> figures."),
    "describe": ("medattn.reproduce.crate.stage", "command", "Stage 6: everything -> ro-crate-metadata.json."),
    "cache": ("medattn.extract.cache_size", "command", "Show what finished units take on disk, and prune them."),
    "ask": ("medattn.ask", "command", "Answer one question about one image, and show where the model looked."),
    "status": ("medattn.status", "command", "Say what the last run holds: answered and failed samples, and why."),
    "headline": ("medattn.headline", "command", "Print the headline table of the last run."),
    "release": ("medattn.release.pack", "command", "Pack what may be published; refuse anything restricted."),
    "store": (__name__, "store", "Check that dvc-store/ holds the embedded study and nothing else."),
    "doctor": ("medattn.reproduce.doctor.command", "command", "Say what this machine has for a run, and what is missing."),
    "verify": ("medattn.reproduce.verify.command", "command", "Check that the recorded results are reproduced."),
    "exact": ("medattn.reproduce.exact", "command", "Recompute everything and compare every output's bytes."),
    "bench": ("medattn.bench", "command", "Measure extraction against the usual way."),
}
STUDY_COMMANDS = {
    "check": ("medattn.checks.commands", "check", "Check every row, hash and image of a study."),
    "pin": ("medattn.checks.commands", "pin", "Pin a study's model files and its digest."),
    "use": ("medattn.checks.commands", "use", "Make a study the one of params.yaml."),
    "digest": ("medattn.study.commands", "digest", "Print a study's digest and what it counts."),
    "attest": ("medattn.study.commands", "attest", "Compare a study with a published reference."),
    "mimic-cxr": ("medattn.mimic.commands", "mimic_cxr", "Assemble a study from MIMIC-CXR."),
    "template": ("medattn.mimic.commands", "template", "Write an empty table for questions of your own."),
    "fake-mimic": (
        "medattn.mimic.commands",
        "fake_mimic",
        "Write a drawn tree of MIMIC-CXR's layout, to try the real commands.",
    ),
    "phantom": ("medattn.phantom.commands", "phantom", "Write a study of synthetic radiographs."),
    "train-phantom": ("medattn.phantom.commands", "train_phantom", "Train the phantom model from nothing."),
    "assess-phantom": ("medattn.phantom.commands", "assess_phantom", "Ask a phantom model about the development radiographs."),
}
STORE_COMMANDS = {
    "check": ("medattn.reproduce.store", "command", "Compare dvc-store/ with data.dvc, by content."),
    "staged": ("medattn.release.staged", "command", "Look at what is about to be committed."),
    "message": ("medattn.release.staged", "message", "Look at the message of a commit."),
}
INTERRUPTED = 130  # as shells have it: 128 + SIGINT
CODE = Path(__file__).resolve().parent  # the package that was imported
STAGES = ("prepare", "extract", "aggregate", "metrics", "figures", "describe")


class LazyGroup(click.Group):
    """Imports a command's module only when that command is asked for, so this module imports none of them."""

    def __init__(self, listing: Mapping[str, tuple[str, str, str]], **more: Any) -> None:
        super().__init__(**more)
        self._listing = listing

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._listing)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self._listing:
            return None
        module, attribute, _ = self._listing[name]
        began = time.monotonic()
        command = getattr(import_module(module), attribute)
        return _recorded(command, name, began) if self._listing is COMMANDS and name in STAGES else command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in self._listing.items()])


study = LazyGroup(STUDY_COMMANDS, name="study", help="Make, check and attest study directories; train the phantom model.")

store = LazyGroup(STORE_COMMANDS, name="store", help="Check that dvc-store/ holds the embedded study and nothing else.")


def _recorded(command: click.Command, stage: str, began: float) -> click.Command:
    """The command, its run noted in results/run/provenance.json.

    The recorder is imported by name, as commands are: no result depends on it, so no stage must run again when it changes.
    """
    run = command.callback
    assert run is not None  # every stage does something

    if os.environ.get("RANK", "0") != "0":  # of several processes that are one run, the first records it
        return command

    @wraps(run)
    def run_recorded(*args: object, **kwargs: object) -> object:
        with import_module("medattn.reproduce.provenance.record").recorded(stage, began):
            return run(*args, **kwargs)

    command = copy(command)
    command.callback = run_recorded
    return command


@click.command(cls=LazyGroup, listing=COMMANDS)
@click.version_option(package_name="medattn")
def group() -> None:
    """Where a vision-language model looks when it answers questions about chest X-rays."""


def other_repository(here: Path) -> Path | None:
    """The repository of medattn that `here` is in, if its code is not the code that runs; else None."""
    for place in (here, *here.parents):
        if (place / "dvc.yaml").is_file() and (place / "medattn/cli.py").is_file():
            return None if (place / "medattn").resolve() == CODE else place
    return None


def main() -> None:
    """Run the command line; an InputError becomes one message on stderr and exit code 2, Ctrl-C exit code 130."""
    if (other := other_repository(Path.cwd())) is not None:
        click.echo(f"medattn: warning: this runs {CODE}, not {other}'s: `python -m medattn …` from {other} runs that", err=True)
    try:
        code = group.main(standalone_mode=False)
    except InputError as error:
        click.echo(f"medattn: {error}", err=True)
        code = 2
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        code = INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)
