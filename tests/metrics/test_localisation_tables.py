"""Localisation beside baseline maps, head by head, and the hypotheses about them, from planted grids."""

import dataclasses

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from medattn.measures.localisation import zone_box, zone_coverage
from medattn.metrics.anatomy import Place, Region
from medattn.metrics.tables import hypotheses, localisation
from tests.metrics.handmade import HERE, PARAMS, THERE, head_means, place, plain, row, spot, store

AREA = 1 / 256  # the region is one cell


def nearly_uniform(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(256, 200.0)).reshape(16, 16)


def asked(patients: int, study, control=nearly_uniform) -> tuple[list[dict], dict[str, np.ndarray]]:
    """A baseline question about a nodule and a control about edema per patient, and their grids."""
    rows, grids = [], {}
    for patient in range(patients):
        for role, finding, truth, grid in (("study", "nodule", "yes", study), ("control", "edema", "no", control)):
            rows.append(row(patient, truth, truth, role=role, finding=finding, zone=finding, sample_id=f"{role}{patient}"))
            grids[f"{role}{patient}"] = grid(patient)
    return rows, grids


def own_cell(patient: int) -> tuple[int, int]:
    return 3 + patient % 10, 12 - patient % 7


def own_place(one: dict) -> Place:
    """Every patient's nodule in another cell."""
    coverage = np.zeros((16, 16))
    coverage[own_cell(int(one["subject_id"][1:]))] = 1
    return dataclasses.replace(place(one), regions={"nodule": Region(coverage, coverage > 0, False)})


def own_spot(patient: int) -> np.ndarray:
    """Three tenths of the mass on the patient's own region, the rest everywhere."""
    return 0.7 * nearly_uniform(patient) + 0.3 * spot(own_cell(patient), 1.0)


def located(rows: list[dict], grids: dict, where=place, sinks: dict | None = None, without: bool = False) -> list[dict]:
    return localisation.localisation_rows(rows, store(grids, sinks=sinks), where, without_sinks=without)


# --- baseline maps ---------------------------------------------------------------------------------------------------


def test_uniform_attention_is_enriched_nowhere_exactly():
    for one in located(*asked(3, lambda _: np.full((16, 16), 1 / 256))):
        assert one["model_region_enrichment"] == one["uniform_region_enrichment"] == 1
        assert one["uniform_zone_enrichment"] == one["model_zone_enrichment"] == pytest.approx(1, abs=1e-6)
        assert one["uniform_region_auroc"] == 0.5 and one["uniform_pointing_game"] == pytest.approx(1 / 256, rel=1e-5)


def test_the_mean_map_of_other_patients_leaves_out_every_image_of_the_patient():
    rows, grids = asked(3, lambda patient: spot(HERE if patient else THERE, 0.5))
    rows[2]["subject_id"] = "p00"  # the second image is the first patient's, too
    first, second, third = located(rows, grids)
    outside = 0.5 / 255
    assert first["other_patients_region_mass"] == second["other_patients_region_mass"] == pytest.approx(0.5, rel=1e-5)
    assert third["other_patients_region_mass"] == pytest.approx((0.5 + outside) / 2, rel=1e-4)


def test_a_single_patient_has_no_map_of_others_and_no_control_is_no_map_of_another_finding():
    rows, grids = asked(1, own_spot)
    (alone,) = located(rows[:1], {"study0": grids["study0"]})
    assert alone["other_patients_region_enrichment"] is None and alone["other_finding_region_enrichment"] is None
    assert alone["centre_region_enrichment"] is not None


def test_several_controls_count_by_their_mean_and_one_about_the_same_finding_does_not():
    rows, grids = asked(1, own_spot)
    for number, (finding, share) in enumerate((("consolidation", 0.4), ("pneumonia", 0.2), ("nodule", 0.9))):
        rows.append(rows[1] | {"sample_id": f"more{number}", "finding": finding})
        grids[f"more{number}"] = spot(HERE, share)
    grids["control0"] = spot(HERE, 0.3)
    (found,) = located(rows, grids)
    assert found["other_finding_region_mass"] == pytest.approx((0.4 + 0.2 + 0.3) / 3, rel=1e-5)


def test_ratios_are_of_means_over_patients_and_the_model_has_none_to_itself():
    rows, grids = asked(8, lambda patient: spot(HERE, 0.3 + 0.05 * patient))
    rows[2] |= {"subject_id": "p00"}  # two images of one patient count as their mean
    table = plain(localisation.localisation_table(located(rows, grids), [], PARAMS))
    found = {line["map"]: line for line in table if line["finding"] == "all"}
    assert list(found) == list(localisation.MAPS) and {line["sinks"] for line in table} == {"keep"}
    shares = [(0.3 + 0.35) / 2, *(0.3 + 0.05 * patient for patient in range(2, 8))]
    ratio = found["uniform"]["region_ratio"]
    assert ratio == pytest.approx(np.mean(shares) / AREA, rel=1e-5)
    assert found["uniform"]["region_ratio_low"] < ratio < found["uniform"]["region_ratio_high"]
    assert found["model"]["region_ratio"] is None and found["model"]["region_mass"] == pytest.approx(
        np.mean(0.3 + 0.05 * np.arange(8)), rel=1e-5
    )
    assert (found["model"]["n"], found["model"]["patients"], found["model"]["n_region"]) == (8, 7, 8)


def test_without_sinks_the_maps_are_compared_without_them():
    rows, grids = asked(3, lambda _: spot(THERE, 0.5))
    sinks = {"computed": True, "cells": [16 * THERE[0] + THERE[1]], "mass": 0.5, "position": None}
    off = {"computed": False, "cells": [], "mass": None, "position": None}
    kept = located(rows, grids, sinks={"i0": sinks, "i1": off})
    without = located(rows, grids, sinks={"i0": sinks, "i1": off}, without=True)
    assert [one["model_region_enrichment"] < 1 for one in kept] == [True] * 3
    assert [one["sample_id"] for one in without] == ["study0"]  # the others' sinks are not known
    assert without[0]["model_region_enrichment"] == pytest.approx(256 / 255, rel=1e-5)
    table = plain(localisation.localisation_table(kept, without, PARAMS))
    assert [(line["sinks"], line["n"]) for line in table if line["map"] == "model" and line["finding"] == "all"] == [
        ("keep", 3),
        ("zero", 1),
    ]


def test_seen_from_the_side_there_is_no_zone_but_a_region():
    side = located(*asked(2, own_spot), where=lambda one: dataclasses.replace(place(one), frontal=False))
    assert all(one["model_zone_enrichment"] is None and one["model_region_enrichment"] is not None for one in side)


# --- heads ------------------------------------------------------------------------------------------------------------


def test_each_heads_mass_is_taken_from_its_own_layer_and_the_controls_from_the_same_head():
    own, other = np.full((2, 4), AREA), np.full((2, 4), AREA)
    own[1, 2], other[0, 3] = 0.4, 0.8
    rows, grids = asked(1, own_spot)
    masses = {"study0": {"nodule": own}, "control0": {"nodule": other}}
    table = plain(localisation.layer_head(rows, store(grids, region_masses=masses, heads=(2, 4, 2)), place))
    found = {(line["layer"], line["head"]): line for line in table if line["finding"] == "all"}
    assert len(table) == 16 and [line["key_value_group"] for line in table[:4]] == [0, 0, 1, 1]
    assert found[1, 2]["region_mass"] == pytest.approx(0.4) and found[1, 2]["region_enrichment"] == pytest.approx(0.4 * 256)
    assert found[0, 3]["region_enrichment"] == pytest.approx(1) and found[0, 3]["other_finding_enrichment"] == pytest.approx(
        0.8 * 256
    )
    assert found[1, 2]["other_finding_enrichment"] == pytest.approx(1)


def test_heads_of_questions_without_a_true_region_do_not_count():
    rows, grids = asked(1, own_spot)
    absent = [one | {"ground_truth": "no"} for one in rows]
    table = plain(localisation.layer_head(absent, store(grids), place))
    assert [line["n"] for line in table] == [0] * 4 and table[0]["region_enrichment"] is None


def test_the_map_of_other_patients_is_the_mean_of_theirs_each_patient_once():
    rows, grids = asked(5, own_spot)
    twice = row(3, "yes", sample_id="again", question_id="again", image_id="again")  # the patient's second image
    lateral = row(4, "yes", sample_id="lateral", image_id="lateral")
    rows, grids = [*rows, twice, lateral], grids | {"again": nearly_uniform(77), "lateral": nearly_uniform(78)}

    def where(one):
        return dataclasses.replace(own_place(one), frontal=one["image_id"] != "lateral")

    found = {one["sample_id"]: one["other_patients_region_mass"] for one in located(rows, grids, where)}
    stored = {name: grid.astype(np.float32).astype(float) for name, grid in grids.items()}
    of_patient = [stored[f"study{number}"] for number in range(5)]
    of_patient[3] = (stored["study3"] + stored["again"]) / 2
    for number in range(5):
        others = np.mean([grid for patient, grid in enumerate(of_patient) if patient != number], axis=0)
        assert found[f"study{number}"] == pytest.approx(others[own_cell(number)], rel=1e-5)
    assert found["again"] == found["study3"] and found["lateral"] is None


# --- hypotheses -------------------------------------------------------------------------------------------------------


def decided(
    rows: list[dict], grids: dict, where=own_place, heads: dict | None = None, contrast: list[dict] = ()
) -> dict[str, dict]:
    made = store(grids, head_means=head_means(rows, heads or {}), heads=(12, 4, 2))
    found = localisation.localisation_rows(rows, made, where, without_sinks=False)
    return {line["hypothesis"]: line for line in plain(hypotheses.hypotheses(found, contrast, rows, made, PARAMS))}


def in_the_zone(patient: int) -> np.ndarray:
    """More in the zone of a nodule than the body, the centre or uniform attention would put there."""
    zone = zone_coverage(zone_box("nodule"), (0, 0, 1, 1))
    grid = nearly_uniform(patient) * np.where(zone > 0.5, 20.0, 0.05)
    return grid / grid.sum()


def test_a_zone_that_is_looked_at_whatever_is_asked_is_not_supported():
    same = decided(*asked(12, in_the_zone, lambda patient: in_the_zone(100 + patient)))["H1a"]
    assert same["verdict"] == "not supported" and same["effect"] == pytest.approx(1, abs=0.01) and same["high"] < 1.2
    assert "best baseline map: other" in same["note"] and same["patients"] == 12


def test_each_reference_must_be_beaten_so_p_is_the_largest_and_the_effect_the_smallest():
    rows, grids = asked(12, own_spot, lambda patient: 0.75 * nearly_uniform(patient) + 0.25 * spot(own_cell(patient), 1.0))
    found = decided(rows, grids)["H1b"]
    ratio = (0.3 + 0.7 * AREA) / (0.25 + 0.75 * AREA)  # barely more than about another finding, for every patient
    assert found["effect"] == pytest.approx(ratio, rel=0.01) and "best baseline map: other finding" in found["note"]
    assert found["p"] == pytest.approx(2 / 2**12) and found["verdict"] == "not supported"  # significant, but below 1.2
    assert found["minimum_effect"] == 1.2 and found["low"] <= found["effect"] <= found["high"] < 1.2


def test_attention_without_direction_is_not_supported():
    found = decided(*asked(14, nearly_uniform))["H1b"]
    assert found["verdict"] == "not supported" and found["high"] < 1.2 and found["p"] > 0.001


@pytest.mark.parametrize("patients, verdict", [(5, "too few"), (6, "supported")])
def test_six_patients_are_the_fewest_that_decide(patients, verdict):
    found = decided(*asked(patients, own_spot), where=lambda one: dataclasses.replace(own_place(one), frontal=False))["H1b"]
    assert found["patients"] == patients
    assert found["verdict"] == verdict
    assert (found["p"] is None) == (patients == 5)


def test_less_attention_than_a_reference_never_gets_a_small_p():
    """Every patient looks away from the region, whose p-value against most maps would be the smallest if it had no side."""
    away = decided(*asked(12, lambda patient: 0.999 * spot((0, 0), 1.0) + 0.001 * nearly_uniform(patient), nearly_uniform))[
        "H1b"
    ]
    assert away["p"] == 1 and away["verdict"] == "not supported" and away["effect"] < 0.01
    contrast = [
        {"image_id": f"i{index}", "subject_id": f"p{index:02d}", "difference": -0.1 - 0.001 * index, "js_other_finding": 0.2}
        for index in range(12)
    ]
    apart = decided(*asked(12, own_spot), contrast=contrast)["H2"]
    assert apart["p"] == 1 and apart["verdict"] == "not supported"


def test_a_map_that_never_falls_on_a_region_is_no_reference():
    found = decided(*asked(8, own_spot, lambda _: spot((15, 0), 1.0)))["H1b"]
    assert found["verdict"] == "supported" and "other finding" not in found["note"]


@pytest.mark.parametrize("change, h1a, h1b", [
    (lambda one: dataclasses.replace(own_place(one), frontal=False), "no zone in a frontal view", None),
    (lambda one: dataclasses.replace(own_place(one), regions={}), None, "no true regions"),
])  # fmt: skip
def test_what_is_missing_is_named(change, h1a, h1b):
    found = decided(*asked(8, own_spot), where=change)
    for name, missing in (("H1a", h1a), ("H1b", h1b)):
        assert (found[name]["verdict"] == "not applicable") == (missing is not None)
        assert missing is None or found[name]["note"] == missing


def test_findings_that_one_patient_alone_was_asked_about_have_no_map_of_others():
    rows, grids = asked(8, own_spot)
    for one in rows:
        one["finding"] = f"{one['finding']} {one['subject_id']}"
    found = decided(
        rows, grids, where=lambda one: dataclasses.replace(place(one), regions={one["finding"]: place(one).regions["nodule"]})
    )
    assert found["H1b"]["note"] == "no other patient was asked about the same finding"


def heads_of(rows: list[dict], alike: bool) -> dict[str, np.ndarray]:
    """Twelve layers of four heads, two groups: heads of a group look at one cell (alike), or at four different ones."""
    rng, heads = np.random.default_rng(7), {}
    spots = [(2, 2), (2, 2), (12, 12), (12, 12)] if alike else [(2, 2), (2, 12), (12, 2), (12, 12)]
    for one in rows:
        maps = np.array(
            [[0.5 * spot(cell).ravel() + 0.5 * rng.dirichlet(np.full(256, 50.0)) for cell in spots] for _ in range(12)]
        )
        heads[one["sample_id"]] = maps
    return heads


def test_heads_that_share_keys_are_supported_to_look_alike_where_they_do():
    rows, grids = asked(3, own_spot)
    alike = decided(rows, grids, heads=heads_of(rows, True))["H3b"]
    assert alike["verdict"] == "supported" and alike["effect"] > alike["minimum_effect"] == 0 and alike["low"] > 0
    apart = decided(rows, grids, heads=heads_of(rows, False))["H3b"]
    assert apart["verdict"] in ("inconclusive", "not supported") and apart["p"] > 0.05
    assert decided(rows, grids)["H3b"]["verdict"] == "not applicable"


def test_heads_are_averaged_over_findings_after_they_were_compared():
    """Two heads that differ about either finding, but not on average."""
    left, right = spot((2, 2), 0.9).ravel(), spot((12, 12), 0.9).ravel()
    means = {"nodule": np.array([[left, right]]), "edema": np.array([[right, left]])}
    found = hypotheses.head_divergences(store({"a": spot(HERE)}, head_means=means))
    assert found[0, 0, 1] == pytest.approx(jensenshannon(left, right, base=2) ** 2)


def test_confirmatory_p_values_are_adjusted_together():
    rows, grids = asked(8, own_spot)
    contrast = [
        {"image_id": f"i{index}", "subject_id": f"p{index:02d}", "difference": 0.1 + 0.001 * index, "js_other_finding": 0.2}
        for index in range(8)
    ]
    found = decided(rows, grids, heads=heads_of(rows, True), contrast=contrast)
    tested = {name: line["p"] for name, line in found.items() if line["p"] is not None}
    assert set(tested) == {"H1a", "H1b", "H2", "H3b"}
    smallest = min(tested, key=tested.get)
    assert found[smallest]["p_adjusted"] == pytest.approx(min(1, 4 * tested[smallest]))
    assert all(found[name]["p_adjusted"] >= found[name]["p"] for name in tested)
    assert found["H3a"]["p_adjusted"] is None and found["H4"]["p_adjusted"] is None
