"""The report's page: its text is escaped, its tables are marked up for sorting, its bytes depend on its input alone."""

import base64
import re

import pytest

from medattn.report import page
from medattn.report.rendering import TEMPLATES
from tests.report.conftest import HOSTILE, VERDICTS, make_report, png
from tests.report.test_gallery import Scripts


def one(figures=(), tables=()) -> str:
    return page.html("Title", (), (), (page.Section("Section", (), tuple(figures), tuple(tables)),))


def table(rows, columns=("name", "value")) -> page.Table:
    return page.Table("table", "Table", "Caption", columns, tuple(rows), "tables/table.csv")


def test_hostile_text_opens_no_element(report_html):
    parsed = Scripts(report_html)
    assert len(parsed.found) == 1
    assert parsed.tags.count("img") == 4  # the figures
    assert HOSTILE not in report_html
    assert HOSTILE not in page.html(HOSTILE, (HOSTILE,), (page.Number(HOSTILE, HOSTILE),), ())


def test_the_same_input_gives_the_same_bytes(report_html):
    assert make_report() == report_html


def test_the_page_names_nothing_outside_itself_and_no_date_or_path(report_html):
    assert "http://" not in report_html and "https://" not in report_html
    assert "default-src 'none'" in report_html
    assert not re.search(r"\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d", report_html)
    assert str(TEMPLATES.parent) not in report_html


def test_the_page_itself_takes_less_than_20_kilobytes():
    assert len(page.html("Title", (), (), ()).encode()) < 20_000


def test_a_figure_is_embedded_with_its_size_its_alternative_text_and_its_links():
    content = png(640, 200)
    text = one([page.Figure("name", "Title.", "Caption.", "What it shows", content, ("figures/a.pdf", "figures/a.png"))])
    assert f'src="data:image/png;base64,{base64.b64encode(content).decode()}"' in text
    assert 'alt="What it shows" width="640" height="200"' in text
    assert '<a href="figures/a.pdf">' in text and '<a href="figures/a.png">' in text


def test_a_file_that_is_no_png_is_an_error():
    with pytest.raises(ValueError, match="figure name: not a PNG file"):
        one([page.Figure("name", "Title", "Caption", "Alt", b"\xff\xd8\xff\xe0 a JPEG", ())])


def test_a_row_with_a_cell_too_few_is_an_error():
    with pytest.raises(ValueError, match="table table, row 2: 1 cells for 2 columns"):
        one(tables=[table([("a", "1"), ("b",)])])


@pytest.mark.parametrize(
    "cells",
    [
        ("1", "2.5"),
        (".5", "0.5"),
        ("-1.5", "+2", "−3"),
        ("1,234", "12"),
        ("80 %", "5.5%"),
        ("1e-05", ""),
        ("0.8 [0.7, 0.9]", "–"),
    ],
)
def test_numbers_with_signs_percents_and_intervals_are_numeric(cells):
    assert page.is_numeric(cells)


@pytest.mark.parametrize("cells", [(), ("",), ("1", "many"), ("-3 -2 -1",), ("bootstrap-t",), ("phantom-001",), ("-",)])
def test_words_lists_and_nothing_are_not_numeric(cells):
    assert not page.is_numeric(cells)


def test_every_header_is_a_button_and_numeric_columns_are_marked():
    text = one(tables=[table([("a", "1"), ("b", "2")])])
    assert '<th scope="col"><button type="button">name</button></th>' in text
    assert '<th scope="col" class="number"><button type="button">value</button></th>' in text
    assert '<td class="number">2</td>' in text


@pytest.mark.parametrize("verdict", [*VERDICTS, "pass", "fail"])
def test_a_verdict_is_a_badge_and_its_text_stays(verdict):
    assert re.search(rf'<span class="badge [a-z-]+">{verdict}</span>', one(tables=[table([("claim", verdict)])]))


def test_other_cells_are_no_badge():
    assert 'class="badge' not in one(tables=[table([("claim", "supported by some")])])


@pytest.mark.parametrize(("rows", "folded"), [(0, False), (30, False), (31, True)])
def test_only_tables_of_more_than_30_rows_are_folded(rows, folded):
    assert ("<details>" in one(tables=[table([("a", "1")] * rows)])) is folded


def test_the_contents_link_to_every_section(report_html):
    for number in (1, 2, 3):
        assert f'<a href="#section-{number}">' in report_html and f'<section id="section-{number}">' in report_html
