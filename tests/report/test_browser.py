"""Both pages in a real browser, opened as files: what a reader does with mouse, keys and links.

Needs Chromium, which `make test-browser` installs; MEDATTN_CHROMIUM names another one. With MEDATTN_SCREENSHOTS set to a
directory, images of the pages are left there.
"""

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from medattn.report import gallery_page
from tests.report.conftest import FINDINGS, HOSTILE, QUESTIONS, jpeg, make_samples, write_gallery

pytestmark = [pytest.mark.slow, pytest.mark.browser]

DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
LEAST_CONTRAST = 4.5  # WCAG 2.2, level AA
SLOWEST_FILTER = 200  # milliseconds
SLOWEST_FIRST_VIEW = 2  # seconds, from the page's address to cards with their images

# The least contrast of any visible text with what lies behind it; text on an image is left out.
CONTRAST = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = colour.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = numbers(getComputedStyle(one).backgroundColor);
      if (colour[3] !== 0) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  let worst = [99, ""];
  for (const element of document.body.querySelectorAll("*")) {
    const text = [...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data).join("").trim();
    if (!text || !element.checkVisibility() || element.matches("script, style, option, .side, :disabled")) continue;
    const two = [numbers(getComputedStyle(element).color).slice(0, 3), behind(element)].map(luminance);
    const ratio = (Math.max(...two) + 0.05) / (Math.min(...two) + 0.05);
    if (ratio < worst[0]) worst = [ratio, text];
  }
  return worst;
}"""
FILTER_TIME = """async () => {
  const select = document.querySelector("[name=finding]");
  const times = [];
  for (const value of ["nodule", "", "pneumothorax", ""]) {
    const start = performance.now();
    select.value = value;
    select.dispatchEvent(new Event("change", { bubbles: true }));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));  // after the frame is painted
    times.push(performance.now() - start);
  }
  return Math.max(...times);
}"""


def find_chromium() -> str:
    """Chromium's path. Its absence fails the tests: a skip would read as a pass."""
    path = os.environ.get("MEDATTN_CHROMIUM") or shutil.which("chromium")
    if not path or not Path(path).exists():
        pytest.fail("Chromium not found: `make test-browser` installs it, or let MEDATTN_CHROMIUM name one")
    return path


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    path = find_chromium()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


class Reader:
    """Opens a page's file in a fresh window; knows everything that was asked for or complained about."""

    def __init__(self, browser, path: Path, directory: Path) -> None:
        self.browser, self.url, self.directory = browser, path.as_uri(), directory
        self.requests, self.complaints, self.windows = [], [], []

    def open(self, fragment: str = "", viewport=DESKTOP, scheme: str = "light"):
        window = self.browser.new_page(viewport=viewport, color_scheme=scheme)
        window.set_default_timeout(10_000)
        window.on("request", lambda request: self.requests.append(request.url.partition("#")[0]))
        window.on("pageerror", lambda error: self.complaints.append(str(error)))
        window.on("console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None)
        window.goto(self.url + fragment)
        self.windows.append(window)
        settle(window)
        return window

    def keep(self, window, name: str) -> None:
        """Write an image of what is seen, here and where MEDATTN_SCREENSHOTS says."""
        image = window.screenshot(path=self.directory / f"{name}.png")
        if wanted := os.environ.get("MEDATTN_SCREENSHOTS"):
            Path(wanted).mkdir(parents=True, exist_ok=True)
            (Path(wanted) / f"{name}.png").write_bytes(image)
        assert image.startswith(b"\x89PNG")

    def finish(self) -> None:
        for window in self.windows:
            window.close()
        assert self.complaints == []
        shards = self.url.removesuffix(".html") + "/"  # only a gallery has some
        assert {url for url in self.requests if not url.startswith(("data:", shards))} == {self.url}


def settle(window) -> None:
    """Wait until a gallery's cards are those of the question that is shown."""
    if window.locator("#cards").count():
        window.wait_for_selector("#cards[aria-busy=false]", state="attached")


@pytest.fixture
def reader(browser, tmp_path, gallery):
    """Of the gallery. Every test also checks that only its shards were requested and nothing was complained about."""
    made = Reader(browser, gallery, tmp_path)
    yield made
    made.finish()


@pytest.fixture
def report(browser, tmp_path, report_html):
    """A reader of the report."""
    path = tmp_path / "index.html"
    path.write_text(report_html, encoding="utf-8")
    made = Reader(browser, path, tmp_path)
    yield made
    made.finish()


def counted(window) -> int:
    """The counter's n, which must agree with the list."""
    settle(window)
    text = window.inner_text("#counter")
    n, _, total = text.removesuffix(" questions").partition(" of ")
    assert int(total) == QUESTIONS
    assert window.locator("#list button").count() == int(n)
    return int(n)


def place(window) -> str:
    settle(window)
    return window.inner_text("#place")


def everything(window) -> dict:
    """All that a link must bring back."""
    return {
        "place": place(window),
        "counter": window.inner_text("#counter"),
        "cards": window.locator(".card").all_inner_texts(),
        "dimmed": window.locator(".card.dim").count(),
        "selects": window.eval_on_selector_all("select", "all => all.map(one => one.value)"),
        "opacity": window.eval_on_selector(".image canvas", "one => getComputedStyle(one).opacity"),
        "outline": window.locator(".image svg").first.is_visible(),
    }


def set_slider(window, value: int) -> None:
    window.eval_on_selector(
        "[name=opacity]", "(one, v) => { one.value = v; one.dispatchEvent(new Event('input', { bubbles: true })); }", value
    )


def test_the_first_question_is_shown_with_all_its_variants_on_the_clean_image(reader):
    window = reader.open()
    assert window.input_value("[name=condition]") == "clean"
    assert counted(window) == QUESTIONS
    assert place(window) == f"question-000 · 1 of {QUESTIONS}"
    assert window.locator(".card").count() == 6
    assert window.inner_text("#truth") == "truth: yes"


def test_hostile_text_is_shown_as_text(reader):
    window = reader.open(f"#question=question-{QUESTIONS - 1:03}")
    assert window.text_content(".card .asked") == f"“{HOSTILE}”"
    assert window.text_content(".card .answer") == HOSTILE
    assert window.evaluate("window.broken") is None


def test_the_overlay_is_the_grid_above_uniform_on_the_questions_common_scale(reader):
    window = reader.open()
    samples = [sample for sample in make_samples() if sample.question_id == "question-000" and sample.condition == "clean"]
    top = max(2, max(256 * sample.grid.max() for sample in samples))
    for number, sample in enumerate(samples):
        alpha = (
            window.locator(".card canvas")
            .nth(number)
            .evaluate("one => [...one.getContext('2d').getImageData(0, 0, 16, 16).data].filter((_, at) => at % 4 === 3)")
        )
        expected = np.clip((256 * sample.grid - 1) / (top - 1), 0, 1)
        assert np.abs(np.reshape(alpha, (16, 16)) / 255 - expected).max() < 0.01


def test_a_finding_leaves_only_its_questions(reader):
    window = reader.open()
    window.select_option("[name=finding]", "nodule")
    assert counted(window) == QUESTIONS // len(FINDINGS)
    assert set(window.locator("#list .about").all_text_contents()) == {"nodule"}
    assert window.inner_text("#finding").lower() == "nodule"


def test_flipped_and_strategy_hold_for_one_and_the_same_sample(reader):
    window = reader.open()
    window.select_option("[name=flipped]", "yes")
    clean = [sample for sample in make_samples() if sample.condition == "clean"]
    assert counted(window) == len({sample.question_id for sample in clean if sample.flip})
    window.select_option("[name=strategy]", "voice")
    assert counted(window) == len({sample.question_id for sample in clean if sample.flip and sample.strategy == "voice"})
    assert window.locator(".card:not(.dim)").count() == 1
    assert window.locator(".card:not(.dim) h3").inner_text().split() == ["voice", "⇄", "flipped"]


def test_answers_can_be_picked_by_their_class(reader):
    window = reader.open()
    classes = window.eval_on_selector_all("[name=parsed] option", "all => all.map(one => one.value)")
    assert classes == ["", "contradictory", "no", "yes"]
    window.select_option("[name=parsed]", "contradictory")
    assert counted(window) == 1
    assert "read as contradictory" in window.inner_text(".card:not(.dim) .verdict")


def test_wrong_answers_can_be_picked_and_are_marked_by_words(reader):
    window = reader.open()
    window.select_option("[name=correct]", "no")
    wrong = {sample.question_id for sample in make_samples() if sample.condition == "clean" and not sample.correct}
    assert counted(window) == len(wrong)
    assert all("✗ wrong" in text for text in window.locator(".card:not(.dim)").all_inner_texts())


def test_another_condition_shows_its_samples_after_the_clean_baseline(reader):
    window = reader.open()
    window.select_option("[name=condition]", "noise 0.2")
    assert counted(window) == QUESTIONS
    headings = [text.split() for text in window.locator(".card h3").all_inner_texts()]
    assert [heading[0] for heading in headings] == ["baseline", "baseline", "phrasing"]
    assert headings[0][1:] == ["clean"]
    assert all(heading[1:3] == ["noise", "0.2"] for heading in headings[1:])
    window.select_option("[name=condition]", "no_image")
    assert window.locator(".card .none").all_inner_texts() == ["no image was shown"] * 2


def test_the_slider_sets_the_overlays_opacity(reader):
    window = reader.open()
    for value in (0, 40, 100):
        set_slider(window, value)
        assert float(window.eval_on_selector(".image canvas", "one => getComputedStyle(one).opacity")) == value / 100
        assert window.inner_text("#percent") == f"{value} %"


def test_the_checkbox_shows_and_hides_the_true_region(reader):
    window = reader.open()
    outline = window.locator(".image svg").first
    assert outline.is_visible()
    window.uncheck("[name=region]")
    assert not outline.is_visible()
    window.check("[name=region]")
    assert outline.is_visible()


def test_arrows_home_and_end_move_between_questions(reader):
    window = reader.open()
    for key, number in (("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2), ("End", 100), ("ArrowRight", 100), ("Home", 1)):
        window.keyboard.press(key)
        assert place(window).endswith(f" {number} of {QUESTIONS}")
    assert window.locator("#previous").is_disabled()


def test_arrows_keep_their_meaning_in_the_slider_but_not_on_the_checkbox(reader):
    window = reader.open()
    window.focus("[name=opacity]")
    window.keyboard.press("ArrowRight")
    assert window.inner_text("#percent") == "80 %"
    assert place(window).startswith("question-000")
    window.focus("[name=finding]")
    window.keyboard.press("Home")
    assert place(window).startswith("question-000")
    window.focus("[name=region]")
    window.keyboard.press("ArrowRight")
    assert place(window).startswith("question-001")


def test_the_list_is_one_stop_for_the_tab_key_and_jumps(reader):
    window = reader.open()
    window.click("#list button:nth-child(5)")
    assert place(window).startswith("question-004")
    assert window.locator("#list button[tabindex='0']").count() == 1
    window.keyboard.press("ArrowRight")
    assert window.evaluate("document.activeElement.ariaLabel").startswith("question-005")


def test_a_link_opened_elsewhere_shows_the_same(reader):
    window = reader.open()
    window.select_option("[name=finding]", "consolidation")
    window.select_option("[name=strategy]", "clause")
    window.select_option("[name=correct]", "yes")
    set_slider(window, 35)
    window.uncheck("[name=region]")
    window.keyboard.press("ArrowRight")
    window.keyboard.press("ArrowRight")
    link = window.get_attribute("#link", "href")
    window.wait_for_function("link => location.hash === link", arg=link)
    assert everything(reader.open(link)) == everything(window)


def test_a_link_followed_in_place_restores_and_nonsense_in_it_is_ignored(reader):
    window = reader.open("#question=question-007&condition=noise+0.2&opacity=20&region=no")
    assert place(window).startswith("question-007")
    window.evaluate("location.hash = '#question=question-009&finding=unheard&condition=of&opacity=75'")
    window.wait_for_function("document.querySelector('#place').textContent.startsWith('question-009')")
    assert window.locator(".card").count() == 6
    assert window.eval_on_selector_all("select", "all => all.map(one => one.value)") == ["", "clean", "", "", "", ""]


def test_when_nothing_matches_the_page_says_so_and_resets(reader):
    window = reader.open()
    window.select_option("[name=strategy]", "baseline")
    window.select_option("[name=flipped]", "yes")  # the baseline cannot flip
    assert counted(window) == 0
    assert window.locator("#nothing").is_visible() and not window.locator("#question").is_visible()
    window.click("#reset")
    window.wait_for_selector("#question", state="visible")
    assert counted(window) == QUESTIONS


def test_a_filter_is_drawn_within_a_fifth_of_a_second(reader):
    assert reader.open().evaluate(FILTER_TIME) < SLOWEST_FILTER


def test_only_the_shards_of_what_is_shown_are_loaded(reader):
    window = reader.open()
    loaded = [url.rpartition("/")[2] for url in reader.requests]
    assert loaded == ["gallery.html", "finding-4-1.js", "images-0.js"]
    window.select_option("[name=finding]", "nodule")
    assert counted(window) == QUESTIONS // len(FINDINGS)
    window.keyboard.press("End")
    assert place(window).startswith("question-099")
    window.select_option("[name=finding]", "pleural effusion")
    assert place(window).startswith("question-095")
    assert [url.rpartition("/")[2] for url in reader.requests[3:]] == ["finding-3-1.js"]


@pytest.mark.parametrize(("name", "content"), [("images-0", None), ("finding-4-1", None), ("finding-4-1", 'shard("find')])
def test_a_shard_that_cannot_be_read_is_named_and_the_other_questions_are_shown(browser, tmp_path, name, content):
    page = write_gallery(tmp_path / "gallery.html", make_samples())
    shard = tmp_path / f"gallery/{name}.js"
    shard.unlink() if content is None else shard.write_text(content)
    reader = Reader(browser, page, tmp_path)
    window = reader.open()
    assert window.inner_text("#unread") == f"gallery/{name}.js cannot be read: it must lie beside this page, as it was made."
    assert window.locator(".card").count() == 0
    window.select_option("[name=condition]", "no_image")  # needs no image, but its clean reference does
    window.keyboard.press("ArrowRight")
    assert place(window).startswith("question-001")
    assert window.locator("#unread").is_visible() == (name == "images-0")
    assert window.locator(".card").count() == (0 if name == "images-0" else 3)
    assert reader.complaints
    reader.complaints.clear()
    reader.finish()


def test_3000_questions_are_a_page_below_a_megabyte_that_shows_the_first_within_two_seconds(browser, tmp_path):
    """Images are drawn once for all shards: how many there are beside the page, the first view does not ask."""
    page = tmp_path / "gallery.html"
    gallery, noise = gallery_page.Gallery(tmp_path / "gallery"), np.random.default_rng(4)
    shown = [gallery_page.Thumbnail(jpeg(noise, grain=18), {}) for _ in range(14)]
    places = [gallery.add_image(gallery_page.GalleryImage(f"image-{n:05}", 832, 1024, shown)) for n in range(100)]
    grids = noise.dirichlet(np.full(256, 0.3), 29).reshape(-1, 16, 16)
    for finding in FINDINGS:
        for n in range(3000 // len(FINDINGS)):
            gallery.add_question(
                [
                    gallery_page.Sample(
                        f"s{n}-{finding}-{number}", f"patient-{n:05}-{finding}", (*places[n % 100], number % 14), finding,
                        "clean" if number < 6 else f"condition {number}", "", f"strategy {number % 6}", number % 6,
                        f"Is there {finding} in this radiograph?", "No, there is no sign of it.", "no",
                        ("yes", "no")[n % 2], n % 2 == 1, noise.random() < 0.1, float(noise.normal()), grid,
                    )
                    for number, grid in enumerate(grids)
                ]
            )  # fmt: skip
    page.write_text(gallery.page("Three thousand questions", ""), encoding="utf-8")
    assert page.stat().st_size < 1_000_000
    reader = Reader(browser, page, tmp_path)
    window = reader.open()
    first_view = window.locator(".card img").first.evaluate("image => image.decode().then(() => performance.now() / 1000)")
    assert first_view < SLOWEST_FIRST_VIEW
    assert window.inner_text("#counter") == "3000 of 3000 questions"
    start = time.perf_counter()
    window.keyboard.press("End")
    assert place(window) == "patient-00599-pneumothorax · 3000 of 3000"
    assert time.perf_counter() - start < SLOWEST_FIRST_VIEW
    window.select_option("[name=flipped]", "yes")
    assert 0 < len(window.locator("#list button").all()) < 3000
    reader.finish()


def test_every_control_and_every_picture_has_a_name(reader):
    window = reader.open()
    assert window.eval_on_selector_all("select, input", "all => all.every(one => one.labels.length === 1)")
    alternatives = window.eval_on_selector_all(".image img", "all => all.map(one => one.alt)")
    assert all("pleural effusion, condition clean; the model answered" in text for text in alternatives)
    assert window.get_attribute("html", "lang") == "en"


@pytest.mark.parametrize("fragment", ["", "#flipped=yes", "#condition=no_image&flipped=no"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_gallerys_text_can_be_read(reader, scheme, fragment):
    window = reader.open(fragment, scheme=scheme)
    ratio, text = window.evaluate(CONTRAST)
    assert ratio >= LEAST_CONTRAST, text
    if fragment == "#flipped=yes":
        reader.keep(window, f"gallery-{scheme}")


def test_the_gallery_fits_a_phone(reader):
    window = reader.open("#question=question-012", viewport=PHONE)
    assert window.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    left = window.eval_on_selector_all(".card", "all => all.map(one => one.getBoundingClientRect().left)")
    assert len(set(left)) == 1  # one column
    assert not window.locator("[name=finding]").is_visible()
    window.click("#unfold")
    assert window.locator("[name=finding]").is_visible()
    assert window.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    window.click("#unfold")
    reader.keep(window, "gallery-phone")


def test_a_printed_question_is_its_cards_alone_on_white(reader):
    window = reader.open("#question=question-012", scheme="dark")
    window.emulate_media(media="print", color_scheme="dark")
    colours = window.evaluate("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
    assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    assert not any(window.locator(name).is_visible() for name in ("#bar", "#list", "#link"))
    assert all(window.locator(name).first.is_visible() for name in ("#finding", ".card img", "#scale"))
    ratio, text = window.evaluate(CONTRAST)
    assert ratio >= LEAST_CONTRAST, text


def column(window, number: int) -> list[str]:
    return window.locator(f"#claims tbody tr td:nth-child({number})").all_inner_texts()


def test_a_header_sorts_numbers_by_value_and_empty_cells_last(report):
    window = report.open()
    header = window.locator("#claims th").nth(1)
    header.locator("button").click()
    assert column(window, 2) == ["−1.5 [−2.0, −1.0]", "+0.5", "9.5 [8.1, 10.2]", "10.25 [9.0, 11.0]", ""]
    assert header.get_attribute("aria-sort") == "ascending"
    header.locator("button").focus()
    window.keyboard.press("Enter")
    assert column(window, 2) == ["10.25 [9.0, 11.0]", "9.5 [8.1, 10.2]", "+0.5", "−1.5 [−2.0, −1.0]", ""]
    assert header.get_attribute("aria-sort") == "descending"


def test_thousands_are_numbers_words_sort_by_letter_and_one_header_is_marked(report):
    window = report.open()
    window.click("#claims th:nth-child(3) button")
    assert column(window, 3) == ["7", "80", "90", "600", "1,200"]
    window.click("#claims th:nth-child(4) button")
    assert column(window, 4) == ["inconclusive", "not applicable", "not supported", "supported", "too few"]
    assert window.locator("#claims th[aria-sort]").count() == 1


def test_hostile_text_in_the_report_is_shown_as_text(report):
    window = report.open()
    assert window.text_content("#hostile_table td") == HOSTILE
    assert window.get_attribute("#hostile img", "alt") == HOSTILE
    assert window.evaluate("window.broken") is None


def test_a_link_to_a_folded_table_unfolds_it(report):
    assert not report.open().locator("#layers table").is_visible()
    assert report.open("#layers").locator("#layers table").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_reports_text_can_be_read(report, scheme):
    window = report.open(scheme=scheme)
    window.click("summary")
    ratio, text = window.evaluate(CONTRAST)
    assert ratio >= LEAST_CONTRAST, text
    assert window.eval_on_selector(".plate", "one => getComputedStyle(one).backgroundColor") == "rgb(255, 255, 255)"
    window.evaluate("scrollTo(0, 0)")
    report.keep(window, f"report-{scheme}")


def test_the_report_fits_a_phone_and_wide_tables_scroll_in_their_box(report):
    window = report.open(viewport=PHONE)
    window.click("summary")
    assert window.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    box = window.locator("#layers .scroll")
    assert box.evaluate("one => one.scrollWidth > one.clientWidth")
    window.evaluate("scrollTo(0, 0)")
    report.keep(window, "report-phone")


def test_the_printed_report_is_black_on_white(report):
    window = report.open(scheme="dark")
    window.emulate_media(media="print", color_scheme="dark")
    colours = window.evaluate("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
    assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
