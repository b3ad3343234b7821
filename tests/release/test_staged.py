"""What git may commit here: attempts by class, each refused with one line that names the file; and what passes."""

import base64
import gzip
import io
import json
import pickle
import shutil
import sqlite3
import subprocess
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image, PngImagePlugin

from medattn.figures import style
from medattn.release import committed, staged
from medattn.release.scan import RestrictedContent
from tests.import_closure import ROOT
from tests.release.conftest import (
    ANSWER,
    BY_FINDING,
    IMAGE,
    QUESTION,
    SUBJECT,
    by_finding,
    chart,
    headline,
    png_chunk,
    record,
    write,
)
from tests.reproduce.test_store import environment

ROWS = f"{SUBJECT},yes\n"
LOCAL = "12345003"  # the same patient, in no form of MIMIC's


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def refused(root: Path, **files: str | bytes) -> list[str]:
    """What is said of these files once they are staged. A name's "__" is "/"."""
    for name, content in files.items():
        write(root / name, content)
        git(root, "add", "--force", "--", name)
    return staged.restricted(root)


def film(form: str, **more: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (200, 1))).save(buffer, form, **more)
    return buffer.getvalue()


def in_zip(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, content)
    return buffer.getvalue()


def in_tar(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        about = tarfile.TarInfo("rows.csv")
        about.size = len(content)
        file.addfile(about, io.BytesIO(content))
    return buffer.getvalue()


def database() -> bytes:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table rows (subject_id)")
        return connection.serialize()


def array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((16, 16)))
    return buffer.getvalue()


URI = f"data:image/jpeg;base64,{base64.b64encode(film('JPEG')).decode()}"
NOTEBOOK = {"cells": [{"cell_type": "code", "source": "1", "outputs": []}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def notebook(**cell: object) -> str:
    return json.dumps(NOTEBOOK | {"cells": [NOTEBOOK["cells"][0] | cell]})


PLACES = {
    # by type
    **{f"film.{form.lower()}": film(form) for form in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "PPM", "WEBP", "PDF")},
    "film.pgm": "P2\n2 2\n255\n0 1 2 3\n",
    "film.dcm": b"\0" * 128 + b"DICM",
    "film.svg": f'<svg><image href="{URI}"/></svg>',
    "page.html": f'<img src="{URI}">',
    "page.htm": "<p>",
    "reports.html": "<p>",
    "docs/page.html": "<p>",
    "grid.npy": array(),
    "grids.npz": in_zip("a.npy", array()),
    "x.safetensors": b"\x10" + b"\0" * 7 + b'{"a":1}',
    "x.pkl": pickle.dumps([SUBJECT]),
    "x.pt": in_zip("data.pkl", b"x"),
    "x.h5": b"\x89HDF\r\n",
    "x.nii": b"x",
    "x.mat": b"x",
    "x.parquet": b"PAR1",
    "x.feather": b"ARROW1",
    "x.arrow": b"ARROW1",
    "x.db": database(),
    "x.sqlite": database(),
    "x.bin": b"x",
    "x.xlsx": in_zip("xl/x.xml", b"x"),
    "x.docx": in_zip("word/media/film.jpg", film("JPEG")),
    "x.pptx": in_zip("x", b"x"),
    "x.odt": in_zip("x", b"x"),
    "x.zip": in_zip("rows.csv", ROWS.encode()),
    "x.tar": in_tar(ROWS.encode()),
    "x.csv.gz": gzip.compress(ROWS.encode()),
    "x.tgz": b"\x1f\x8b",
    "x.7z": b"7z",
    "x.xz": b"\xfd7zXZ",
    "x.whl": in_zip("x", b"x"),
    "rows.csv": ROWS,
    "rows.CSV": ROWS,
    "rows.tsv": ROWS,
    "rows.psv": ROWS,
    "rows.dat": ROWS,
    "rows.txt": ROWS,
    "rows.log": ROWS,
    "rows.json": ROWS,
    "rows.jsonl": ROWS,
    "rows.xml": ROWS,
    "rows.sql": ROWS,
    "rows.R": ROWS,
    "rows.csv~": ROWS,
    "rows.csv.bak": ROWS,
    "rows": ROWS,
    "film": film("JPEG"),
    "docs/rows.csv": ROWS,
    "tests/rows.csv": ROWS,
    "medattn/rows.csv": ROWS,
    "medattn/film.png": b"x",
    "tests/data/film.png": film("PNG"),
    "reference/film.png": film("PNG"),
    "requirements/x/rows.csv": ROWS,
    ".github/film.png": b"x",
    # by place
    "results/answers.csv": "sample_id\n",
    "studies/x/questions.csv": "question_id\n",
    "data/images/one.png": "x",
    ".dvc/cache/files/x": "x",
    ".dvc/tmp/x": "x",
    "studies/x/.cache/y": "x",
    "medattn/.cache/x.py": "x",
    "other.dvc": "outs: []\n",
    ".gitmodules": "x",
    "reports/film.png": film("PNG"),
    "reports/figures/film.png": film("PNG"),
    "reports/figures/example.png": film("PNG"),
    "reports/notes.csv": "finding,n\n",
    "reports/tables/answers.csv": "finding,n\n",
    "reports/index.htm": "<p>",
    "reports/x/y.png": b"x",
    # by name
    f"docs/{SUBJECT}.md": "x",
    f"docs/p{SUBJECT}/x.md": "x",
    f"docs/{IMAGE}.md": "x",
    f"docs/{SUBJECT[::-1]}.md": "x",
    f"medattn/x_{SUBJECT}.py": "x",
    "docs/Müller.md": "x",
}


@pytest.mark.parametrize("name", PLACES)
def test_files_that_this_repository_does_not_have_are_refused_by_name_and_place(repository, name):
    (line,) = refused(repository, **{name: PLACES[name]})
    assert line.startswith(f"{name}: " if name.isascii() else name) and line.count("\n") == 0


CONTENTS = {
    "docs/rows.md": f"| patient | answer |\n|---|---|\n| {LOCAL} | yes |\n",
    "docs/float.md": f"see {LOCAL}.0\n",
    "docs/parts.md": "see 1234 5003\n",
    "docs/base64.md": base64.b64encode(LOCAL.encode()).decode(),
    "docs/entities.md": "".join(f"&#{ord(one)};" for one in LOCAL),
    "docs/backwards.md": LOCAL[::-1],
    "docs/form.md": "see p10001234\n",
    "docs/number.md": "see 10001234\n",
    "docs/study.md": "see 50001234\n",
    "docs/image.md": f"see {IMAGE[:-1]}9\n",
    "docs/question.md": QUESTION,
    "docs/answer.md": ANSWER.upper(),
    "docs/picture.md": f"![film]({URI})\n",
    "docs/utf16.md": LOCAL.encode("utf-16"),
    "docs/nul.md": "a\0b",
    "docs/jpeg.md": film("JPEG"),
    "docs/png.md": film("PNG"),
    "docs/pdf.md": film("PDF"),
    "docs/zip.md": in_zip("x", b"x"),
    "docs/pointer.md": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
    "docs/annex.md": "../.git/annex/objects/aa/bb/SHA256E-s1--00.jpg\n",
    "docs/grid.md": "P2 16 16 255\n" + " ".join(map(str, range(256))),
    "paper/rows.tex": f"{LOCAL} & yes \\\\\n",
    "paper/film.tex": base64.b64encode(film("JPEG")).decode(),
    "medattn/rows.py": f"ROWS = '''{ROWS}'''\n",
    "medattn/film.py": f"FILM = {base64.b64encode(film('PNG')).decode()!r}\n",
    "medattn/lines.py": "FILM = (\n"
    + "".join(f'    "{base64.b64encode(bytes(range(48))).decode()}"\n' for _ in range(6))
    + ")\n",
    "medattn/escapes.py": "FILM = b'" + "".join(f"\\x{one:02x}" for one in bytes(range(200))) + "'\n",
    "medattn/grid.py": f"GRID = {list(range(200))}\n",
    "medattn/number.py": "PATIENT = 10001234\n",
    "tests/known.py": f"PATIENT = {LOCAL}\n",
    "container/rows": ROWS,
    "requirements/rows.txt": ROWS,
    "Makefile": f"all:\n\techo {LOCAL}\n",
    ".gitattributes": "*.jpg filter=lfs diff=lfs\n",
    ".gitignore": f"/p{LOCAL}\n",
    "params.yaml": f"# see {LOCAL}\n",
    "medical_terms.txt": f"effusion\n# {LOCAL}\n",
    "look.ipynb": notebook(outputs=[{"data": {"image/png": "iVBO"}}]),
    "text.ipynb": notebook(outputs=[{"output_type": "stream", "text": "1"}]),
    "attached.ipynb": notebook(attachments={"film.png": {"image/png": "iVBO"}}),
    "source.ipynb": notebook(source=f"show({LOCAL})"),
    "no.ipynb": "{}",
    "reference/rows.csv": f"subject_id,n\n{LOCAL},60\n",
    "reference/counts.csv": "finding,n\neffusion,3\n",
    "reference/words.csv": "finding,n\neffusion,three\n",
    "reference/other.json": json.dumps({"rows": [LOCAL]}),
    BY_FINDING: by_finding({"patients": "3"}),
    "reports/metrics.json": headline(n_failed=3),
    "reports/latex/by_finding.tex": f"% p{SUBJECT}\n",
    "ro-crate-metadata.json": json.dumps({"name": LOCAL}),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_contents_that_are_not_what_their_name_says_are_refused(repository, name):
    (line,) = refused(repository, **{name: CONTENTS[name]})
    assert line.startswith(f"{name}: ")


# --- charts and the page -----------------------------------------------------------------------------------------------


def framed(width: int) -> bytes:
    """A radiograph with a white margin."""
    buffer = io.BytesIO()
    Image.fromarray(np.pad(np.tile(np.arange(200, dtype=np.uint8), (200, 1)), width, constant_values=255)).save(buffer, "PNG")
    return buffer.getvalue()


def by_matplotlib(form: str) -> bytes:
    """A radiograph as Matplotlib writes it, over the whole figure."""
    fig = style.figure(85, 60)
    fig.figimage(np.tile(np.arange(1200, dtype=np.uint16) % 256, (900, 1)), cmap="gray")
    buffer = io.BytesIO()
    fig.savefig(buffer, format=form, dpi=300, metadata={"Software": None} if form == "png" else style.NO_DATES)
    plt.close(fig)
    return buffer.getvalue()


def with_text() -> bytes:
    about, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    about.add_text("Comment", SUBJECT)
    Image.new("RGB", (50, 50), "white").save(buffer, "PNG", pnginfo=about)
    return buffer.getvalue()


def plain(folder: Path, suffix: str) -> bytes:
    chart(folder)
    return (folder / f"sinks{suffix}").read_bytes()


CHARTS = {
    "a radiograph": lambda at: film("PNG"),
    "a JPEG": lambda at: film("JPEG"),
    "a radiograph in a frame": lambda at: framed(3),
    "a radiograph by Matplotlib": lambda at: by_matplotlib("png"),
    "text": lambda at: with_text(),
    "EXIF": lambda at: png_chunk(plain(at, ".png"), b"eXIf", b"MM\0*"),
    "international text": lambda at: png_chunk(plain(at, ".png"), b"iTXt", b"Comment\0\0\0\0\0" + SUBJECT.encode()),
    "compressed text": lambda at: png_chunk(plain(at, ".png"), b"zTXt", b"Comment\0\0x"),
    "a chunk of its own": lambda at: png_chunk(plain(at, ".png"), b"prVt", SUBJECT.encode()),
    "a time": lambda at: png_chunk(plain(at, ".png"), b"tIME", bytes(7)),
    "bytes behind": lambda at: plain(at, ".png") + film("JPEG"),
    "cut off": lambda at: plain(at, ".png")[:-30],
    "nothing": lambda at: b"",
}


@pytest.mark.parametrize("what", CHARTS)
def test_a_figure_that_is_no_chart_is_refused(tmp_path, what):
    lines = list(committed.shape_problems("reports/figures/sinks.png", CHARTS[what](tmp_path), "open"))
    assert len(lines) == 1 and lines[0].endswith("it may show a radiograph")


PDFS = {
    "of a radiograph": lambda pdf: film("PDF"),
    "with a JPEG inside": lambda pdf: pdf.replace(b"/Type /Page ", b"/Filter /DCTDecode /Type /Page "),
    "with an author": lambda pdf: pdf.replace(b"<< >>", b"<< /Author (12345003) >>") + b"/Author",
    "with a file": lambda pdf: pdf.replace(b"/Type /Catalog", b"/EmbeddedFile /Type /Catalog"),
    "with a script": lambda pdf: pdf.replace(b"/Type /Catalog", b"/JavaScript /Type /Catalog"),
    "with bytes behind": lambda pdf: pdf + film("JPEG"),
    "changed afterwards": lambda pdf: pdf + pdf[-200:],
    "cut off": lambda pdf: pdf[:-10],
    "an image": lambda pdf: film("PNG"),
}


@pytest.mark.parametrize("what", PDFS)
def test_a_pdf_that_is_no_chart_is_refused(tmp_path, what):
    pdf = plain(tmp_path, ".pdf")
    assert list(committed.shape_problems("reports/figures/sinks.pdf", pdf, "open")) == []
    (line,) = committed.shape_problems("reports/figures/sinks.pdf", PDFS[what](pdf), "open")
    assert line.endswith("it may show a radiograph")


PAGES = {
    "a JPEG": lambda page: page.replace("</main>", f'<img src="{URI}"></main>'),
    "a chart elsewhere": lambda page: page.replace("</main>", page[page.index("<img src") : page.index('" alt')] + '"></main>'),
    "a radiograph in a chart's place": lambda page: page.replace(
        page[page.index("base64,") + 7 : page.index('" alt')], base64.b64encode(film("PNG")).decode()
    ),
    "a chart of another name": lambda page: page.replace('<figure id="sinks">', '<figure id="film">'),
    "a drawing": lambda page: page.replace("</main>", "<svg><path d='M0 0'/></svg></main>"),
    "a canvas": lambda page: page.replace("</main>", "<canvas></canvas></main>"),
    "a frame": lambda page: page.replace("</main>", "<iframe srcdoc='x'></iframe></main>"),
    "a style": lambda page: page.replace("</main>", f"<p style=\"background:url('{URI}')\"></main>"),
    "an image of another address": lambda page: page.replace("</main>", "<img src='file:///film.jpg'></main>"),
}


@pytest.mark.parametrize("what", PAGES)
def test_a_page_that_shows_more_than_charts_is_refused(repository, what):
    page = (repository / "reports/index.html").read_text()
    assert list(committed.shape_problems("reports/index.html", page.encode(), "credentialed")) == []
    changed = PAGES[what](page)
    assert changed != page and list(committed.shape_problems("reports/index.html", changed.encode(), "credentialed"))


def test_reports_must_be_what_the_dvc_lock_beside_them_records(repository):
    for name in ("reports/index.html", "reports/tables/by_finding.csv"):
        path = repository / name
        kept = path.read_text()
        other = by_finding({"accuracy": "0.9"}) if name.endswith("csv") else kept.replace("How many.", "How few.")
        (line,) = refused(repository, **{name: other})
        assert line.startswith(
            f"{name}: is not what the dvc.lock of this commit records: run `dvc repro`, add dvc.lock and all of "
        )
        refused(repository, **{name: kept})
    git(repository, "rm", "--quiet", "--cached", "dvc.lock")
    assert refused(repository, **{"reports/metrics.json": headline(accuracy_all=0.7)})[0].startswith(
        "reports/metrics.json: is not"
    )


def test_reports_of_a_credentialed_study_must_be_what_the_run_makes_again(repository):
    write(repository / "reports/metrics.json", headline(accuracy_all=0.7))
    record(repository)
    git(repository, "add", "dvc.lock", "reports")
    (line,) = staged.restricted(repository)
    assert line.startswith("reports/metrics.json: is not what the run's own results make: run `dvc repro --force")
    write(repository / "made/reports/metrics.json", headline(accuracy_all=0.7))
    assert staged.restricted(repository) == []


# --- git ---------------------------------------------------------------------------------------------------------------


def test_links_and_submodules_are_refused(repository):
    (repository / "docs").mkdir()
    (repository / "docs/rows.md").symlink_to("../results/answers.csv")
    git(repository, "add", "docs/rows.md")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},docs/other")
    assert staged.restricted(repository) == [
        "docs/other: is a submodule, which cannot be looked into: leave it out",
        "docs/rows.md: is a link: commit the file itself",
    ]


def test_a_repository_inside_is_a_submodule(repository):
    inner = repository / "docs/inner"
    inner.mkdir(parents=True)
    git(inner, "init", "--quiet")
    git(inner, "-c", "user.name=n", "-c", "user.email=e@x.org", "commit", "--quiet", "--allow-empty", "-m", "x")
    git(repository, "add", "docs/inner")
    assert staged.restricted(repository)[0].startswith("docs/inner: is a submodule")


def test_the_staged_copy_counts_not_the_working_one(repository):
    assert refused(repository, **{"docs/x.md": f"see {LOCAL}\n"})
    write(repository / "docs/x.md", "nothing\n")
    assert staged.restricted(repository)
    git(repository, "add", "docs/x.md")
    write(repository / "docs/x.md", f"see {LOCAL}\n")
    assert staged.restricted(repository) == []


def test_a_renamed_and_an_executable_file_are_looked_at_too(repository):
    assert refused(repository, **{"docs/x.md": "nothing\n"}) == []
    git(repository, "-c", "user.name=n", "-c", "user.email=e@x.org", "commit", "--quiet", "-m", "x")
    git(repository, "mv", "docs/x.md", "docs/x.csv")
    assert staged.restricted(repository)[0].startswith("docs/x.csv: is of no type (.csv)")
    git(repository, "mv", "docs/x.csv", f"docs/p{SUBJECT}.md")
    assert staged.restricted(repository)[0].startswith(f"docs/p{SUBJECT}.md: its name holds ")
    git(repository, "reset", "--quiet", "--hard")
    write(repository / ".ci/more", f"#!/bin/sh\n# {LOCAL}\n")
    (repository / ".ci/more").chmod(0o755)
    git(repository, "add", ".ci/more")
    assert staged.restricted(repository)[0].startswith(".ci/more: line 2: holds ")


def test_a_removed_file_and_an_ordinary_commit_pass(repository):
    assert refused(
        repository,
        **{
            "docs/notes.md": "nothing special, 60 images\n", "medattn/more.py": "LIMIT = 1 << 24\n",
            "paper/main.tex": "\\section{x}\n",
            "look.ipynb": notebook(), "reference/x.csv": "finding,n\neffusion,7\n", ".github/workflows/x.yml": "on: push\n",
            "tests/test_more.py": "PATIENT = 'p10001234'  # invented\n", "Makefile": "all:\n",
        },
    ) == []  # fmt: skip
    git(repository, "-c", "user.name=n", "-c", "user.email=e@x.org", "commit", "--quiet", "-m", "x")
    git(repository, "rm", "--quiet", "docs/notes.md")
    assert staged.restricted(repository) == []


MESSAGES = (
    f"see {LOCAL}",
    f"see p{SUBJECT}",
    f"subject\n\n{IMAGE}",
    "see 10001234",
    LOCAL[::-1],
    f"about 1234-5003\n\n# {LOCAL}",
    QUESTION,
)


@pytest.mark.parametrize("text", MESSAGES)
def test_a_message_that_names_a_patient_is_refused_by_gits_own_hook(repository, text):
    shutil.copytree(ROOT / ".githooks", repository / ".githooks")
    git(repository, "config", "core.hooksPath", ".githooks")
    write(repository / "docs/x.md", "x\n")
    git(repository, "add", "docs/x.md", ".githooks")
    command = ["git", "-c", "user.name=n", "-c", "user.email=e@x.org", "commit", "--quiet", "-m", text]
    done = subprocess.run(command, cwd=repository, env=hooked(), capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.startswith("commit message: line ")
    assert done.stderr.endswith("The commit was refused (docs/data-use.md). `git commit` again with another message.\n")


def hooked() -> dict[str, str]:
    return environment(Path("/tmp"))


def test_the_diff_below_a_message_is_not_part_of_it():
    text = staged._DIFF.sub("", f"ordinary\n# ------------------------ >8 ------------------------\n{LOCAL}\n")
    assert text == "ordinary\n"
    assert list(staged.message_problems(text, RestrictedContent())) == []


def test_a_merge_is_looked_at_too(repository):
    shutil.copytree(ROOT / ".githooks", repository / ".githooks")
    who = ("-c", "user.name=n", "-c", "user.email=e@x.org")
    main = git(repository, "branch", "--show-current").strip()
    git(repository, "checkout", "--quiet", "-b", "other")
    write(repository / "docs/x.md", f"see {LOCAL}\n")
    git(repository, "add", "docs/x.md")
    git(repository, *who, "commit", "--quiet", "--no-verify", "-m", "x")
    git(repository, "checkout", "--quiet", main)
    git(repository, "config", "core.hooksPath", ".githooks")
    command = ["git", *who, "merge", "--no-ff", "--quiet", "-m", "x", "other"]
    done = subprocess.run(command, cwd=repository, env=hooked(), capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "docs/x.md: line 1: holds " in done.stderr


def test_nothing_that_the_project_tracks_is_refused():
    listed = [line.split("\t") for line in git(ROOT, "ls-files", "--stage", "-z").split("\0")[:-1]]
    files = [staged.Tracked(path, *about.split()[:2]) for about, path in listed]
    problems = {file.path: what for file in files if (what := staged.by_place(file))}
    for file in files:
        if (ROOT / file.path).is_file() and not file.path.startswith("dvc-store/"):
            content = (ROOT / file.path).read_bytes()
            problems |= dict.fromkeys(staged.by_content(file.path, content, RestrictedContent(), "open"), file.path)
    assert problems == {}
