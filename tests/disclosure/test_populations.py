"""Whom disclosure control counts for a number is whom the number was computed from, for every number of every table.

Found without asking the numbers: one patient at a time is taken out of the study, or has every answer and measurement
changed, and the tables are computed anew. A number that does not count a patient stands still when the patient is gone; one
that does changes. A bound, a method or a p-value may well stay what it is: there one changes at least of the numbers of the
row that say they were computed from the same.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from medattn.base import paths
from medattn.base.rows import SampleRow
from medattn.metrics import protected, stage
from medattn.metrics.evaluation import Evaluation
from medattn.metrics.protected import Groups
from medattn.metrics.table import Table, declared
from medattn.metrics.values import Value
from tests.disclosure.test_suppression import planted_root
from tests.metrics import conftest as tiny
from tests.metrics import failing
from tests.metrics.handmade import head_means

Cell = tuple[str, tuple, str]  # table, keys of the row, column
OVERALL = ("exposure_order", ("all", None, None, None), "verdict")  # a text alone, which may well stay what it is
SAME = {  # three variants of every question; the largest cell is never in the region
    ("sinks", ("pointing_game",), "difference"),
    *(("consistency", ("question", condition, None), "mean_variants") for condition in ("clean", "no_image")),
    ("answer_classes", ("first word",), "contradictory_share"),  # a first word says one thing
}
TEXTS = {"yes": "Yes.", "no": "No.", "unparsed": "zzz", "contradictory": "Yes, there is no evidence of {}."}
PARTS = 13
ROWS = ("questions", "contrast", "reliance", "occlusion", "sinks", "localisation", "localisation_without_sinks")


def about_others_too(cell: Cell) -> bool:
    """What is compared with the mean map of other patients depends on those, too; it stands for those whom it is about.

    Likewise what the whole condition answered, and a p-value adjusted for the other tests of its family.
    """
    table, keys, column = cell
    if table in ("localisation", "hypotheses"):
        return "other_patients" in keys or table == "hypotheses"
    return column in ("expected_consistency", "p_adjusted", "verdict")


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory) -> Iterator[Evaluation]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield planted_evaluation(tmp_path_factory.mktemp("planted"), monkeypatch)


def planted_evaluation(tmp_path, monkeypatch) -> Evaluation:
    """The planted study under every condition, with heads, sinks and exposures that differ."""
    found: list[Evaluation] = []
    root = planted_root(tmp_path, monkeypatch)
    images = list(tiny.IMAGES)
    monkeypatch.setattr(failing, "DONORS", dict(zip(images, [*images[1:], images[0]], strict=True)))
    rows = tiny.make_manifest(root / "data", tuple(images))
    failing.fail(root, [*rows, *failing.changed_rows(rows)], lambda row: False)
    monkeypatch.setattr(stage, "publishable", lambda of: found.append(of) or protected.publishable(of))
    stage.run(tiny.make_params(), root)
    (of,) = found
    rng = np.random.default_rng(0)
    heads, sinks = heads_of(of.rows), {}
    for image_id in of.store.sinks:
        cells = sorted(rng.choice(256, rng.integers(1, 9), replace=False).tolist())
        position = cells[: rng.integers(0, len(cells) + 1)]
        sinks[image_id] = {"cells": cells, "computed": True, "mass": float(rng.uniform()), "position": position}
    about = of.study.about.model_copy(update={"strategy_exposure": {"phrasing": 1.0, "synonym": 0.1}})
    study = SimpleNamespace(about=about, licence=of.study.licence)
    rows = []
    for row in of.rows:  # no two measurements alike
        measured = {name: value for name, value in row.items() if isinstance(value, float) or name.endswith("gate_count")}
        rows.append(row | {name: None if value is None else value * rng.uniform(0.8, 1.2) for name, value in measured.items()})
    masses = {
        row["sample_id"]: {finding: heads[row["sample_id"]] @ region.coverage.ravel() for finding, region in regions.items()}
        for row in rows
        if row["sample_id"] in heads and (regions := of.place_of(row).regions)
    }
    store = dataclasses.replace(of.store, head_means=head_means(rows, heads), region_masses=masses, sinks=sinks)
    return dataclasses.replace(of, rows=rows, store=store, study=study)


def heads_of(rows: Sequence[SampleRow]) -> dict[str, np.ndarray]:
    """Maps of every head, no two alike, of the samples that have them: the same for a sample whatever the others."""
    return {
        row["sample_id"]: np.random.default_rng(list(row["sample_id"].encode())).dirichlet(
            np.ones(256), (tiny.LAYERS, tiny.HEADS)
        )
        for row in rows
        if row.is_clean and row.is_baseline and row.answered
    }


def tables() -> Iterator[Table]:
    return (table for table in declared() if table.output != paths.GROUPS and not table.safe)


def computed(of: Evaluation) -> dict[Cell, Value]:
    """Every value of every aggregate table whose rows are not safe as they are made."""
    return {
        (table.name, tuple(row[key] for key in table.keys if key not in ("n_samples", "verdict")), column): value
        for table in tables()
        for row in table.rows(of)
        for column, value in table.values(row).items()
    }


def changed(before: dict[Cell, Value], of: Evaluation) -> set[Cell]:
    after = computed(of)
    return {cell for cell, value in before.items() if cell not in after or after[cell].number != value.number}


def moves_with_every_patient(cell: Cell, value: Value) -> bool:
    """Whether a number cannot stay what it is: no text, bound, rank or p-value, and nothing that is the same for all here."""
    if not isinstance(value.number, int | float) or isinstance(value.number, bool) or "text" in cell[1] or cell in SAME:
        return False
    steady = ("p", "adjusted", "minimum", "maximum", "median", "low", "high")
    return cell[2].split("_")[-1] not in steady


def without(of: Evaluation, patient: str) -> Evaluation:
    rows = [row for row in of.rows if row["subject_id"] != patient]
    store = dataclasses.replace(of.store, head_means=head_means(rows, heads_of(rows)))
    return dataclasses.replace(of, rows=rows, store=store)


def other(name: str, value: object) -> object:
    """Another value of a truth or a measurement; counts stay, and the share of yes that belongs to them."""
    if isinstance(value, bool):
        return not value
    return value * 2 + 1 if isinstance(value, float) and name != "yes_rate" else value


def with_other_answers(of: Evaluation, patient: str, *answers: str) -> Evaluation:
    """The patient gives these answers to the variants of every question, and whatever was measured is something else."""
    rows = []
    for row in of.rows:
        if row["subject_id"] == patient:
            changes = {name: other(name, value) for name, value in row.items()}
            changes["parsed_answer"] = answer = answers[row["variant_index"]]
            changes["answer"] = TEXTS[answer].format(row["finding"])
            row = row | changes | ({} if row.is_clean else {"correct": row["correct"]})  # else no change against it
        rows.append(row)
    return dataclasses.replace(of, rows=rows)


def with_other_comparisons(of: Evaluation, patient: str) -> Evaluation:
    """What was computed of the patient's questions and images is something else."""
    made = dataclasses.replace(of)
    for name in ROWS:
        rows = [
            row if row["subject_id"] != patient else {column: other(column, value) for column, value in row.items()}
            for row in getattr(of, name)
        ]
        made.__dict__[name] = rows  # a cached property
    return made


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS), ids=lambda part: f"part {part}")
def test_the_patients_counted_for_a_number_are_those_it_was_computed_from(evaluation, part):
    """part: which of the patients; each is looked at by himself, so that a single part says something."""
    before, groups = computed(evaluation), Groups(evaluation)
    patient_of = {row.variant: row["subject_id"] for row in evaluation.rows}
    counted: dict[Cell, set[str]] = {}
    alike: dict[tuple, list[Cell]] = {}  # a row's numbers that say they were computed from the same
    for cell, value in before.items():
        group = groups(value.selection)
        counted[cell] = {patient for bit, patient in enumerate(patient_of.values()) if group >> bit & 1}
        alike.setdefault((*cell[:2], frozenset(value.selection.units())), []).append(cell)
    beyond, silent = set(), set()
    for patient in sorted(set(patient_of.values()))[part::PARTS]:
        moved = changed(before, without(evaluation, patient))
        beyond |= {cell for cell in moved if patient not in counted[cell] and not about_others_too(cell)}
        for answers in (("no", "yes", "unparsed"), *((answer,) * 3 for answer in TEXTS)):
            moved |= changed(before, with_other_answers(evaluation, patient, *answers))
        moved |= changed(before, with_other_comparisons(evaluation, patient))
        for cells in alike.values():
            if patient in counted[cells[0]]:
                together = [] if not moved.isdisjoint(cells) or cells == [OVERALL] else cells
                silent |= {
                    cell
                    for cell in cells
                    if cell not in moved and (cell in together or moves_with_every_patient(cell, before[cell]))
                }
    print(f"{len(before) - len(beyond | silent)} of {len(before)} numbers, in {len(alike)} groups of a row")
    assert not beyond, f"depend on patients whom they do not count: {sorted(beyond, key=str)[:5]}"
    assert not silent, f"count patients on whom they do not depend: {sorted(silent, key=str)[:5]}"
    assert {table.name for table in declared() if table.output != paths.GROUPS and not table.safe} == {
        cell[0] for cell in before
    }
