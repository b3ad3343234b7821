"""The command line: a thin group; every command lives in the module that does its work and is imported when called."""

import sys
from importlib import import_module

import click

from medattn.errors import InputError

# name -> (module, attribute, one line of help). The order is that of the flow.
COMMANDS = {
    "params": ("medattn.params", "command", "Check params.yaml."),
    "study": ("medattn.study.commands", "command", "Make and check study directories; train the phantom model."),
    "prepare": ("medattn.prepare", "command", "Stage 1: study -> results/manifest.csv."),
    "extract": ("medattn.extract", "command", "Stage 2: manifest -> captures and answers (loads the model)."),
    "aggregate": ("medattn.aggregate", "command", "Stage 3: captures -> one grid per sample and profile."),
    "metrics": ("medattn.metrics", "command", "Stage 4: grids and answers -> tables."),
    "figures": ("medattn.figures", "command", "Stage 5: tables -> figures."),
    "ask": ("medattn.ask", "command", "Answer one question about one image, and show where the model looked."),
    "headline": ("medattn.headline", "command", "Print the headline table of the last run."),
    "release": ("medattn.release.pack", "command", "Pack what may be published; refuse anything restricted."),
    "store": ("medattn.release.store", "command", "Check that dvc-store/ holds the embedded study and nothing else."),
    "exact": ("medattn.exact", "command", "Recompute everything and compare every output's bytes."),
    "bench": ("medattn.bench", "command", "Measure extraction against the usual way."),
}


class LazyGroup(click.Group):
    """Imports a command's module only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[name]
        return getattr(import_module(module), attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.command(cls=LazyGroup)
@click.version_option(package_name="medattn")
def group() -> None:
    """Where a vision-language model looks when it answers questions about chest X-rays."""


def main() -> None:
    """Run the command line; an InputError becomes one message on stderr and exit code 2."""
    try:
        group()
    except InputError as error:
        click.echo(f"medattn: {error}", err=True)
        sys.exit(2)
