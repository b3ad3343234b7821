"""evaluation_results.csv: one row per sample, with its answer, its correctness and every metric of its grids."""

from collections.abc import Mapping, Sequence

from medattn.base.errors import InputError
from medattn.base.rounding import round_number
from medattn.base.rows import SampleRow
from medattn.base.tables import Row
from medattn.language import answers as measure
from medattn.measures import consistency
from medattn.metrics import grid_metrics
from medattn.metrics.anatomy import Place, Places
from medattn.metrics.grid_metrics import column
from medattn.metrics.inputs import Store, profile_of

IDENTITY = (
    "sample_id", "question_id", "role", "condition", "strength", "image_id", "shown_image_id", "study_id", "subject_id",
    "view", "split", "finding", "zone", "baseline_question", "question", "question_variant", "variant_index", "strategy",
    "strategies",
)  # fmt: skip
ANSWER = (
    "answer", "ground_truth", "parsed_answer", "correct", "status", "margin", "forms_probability", "margin_valid",
    "margin_agrees", "flip", "hedge_shift", "flip_to_clean", "margin_change",
)  # fmt: skip


def columns(store: Store) -> tuple[str, ...]:
    """Columns of evaluation_results.csv, in order; the profile `original` comes first and has no prefix."""
    grid_sets = sorted(store.grid_sets, key=lambda name: (name != "original", list(store.grid_sets).index(name)))
    return IDENTITY + ANSWER + tuple(column(name, metric) for name in grid_sets for metric in grid_metrics.COLUMNS)


def _numbers(cell: str, name: str, sample_id: str) -> list[float]:
    try:
        return [float(value) for value in cell.split()]
    except ValueError:
        where = f"answers.csv, sample {sample_id!r}: {name} is {cell!r}"
        raise InputError(f"{where}, expected numbers: run `dvc repro -f extract`") from None


def _answer(sample: SampleRow, said: SampleRow) -> Row:
    """ANSWER but for what compares the answer with another row's."""
    sample_id, values = sample["sample_id"], dict.fromkeys(ANSWER)
    truth = sample["answer"] or None  # of what is shown; nobody may have asked about a donor's image
    values |= {"ground_truth": truth, "status": said["status"]}
    if not said.answered:
        return values
    parsed = measure.parse_answer(said["answer_text"], sample["finding"], sample["question"])
    values |= {"answer": said["answer_text"], "parsed_answer": parsed, "correct": None if truth is None else parsed == truth}
    logits = (_numbers(said[name], name, sample_id) for name in ("yes_logits", "no_logits"))
    margin = round_number(measure.answer_margin(*logits))
    (probability,) = map(round_number, _numbers(said["forms_probability"], "forms_probability", sample_id))
    valid = measure.margin_valid(probability)
    agrees = (margin > 0 if parsed == "yes" else margin < 0) if valid and parsed in ("yes", "no") else None
    values |= {"margin": margin, "forms_probability": probability, "margin_valid": valid, "margin_agrees": agrees}
    return values


def _grid(
    row: SampleRow, store: Store, grid_set: str, place: Place | None, baseline_id: str | None, clean_id: str | None
) -> Row:
    """Every metric of one sample's grid under one profile; all None where it has no grid."""
    grid = store.grid(grid_set, row["sample_id"])
    if grid is None or place is None:
        return {column(grid_set, metric): None for metric in grid_metrics.COLUMNS}
    notes = store.notes[profile_of(grid_set, store.grids)][row["sample_id"]]
    region = place.region_of(row)
    values = {
        "gate_count": int(notes["gate_count"]),
        "gated": bool(notes["gated"]),
        "image_mass": round_number(notes["image_mass"]),
        **grid_metrics.spatial_values(grid, place),
        **grid_metrics.zone_values(grid, place, row["zone"]),
        **grid_metrics.region_values(grid, region),
        "js_to_clean": None,
    }
    baseline = store.grid(grid_set, baseline_id) if baseline_id else None
    values |= dict.fromkeys(grid_metrics.SIMILARITY) if baseline is None else grid_metrics.similarity_values(grid, baseline)
    if clean_id is not None:
        values["js_to_clean"] = grid_metrics.js_to_clean(grid, store.grid(grid_set, clean_id), row, place)
    return {column(grid_set, metric): values[metric] for metric in grid_metrics.COLUMNS}


def evaluate(samples: Sequence[SampleRow], answers: Mapping[str, SampleRow], store: Store, places: Places) -> list[SampleRow]:
    """Evaluation rows of all samples of one image, in the order given."""
    rows = []
    for sample in samples:
        row = SampleRow({name: sample[name] or None for name in IDENTITY} | _answer(sample, answers[sample["sample_id"]]))
        row["variant_index"] = int(sample["variant_index"])
        rows.append(row)
    baselines = {(row["question_id"], *row.setting): row for row in rows if row.is_study and row.is_baseline}
    clean = {row.variant: row for row in rows if row.is_clean}
    for row, sample in zip(rows, samples, strict=True):
        baseline = _baseline(row, baselines)
        if baseline is not None and row["parsed_answer"] and baseline["parsed_answer"]:
            row["flip"] = consistency.flip(baseline["parsed_answer"], row["parsed_answer"])
            row["hedge_shift"] = consistency.hedge_shift(baseline["parsed_answer"], row["parsed_answer"])
        unchanged = None if row.is_clean else clean[row.variant]
        if unchanged is not None and row["parsed_answer"] and unchanged["parsed_answer"]:
            row["flip_to_clean"] = consistency.flip(unchanged["parsed_answer"], row["parsed_answer"])
            if row["margin_valid"] and unchanged["margin_valid"]:
                row["margin_change"] = round_number(row["margin"] - unchanged["margin"])
        ids = (None if other is None else other["sample_id"] for other in (baseline, unchanged))
        baseline_id, clean_id = ids
        # Without a grid nothing is measured on the image, which may be one that cannot be read.
        place = places(sample) if row["sample_id"] in store.samples else None
        for grid_set in store.grid_sets:
            row |= _grid(row, store, grid_set, place, baseline_id, clean_id)
    return rows


def _baseline(row: SampleRow, baselines: Mapping[tuple[str, str, str], SampleRow]) -> SampleRow | None:
    """The baseline variant's row in the same condition; None for itself and for controls."""
    if not row.is_study or row.is_baseline:
        return None
    try:
        return baselines[row["question_id"], *row.setting]
    except KeyError:
        raise InputError(
            f"manifest: sample {row['sample_id']!r} has no baseline variant in its condition: run `dvc repro -f prepare`"
        ) from None
