"""How far two files are apart, and where: extreme files of every kind that a run writes."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from medattn.reproduce.verify.deviation import SHOWN, Comparison, Verdict, worst
from medattn.reproduce.verify.files import compare_files
from medattn.reproduce.verify.tolerance import EXACT, TOLERANCES

FLOAT64, BFLOAT16 = TOLERANCES["float64"], TOLERANCES["bfloat16"]


@pytest.fixture
def compared(tmp_path):
    """Writes both contents and compares them as files of that name."""

    def compare(name: str, recorded: bytes | str, found: bytes | str, tolerance=FLOAT64) -> Comparison:
        paths = []
        for side, content in (("recorded", recorded), ("found", found)):
            path = tmp_path / side
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            paths.append(path)
        return compare_files(name, *paths, tolerance)

    return compare


def array(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def image(pixels: np.ndarray, kind: str = "PNG", **more) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **more)
    return buffer.getvalue()


# --- tables -----------------------------------------------------------------------------------------------------------

TABLE = "id,n,share,words\na,10,0.25,yes\nb,20,0.5,no\n"


@pytest.mark.parametrize(
    ("found", "verdict", "why"),
    [
        ("id,n,share,words\na,10,0.250001,yes\nb,20,0.5,no\n", Verdict.EQUIVALENT, None),
        ("id,n,share,words\na,10,0.26,yes\nb,20,0.5,no\n", Verdict.DIFFERENT, "row 2 (a), column share: 0.26, recorded 0.25"),
        ("id,n,share,words\na,11,0.25,yes\nb,20,0.5,no\n", Verdict.DIFFERENT, "row 2 (a), column n: '11', recorded '10'"),
        ("id,n,share,words\na,10,0.25,yes\nb,20,0.5,yes\n", Verdict.DIFFERENT, "row 3 (b), column words: 'yes', recorded 'no'"),
        ("id,n,share,words\na,10,,yes\nb,20,0.5,no\n", Verdict.DIFFERENT, "row 2 (a), column share: '', recorded '0.25'"),
        ("id,n,share,words\na,10,nan,yes\nb,20,0.5,no\n", Verdict.DIFFERENT, "row 2 (a), column share: 'nan', recorded '0.25'"),
        ("id,n,share,words\nb,20,0.5,no\n", Verdict.DIFFERENT, "row 2 (a) is missing"),
        (TABLE + "c,1,0.1,no\n", Verdict.DIFFERENT, "row 4 (c) is extra"),
        ("id,n,share,words\nb,20,0.5,no\na,10,0.25,yes\n", Verdict.DIFFERENT, "its rows are in another order"),
        ("id,n,part,words\na,10,0.25,yes\nb,20,0.5,no\n", Verdict.DIFFERENT, "without column share; column part is extra"),
        ("n,id,share,words\n10,a,0.25,yes\n20,b,0.5,no\n", Verdict.DIFFERENT, "its columns are in another order"),
        ("", Verdict.DIFFERENT, "without column id; without column n; without column share; without column words"),
        ('id,n,share,words\na,10,0.25,"yes', Verdict.DIFFERENT, "cannot be read"),
    ],
)
def test_a_table_is_compared_cell_by_cell_and_the_cell_is_named(compared, found, verdict, why):
    comparison = compared("reports/tables/a.csv", TABLE, found)
    assert comparison.verdict is verdict
    assert (comparison.why == ()) if why is None else comparison.why[0].startswith(why)


def test_the_largest_deviations_of_a_table_are_each_at_their_own_place(compared):
    then = "id,a,b\nx,100.0,0.001\ny,1.0,0.5\n"
    now = "id,a,b\nx,100.01,0.001\ny,1.0,0.50009\n"
    comparison = compared("t.csv", then, now)
    assert comparison.verdict is Verdict.EQUIVALENT
    assert comparison.absolute.value == pytest.approx(0.01)
    assert comparison.absolute.place == "row 2 (x), column a: 100.01, recorded 100.0"
    assert comparison.relative.value == pytest.approx(0.00009 / 0.50009)
    assert comparison.relative.place == "row 3 (y), column b: 0.50009, recorded 0.5"


def test_a_cell_may_hold_several_numbers(compared):
    then = "sample_id,logits\ns,8.44294 -13.692 -13.7294\n"
    assert compared("a.csv", then, then.replace("8.44294", "8.44295")).verdict is Verdict.EQUIVALENT
    assert compared("a.csv", then, then.replace("8.44294", "8.5")).verdict is Verdict.DIFFERENT
    assert compared("a.csv", then, then.replace(" -13.7294", "")).verdict is Verdict.DIFFERENT


def test_rows_are_told_by_as_many_first_columns_as_it_takes(compared):
    then = "finding,map,x\nall,model,0.5\nall,centre,0.5\nnodule,model,0.5\n"
    comparison = compared("t.csv", then, then.replace("all,centre,0.5", "all,centre,0.9"))
    assert comparison.why == ("row 3 (all / centre), column x: 0.9, recorded 0.5",)


def test_rows_that_begin_with_a_decimal_are_told_by_their_number(compared):
    then = "divergence,share\n0.00151,0.39\n0.00453,0.25\n"
    comparison = compared("t.csv", then, then.replace("0.00151", "0.0015100001"))
    assert comparison.verdict is Verdict.EQUIVALENT
    assert compared("t.csv", then, then + "0.1,0.2\n").why[0] == "3 rows, recorded 2"


def test_a_thousand_differences_are_counted_and_the_first_are_told(compared):
    then = "id,x\n" + "".join(f"s{number},0.5\n" for number in range(1000))
    comparison = compared("t.csv", then, then.replace("0.5", "0.7"))
    assert len(comparison.why) == SHOWN and comparison.more == 1000 - SHOWN
    assert comparison.why[0] == "row 2 (s0), column x: 0.7, recorded 0.5"


def test_in_bfloat16_counts_deviate_and_few_numbers_lie_beyond_the_bounds_but_no_word_changes(compared):
    then = "id,n,x\n" + "".join(f"s{number},13,0.5\n" for number in range(100))
    assert compared("t.csv", then, then.replace("s1,13", "s1,12"), BFLOAT16).verdict is Verdict.EQUIVALENT
    assert compared("t.csv", then, then.replace("s1,13,0.5", "s1,13,0.9"), BFLOAT16).verdict is Verdict.EQUIVALENT
    assert compared("t.csv", then, then.replace("0.5", "0.9"), BFLOAT16).verdict is Verdict.DIFFERENT
    assert compared("t.csv", then, then.replace("s1,13,0.5", "s1,13,"), BFLOAT16).verdict is Verdict.DIFFERENT
    assert compared("t.csv", then, then.replace("s1,", "s1000,"), BFLOAT16).verdict is Verdict.DIFFERENT


# --- JSON -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "verdict", "why"),
    [
        ({"a": {"b": [1.0, 2.00001]}}, Verdict.EQUIVALENT, None),
        ({"a": {"b": [1.0, 2.5]}}, Verdict.DIFFERENT, "a.b[1]: 2.5, recorded 2.0"),
        ({"a": {"b": [1.0]}}, Verdict.DIFFERENT, "a.b: 1 entries, recorded 2"),
        ({"n": 4}, Verdict.DIFFERENT, "n: '4', recorded '3'"),
        ({"n": 3.0}, Verdict.DIFFERENT, "n: '3.0', recorded '3'"),
        ({"x": None}, Verdict.DIFFERENT, "x: 'null', recorded '0.5'"),
        ({"flag": False}, Verdict.DIFFERENT, "flag: 'false', recorded 'true'"),
        ({"text": "no"}, Verdict.DIFFERENT, "text: 'no', recorded 'yes'"),
        ({"new": 1}, Verdict.DIFFERENT, "new is extra"),
    ],
)
def test_json_is_compared_key_by_key_and_the_key_is_named(compared, change, verdict, why):
    then = {"a": {"b": [1.0, 2.0]}, "n": 3, "x": 0.5, "flag": True, "text": "yes"}
    comparison = compared("m.json", json.dumps(then), json.dumps(then | change))
    assert comparison.verdict is verdict
    assert comparison.why == (() if why is None else (why,))
    assert compared("m.json", json.dumps(then | {"new": 1}), json.dumps(then)).why == ("new is missing",)


def test_a_list_of_cells_may_gain_one_in_bfloat16_only(compared):
    then, now = ({"cells": cells, **{f"x{number}": 0.5 for number in range(100)}} for cells in ([3, 5, 8], [5, 8]))
    assert compared("m.json", json.dumps(then), json.dumps(now)).why == ("cells: 2 entries, recorded 3",)
    assert compared("m.json", json.dumps(then), json.dumps(now), BFLOAT16).verdict is Verdict.EQUIVALENT


# --- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "verdict", "why"),
    [
        ("share & $95.1\\ [88.7, 98.4]$ & 100\n", Verdict.EQUIVALENT, None),
        ("share  & $95.0\\ [88.7, 98.4]$ & 100", Verdict.EQUIVALENT, None),
        ("share & $95.2\\ [88.7, 98.4]$ & 100\n", Verdict.DIFFERENT, "line 1: 95.2, recorded 95.0"),
        ("share & $95.0\\ [88.7, 98.4]$ & 101\n", Verdict.DIFFERENT, "line 1: '101', recorded '100'"),
        ("part & $95.0\\ [88.7, 98.4]$ & 100\n", Verdict.DIFFERENT, "line 1: 'part"),
    ],
)
def test_a_page_may_deviate_by_one_in_the_last_shown_digit(compared, found, verdict, why):
    comparison = compared("t.tex", "share & $95.0\\ [88.7, 98.4]$ & 100\n", found)
    assert comparison.verdict is verdict
    assert (comparison.why == ()) if why is None else comparison.why[0].startswith(why)


def test_a_page_is_compared_with_the_pictures_and_grids_inside_it(compared):
    pixels = np.zeros((20, 30, 3), np.uint8)
    grid = np.arange(256, dtype=np.uint8)

    def page(pixels: np.ndarray, grid: np.ndarray, text: str = "0.25") -> str:
        inside = base64.b64encode(image(pixels)).decode()
        return f'<p>{text}</p><img src="data:image/png;base64,{inside}"><script>["{base64.b64encode(grid).decode()}"]</script>'

    one, shifted = pixels.copy(), grid.copy()
    one[3, 7] = 10
    shifted[5] += 1
    comparison = compared("i.html", page(pixels, grid), page(one, shifted))
    assert comparison.verdict is Verdict.EQUIVALENT
    assert comparison.pixels.value == 10 and comparison.pixels.place.startswith("image or grid 1: pixel 7, 3: 10 of 255 levels")
    one[:] = 255
    comparison = compared("i.html", page(pixels, grid), page(one, grid))
    assert comparison.verdict is Verdict.DIFFERENT and "image or grid 1" in comparison.why[0]
    assert compared("i.html", page(pixels, grid), page(pixels, 255 - grid)).verdict is Verdict.DIFFERENT
    assert compared("i.html", page(pixels, grid), page(pixels, grid, "0.35")).verdict is Verdict.DIFFERENT
    assert compared("i.html", page(pixels, grid), page(pixels, grid, "word")).verdict is Verdict.DIFFERENT


def test_code_is_compared_by_lines(compared):
    comparison = compared("a.py", "one\ntwo\nthree\n", "one\n2\nthree\n", EXACT)
    assert comparison.why == ("line 2: '2', recorded 'two'",)
    assert compared("a.py", "one\n", "one\ntwo\n", EXACT).why == ("line 2: 'two', recorded ''",)


# --- arrays -----------------------------------------------------------------------------------------------------------


def test_a_grid_is_compared_cell_by_cell(compared):
    then = np.full((16, 16), 1 / 256, np.float32)
    now = then.copy()
    now[3, 5] *= np.float32(1.00005)
    comparison = compared("s_grid.npy", array(then), array(now))
    assert comparison.verdict is Verdict.EQUIVALENT
    assert comparison.relative.value == pytest.approx(5e-5, rel=1e-2)
    assert comparison.relative.place.startswith("grid [3, 5]: ")
    now[3, 5] *= 2
    comparison = compared("s_grid.npy", array(then), array(now))
    assert comparison.verdict is Verdict.DIFFERENT
    assert comparison.why[0].startswith("grid [3, 5]: ") and "1 of 256 values" in comparison.why[0]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (np.zeros((2, 3), np.float64), "grid: float64 [2, 3], recorded float32 [2, 3]"),
        (np.zeros((3, 2), np.float32), "grid: float32 [3, 2], recorded float32 [2, 3]"),
        (np.array([[0, 0, np.nan], [0, 0, 0]], np.float32), "grid [0, 2]: nan, recorded 0.0"),
        (np.array([[0, np.inf, 0], [0, 0, 0]], np.float32), "grid [0, 1]: inf, recorded 0.0"),
    ],
)
def test_another_shape_type_or_nan_is_different(compared, found, why):
    assert compared("g.npy", array(np.zeros((2, 3), np.float32)), array(found), BFLOAT16).why == (why,)


def test_nan_at_the_same_place_is_the_same(compared):
    then, now = np.array([np.nan, 1.0, np.inf]), np.array([np.nan, 1.00001, np.inf])
    assert compared("g.npy", array(then), array(now)).verdict is Verdict.EQUIVALENT


def test_whole_numbers_of_an_array_must_be_the_same(compared):
    assert compared("g.npy", array(np.array([1, 2])), array(np.array([1, 3]))).why == (
        "grid [1]: 3, recorded 2 (1 of 2 values differ)",
    )


def test_a_file_that_was_cut_off_is_different_and_both_sizes_are_told(compared):
    whole = array(np.zeros((16, 16), np.float32))
    comparison = compared("g.npy", whole, whole[:-1])
    assert comparison.verdict is Verdict.DIFFERENT
    sizes = f"{len(whole) - 1:,} bytes, recorded {len(whole):,}"
    assert comparison.why[0].startswith(f"cannot be read ({sizes}; the first that differs is byte {len(whole) - 1:,}): ")


@pytest.mark.parametrize("name", ["a.png", "a.npy", "a.json", "a.csv", "a.safetensors", "a.html", "a.pdf", "a.xyz"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0", b"PK\3\4" * 20])
def test_any_other_content_is_different_and_never_a_crash(compared, name, content):
    assert compared(name, b"id,x\n1,2\n\xf0", content).verdict is Verdict.DIFFERENT


def tensors(path: Path, about: dict, **held: np.ndarray) -> Path:
    save_file(held, path, metadata={"medattn": json.dumps(about)})
    return path


def test_tensors_are_compared_one_by_one_and_grids_are_called_by_their_sample(tmp_path):
    about = {"x": 0.5}
    ids = np.frombuffer(b"q-1\0q-2\0", np.uint8).reshape(2, 4)
    grids = np.full((2, 16, 16), 1 / 256, np.float32)
    other = grids.copy()
    other[1, 2, 3] = 0.5
    then = tensors(tmp_path / "a", about, **{"samples|id": ids}, decision=grids, gone=grids)
    now = tensors(tmp_path / "b", about, **{"samples|id": ids}, decision=other, more=grids)
    why = compare_files("grids.safetensors", then, now, FLOAT64).why
    assert "tensor gone is missing" in why and "tensor more is extra" in why
    assert any(line.startswith("tensor decision [q-2, 2, 3]: 0.5, recorded 0.00390625 (1 of 512") for line in why)
    now = tensors(tmp_path / "b", {"x": 0.7}, **{"samples|id": ids}, decision=grids, gone=grids)
    assert compare_files("grids.safetensors", then, now, FLOAT64).why == ("metadata.x: 0.7, recorded 0.5",)


# --- images ---------------------------------------------------------------------------------------------------------


def test_a_picture_is_compared_by_pixels_not_by_bytes(compared):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50, 3)).astype(np.uint8)
    comparison = compared("p.png", image(pixels), image(pixels, compress_level=0))
    assert comparison.verdict is Verdict.EQUIVALENT and comparison.pixels.value == 0
    few, many = pixels.copy(), pixels.copy()
    few[0, 0] = 255 - few[0, 0] // 2  # one pixel of 2,000 may differ
    many[:20] = 255 - many[:20]
    assert compared("p.png", image(pixels), image(few)).verdict is Verdict.EQUIVALENT
    comparison = compared("p.png", image(pixels), image(many))
    assert comparison.verdict is Verdict.DIFFERENT and "of the pixels differ by more than 32" in comparison.why[0]
    assert compared("p.png", image(pixels), image(pixels[:-1])).why == ("50 x 39 pixels, recorded 50 x 40",)


def test_the_worst_file_decides_for_a_directory():
    good, bad = Comparison(Verdict.EQUIVALENT), Comparison(Verdict.DIFFERENT, why=("x",))
    unknown = Comparison(Verdict.INCOMPARABLE)
    assert worst([]).verdict is Verdict.IDENTICAL
    assert worst([good, unknown]).verdict is Verdict.INCOMPARABLE
    overall = worst(one.inside(name) for name, one in (("a", good), ("b", bad), ("c", unknown)))
    assert overall.verdict is Verdict.DIFFERENT and overall.why == ("b: x",)
