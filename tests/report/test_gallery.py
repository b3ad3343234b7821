"""The gallery's page and shards: what they hold comes back unchanged, and what they must not hold is not there."""

import base64
import dataclasses
import html.parser
import json
import re
from pathlib import Path

import numpy as np
import pytest

from medattn.report import gallery_page
from medattn.report.rendering import TEMPLATES
from tests.report.conftest import FINDINGS, HOSTILE, OUTLINE, jpeg, make_samples, read_shards, write_gallery


class Scripts(html.parser.HTMLParser):
    """The script elements of a page, as a browser would part them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found, self.tags, self._inside = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self._inside = tag == "script"
        if self._inside:
            self.found.append([dict(attributes), ""])

    def handle_endtag(self, tag):
        self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.found[-1][1] += data


def read_index(page: Path) -> dict:
    found = Scripts(page.read_text(encoding="utf-8")).found
    (text,) = [text for attributes, text in found if attributes.get("id") == "index"]
    return json.loads(text)


def read_samples(page: Path) -> list[dict]:
    """Every sample, by question: what the index knows of it with what its shard knows."""
    index, shards = read_index(page), read_shards(page)
    samples = []
    for question, finding, truth, design, letters, shard, place in index["questions"]:
        rows = shards[index["shards"][shard]][place]
        for design_row, letter, row in zip(index["designs"][design], letters, rows, strict=True):
            condition, strength, strategy, variant = design_row
            parsed, correct, flip = index["outcomes"][index["letters"].index(letter)]
            samples.append(
                {"question": question, "finding": index["findings"][finding], "question_truth": truth, "condition": condition,
                 "strength": strength, "strategy": strategy, "variant": variant, "parsed": parsed, "correct": correct,
                 "flip": flip} | dict(zip(index["columns"], row, strict=True))
            )  # fmt: skip
    return samples


def files(page: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (page, *(page.parent / "gallery").iterdir())}


def test_every_sample_comes_back_in_order_with_its_text_unchanged(gallery):
    for row, sample in zip(read_samples(gallery), make_samples(), strict=True):
        for name in ("finding", "condition", "strength", "strategy", "asked", "answer", "parsed", "truth", "correct", "flip"):
            assert row[name] == getattr(sample, name)
        assert (row["sample"], row["question"], row["variant"]) == (sample.sample_id, sample.question_id, sample.variant_index)
        assert row["shown"] == (list(sample.shown) if sample.shown else None)
        assert row["margin"] == pytest.approx(sample.margin, abs=5e-5)


def test_a_grid_comes_back_within_half_a_step_and_row_0_is_first():
    grid = np.random.default_rng(0).gamma(0.5, size=(16, 16))
    grid /= grid.sum()
    text, top = gallery_page.encoded(grid)
    back = np.frombuffer(base64.b64decode(text), dtype=np.uint8).reshape(16, 16) / 255 * top / 256
    assert np.abs(back - grid).max() <= grid.max() / 255 / 2 + 1e-6
    assert np.unravel_index(back.argmax(), back.shape) == np.unravel_index(grid.argmax(), grid.shape)


@pytest.mark.parametrize("cell", [(0, 0), (0, 15), (15, 0)])
def test_a_grid_with_all_mass_in_one_cell_has_top_256(cell):
    grid = np.zeros((16, 16))
    grid[cell] = 1
    text, top = gallery_page.encoded(grid)
    assert top == 256
    assert base64.b64decode(text).index(255) == cell[0] * 16 + cell[1]


def test_a_uniform_grid_has_top_1():
    assert gallery_page.encoded(np.full((16, 16), 1 / 256))[1] == 1


def test_hostile_text_opens_no_element_and_ends_no_script(gallery, tmp_path):
    plain = Scripts(write_gallery(tmp_path / "plain.html", []).read_text(encoding="utf-8"))
    hostile = write_gallery(tmp_path / "hostile.html", make_samples(), title=HOSTILE)
    assert Scripts(hostile.read_text(encoding="utf-8")).tags == plain.tags
    assert HOSTILE in [row["asked"] for row in read_samples(gallery)]
    assert not any(b"<" in path.read_bytes() for path in (tmp_path / "gallery").iterdir())


def test_the_same_samples_give_the_same_bytes(gallery, tmp_path):
    assert files(write_gallery(tmp_path / "gallery.html", make_samples())) == files(gallery)


def test_nothing_names_anything_outside_or_a_date_or_a_path(gallery):
    for name, content in files(gallery).items():
        text = content.decode()
        addresses = {"http://www.w3.org/2000/svg"} if name == "gallery.html" else set()  # a name, no address
        assert set(re.findall(r"https?://[^\s\"'<]+", text)) == addresses
        assert not re.search(r"\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d", text)
        assert str(TEMPLATES.parent) not in text
    assert "default-src 'none'" in gallery.read_text(encoding="utf-8")


def test_the_page_holds_no_picture_no_grid_and_no_text_of_a_sample(gallery):
    index = gallery.read_text(encoding="utf-8").partition('id="index">')[2].partition("</script>")[0]
    assert len(index.encode()) < 100 * 100  # 100 questions
    assert "asked the" not in index and "Yes." not in index and not re.search("[A-Za-z0-9+/]{64}", index)


def test_a_shard_holds_the_samples_of_one_finding(gallery):
    index, shards = read_index(gallery), read_shards(gallery)
    assert sorted(shards) == [*(f"finding-{n}-1" for n in range(1, 6)), "images-0"]
    of_shard = {(question[1], index["shards"][question[5]]) for question in index["questions"]}
    assert of_shard == {(n, f"finding-{n + 1}-1") for n in range(len(FINDINGS))}


def test_a_finding_and_the_images_are_split_where_a_shard_is_full(tmp_path, monkeypatch, gallery):
    monkeypatch.setattr(gallery_page, "SAMPLES", 60)  # a question has 10
    monkeypatch.setattr(gallery_page, "THUMBNAILS", 20)
    page = write_gallery(tmp_path / "gallery.html", make_samples())
    sizes = {name: len(entries) for name, entries in read_shards(page).items()}
    parts = {f"finding-{n}-{part}": size for n in range(1, 6) for part, size in ((1, 6), (2, 6), (3, 6), (4, 2))}
    assert sizes == parts | {"images-0": 20, "images-1": 20, "images-2": 10}
    assert read_samples(page) == read_samples(gallery)


def test_no_question_is_torn_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery_page, "SAMPLES", 15)
    page = write_gallery(tmp_path / "gallery.html", make_samples())
    assert {len(entries) for entries in read_shards(page).values()} == {2, 50}
    assert len(read_samples(page)) == 1000


def test_an_image_is_stored_once_with_each_outline_once_however_often_it_is_shown(tmp_path):
    shown = [gallery_page.Thumbnail(jpeg(np.random.default_rng(n)), {"nodule": OUTLINE} if n else {}) for n in range(3)]
    gallery = gallery_page.Gallery(tmp_path / "gallery")
    assert gallery.add_image(gallery_page.GalleryImage("one", 10, 20, shown)) == (0, 0)
    gallery.page("t", "n")
    (image,) = read_shards(tmp_path / "gallery.html")["images-0"]
    assert [base64.b64decode(one[0]) for one in image["thumbnails"]] == [one.jpeg for one in shown]
    assert image["outlines"] == [{}, {"nodule": OUTLINE}]
    assert [one[2] for one in image["thumbnails"]] == [0, 1, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grid": np.ones((4, 4)) / 16}, r"sample s: its grid has shape \(4, 4\), not \(16, 16\)"),
        ({"grid": np.full((16, 16), np.nan)}, "sample s: its grid is not a distribution over 256 cells"),
        ({"grid": np.zeros((16, 16))}, "sample s: its grid is not a distribution over 256 cells"),
        ({"margin": float("nan")}, "sample s: its margin is nan; None stands for no margin"),
    ],
)
def test_what_cannot_be_drawn_is_an_error_that_names_the_sample(change, message, tmp_path):
    sample = dataclasses.replace(make_samples()[0], sample_id="s", **change)
    with pytest.raises(ValueError, match=message):
        gallery_page.Gallery(tmp_path).add_question([sample])


def test_numpy_values_are_packed_as_plain_ones(tmp_path):
    sample = dataclasses.replace(
        make_samples()[0], correct=np.bool_(True), flip=np.bool_(False), margin=np.float64(0.5), variant_index=np.int64(0)
    )
    (row,) = read_samples(write_gallery(tmp_path / "gallery.html", [sample]))
    assert (row["correct"], row["flip"], row["margin"], row["variant"]) == (True, False, 0.5, 0)
