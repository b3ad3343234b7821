"""The lines that run the image, as the pages give them, and what the image does before a command: real processes, no engine."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from container.documented import PAGES, lines, parse
from tests.clones import run
from tests.import_closure import ROOT

ENTRYPOINT = ROOT / "container/entrypoint"
STAND_IN = '#!/bin/sh\nfor one; do printf "%s\\0" "$one"; done >> "$DOCKER_LOG"\nprintf "\\n" >> "$DOCKER_LOG"\n'
SAID = "medattn: the embedded study is not in {}/data yet: fetching it from dvc-store/ (no network)\n"


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"} | more


@pytest.fixture
def clone(tmp_path) -> Path:
    run(ROOT, "git", "clone", "--quiet", str(ROOT), str(tmp_path / "clone"))
    return tmp_path / "clone"


def asked(line: str, place: Path) -> list[str]:
    """The arguments that a shell in `place` hands to docker for this line."""
    (place / "bin").mkdir(exist_ok=True)
    (place / "bin/docker").write_text(STAND_IN)
    (place / "bin/docker").chmod(0o755)
    log = place / "log"
    log.unlink(missing_ok=True)
    known = {
        "MIMIC": "/data/mimic",
        "HF": "/data/models",
        "DOCKER_LOG": str(log),
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
    }
    subprocess.run(["bash", "-c", line], cwd=place, env=environment() | known, check=True)
    (call,) = log.read_text().split("\0\n")[:-1]
    return call.split("\0")


def test_every_line_of_the_pages_is_a_docker_run_that_is_understood(tmp_path):
    found = [line for page in PAGES for line in lines((ROOT / page).read_text(encoding="utf-8"))]
    assert len(found) >= 13
    made = [parse(asked(line, tmp_path)[1:]) for line in found]
    mounted = [one for one in made if "/workspace" in one.mounts]
    assert len(mounted) >= 8 and all(one.mounts["/workspace"] == tmp_path for one in mounted)
    assert all(one.user == f"{os.getuid()}:{os.getgid()}" for one in mounted)  # whoever owns the clone can write
    assert {one.command for one in mounted} >= {("dvc", "repro"), ("make", "doctor"), ("make", "test")}
    assert () in {one.command for one in made}  # the image's own: make repro


def test_a_line_is_read_word_for_word_and_a_pattern_to_fill_in_is_left_out():
    page = (
        "```\ndocker run --rm medattn make test   # a <comment> …\ndocker run -e A=… medattn\ndocker build -t medattn .\n```\n"
        "docker run in the text\n```mermaid\ndocker run --rm picture\n```\n"
        '```\nmedattn() { docker run medattn "$@"; }\n\nmedattn dvc repro\n```\n'
    )
    assert lines(page) == [
        "docker run --rm medattn make test   # a <comment> …",
        'medattn() { docker run medattn "$@"; }\nmedattn dvc repro',
    ]
    with pytest.raises(ValueError, match="before the function"):
        lines("```\nmedattn dvc repro\n```\n")


@pytest.mark.parametrize("arguments", [["--privileged", "medattn"], ["-v", "relative:/workspace", "medattn"]])
def test_an_option_that_no_page_uses_or_a_volume_that_is_no_directory_ends_it(arguments):
    with pytest.raises(SystemExit):
        parse(arguments)


def test_the_image_fetches_the_embedded_study_into_a_fresh_clone_once_and_says_so(clone):
    command = ["sh", ENTRYPOINT, "python", "-m", "medattn", "study", "digest", "data"]
    first = subprocess.run(command, cwd=clone, env=environment(), capture_output=True, text=True)
    assert first.returncode == 0 and first.stderr == SAID.format(clone)
    again = subprocess.run(command, cwd=clone, env=environment(), capture_output=True, text=True)
    assert (again.returncode, again.stdout, again.stderr) == (0, first.stdout, "")
    (clone / "data/study.yaml").write_text("name: mine\n")  # one's own changes are left alone
    subprocess.run(["sh", ENTRYPOINT, "true"], cwd=clone, env=environment(), check=True)
    assert (clone / "data/study.yaml").read_text() == "name: mine\n"


def test_a_directory_that_is_no_repository_is_left_as_it_is(tmp_path):
    done = subprocess.run(["sh", ENTRYPOINT, "echo", "x"], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "x\n", "") and not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_readmes_line_for_a_clone_works_word_for_word_on_a_fresh_one(clone):
    (line,) = (one for one in lines((ROOT / "README.md").read_text(encoding="utf-8")) if "/workspace" in one)
    wanted = parse(asked(line, clone)[1:])
    shutil.rmtree(clone / "bin")
    (clone / "log").unlink()
    done = subprocess.run(
        ["sh", ENTRYPOINT, *wanted.command], cwd=wanted.mounts["/workspace"], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0 and SAID.format(clone) in done.stderr, done.stderr
    assert (clone / "reports/index.html").exists() and (clone / "results/evaluation_results.csv").exists()
