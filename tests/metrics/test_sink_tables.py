"""Sinks per image, and what every metric is without them, counted by hand."""

import numpy as np
import pytest

from medattn.metrics.tables import sinks
from tests.metrics.handmade import HERE, PARAMS, THERE, place, plain, row, spot, store

SINK = 16 * THERE[0] + THERE[1]


def known(cells: list[int], position: list[int] | None = None, computed: bool = True, mass: float | None = 0.3) -> dict:
    return {"computed": computed, "cells": cells, "mass": mass, "position": position}


def made(grids: list[np.ndarray], sinks: dict) -> tuple[list[dict], object]:
    rows = [row(patient) for patient in range(len(grids))]
    return rows, store({one["sample_id"]: grid for one, grid in zip(rows, grids, strict=True)}, sinks=sinks)


def both(share_there: float, share_here: float) -> np.ndarray:
    grid = np.full((16, 16), (1 - share_there - share_here) / 254)
    grid[THERE], grid[HERE] = share_there, share_here
    return grid


def test_sinks_of_an_image_are_counted_by_kind_and_weighed_over_its_variants():
    rows, found = made(
        [both(0.5, 0.1), both(0.3, 0.1)], {"i0": known([SINK, 5, 7], position=[5]), "i1": known([], position=None)}
    )
    rows[1] |= {"question_id": "q0", "image_id": "i0", "subject_id": "p00", "variant_index": 1}
    (line,) = sinks.sink_rows(rows, found)
    assert (line["sinks"], line["position_sinks"], line["content_sinks"]) == (3, 1, 2)
    background = [(1 - 0.5 - 0.1) / 254, (1 - 0.3 - 0.1) / 254]
    assert line["mean_mass"] == pytest.approx((0.5 + 0.3) / 2 + sum(background), rel=1e-5) and line["least_mass"] == 0.3


def test_no_sinks_are_none_and_unknown_kinds_are_empty():
    rows, found = made([spot(HERE)] * 3, {"i0": known([], mass=0.0), "i1": known([], computed=False, mass=None)})
    none, uncomputed, absent = sinks.sink_rows(rows, found)
    assert none["computed"] and (none["sinks"], none["mean_mass"]) == (0, 0) and none["position_sinks"] is None
    for line in (uncomputed, absent):
        assert not line["computed"] and [line[name] for name in sinks.SINK_IMAGES[3:]] == [None] * 5


def test_a_sink_hides_where_the_model_looks_until_it_is_taken_out():
    rows, found = made(
        [both(0.5 + 0.01 * patient, 0.2) for patient in range(8)],
        {f"i{patient}": known([SINK], position=[]) for patient in range(8)},
    )
    table = {line["metric"]: line for line in plain(sinks.sinks(rows, sinks.sink_rows(rows, found), found, place, PARAMS))}
    assert list(table)[:5] == ["sinks", "position_sinks", "content_sinks", "least_mass", "mean_mass"]
    assert (
        table["sinks"]["with_sinks"] == 1
        and table["position_sinks"]["with_sinks"] == 0
        and table["sinks"]["without_sinks"] is None
    )
    pointing = table["pointing_game"]
    assert (pointing["with_sinks"], pointing["without_sinks"], pointing["difference"]) == (0, 1, 1)
    mass = table["region_mass"]
    expected = [0.2 / (1 - 0.5 - 0.01 * patient) for patient in range(8)]
    assert mass["with_sinks"] == pytest.approx(0.2, rel=1e-5) and mass["without_sinks"] == pytest.approx(
        np.mean(expected), rel=1e-5
    )
    assert mass["low"] < mass["difference"] < mass["high"] and mass["n"] == 8


def test_only_images_whose_sinks_were_looked_for_are_compared():
    rows, found = made([both(0.5, 0.2)] * 3, {"i0": known([SINK]), "i1": known([], computed=False, mass=None)})
    table = {line["metric"]: line for line in plain(sinks.sinks(rows, sinks.sink_rows(rows, found), found, place, PARAMS))}
    assert table["region_mass"]["n"] == table["sinks"]["n"] == 1


def test_a_grid_that_is_nothing_but_sink_is_left_out():
    rows, found = made([spot(THERE, 1.0), both(0.5, 0.2)], {name: known([SINK]) for name in ("i0", "i1")})
    table = {line["metric"]: line for line in plain(sinks.sinks(rows, sinks.sink_rows(rows, found), found, place, PARAMS))}
    assert table["region_mass"]["n"] == 1 and table["mean_mass"]["with_sinks"] == pytest.approx(0.75)
