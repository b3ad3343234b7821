"""Evaluation rows, grids and places made by hand, as few as a test needs."""

import numpy as np

from medattn.base.params.metrics import Metrics
from medattn.base.rows import SampleRow
from medattn.metrics.anatomy import Place, Region
from medattn.metrics.grid_metrics import COLUMNS, column
from medattn.metrics.inputs import Store
from medattn.metrics.rows import ANSWER, IDENTITY
from medattn.metrics.tables import strategies
from medattn.metrics.values import numbers

EAGER = {"difference": 1e-5, "tolerance": 1e-4, "power": 1.0, "blind_layers": []}
PARAMS = Metrics(bootstrap_draws=200, permutation_draws=500, seed=0)


def row(patient: int, parsed: str = "yes", truth: str = "yes", variant: int = 0, **more) -> SampleRow:
    """An evaluation row of one patient with one image and one question."""
    made = SampleRow.fromkeys((*IDENTITY, *ANSWER, *(column("decision", name) for name in COLUMNS)))
    condition = more.get("condition", "clean")
    made |= {
        "sample_id": f"q{patient}-v{variant}-{condition}", "question_id": f"q{patient}", "image_id": f"i{patient}",
        "shown_image_id": f"i{patient}", "subject_id": f"p{patient:02d}", "role": "study", "condition": "clean", "status": "ok",
        "finding": "nodule", "zone": "nodule", "baseline_question": "Is there a nodule?", "variant_index": variant,
        "strategy": strategies.STRATEGIES[variant], "parsed_answer": parsed, "ground_truth": truth, "correct": parsed == truth,
        "margin": {"yes": 2.0, "no": -2.0}.get(parsed, 0.0), "margin_valid": True,
    }  # fmt: skip
    return made | more


def store(grids: dict[str, np.ndarray], sinks: dict | None = None, **more) -> Store:
    """more: fields about heads."""
    about_heads = {"head_means": {}, "region_masses": {}, "heads": (1, 4, 2)} | more
    return Store(
        samples={name: index for index, name in enumerate(grids)},
        grids={"decision": np.stack(list(grids.values())).astype(np.float32), "original": np.stack(list(grids.values()))},
        with_sinks={}, notes={}, sinks=sinks or {}, **about_heads,
        model={"image_side": 32, "cross_attention": [], "eager_agreement": EAGER},
    )  # fmt: skip


def head_means(rows: list[dict], heads: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """finding -> mean over patients of each one's mean map; heads: sample_id -> maps [layer, head, 256]."""
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    for one in rows:
        if one["sample_id"] in heads:
            found.setdefault(one["finding"], {}).setdefault(one["subject_id"], []).append(heads[one["sample_id"]])
    return {
        finding: np.mean([np.mean(maps, axis=0) for maps in by_patient.values()], axis=0)
        for finding, by_patient in found.items()
    }


def plain(table: list[dict]) -> list[dict]:
    """Rows of an aggregate table as numbers."""
    return [numbers(one) for one in table]


def spot(cell: tuple[int, int], share: float = 0.5) -> np.ndarray:
    grid = np.full((16, 16), (1 - share) / 255)
    grid[cell] = share
    return grid


HERE, THERE = (4, 4), (11, 11)


def place(_: dict) -> Place:
    coverage = np.zeros((16, 16))
    coverage[HERE] = 1
    return Place(np.ones((16, 16)), (0.0, 0.0, 1.0, 1.0), True, {"nodule": Region(coverage, coverage > 0, False)}, 160, 160)
