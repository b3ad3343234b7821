"""Nothing that a credentialed study publishes stands for fewer than 5 patients, and nothing suppressed follows from the rest.

The auditor knows nothing of how numbers are suppressed: it reads the CSVs, writes down every sum that a reader knows of
(parts and totals, within and across tables) and solves them.
"""

import csv
import itertools
import json
import os
import stat
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.disclosure import suppression
from medattn.disclosure.private_files import protect
from medattn.disclosure.suppression import (
    LEAST,
    SUPPRESSED,
    Cell,
    Level,
    Population,
    levels,
)
from medattn.metrics import stage
from medattn.metrics.table import Table, declared
from medattn.metrics.values import NOBODY, Value
from tests.metrics import conftest as tiny
from tests.metrics.failing import fail

# --- the auditor ------------------------------------------------------------------------------------------------------

FINDING_TABLES = ("by_finding", "image_reliance", "occlusion", "layer_head", "localisation")
Tables = dict[str, list[dict[str, str]]]
Equation = tuple[dict[tuple, int], Fraction]  # suppressed cell -> factor, and what they come to


def read_tables(root) -> Tables:
    return {path.stem: list(csv.DictReader(path.open(encoding="utf-8"))) for path in (root / paths.TABLES).glob("*.csv")}


def recoverable(tables: Tables, truth: Tables | None = None) -> list[str]:
    """Suppressed counts that follow from the published numbers, as "table row column".

    truth: the tables of the same study with nothing suppressed. Where samples have failed, tables that are about the same
    questions otherwise are not; only the sums that hold in truth count.
    """
    equations = known_sums(tables)
    if truth is not None:
        pairs = zip(equations, known_sums(truth), strict=True)
        equations = [equation for equation, (_, difference) in pairs if difference == 0]
    equations = [equation for equation in equations if equation[0]]
    unknown = sorted({cell for factors, _ in equations for cell in factors})
    solved = reduced([{cell: Fraction(factor) for cell, factor in factors.items()} for factors, _ in equations], unknown)
    return [" ".join(cell) for row in solved if len(row) == 1 for cell in row]


def reduced(rows: list[dict], unknown: list) -> list[dict]:
    """The equations' left sides in reduced echelon form, exactly: one with a single cell says what that cell is."""
    for cell in unknown:
        pivot = next((row for row in rows if cell in row and "done" not in row), None)
        if pivot is None:
            continue
        pivot_row = {other: factor / pivot[cell] for other, factor in pivot.items()}
        made = []
        for row in rows:
            if row is pivot:
                made.append(pivot_row | {"done": True})
            elif cell in row:
                left = {
                    other: row.get(other, 0) - row[cell] * pivot_row.get(other, 0)
                    for other in (row.keys() | pivot_row.keys()) - {"done"}
                }
                left = {other: factor for other, factor in left.items() if factor}
                made.append(left | {"done": True} if "done" in row else left)
            else:
                made.append(row)
        rows = made
    return [{other: factor for other, factor in row.items() if other != "done"} for row in rows]


def known_sums(tables: Tables) -> list[Equation]:
    """What a reader knows of the counts: Σ factor · cell = 0."""
    found: list[list[tuple[int, str, tuple[str, ...], str]]] = []

    def cell(factor: int, table: str, key: tuple[str, ...], column: str) -> tuple:
        return factor, table, key, column

    for name in FINDING_TABLES:
        of_row = {}
        for row in tables[name]:
            of_row.setdefault(tuple(row[k] for k in ("sinks", "map", "layer", "head") if k in row), []).append(row["finding"])
        for rest, findings in of_row.items():
            for column in {"n", "positives", "n_region"} & set(tables[name][0]):
                parts = [cell(1, name, (finding, *rest), column) for finding in findings if finding != "all"]
                found.append([*parts, cell(-1, name, ("all", *rest), column)])
            for finding in findings:  # the same questions, in three variants each
                if name in ("image_reliance", "localisation"):
                    found.append([cell(3, name, (finding, *rest), "n"), cell(-1, "by_finding", (finding,), "n")])
                if name == "layer_head":
                    found.append([cell(3, name, (finding, *rest), "n"), cell(-1, "by_finding", (finding,), "n_region")])
                if name == "localisation" and rest[1] == "model":
                    found.append([cell(3, name, (finding, *rest), "n_region"), cell(-1, "by_finding", (finding,), "n_region")])
    strategies = [row["strategy"] for row in tables["by_strategy"]]
    found.append([*(cell(1, "by_strategy", (one,), "n") for one in strategies), cell(-1, "by_finding", ("all",), "n")])
    for one in (("clean", "", "all"), ("no_image", "", "all")):
        found.append([cell(1, "robustness", one, "n"), cell(-1, "by_finding", ("all",), "n")])
    found.append([cell(1, "robustness", ("clean", "", "baseline"), "n"), cell(-1, "by_strategy", ("baseline",), "n")])
    answers = {row["answers"] for row in tables["flips"]}
    for total, parts in (("kept", ("yes→yes", "no→no")), ("flipped", ("yes→no", "no→yes"))):
        if total in answers:
            found.append(
                [*(cell(1, "flips", (one,), "n") for one in parts if one in answers), cell(-1, "flips", (total,), "n")]
            )
    for row in tables["correct_incorrect"]:
        both = [cell(1, "correct_incorrect", (row["metric"],), column) for column in ("n_correct", "n_incorrect")]
        found.append([*both, cell(-1, "metric_summary", ("decision", row["metric"]), "n")])
    for profile, metric, table, key, column in (
        ("decision", "entropy", "by_finding", ("all",), "n"), ("original", "entropy", "by_finding", ("all",), "n"),
        ("decision", "region_mass", "by_finding", ("all",), "n_region"),
        ("original", "region_mass", "by_finding", ("all",), "n_region"),
        ("decision", "zone_mass", "sinks", ("zone_mass",), "n"), ("decision", "entropy", "profiles", ("decision",), "n"),
    ):  # fmt: skip
        found.append([cell(1, "metric_summary", (profile, metric), "n"), cell(-1, table, key, column)])
    return [equation(tables, terms) for terms in found]


KEY_COLUMNS = (
    "finding", "sinks", "map", "layer", "head", "strategy", "condition", "strength", "variants", "answers", "profile",
    "metric",
)  # fmt: skip


def equation(tables: Tables, terms) -> Equation:
    factors, total = {}, Fraction(0)
    for factor, table, key, column in terms:
        (row,) = [
            row
            for row in tables[table]
            if tuple(
                row[k]
                for k in KEY_COLUMNS
                if k in row
                and (k != "sinks" or table == "localisation")
                and not (table == "profiles" and k not in ("profile",))
            )[: len(key)]
            == key
        ]
        if row[column] == SUPPRESSED:
            factors[table, "|".join(key), column] = factors.get((table, "|".join(key), column), 0) + factor
        else:
            total += factor * int(row[column] or 0)
    return factors, -total


# --- a study with small cells of every kind ----------------------------------------------------------------------------

# finding -> patients with it, patients without
PLANTED = {"pleural effusion": (7, 6), "nodule": (3, 8), "pneumothorax": (2, 1), "consolidation": (6, 6)}
YES, NO, UNSURE = "Yes, it is.", "No, it is not.", "It cannot be excluded."


def planted_root(tmp_path, monkeypatch, licence: str = "credentialed"):
    """39 patients, one image and question each: 3 nodules, 3 patients asked about pneumothorax, 2 lateral views, 2 answers
    from yes to no beside 6 from no to yes, 4 patients with a wrong answer about a finding that is there."""
    images, answers, number = {}, {}, 10
    for finding, (present, absent) in PLANTED.items():
        for index in range(present + absent):
            there = index < present
            view = "LATERAL" if finding == "consolidation" and index in (0, 6) else "PA"
            images[f"i{number}"] = (
                f"p{number:03}",
                view,
                finding,
                "yes" if there else "no",
                (16, 20, 14, 14) if there else None,
                False,
            )
            said = YES if there else NO
            flips = finding == "pleural effusion" and (index < 2 or not there)
            wrong = finding == "consolidation" and index in (1, 2, 7)
            opposite = NO if there else YES
            answers[f"q{number}"] = (
                (opposite,) * 3 if wrong else (said, UNSURE if index == 9 else said, opposite if flips else said)
            )
            number += 1
    other = dict(zip(PLANTED, [*list(PLANTED)[1:], next(iter(PLANTED))], strict=True))
    for name, value in (("IMAGES", images), ("ANSWERS", answers), ("OTHER", other)):
        monkeypatch.setattr(tiny, name, value)
    root = tiny.make_root(tmp_path / licence, tuple(images))
    about = root / "data/study.yaml"
    about.write_text(yaml.safe_dump(yaml.safe_load(about.read_text()) | {"licence": licence}))
    stage.run(tiny.make_params(), root)
    return root


@pytest.fixture
def planted(tmp_path, monkeypatch):
    return planted_root(tmp_path, monkeypatch)


def row_of(table: list[dict], **key) -> dict:
    (row,) = [row for row in table if all(row[name] == value for name, value in key.items())]
    return row


def test_small_cells_of_every_kind_are_suppressed(planted):
    tables = read_tables(planted)
    small = row_of(tables["by_finding"], finding="pneumothorax")
    assert small["n"] == small["patients"] == SUPPRESSED and small["accuracy"] == small["few_patients"] == ""
    nodule = row_of(tables["by_finding"], finding="nodule")
    assert nodule["positives"] == nodule["region_patients"] == SUPPRESSED and nodule["region_enrichment"] == ""
    assert (
        row_of(tables["flips"], answers="yes→no")["n"] == SUPPRESSED
        and row_of(tables["flips"], answers="yes→no")["js_to_baseline"] == ""
    )
    assert (
        row_of(tables["flips"], answers="no→yes")["n"] == SUPPRESSED and row_of(tables["flips"], answers="flipped")["n"] == "8"
    )
    wrong = row_of(tables["correct_incorrect"], metric="region_enrichment")
    assert wrong["n_incorrect"] == wrong["n_correct"] == SUPPRESSED and wrong["mean_incorrect"] == wrong["mean_correct"] == ""
    assert row_of(tables["localisation"], finding="pneumothorax", sinks="keep", map="body")["zone_enrichment"] == ""
    lateral = row_of(tables["metric_summary"], profile="decision", metric="left_fraction")
    assert lateral["n"] == lateral["patients"] == SUPPRESSED and lateral["mean"] != ""  # two patients without a frontal view


def test_every_published_number_stands_for_five_patients_or_for_nobody(planted):
    for name, table in read_tables(planted).items():
        for row in table:
            for column in suppression.PATIENTS & set(row):
                assert row[column] in ("", SUPPRESSED, "0") or int(row[column]) >= LEAST, (name, row)
            assert row.get("minimum", "") == row.get("maximum", "") == ""


def test_no_suppressed_count_follows_from_the_published_ones(planted):
    assert recoverable(read_tables(planted)) == []


def test_small_cells_alone_would_follow_from_the_others(tmp_path, monkeypatch):
    """Else the test above could not fail."""

    def only_small(given, partitions, population, least=LEAST):
        return {cell.group: Level.ALL for cell in given if 0 < population.patients(cell.group) < least}

    monkeypatch.setattr(suppression, "levels", only_small)
    found = recoverable(read_tables(planted_root(tmp_path, monkeypatch)))
    wanted = {
        "by_finding pneumothorax n",
        "image_reliance pneumothorax n",
        "flips yes→no n",
        "correct_incorrect region_enrichment n_incorrect",
    }
    assert wanted <= set(found)


def test_published_counts_of_a_group_and_a_part_of_it_do_not_differ_by_few_patients(planted):
    """Positives, regions and views against all samples of the finding: three samples a patient."""
    for row in read_tables(planted)["by_finding"]:
        counts = [int(row[name]) for name in ("n", "positives", "n_region") if row[name] != SUPPRESSED]
        assert all(one == other or abs(one - other) >= 3 * LEAST for one, other in itertools.combinations(counts, 2)), row


def test_an_open_study_suppresses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(suppression, "suppress", None)
    tables = read_tables(planted_root(tmp_path, monkeypatch, "open"))
    assert not any(SUPPRESSED in row.values() for table in tables.values() for row in table)
    assert row_of(tables["by_finding"], finding="pneumothorax")["patients"] == "3"


# --- samples that could not be computed --------------------------------------------------------------------------------


def rerun_without(root, fails) -> Tables:
    """Tables of the planted study whose samples that `fails` admits have failed."""
    fail(root, tiny.make_manifest(root / "data", tuple(tiny.IMAGES)), fails)
    stage.run(tiny.make_params(), root)
    return read_tables(root)


def is_clean_baseline(row: dict) -> bool:
    return row["condition"] == "clean" and row["variant_index"] == 0 and row["role"] == "study"


@pytest.mark.parametrize(
    "fails",
    [
        lambda row: row["shown_image_id"] in ("i12", "i30"),
        lambda row: is_clean_baseline(row) and row["subject_id"] in ("p020", "p041"),
        lambda row: row["condition"] == "no_image" and row["subject_id"] == "p020",
    ],
    ids=["two images", "two baseline variants", "one patient without an image"],
)
def test_failures_of_few_patients_publish_nothing_about_them(planted, tmp_path, monkeypatch, fails):
    tables, truth = rerun_without(planted, fails), rerun_without(planted_root(tmp_path, monkeypatch, "open"), fails)
    # The row of all findings goes as a whole; how many of it have a region is shown elsewhere, being of many patients.
    assert int(row_of(truth["by_finding"], finding="all")["region_patients"]) >= 3 * LEAST
    assert [cell for cell in recoverable(tables, truth) if not ("all" in cell and cell.endswith(" n_region"))] == []
    for name, table in tables.items():
        for row in table:
            for column in suppression.PATIENTS & set(row):
                assert row[column] in ("", SUPPRESSED, "0") or int(row[column]) >= LEAST, (name, row)
    assert json.loads((planted / paths.METRICS).read_text())["n_failed"] is None


def test_changes_against_the_clean_image_stand_for_those_who_have_an_answer_about_it(planted):
    few = ("p010", "p011", "p012")
    tables = rerun_without(
        planted, lambda row: row["role"] == "control" or (is_clean_baseline(row) and row["subject_id"] not in few)
    )
    row = row_of(tables["robustness"], condition="no_image", variants="baseline")
    assert row["n"] == "39" and row["accuracy"] != ""
    assert row["agreement_with_clean"] == row["accuracy_change"] == row["change_low"] == ""


def test_a_study_of_four_patients_publishes_no_number_about_them(tmp_path):
    root = tiny.make_root(tmp_path)
    about = root / "data/study.yaml"
    about.write_text(about.read_text().replace("licence: open", "licence: credentialed"))
    stage.run(tiny.make_params(), root)
    tables = read_tables(root)
    keys = {table.name: table.keys for table in declared()}
    for name in ("by_finding", "by_strategy", "robustness", "image_reliance", "localisation", "sinks"):
        for row in tables[name]:
            shown = {column for column, value in row.items() if value not in ("", SUPPRESSED, "0")} - {"few_patients"}
            assert shown <= set(keys[name]), (name, row)
    assert tables["js_distribution"] == []


# --- the rules on groups ------------------------------------------------------------------------------------------------


def population(*sizes: int) -> tuple[Population, list[int]]:
    """Groups of so many patients with one sample each, no two alike."""
    samples = {(group, index): f"{group}-{index}" for group, size in enumerate(sizes) for index in range(size)}
    people = Population(samples)
    return people, [people.group(one for one in samples if one[0] == group) for group in range(len(sizes))]


def test_a_population_counts_patients_and_finds_all_of_their_samples():
    rng = np.random.default_rng(0)
    samples = {number: f"p{rng.integers(60)}" for number in range(300)}  # a patient's samples lie apart
    people = Population(samples)
    for size in (0, 1, 7, 200):
        chosen = rng.choice(300, size, replace=False).tolist()
        group, patients = people.group(chosen), {samples[one] for one in chosen}
        assert group == sum(1 << number for number in chosen)
        assert (people.patients(group), people.patients(group, 5)) == (len(patients), min(5, len(patients)))
        assert people.everything_of(group) == people.group(one for one, patient in samples.items() if patient in patients)
    with pytest.raises(KeyError):
        people.group(["nobody"])


def counted(*found: int, value: str = "accuracy", metric: str = "") -> list[Cell]:
    columns = (("n", ""), (value, metric))
    return [Cell("table", row, column, group, of) for row, group in enumerate(found) for column, of in columns]


def test_the_next_smallest_part_goes_with_a_small_one():
    people, (a, b, c) = population(30, 7, 3)
    found = levels(counted(a, b, c, a | b | c), [(a, b, c)], people)
    assert found == {a: Level.NOTHING, b: Level.ALL, c: Level.ALL, a | b | c: Level.NOTHING}


def test_two_small_parts_that_come_to_five_patients_need_no_third():
    people, (a, b, c) = population(30, 2, 3)
    assert levels(counted(a, b, c, a | b | c), [(a, b, c)], people)[a] == Level.NOTHING
    people, (a, b, c) = population(30, 2, 2)
    assert levels(counted(a, b, c, a | b | c), [(a, b, c)], people)[a] == Level.ALL


def test_a_part_that_follows_from_two_totals_is_hidden_from_both():
    """Rows a b | c d with totals, columns a c | b d with totals: suppressing d and one in its row is not enough."""
    people, (a, b, c, d) = population(20, 12, 9, 3)
    partitions = [(a, b), (c, d), (a, c), (b, d)]
    found = levels(counted(a, b, c, d, a | b, c | d, a | c, b | d), partitions, people)
    hidden = {group for group, level in found.items() if level >= Level.COUNTS}
    known = [group for group in found if group not in hidden]
    rows = np.array([[bool(group & part) for part in (a, b, c, d)] for group in known], dtype=float).reshape(-1, 4)
    unit = np.array([[0, 0, 0, 1.0]])
    assert np.linalg.matrix_rank(np.vstack([rows, unit])) > np.linalg.matrix_rank(rows)


def test_a_group_that_lacks_few_of_anothers_patients_hides_its_counts_and_keeps_means_that_do_not_tell():
    people, (a, b) = population(30, 3)
    assert levels([*counted(a | b), *counted(a, value="mean")], [], people)[a] == Level.COUNTS
    assert levels(counted(a | b, a), [], people)[a] == Level.ALL  # a share tells of how many it is
    assert levels(counted(a | b, a, value="mean", metric="focus"), [], people)[a] == Level.ALL  # Σ over a and b − Σ over a
    assert levels([*counted(a | b), Cell("table", 1, "mean", a)], [], people)[a] == Level.NOTHING  # no count to subtract


def test_a_value_that_does_not_say_what_it_was_computed_from_cannot_be_published():
    table = Table("by_finding", ("finding", "age"), lambda of: [{"finding": "all", "age": 63.0}], keys=("finding",))
    with pytest.raises(
        ValueError, match=r"table by_finding: nothing says which patients column age stands for: make 63\.0 a Value"
    ):
        table.published(table.rows(None))
    nobody = Value(63.0, NOBODY)
    assert table.published([{"finding": "all", "age": nobody}]) == [{"finding": "all", "age": 63.0}]


# --- files --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def umask():
    before = os.umask(0o022)
    os.umask(0o022)
    yield _current_umask
    os.umask(before)


def _current_umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def places(root) -> list:
    made = [root / name for name in ("results", ".dvc/cache", ".dvc/tmp", "studies/one")]
    for place in made:
        place.mkdir(parents=True)
        place.chmod(0o755)
    return made


def test_a_credentialed_studys_directories_and_new_files_are_for_their_owner_alone(tmp_path, umask):
    made = places(tmp_path)
    protect(SimpleNamespace(licence="credentialed", directory=tmp_path / "studies/one"), tmp_path)
    (tmp_path / "results/table.csv").write_text("")
    assert [mode(place) for place in made] == [0o700] * 4 and mode(tmp_path / "results/table.csv") == 0o600 and umask() == 0o077


def test_results_are_made_closed_and_what_is_not_there_stays_away(tmp_path, umask):
    protect(SimpleNamespace(licence="credentialed", directory=tmp_path), tmp_path)
    assert mode(tmp_path / "results") == 0o700 and not (tmp_path / ".dvc").exists()


def test_an_open_studys_files_stay_as_they_are(tmp_path, umask):
    made = places(tmp_path)
    protect(SimpleNamespace(licence="open", directory=tmp_path / "studies/one"), tmp_path)
    assert [mode(place) for place in made] == [0o755] * 4 and umask() == 0o022


def test_a_directory_of_somebody_else_that_others_can_read_is_named(tmp_path, umask, monkeypatch):
    (study,) = places(tmp_path)[3:]

    def refuse(*_, **__):
        raise PermissionError

    monkeypatch.setattr(type(study), "chmod", refuse)
    with pytest.raises(
        InputError,
        match=r"results holds patients' data, others can read it \(mode 755\), and it belongs to somebody else: have its owner",
    ):
        protect(SimpleNamespace(licence="credentialed", directory=study), tmp_path)
