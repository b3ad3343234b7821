"""A gallery of 1,000 samples and a report, made up: 100 questions, and text that would break a careless page."""

import io
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medattn.report import gallery_page, page

FINDINGS = ("pleural effusion", "pneumothorax", "consolidation", "cardiomegaly", "nodule")
STRATEGIES = ("baseline", "phrasing", "synonym", "clause", "register", "voice")
SETTINGS = (("noise", "0.2", 2), ("clean", "", 6), ("no_image", "", 2))  # condition, strength, variants
QUESTIONS = 100
HOSTILE = """</script><script>window.broken = 1</script><img src=x onerror="window.broken = 1">&amp;"'<!--"""
OUTLINE = "M0.2 0.3L0.5 0.3L0.5 0.7L0.2 0.7Z"


def jpeg(generator: np.random.Generator, grain: float = 0.0) -> bytes:
    """A dark frame around a grey field, 208 x 256; with `grain` grey levels of noise about as many bytes as a radiograph."""
    pixels = np.zeros((256, 208), dtype=np.uint8)
    pixels[12:-12, 20:-20] = generator.integers(60, 160)
    pixels += np.abs(generator.normal(0, grain, pixels.shape)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=70)
    return file.getvalue()


def make_images() -> list[gallery_page.GalleryImage]:
    """An image for every two questions; every second one has the region of every finding."""
    generator = np.random.default_rng(1)
    regions = dict.fromkeys(FINDINGS, OUTLINE)
    return [
        gallery_page.GalleryImage(
            f"image-{n:03}", 832, 1024, [gallery_page.Thumbnail(jpeg(generator), regions if n % 2 == 0 else {})]
        )
        for n in range(QUESTIONS // 2)
    ]


def make_samples() -> list[gallery_page.Sample]:
    """1,000 samples in a fixed order; the last question's clean baseline, variant and answer, is hostile."""
    generator = np.random.default_rng(2)
    samples = []
    for n in range(QUESTIONS):
        truth = "yes" if n // 2 % 2 == 0 else "no"
        for condition, strength, variants in SETTINGS:
            answers = ["yes" if generator.random() < 0.7 else "no" for _ in range(variants)]
            for index, parsed in enumerate(answers):
                if (n, index, condition) == (3, 1, "clean"):
                    parsed = "contradictory"
                grid = generator.gamma(0.5, size=(16, 16))
                hostile = (n, index, condition) == (QUESTIONS - 1, 0, "clean")
                text = HOSTILE if hostile else f"Is there {FINDINGS[n % 5]}, asked the {STRATEGIES[index]} way?"
                samples.append(
                    gallery_page.Sample(
                        f"question-{n:03}-v{index}-{condition}", f"question-{n:03}",
                        None if condition == "no_image" else (0, n // 2, 0), FINDINGS[n % 5], condition, strength,
                        STRATEGIES[index], index, text, HOSTILE if hostile else f"{parsed.title()}.", parsed, truth,
                        parsed == truth, None if index == 0 else {parsed, answers[0]} == {"yes", "no"},
                        float(generator.normal()), None if condition == "no_image" else grid / grid.sum(),
                    )
                )  # fmt: skip
    return samples


def write_gallery(page: Path, samples: Sequence[gallery_page.Sample], title: str = "A made-up study") -> Path:
    """The gallery of these samples at `page`, with its shards beside it."""
    gallery = gallery_page.Gallery(page.parent / "gallery")
    for image in make_images():
        gallery.add_image(image)
    by_finding = sorted(samples, key=lambda sample: sample.finding)
    for _, some in groupby(by_finding, lambda sample: sample.question_id):
        gallery.add_question(list(some))
    page.write_text(gallery.page(title, "Images, attention and answers are random."), encoding="utf-8")
    return page


def read_shards(page: Path) -> dict[str, list]:
    """name -> entries, as the page's browser would get them."""
    shards = {}
    for path in sorted((page.parent / "gallery").iterdir()):
        text = path.read_text(encoding="utf-8")
        before, name, entries = text.partition(f'shard("{path.stem}",')
        assert not before and name and entries.endswith(");\n")
        shards[path.stem] = json.loads(entries.removesuffix(");\n"))
    return shards


def png(width: int = 800, height: int = 300, seed: int = 3) -> bytes:
    """A plot-like image: a noisy band on white."""
    pixels = np.full((height, width), 255, dtype=np.uint8)
    rows = np.random.default_rng(seed).integers(height // 3, height // 2, size=width)
    pixels[rows, np.arange(width)] = 0
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


VERDICTS = ("supported", "not supported", "inconclusive", "too few", "not applicable")


def make_report() -> str:
    """A report with a table of verdicts, a long table, and a section whose every text is hostile."""
    claims = page.Table(
        "claims", "Claims", "What was claimed, and what was found.", ("claim", "estimate", "n", "verdict"),
        (
            ("a", "9.5 [8.1, 10.2]", "1,200", "supported"),
            ("b", "10.25 [9.0, 11.0]", "90", "not supported"),
            ("c", "−1.5 [−2.0, −1.0]", "600", "inconclusive"),
            ("d", "", "7", "too few"),
            ("e", "+0.5", "80", "not applicable"),
        ), "tables/claims.csv",
    )  # fmt: skip
    layers = page.Table(
        "layers", "Layers", "Every layer and head.", ("layer", *(f"measure {n}" for n in range(12))),
        tuple((str(layer), *(f"{layer * n / 7:.3f}" for n in range(12))) for layer in range(34)), "tables/layers.csv",
    )  # fmt: skip
    drawn = tuple(
        page.Figure(f"figure_{n}", f"Figure {n}.", "A caption.", "A noisy line", png(seed=n), (f"figures/{n}.pdf",))
        for n in range(3)
    )
    hostile = page.Section(
        HOSTILE, (HOSTILE,), (page.Figure("hostile", HOSTILE, HOSTILE, HOSTILE, png(), (HOSTILE,)),),
        (page.Table("hostile_table", HOSTILE, HOSTILE, (HOSTILE,), ((HOSTILE,),), HOSTILE),),
    )  # fmt: skip
    return page.html(
        "A made-up study", ("A first paragraph.",),
        (page.Number("80.3 %", "of the answers are right"), page.Number("7", "patients are too few")),
        (page.Section("Answers", ("A paragraph.",), drawn, (claims,)), page.Section("Attention", (), (), (layers,)), hostile),
    )  # fmt: skip


@pytest.fixture(scope="session")
def gallery(tmp_path_factory) -> Path:
    return write_gallery(tmp_path_factory.mktemp("gallery") / "gallery.html", make_samples())


@pytest.fixture(scope="session")
def report_html() -> str:
    return make_report()
