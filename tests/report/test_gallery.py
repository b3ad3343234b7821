"""The gallery's page: what it holds comes back unchanged, and what it must not hold is not there."""

import base64
import dataclasses
import html.parser
import json
import re

import numpy as np
import pytest

from medattn.report import gallery_page
from medattn.report.rendering import TEMPLATES
from tests.report.conftest import HOSTILE, make_gallery, make_images, make_samples


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


def embedded(page: str) -> dict:
    (text,) = [text for attributes, text in Scripts(page).found if attributes.get("id") == "data"]
    return json.loads(text)


def test_every_sample_comes_back_in_order_with_its_text_unchanged(gallery_html):
    data = embedded(gallery_html)
    rows = [dict(zip(data["columns"], row, strict=True)) for row in data["samples"]]
    for row, sample in zip(rows, make_samples(), strict=True):
        assert (row["sample"], row["asked"], row["answer"]) == (sample.sample_id, sample.asked, sample.answer)
        assert (row["correct"], row["flip"]) == (sample.correct, sample.flip)
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


def test_hostile_text_opens_no_element_and_ends_no_script(gallery_html):
    plain = Scripts(gallery_page.html("Title", "Note", make_images(), []))
    hostile = Scripts(gallery_page.html(HOSTILE, HOSTILE, make_images(), make_samples()))
    assert hostile.tags == plain.tags
    assert HOSTILE in [row[8] for row in embedded(gallery_html)["samples"]]


def test_the_same_samples_give_the_same_bytes_whatever_the_order_of_the_pictures(gallery_html):
    assert make_gallery() == gallery_html
    images, samples = make_images(), make_samples()
    reverse = dict(reversed(images.items()))
    assert gallery_page.html("t", "n", images, samples) == gallery_page.html("t", "n", reverse, samples)


def test_the_page_names_nothing_outside_itself_and_no_date_or_path(gallery_html):
    assert set(re.findall(r"https?://[^\s\"'<]+", gallery_html)) == {"http://www.w3.org/2000/svg"}  # a name, no address
    assert "default-src 'none'" in gallery_html
    assert not re.search(r"\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d", gallery_html)
    assert str(TEMPLATES.parent) not in gallery_html


def test_1000_samples_take_less_than_a_megabyte(gallery_html):
    assert len(gallery_html.encode()) < 1_000_000


def test_pictures_that_no_sample_shows_are_left_out():
    sample = dataclasses.replace(make_samples()[0], image="image-007")
    assert list(embedded(gallery_page.html("t", "n", make_images(), [sample]))["images"]) == ["image-007"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": "elsewhere"}, "sample s: image 'elsewhere' is not among the images"),
        ({"grid": np.ones((4, 4)) / 16}, r"sample s: its grid has shape \(4, 4\), not \(16, 16\)"),
        ({"grid": np.full((16, 16), np.nan)}, "sample s: its grid is not a distribution over 256 cells"),
        ({"grid": np.zeros((16, 16))}, "sample s: its grid is not a distribution over 256 cells"),
        ({"margin": float("nan")}, "sample s: its margin is nan; None stands for no margin"),
    ],
)
def test_what_cannot_be_drawn_is_an_error_that_names_the_sample(change, message):
    sample = dataclasses.replace(make_samples()[0], sample_id="s", **change)
    with pytest.raises(ValueError, match=message):
        gallery_page.html("t", "n", make_images(), [sample])


def test_numpy_values_are_packed_as_plain_ones():
    sample = dataclasses.replace(
        make_samples()[0], correct=np.bool_(True), flip=np.bool_(False), margin=np.float64(0.5), variant_index=np.int64(0)
    )
    cells = embedded(gallery_page.html("t", "n", make_images(), [sample]))["samples"][0]
    row = dict(zip(gallery_page.COLUMNS, cells, strict=True))
    assert (row["correct"], row["flip"], row["margin"], row["variant"]) == (True, False, 0.5, 0)
