"""Check that a result was reproduced: audit what is here, recompute it elsewhere, compare every output.

Step 1, the audit: code, parameters, data, dvc.lock, results and reports against the last commit's hashes. Step 2, the
re-run: a clean clone of the last commit, every stage by force, no cache. An output is identical (same bytes), equivalent (all
deviations within the tolerances of the run's arithmetic: see tolerance.py), not comparable (other bytes, and the
recorded content is not here), or different. The last line is the verdict.

Exit codes: 0 identical, or the audit passed where only that was asked; 3 equivalent; 1 different or tampered; 2 it could not be
done, or not be compared. Nothing is called identical unless both steps passed.
"""

import sys
from pathlib import Path

import click


@click.command(name="verify")
@click.option("--audit-only", is_flag=True, help="Only compare what is here with the last commit; nothing is recomputed.")
@click.option("--against", metavar="REF", help="Compare with another commit, a DVC experiment or a released archive (.tar.gz).")
@click.option("--absolute", type=float, help="Largest absolute deviation that is equivalent; default: by the run's dtype.")
@click.option("--relative", type=float, help="Largest relative deviation that is equivalent; default: by the run's dtype.")
@click.option("--pixels", type=float, help="Largest share of an image's pixels that may differ; default: by the run's dtype.")
@click.option(
    "--by-reports",
    is_flag=True,
    help="Where the recorded content of results/ is not here, let reports/, which git holds, decide.",
)
@click.option("--keep-going", is_flag=True, help="Recompute even if the audit found mismatches.")
@click.option("--keep", is_flag=True, help="Keep the clone that was recomputed.")
@click.option("--work", type=click.Path(path_type=Path, file_okay=False), help="Where to put the clone; default: results/run.")
def command(**options: object) -> None:
    """Audit the workspace, recompute the last commit in a clean clone, and say whether the outputs are the same.

    Exit code 0: identical. 3: equivalent, with the largest deviation. 1: different or tampered, each mismatch named. 2: it
    could not be done. docs/verify.md explains every word of the answer.
    """
    from medattn.base.paths import check_root
    from medattn.reproduce.verify.run import Options, verify
    from medattn.reproduce.verify.verification import EXIT_CODES

    made = verify(check_root(), Options(**options), lambda text, end: click.echo(text, nl=end))  # type: ignore[arg-type]
    click.echo(made.line())
    sys.exit(EXIT_CODES[made.verdict()[0]])
