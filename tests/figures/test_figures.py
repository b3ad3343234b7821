"""The figures stage on a tiny study: every file, in the same bytes, of the right size, showing the right place."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from medattn.base import paths
from medattn.base.params.figures import Examples
from medattn.base.tables import write_csv
from medattn.figures import examples, gallery_data, panels, stage, style
from medattn.figures.columns import numbers
from medattn.figures.inputs import read_results
from medattn.figures.outline import CHARTS, OUTLINE
from medattn.metrics.stage import run as run_metrics
from medattn.radiographs.bodies import Bodies
from medattn.radiographs.reader import Radiograph, RadiographReader
from medattn.report import sections
from medattn.report.tables import LATEX, LAYOUTS, TABLES
from medattn.study.schema import QUESTION_COLUMNS, read_study
from tests.metrics.conftest import make_params, make_root

NAMES = tuple(chart.name for chart in CHARTS)
MM = 1 / 25.4


def settings(dpi: int = 72):
    """The committed parameters, at screen resolution so that the tests are quick."""
    given = make_params()
    return given.model_copy(update={"figures": given.figures.model_copy(update={"dpi": dpi})})


def files(root) -> dict[str, bytes]:
    places = (paths.FIGURES, paths.LATEX, paths.OVERLAYS, paths.VISUALIZATIONS)
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for place in places for path in sorted((root / place).rglob("*")) if path.is_file()
    } | {path.as_posix(): (root / path).read_bytes() for path in (paths.REPORT, paths.GALLERY)}  # fmt: skip


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = make_root(tmp_path_factory.mktemp("figures"))
    run_metrics(make_params(), root)
    notes = stage.run(settings(), root)
    return root, notes


def test_every_figure_is_drawn_as_png_and_pdf(drawn):
    root, _ = drawn
    made = {path.name for path in (root / paths.FIGURES).iterdir()}
    assert made == {f"{name}{suffix}" for name in NAMES for suffix in (".png", ".pdf")}


def test_the_same_tables_give_the_same_bytes(drawn):
    root, _ = drawn
    before = files(root)
    stage.run(settings(), root)
    assert files(root) == before


@pytest.mark.parametrize("name", NAMES)
def test_figures_are_a_column_or_a_page_wide_and_their_text_stays_text(drawn, name):
    root, _ = drawn
    content = (root / paths.FIGURES / f"{name}.pdf").read_bytes()
    width = float(re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", content).group(1)) / 72 / MM
    assert min(abs(width - style.COLUMN_MM), abs(width - style.PAGE_MM)) < 0.5
    assert b"/FontFile2" in content and b"/Subtype /Type3" not in content  # TrueType, not outlines
    assert b"CreationDate" not in content and b"Producer" not in content
    with Image.open(root / paths.FIGURES / f"{name}.png") as image:
        assert "Software" not in image.info
        assert abs(image.width / settings().figures.dpi / MM - width) < 0.5


def test_examples_are_chosen_by_rule_lowest_sample_id_first(drawn):
    root, _ = drawn
    clean = read_results(root).clean()
    rules = [Examples(per="finding", pick="correct", n=2), Examples(per="strategy", pick="flipped", n=1)]
    chosen, missing = examples.choose(clean, rules)
    expected = set()
    for finding in set(clean.finding):
        expected |= set(sorted(clean[(clean.finding == finding) & (clean.correct == "true")].sample_id)[:2])
    for strategy in set(clean.strategy):
        expected |= set(sorted(clean[(clean.strategy == strategy) & (clean.flip == "true")].sample_id)[:1])
    assert list(chosen.sample_id) == sorted(expected)
    assert "strategy baseline: 0 of 1 flipped examples" in missing


def test_each_chosen_sample_has_an_overlay_and_its_question_all_variants(drawn):
    root, _ = drawn
    chosen, _ = examples.choose(read_results(root).clean(), make_params().figures.examples)
    assert {path.stem for path in (root / paths.OVERLAYS).iterdir()} == set(chosen.sample_id)
    assert {path.stem for path in (root / paths.VISUALIZATIONS).iterdir()} == set(chosen.question_id)


def test_a_credentialed_study_leaves_no_radiograph_in_reports(drawn, tmp_path):
    root = shutil.copytree(drawn[0], tmp_path / "copy")
    about = root / "data/study.yaml"
    content = yaml.safe_load(about.read_text()) | {"licence": "credentialed"}
    about.write_text(yaml.safe_dump(content))
    stage.run(settings(), root)
    assert not list((root / paths.FIGURES).glob("example*"))
    assert (root / paths.VISUALIZATIONS / "example.png").exists()
    assert 'id="example"' not in (root / paths.REPORT).read_text()


@pytest.mark.parametrize("cell", [(2, 13), (14, 1)])
def test_an_overlay_lights_the_cell_where_the_attention_is(cell):
    radiograph = Radiograph("one", Image.new("L", (160, 320), 40), True, {})
    grid = np.full((16, 16), 0.5 / 255)
    grid[cell] = 0.5
    fig = style.figure(80, 160)
    fig.set_layout_engine("none")
    axes = fig.add_axes((0, 0, 1, 1))
    panels.show_radiograph(axes, radiograph)
    panels.show_attention(axes, radiograph, grid)
    for text in axes.texts:
        text.remove()
    fig.canvas.draw()
    seen = np.asarray(fig.canvas.buffer_rgba()).astype(int)
    style.plt.close(fig)
    height, width = seen.shape[:2]
    warm = seen[..., 0] - seen[..., 2] > 40
    y, x = np.argwhere(warm).mean(axis=0)
    assert (int(16 * y / height), int(16 * x / width)) == cell
    assert warm.mean() == pytest.approx(1 / 256, rel=0.15)


def test_an_outline_runs_where_the_mask_ends():
    mask = np.zeros((100, 80), bool)
    mask[10:30, 60:80] = True  # touches the right edge
    fig = style.figure(80, 100)
    axes = fig.add_subplot()
    panels.outline(axes, mask, style.TRUE_REGION)
    points = np.concatenate([path.vertices for path in axes.collections[0].get_paths()])
    style.plt.close(fig)
    assert points.min(axis=0) == pytest.approx([60, 10], abs=0.51)
    assert points.max(axis=0) == pytest.approx([80, 30], abs=0.51)


def test_a_run_of_one_image_draws_what_it_can(tmp_path):
    root = make_root(tmp_path, images=("i4",))
    run_metrics(make_params(), root)
    notes = stage.run(settings(), root)
    assert len(list((root / paths.FIGURES).iterdir())) == 2 * len(NAMES)
    assert any("flipped" in note for note in notes)


def test_numbers_keep_empty_cells_empty():
    import pandas as pd

    column = numbers(pd.Series(["", "1.5", "true", "false"]))
    assert np.isnan(column[0]) and list(column[1:]) == [1.5, 1, 0]


def test_the_report_shows_every_chart_and_every_hypothesis_and_asks_for_nothing(drawn):
    root, _ = drawn
    content = (root / paths.REPORT).read_text(encoding="utf-8")
    for chart in CHARTS:
        assert chart.title in content.replace("&#39;", "'")
    for hypothesis in ("H1a", "H1b", "H2", "H3a", "H3b", "H4"):
        assert re.search(rf">{hypothesis}(?: †)?<", content)
    assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//", content)
    assert len(content) < 1_000_000


def test_every_published_table_is_declared_and_every_table_of_the_page_is_on_it(drawn):
    root, _ = drawn
    assert {path.stem for path in (root / paths.TABLES).iterdir()} == set(TABLES)
    content = (root / paths.REPORT).read_text(encoding="utf-8")
    assert all(f'id="{name}"' in content for name, layout in LAYOUTS.items() if not layout.only_filled)
    assert {path.stem for path in (root / paths.LATEX).iterdir()} == {*LATEX, "values"}


def test_a_table_of_an_unknown_section_is_an_error(drawn, monkeypatch):
    monkeypatch.setitem(LAYOUTS, "flips", replace(LAYOUTS["flips"], section="nowhere"))
    with pytest.raises(ValueError, match="table flips: no section of the page is called 'nowhere'"):
        sections.sections([(heading, []) for heading, _ in OUTLINE], read_results(drawn[0]).tables, "")


def test_the_gallery_holds_every_study_sample_and_each_picture_once(drawn):
    root, _ = drawn
    results = read_results(root)
    shown = gallery_data.samples(results)
    rows = results.evaluation[(results.evaluation.role == "study")]
    assert sorted(one.sample_id for one in shown) == sorted(rows.sample_id)
    images = gallery_data.images(results, RadiographReader(read_study(root / "data"), Bodies(root / paths.BODIES)))
    assert {one.image for one in shown} - {""} == set(images)
    assert all((one.image == "") == (one.condition == "no image") for one in shown)


def test_an_outline_is_in_shares_of_the_picture_and_turns_with_it():
    mask = np.zeros((100, 200), bool)
    mask[20:40, 50:100] = True
    radiograph = Radiograph("one", Image.new("L", (200, 100)), True, {"nodule": mask})
    path = gallery_data.outlines(radiograph, 0.0, 1.0)["nodule"]
    points = np.array(re.findall(r"([\d.]+),([\d.]+)", path), dtype=float)
    assert points.min(axis=0) == pytest.approx([0.25, 0.2], abs=0.006)
    assert points.max(axis=0) == pytest.approx([0.5, 0.4], abs=0.006)
    turned = np.array(re.findall(r"([\d.]+),([\d.]+)", gallery_data.outlines(radiograph, 180.0, 1.0)["nodule"]), dtype=float)
    assert turned.min(axis=0) == pytest.approx([0.5, 0.6], abs=0.006)


def with_questions(root: Path, place: Path, count: int) -> Path:
    """A copy of `root` whose study has so many questions, each in two variants."""
    empty = dict.fromkeys(QUESTION_COLUMNS, "")
    rows = [empty | {"question_id": f"q{n}", "role": "study", "variant_index": v} for n in range(count) for v in range(2)]
    write_csv(shutil.copytree(root, place) / "data/questions.csv", QUESTION_COLUMNS, rows)
    return place


def test_a_drawn_and_limited_run_says_so_on_every_page_title_figure_and_table(drawn, tmp_path):
    root = with_questions(drawn[0], tmp_path / "copy", 3)
    about = root / "data/study.yaml"
    about.write_text(yaml.safe_dump(yaml.safe_load(about.read_text()) | {"drawn": True}))
    before = files(root)
    stage.run(settings().model_copy(update={"limit": 2}), root)
    said = "drawn, not patients; first 2 questions"
    page, gallery = (root / paths.REPORT).read_text(), (root / paths.GALLERY).read_text()
    for text in (page, gallery):
        assert re.search(rf"<title>[^<]* \({said}\)</title>", text) and re.search(rf"<h1>[^<]* \({said}\)</h1>", text)
    titles = re.findall(r"<figcaption><strong>([^<]*)</strong>", page)
    assert titles and all(title.endswith(f" ({said})") for title in titles)
    captions = re.findall(r'<p class="caption">([^<]*)<a', page)
    assert captions and all(caption.strip().endswith(f" {said.capitalize()}.") for caption in captions)
    for name in LATEX:
        assert f"{said.capitalize()}.}}\n" in (root / paths.LATEX / f"{name}.tex").read_text()
    assert f"\n% {said}\n" in (root / paths.LATEX / "values.tex").read_text()
    after = files(root)
    same = [name for name in after if name.endswith((".png", ".pdf")) and after[name] == before[name]]
    assert not same  # every figure carries it, wherever it is copied to


def test_a_limit_that_leaves_nothing_out_is_not_spoken_of(drawn, tmp_path):
    root = with_questions(drawn[0], tmp_path / "copy", 3)
    before = files(root)
    stage.run(settings().model_copy(update={"limit": 3}), root)
    assert files(root) == before
