"""The command line: a thin group; every command lives in the module that does its work and is imported when called."""

import os
import sys
import time
from copy import copy
from functools import wraps
from importlib import import_module

import click

from medattn.base.errors import InputError

# name -> (module, attribute, one line of help). The order is that of the flow.
COMMANDS = {
    "params": ("medattn.base.params", "command", "Check params.yaml."),
    "study": ("medattn.study.commands", "command", "Make and check study directories; train the phantom model."),
    "prepare": ("medattn.prepare", "command", "Stage 1: study -> results/manifest.csv."),
    "extract": ("medattn.extract.stage", "command", "Stage 2: manifest -> captures and answers (loads the model)."),
    "aggregate": ("medattn.aggregate", "command", "Stage 3: captures -> one grid per sample and profile."),
    "metrics": ("medattn.metrics.stage", "command", "Stage 4: grids and answers -> tables."),
    "figures": ("medattn.figures.stage", "command", "Stage 5: tables -> figures."),
    "describe": ("medattn.reproduce.crate.stage", "command", "Stage 6: everything -> ro-crate-metadata.json."),
    "cache": ("medattn.extract.cache_size", "command", "Show what finished units take on disk, and prune them."),
    "ask": ("medattn.ask", "command", "Answer one question about one image, and show where the model looked."),
    "status": ("medattn.status", "command", "Say what the last run holds: answered and failed samples, and why."),
    "headline": ("medattn.headline", "command", "Print the headline table of the last run."),
    "release": ("medattn.release.pack", "command", "Pack what may be published; refuse anything restricted."),
    "store": ("medattn.reproduce.store", "command", "Check that dvc-store/ holds the embedded study and nothing else."),
    "doctor": ("medattn.reproduce.doctor.command", "command", "Say what this machine has for a run, and what is missing."),
    "verify": ("medattn.reproduce.verify.command", "command", "Check that the recorded results are reproduced."),
    "exact": ("medattn.reproduce.exact", "command", "Recompute everything and compare every output's bytes."),
    "bench": ("medattn.bench", "command", "Measure extraction against the usual way."),
}
INTERRUPTED = 130  # as shells have it: 128 + SIGINT
STAGES = ("prepare", "extract", "aggregate", "metrics", "figures", "describe")


class LazyGroup(click.Group):
    """Imports a command's module only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[name]
        began = time.monotonic()
        command = getattr(import_module(module), attribute)
        return _recorded(command, name, began) if name in STAGES else command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


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


@click.command(cls=LazyGroup)
@click.version_option(package_name="medattn")
def group() -> None:
    """Where a vision-language model looks when it answers questions about chest X-rays."""


def main() -> None:
    """Run the command line; an InputError becomes one message on stderr and exit code 2, Ctrl-C exit code 130."""
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
