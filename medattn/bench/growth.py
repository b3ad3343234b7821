"""How time and memory of every stage grow with the study: the same study 1, 2, 4 and 8 times, each stage a process of its own.

The stages run as the subcommands that they are. Those behind extract read drawn captures; extract itself, which is the slowest,
answers fewer questions (`limit`). The shards are as many times more as the study is larger: a shard stays as large as it was.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import nnls
from tqdm import tqdm

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.bench.drawn_captures import CaptureShape, draw
from medattn.bench.processes import Cost, run_measured
from medattn.bench.roots import STUDY, drawn_study, make_root, set_limit
from medattn.study.schema import read_study

COPIES = (1, 2, 4, 8)
STAGES = ("prepare", "aggregate", "metrics", "figures", "describe", "extract")  # in the order in which they are measured
MODEL_SHARE = 3  # extract answers one in so many of the questions
PHANTOM = CaptureShape(layers=6, heads=8, key_value_heads=4)
EXPONENTS = np.linspace(0.0, 3.0, 301)

Roots = Mapping[int, Path]  # how many copies -> a repository's root with a study of that size, the smallest first


@dataclass(frozen=True)
class Point:
    """What one stage took at one size."""

    copies: int
    samples: int
    cost: Cost


def make_roots(place: Path, images: int, model: Path, copies: Sequence[int] = COPIES) -> Roots:
    """Roots below `place` for a drawn study of `images` images, which the phantom model in the directory `model` answers."""
    study = drawn_study(place / "drawn", images, model)
    roots = {count: place / f"times-{count}" for count in copies}
    for count, root in roots.items():
        make_root(root, study, images * count, shards=count)
    return roots


def make_ready(roots: Roots, stage: str) -> None:
    """What the stage needs besides the outputs of those that STAGES lists before it."""
    for count, root in roots.items():
        if stage == "aggregate":
            draw(root, PHANTOM, shards=count)
        if stage == "extract":
            asked = len({row["question_id"] for row in read_study(root / STUDY).questions() if row.is_study})
            set_limit(root, max(1, asked // MODEL_SHARE))
            run_measured(root, "prepare")


def curve(roots: Roots, stage: str) -> list[Point]:
    """Run the stage in every root. Raises InputError where it fails."""
    costs = {count: run_measured(root, stage) for count, root in roots.items()}
    return [Point(count, samples_of(roots[count]), cost) for count, cost in costs.items()]


def curves(roots: Roots) -> dict[str, list[Point]]:
    """The curve of every stage."""
    found = {}
    with tqdm(STAGES, desc="growth", unit="stage") as bar:
        for stage in bar:
            bar.set_postfix_str(stage)
            make_ready(roots, stage)
            found[stage] = curve(roots, stage)
    return found


def samples_of(root: Path) -> int:
    """Rows of the manifest."""
    with (root / paths.MANIFEST).open("rb") as file:
        return sum(1 for _ in file) - 1


def exponent(points: Sequence[Point]) -> float:
    """p of seconds = fixed + each · samples^p, fixed and each not below 0: 1 is linear, 2 quadratic.

    Least squares of relative errors, over p in hundredths.
    """
    seconds = np.array([point.cost.seconds for point in points])
    sizes = np.array([point.samples for point in points], dtype=float) / points[0].samples

    def error(power: float) -> float:
        terms = np.stack([np.ones_like(sizes), sizes**power], axis=1) / seconds[:, None]
        return float(nnls(terms, np.ones_like(seconds))[1])

    return float(min(EXPONENTS, key=error))


def line(points: Sequence[Point]) -> tuple[float, float]:
    """Seconds of the fixed start, and of a copy: of the line through the first and the last but one of the sizes."""
    first, middle = points[0], points[-2]
    each = (middle.cost.seconds - first.cost.seconds) / (middle.copies - first.copies)
    return first.cost.seconds - each * first.copies, each


def surplus(points: Sequence[Point]) -> float:
    """Seconds of the largest size, less the fixed start, ÷ what they would be if every copy cost what the first ones do."""
    (start, each), last = line(points), points[-1]
    return (last.cost.seconds - start) / (each * last.copies)


def bytes_a_sample(points: Sequence[Point]) -> float:
    """By how much the processes' own memory is larger for every further sample."""
    first, last = points[0], points[-1]
    return (last.cost.own - first.cost.own) / (last.samples - first.samples)


def table(found: Mapping[str, Sequence[Point]]) -> str:
    """All that was measured, stage by stage, and what it says of each."""
    lines = [f"{'stage':12}{'copies':>8}{'samples':>10}{'CPU s':>10}{'wall s':>10}{'own MB':>10}{'resident MB':>13}"]
    for stage, points in found.items():
        for point in points:
            cost = point.cost
            lines.append(
                f"{stage:12}{point.copies:8}{point.samples:10,}{cost.seconds:10.2f}{cost.wall:10.2f}"
                f"{cost.own / 1e6:10.0f}{cost.resident / 1e6:13.0f}"
            )
    lines += ["", f"{'stage':12}{'exponent':>10}{'surplus':>9}{'ms a sample':>13}{'bytes a sample':>16}{'memory grows':>14}"]
    for stage, points in found.items():
        first, last = points[0], points[-1]
        each = (last.cost.seconds - first.cost.seconds) / (last.samples - first.samples)
        grown = 100 * (last.cost.own / first.cost.own - 1)
        lines.append(
            f"{stage:12}{exponent(points):10.2f}{surplus(points):9.2f}{1e3 * each:13.2f}{bytes_a_sample(points):16,.0f}"
            f"{grown:12.0f} %"
        )
    return "\n".join(lines)


def measured(images: int) -> tuple[str, dict[str, list[dict]]]:
    """`table` of a study of `images` images and larger ones, and the same for JSON; in the working directory, a root.

    Raises InputError where the embedded study's model is not there.
    """
    root = paths.check_root()
    model = root / "data/model"
    if not model.is_dir():
        raise InputError(f"{model} is not there: run `dvc pull data.dvc`")
    (root / paths.RUN).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="growth-", dir=root / paths.RUN) as place:
        found = curves(make_roots(Path(place), images, model))
    return table(found), {stage: [asdict(point) for point in points] for stage, points in found.items()}
