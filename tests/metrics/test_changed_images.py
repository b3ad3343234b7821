"""Rows about a changed image: what they are compared with, and whose anatomy counts."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import logsumexp

from medattn.base.rows import SampleRow
from medattn.base.sample_tables import ANSWERS, MANIFEST
from medattn.measures.body import cell_coverage
from medattn.measures.rotation import comparable_pair, rotate_mask
from medattn.metrics.anatomy import Places, rotated
from medattn.metrics.inputs import Store
from medattn.metrics.rows import evaluate
from medattn.radiographs.areas import area_of
from medattn.radiographs.reader import RadiographReader
from medattn.study.schema import read_study
from tests.conftest import surveyed
from tests.metrics.conftest import HEIGHT, WIDTH, make_study


@pytest.fixture(scope="module")
def reader(tmp_path_factory) -> RadiographReader:
    place = tmp_path_factory.mktemp("changed")
    make_study(place / "data")
    bodies = surveyed(place / "data", place / "bodies")
    return RadiographReader(read_study(place / "data"), bodies)


def sample(condition: str, strength: str = "", variant: int = 0, **more: str) -> dict[str, str]:
    """A manifest row about the effusion of image i1."""
    row = SampleRow.fromkeys(MANIFEST, "") | {
        "sample_id": f"q1-v{variant}-{condition}{strength}", "question_id": "q1", "role": "study", "condition": condition,
        "strength": strength, "image_id": "i1", "shown_image_id": "" if condition == "no_image" else "i1", "subject_id": "p1",
        "view": "PA", "finding": "pleural effusion", "zone": "pleural effusion", "answer": "yes", "variant_index": str(variant),
    }  # fmt: skip
    return row | more


def said(text: str, yes: float, forms: float = 0.9, status: str = "ok") -> dict[str, str]:
    """A row of answers.csv whose margin is `yes` − logsumexp(0, −4)."""
    cells = SampleRow.fromkeys(ANSWERS, "")
    return cells | {
        "status": status, "answer_text": text, "yes_logits": str(yes), "no_logits": "0 -4", "forms_probability": str(forms),
    }  # fmt: skip


def evaluated(reader: RadiographReader, asked: list[tuple[dict, dict, np.ndarray | None]]) -> dict[str, dict]:
    """sample_id -> evaluation row of (manifest row, answer, grid), all about one image."""
    grids = {row["sample_id"]: grid for row, _, grid in asked if grid is not None}
    notes = {name: {"gate_count": 0, "gated": False, "image_mass": 0.5} for name in grids}
    store = Store(
        samples={name: index for index, name in enumerate(grids)},
        grids={"original": np.stack(list(grids.values())).astype(np.float32)}, with_sinks={}, notes={"original": notes},
        sinks={}, head_means={}, region_masses={}, heads=(1, 4, 2), model={},
    )  # fmt: skip
    answers = {row["sample_id"]: answer for row, answer, _ in asked}
    sha256 = {row["image_id"]: row["sha256"] for row in reader.study.images()}
    samples = [row | {"image_sha256": sha256[row["shown_image_id"] or row["image_id"]]} for row, _, _ in asked]
    rows = evaluate(samples, answers, store, Places(reader.bodies))
    return {row["sample_id"]: row for row in rows}


def grid(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(256, 2.0)).reshape(16, 16)


def test_flips_and_margins_are_against_the_same_strategy_on_the_clean_image(reader):
    found = evaluated(reader, [
        (sample("clean"), said("Yes, there is.", 3.0), grid(0)),
        (sample("clean", variant=1), said("No, there is not.", -2.0), grid(1)),
        (sample("no_image"), said("No, there is not.", -1.0, status="no_grid"), None),
        (sample("no_image", variant=1), said("No, there is not.", -3.5, status="no_grid"), None),
    ])  # fmt: skip
    for name in ("q1-v0-clean", "q1-v1-clean"):
        assert [found[name][cell] for cell in ("flip_to_clean", "margin_change", "js_to_clean")] == [None] * 3
    assert found["q1-v0-no_image"]["flip_to_clean"] is True and found["q1-v1-no_image"]["flip_to_clean"] is False
    assert found["q1-v0-no_image"]["margin_change"] == pytest.approx(-4) and found["q1-v1-no_image"]["margin_change"] == -1.5
    assert found["q1-v0-clean"]["margin"] == pytest.approx(3 - logsumexp([0, -4]), rel=1e-5)
    assert found["q1-v0-no_image"]["js_to_clean"] is None  # there is not a grid without an image
    assert found["q1-v1-no_image"]["flip"] is False and found["q1-v1-clean"]["flip"] is True  # within the condition


@pytest.mark.parametrize("clean_forms, changed_forms", [(0.4, 0.9), (0.9, 0.4)])
def test_a_margin_that_is_not_valid_has_no_change(reader, clean_forms, changed_forms):
    found = evaluated(reader, [
        (sample("clean"), said("Yes.", 3.0, clean_forms), grid(0)),
        (sample("blank"), said("No.", -1.0, changed_forms), grid(1)),
    ])  # fmt: skip
    assert found["q1-v0-blank"]["margin_change"] is None and found["q1-v0-blank"]["flip_to_clean"] is True


def test_attention_is_compared_with_the_clean_images_in_bits(reader):
    found = evaluated(reader, [
        (sample("clean"), said("Yes.", 3.0), grid(0)), (sample("blank"), said("Yes.", 3.0), grid(1)),
        (sample("contrast", "0.4"), said("Yes.", 3.0), grid(0)),
    ])  # fmt: skip
    expected = jensenshannon(grid(0).ravel(), grid(1).ravel(), base=2) ** 2
    assert found["q1-v0-blank"]["js_to_clean"] == pytest.approx(expected, rel=1e-4)
    assert found["q1-v0-contrast0.4"]["js_to_clean"] == 0


@pytest.mark.parametrize("strength", ["10", "-10", "90"])
def test_a_rotated_row_is_measured_on_the_rotated_region_and_compared_upright(reader, strength):
    found = evaluated(reader, [
        (sample("clean"), said("Yes.", 3.0), grid(0)), (sample("rotation", strength), said("Yes.", 3.0), grid(1)),
    ])[f"q1-v0-rotation{strength}"]  # fmt: skip
    upright = np.zeros((HEIGHT, WIDTH), bool)
    upright[36:45, 16:28] = True
    region = cell_coverage(rotate_mask(upright, float(strength)))
    assert found["region_mass"] == pytest.approx((grid(1) * region).sum(), rel=1e-4)
    assert abs(found["region_mass"] - (grid(1) * cell_coverage(upright)).sum()) > 1e-4
    body = cell_coverage(rotate_mask(reader("i1").body, float(strength)))
    assert found["inside_body_ratio"] == pytest.approx((grid(1) * body).sum(), rel=1e-4)
    pair = comparable_pair(grid(1), grid(0), WIDTH, HEIGHT, float(strength))
    assert found["js_to_clean"] == pytest.approx(jensenshannon(*(one.ravel() for one in pair), base=2) ** 2, rel=1e-4)


def test_a_region_turned_out_of_the_picture_is_nowhere():
    body, corner = np.zeros((40, 160), bool), np.zeros((40, 160), bool)
    body[5:35, 20:140] = corner[18:22, 2:8] = True
    assert rotated(area_of(corner), "90").is_empty and not rotated(area_of(body), "90").is_empty
    turned = rotated(area_of(corner), "10")
    assert (turned.mask == rotate_mask(corner, 10.0)).all() and (turned.coverage == cell_coverage(turned.mask)).all()
    assert rotated(area_of(corner), "").mask[20, 4]


def test_a_strangers_image_is_judged_by_its_own_truth_body_and_region(reader):
    asked = [
        (sample("clean"), said("Yes.", 3.0), grid(0)),
        (sample("shuffled_image", shown_image_id="i3", answer="no", view="LATERAL"), said("No.", -3.0), grid(1)),
    ]
    found = evaluated(reader, asked)["q1-v0-shuffled_image"]
    assert found["ground_truth"] == "no" and found["correct"] is True and found["flip_to_clean"] is True
    assert found["region_mass"] is None and found["zone_mass"] is None  # absent there, and seen from the side
    body = cell_coverage(reader("i3").body)
    assert found["inside_body_ratio"] == pytest.approx((grid(1) * body).sum(), rel=1e-4)


def test_nobody_is_right_about_a_strangers_image_that_nobody_asked_about(reader):
    asked = [
        (sample("clean"), said("Yes.", 3.0), grid(0)),
        (sample("shuffled_image", shown_image_id="i2", answer="", view="AP"), said("No.", -3.0), grid(1)),
    ]
    found = evaluated(reader, asked)["q1-v0-shuffled_image"]
    assert found["ground_truth"] is None and found["correct"] is None and found["flip_to_clean"] is True
