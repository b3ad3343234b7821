"""Whatever questions, answers and names hold is drawn, written and embedded as it is, never interpreted."""

import csv
import io
import re
import warnings
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medattn.base import paths
from medattn.figures import panels, stage, style
from medattn.metrics.stage import run as run_metrics
from medattn.radiographs.reader import Radiograph
from medattn.report import gallery_page
from tests.figures.test_figures import settings
from tests.metrics.conftest import make_params, make_root
from tests.report.conftest import read_shards

MATHTEXT = "Yes, the fee is $x_{$ and more"
TEXTS = {
    "mathtext that is none": MATHTEXT,
    "mathtext": r"costs $\frac{1}{2}$ and $\alpha$",
    "a lone dollar": "5 $ or \\$6",
    "backslashes": r"\n \u \x \input{/etc/passwd} \\",
    "format": "{} {0} %s %(x)s %",
    "LaTeX": r"a & b % c # d _ e ^ f ~ g { h } i",
    "HTML": "</script><img src=x onerror=alert(1)><!--",
    "a template": "{{ 7 * 7 }}{% raw %}",
    "a formula": '=cmd|" /C calc"!A0',
    "escapes of a terminal": "\x1b[31mred\x1b[0m\x07",
    "control characters": "a\x01b\x7fc",
    "right to left": "\u202eon si rewsna eht\u202c",
    "scripts without a glyph": "没有气胸 🫁",
    "no space": "W" * 5_000,
    "very long": "a word " * 5_000,
    "empty": "",
    "many lines": "line\n" * 500,
}
RADIOGRAPH = Radiograph("asked", Image.fromarray(np.full((64, 48), 90, np.uint8)), False, {})


class Texts(HTMLParser):
    """The elements of a page, and the text of its data."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.data: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.data.append(data)


def drawn_texts(fig) -> list[str]:
    return [text.get_text() for text in fig.findobj(matplotlib.text.Text)]


@pytest.mark.parametrize("name", TEXTS)
def test_an_answer_is_drawn_as_it_is_in_a_figure_of_bounded_size(name, tmp_path):
    text = TEXTS[name]
    row = {"question": text, "answer": text, "ground_truth": "yes", "correct": "true", "flip": "", "strategy": text or "x",
           "finding": text or "x", "question_id": "q1"}  # fmt: skip
    grids = [np.full((16, 16), 1 / 256)] * 2
    for make in (
        lambda: panels.overlay(panels.caption(pd.Series(row)), RADIOGRAPH, grids[0]),
        lambda: panels.variants(pd.DataFrame([row, row]), RADIOGRAPH, grids),
    ):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            warnings.filterwarnings("error", "constrained_layout not applied")
            fig = make()
            before = drawn_texts(fig)
            style.save(fig, tmp_path / "figure.png", 72)
            style.save(fig, tmp_path / "figure.pdf", 72)
        shown = "\n".join(filter(None, drawn_texts(fig)))
        assert len(shown) < 2_000 and shown.count("\n") < 60
        assert all(letter.isprintable() or letter == "\n" for letter in shown)
        assert not any(text.get_parse_math() for text in fig.findobj(matplotlib.text.Text))
        if name in ("mathtext that is none", "mathtext", "LaTeX", "format"):
            assert text in " ".join(" ".join(before).split())
        style.plt.close(fig)


def test_a_dollar_is_drawn_as_a_dollar():
    """Ink of "$x$" is that of three letters, not of an italic one."""

    def ink(text: str) -> int:
        fig = style.figure(40, 10)
        fig.text(0.1, 0.3, text)
        content = io.BytesIO()
        fig.savefig(content, format="png", dpi=150)
        style.plt.close(fig)
        return int((np.asarray(Image.open(content).convert("L")) < 128).sum())

    assert ink("$x$") > ink("x") + ink("$")


def test_powers_of_ten_need_no_markup(tmp_path):
    assert [style.power_of_ten(power) for power in (-3, 0, 12)] == ["10⁻³", "10⁰", "10¹²"]
    fig = style.figure(60, 40)
    axes = fig.subplots()
    axes.loglog([1e-4, 1e2], [2e-3, 4e-3])
    style.save(fig, tmp_path / "powers.png", 100)
    labels = [label.get_text() for axis in (axes.xaxis, axes.yaxis) for label in axis.get_ticklabels(which="both")]
    style.plt.close(fig)
    assert "10⁻⁴" in labels and "3×10⁻³" in labels and not any(set(label) & set("${}\\") for label in labels)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A run in which every text that a model, a question or a study can hold is hostile."""
    root = make_root(tmp_path_factory.mktemp("hostile"))
    texts = list(TEXTS.values())

    def rewrite(path, change):
        with (root / path).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for index, row in enumerate(rows):
            change(index, row)
        with (root / path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    rewrite(paths.ANSWERS, lambda index, row: row.update(answer_text=texts[index % len(texts)]))
    run_metrics(make_params(), root)

    def rename(index, row):
        row["finding"] = f"{row['finding']} $x_{{$ & <b>\x1b[31m"

    for path in (paths.EVALUATION, paths.TABLES / "by_finding.csv", paths.TABLES / "localisation.csv",
                 paths.TABLES / "image_reliance.csv"):  # fmt: skip
        rewrite(path, rename)
    rewrite(paths.TABLES / "by_strategy.csv", lambda index, row: row.update(strategy=f"[{row['strategy']}] $ \u202e"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        stage.run(settings(), root)
    return root


def test_a_study_of_hostile_text_is_drawn_to_the_end(hostile):
    assert (hostile / paths.REPORT).is_file() and (hostile / paths.GALLERY).is_file()
    assert list((hostile / paths.OVERLAYS).iterdir())


@pytest.mark.parametrize("name", ["REPORT", "GALLERY"])
def test_no_page_has_an_element_or_a_character_from_the_study(hostile, name):
    page = Texts()
    page.feed((hostile / getattr(paths, name)).read_text(encoding="utf-8"))
    assert page.tags.count("script") <= 2 and "b" not in page.tags
    text = "".join(page.data)
    assert "\\x1b[31m" in text.replace("\\\\", "\\") and "49" not in re.findall(r"\{\{.*?\}\}", text)
    assert all(letter.isprintable() or letter in "\n\t" for letter in text)


def test_the_gallery_holds_every_answer_as_it_was_given(hostile):
    at = gallery_page.COLUMNS.index("answer")
    shards = (entries for name, entries in read_shards(hostile / paths.GALLERY).items() if name.startswith("finding-"))
    answers = {row[at] for entries in shards for rows in entries for row in rows}
    assert {MATHTEXT, TEXTS["HTML"], TEXTS["a template"], TEXTS["a formula"]} <= answers


def test_latex_holds_no_special_character_from_the_study(hostile):
    for path in (hostile / paths.LATEX).glob("*.tex"):
        text = path.read_text(encoding="utf-8")
        assert all(letter.isprintable() or letter == "\n" for letter in text)
    made = (hostile / paths.LATEX / "by_finding.tex").read_text(encoding="utf-8")
    assert r"\$x \{\$ \& \textless{}b\textgreater{}\textbackslash{}x1b{[}31m" in made
    rows = (hostile / paths.LATEX / "by_strategy.tex").read_text(encoding="utf-8").split("\\midrule\n")[1]
    assert rows.startswith("{[}") and not re.search(r"\\\\\s*[\[*]", rows)  # "\\[" would ask for a length


def test_a_formula_stays_what_it_was_in_the_tables(hostile):
    with (hostile / paths.EVALUATION).open(newline="", encoding="utf-8") as file:
        assert TEXTS["a formula"] in {row["answer"] for row in csv.DictReader(file)}
