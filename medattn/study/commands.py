"""`medattn study digest` and `attest`: is this the study of a published reference?"""

from pathlib import Path

import click

from medattn.base.tables import write_bytes
from medattn.study import attest as attestation


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write it as a reference for `attest`, too.")
def digest(directory: Path, out: Path | None) -> None:
    """Print a study's digest, as params.yaml pins it, and what it counts: safe to publish."""
    found = attestation.aggregate(directory)
    if out is not None:
        write_bytes(out, attestation.json_text(found).encode())
    click.echo(attestation.describe(found))


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--against", type=click.Path(path_type=Path), required=True, help="Reference written by `medattn study digest --json`."
)
def attest(directory: Path, against: Path) -> None:
    """Is this the study of a published reference? Exit code 1 and counts of what is missing, extra or changed if not."""
    reference = attestation.read_reference(against)
    found = attestation.compare(attestation.aggregate(directory, like=reference), reference)
    click.echo("\n".join(found.lines))
    if not found.same:
        raise SystemExit(1)
