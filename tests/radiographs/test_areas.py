"""Parts of images come back from a file as they went in, to the pixel, whatever their shape."""

import numpy as np
import pytest

from medattn.measures import bit_runs
from medattn.measures.body import cell_coverage
from medattn.radiographs.areas import AreaTable, area_of, encode, key_of, no_area

CHANCE = np.random.default_rng(0)
SHAPES = [(1, 1), (1, 7), (7, 1), (16, 16), (33, 20), (48, 64)]
MASKS = [CHANCE.random(shape) < share for shape in SHAPES for share in (0.02, 0.3, 0.9, 1.0)]
MASKS = [mask for mask in MASKS if mask.any()]


@pytest.mark.parametrize("mask", [*MASKS, np.zeros((5, 3), bool)], ids=lambda mask: f"{mask.shape}-{mask.sum()}")
def test_a_mask_comes_back_from_its_changes(mask):
    assert (bit_runs.decode(bit_runs.encode(mask), mask.shape) == mask).all()


def test_rows_that_are_alike_cost_nothing():
    mask = np.zeros((3000, 2500), bool)
    mask[100:2900, 200:2300] = True
    assert len(bit_runs.encode(mask)) == 4


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> AreaTable:
    """Every mask under its number, and under "all" as well, in a file."""
    rows = [
        (key_of(name), f"note {number}", area_of(mask)) for number, mask in enumerate(MASKS) for name in (str(number), "all")
    ]
    path = tmp_path_factory.mktemp("areas") / "table.safetensors"
    path.write_bytes(encode([*rows, (key_of("nothing"), "nothing there", no_area(8, 6))]))
    return AreaTable.opened(path)


@pytest.mark.parametrize("number", range(len(MASKS)))
def test_an_area_comes_back_from_a_file_with_mask_box_and_coverage(table, number):
    ((note, area),) = table.rows(key_of(str(number)))
    mask = MASKS[number]
    assert note == f"note {number}" and (area.height, area.width) == mask.shape and (area.mask == mask).all()
    rows, columns = np.nonzero(mask)
    height, width = mask.shape
    assert area.box == (columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height)
    assert (area.coverage == cell_coverage(mask)).all() and not area.is_empty


def test_all_rows_of_a_key_come_in_order_of_their_notes_and_a_strange_key_has_none(table):
    assert [note for note, _ in table.rows(key_of("all"))] == sorted(f"note {number}" for number in range(len(MASKS)))
    assert not list(table.rows(key_of("nobody")))


def test_an_empty_area_is_empty(table):
    ((note, area),) = table.rows(key_of("nothing"))
    assert note == "nothing there" and area.is_empty and not area.mask.any() and area.mask.shape == (6, 8)


def test_the_bytes_do_not_depend_on_the_order_of_the_rows():
    rows = [(key_of(str(number)), "", area_of(mask)) for number, mask in enumerate(MASKS)]
    assert encode(rows) == encode(rows[::-1])


def test_the_header_does_not_grow_with_the_rows():
    sizes = []
    for count in (10, 1000):
        content = encode([(key_of(str(number)), "", area_of(np.ones((4, 4), bool))) for number in range(count)])
        sizes.append(int.from_bytes(content[:8], "little"))
    assert sizes[1] < sizes[0] * 1.2
