"""Every file the pipeline reads or writes, relative to the repository's root, one constant each."""

from pathlib import Path

from medattn.base.errors import InputError

PARAMS = Path("params.yaml")
TERMS = Path("medical_terms.txt")  # for aggregate, unless params.yaml lists others
PIPELINE = Path("dvc.yaml")
LOCK = Path("dvc.lock")

PUBLISHED = Path("reference/published.csv")  # numbers of other work, with their source

# prepare
MANIFEST = Path("results/manifest.csv")  # one row per image x variant x condition
BODIES = Path("results/bodies")  # per image: where the body and the true regions are
# extract
CAPTURES = Path("results/captures")  # shard-00.safetensors …: attention rows per layer and head
ANSWERS = Path("results/answers.csv")  # one row per sample: text, token ids, logits of the yes and no forms
FAILURES = Path("results/failures.csv")  # one row per sample that could not be computed, with the reason
# aggregate
GRIDS_STORE = Path("results/grids.safetensors")  # one 16x16 grid per sample and profile
# metrics
GRIDS = Path("results/grids")  # {sample_id}_grid.npy and {sample_id}_meta.json
EVALUATION = Path("results/evaluation_results.csv")  # one row per sample, every metric
GROUPS = Path("results/groups")  # tables with one row per question
TABLES = Path("reports/tables")  # aggregate tables, safe to publish
METRICS = Path("reports/metrics.json")  # at most twelve numbers
# figures
FIGURES = Path("reports/figures")  # *.png and *.pdf
LATEX = Path("reports/latex")  # tables, and values.tex: one command per number
REPORT = Path("reports/index.html")
GALLERY = Path("results/gallery.html")
OVERLAYS = Path("results/overlays")
VISUALIZATIONS = Path("results/visualizations")
# outside every stage
RUN = Path("results/run")  # provenance, timings, benchmarks: whatever holds times or hosts; never tracked


def check_root() -> Path:
    """The repository's root, which must be the working directory and hold the code that runs.

    DVC copies the repository for `exp run --temp`; a stage that ran the code of another checkout would
    record results under the wrong version. Raises InputError.
    """
    here = Path.cwd().resolve()
    code = Path(__file__).resolve().parents[1]
    if not (here / PIPELINE).exists():
        raise InputError(f"{here} has no {PIPELINE}: run this from the repository's root")
    if code.parent != here:
        raise InputError(f"the code that runs is in {code}, not under {here}: run `python -m medattn …` from {here}")
    return here
