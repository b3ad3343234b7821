"""The store inside the repository holds the embedded study and nothing else; git refuses a commit of restricted files."""

import json
import os
import shutil
import subprocess
import sys
from hashlib import md5
from pathlib import Path

import pytest
import yaml

from medattn.base.errors import InputError
from medattn.reproduce.store import differences, object_path, staged_differences
from tests.import_closure import ROOT

FILES = {"study.yaml": "name: tiny\n", "images/one.png": "not really", "images/two.png": "not really either"}
IMAGE = "0a1b2c3d-4e5f6071-8293a4b5-c6d7e8f9-00000001"  # invented, of the right form


def environment(tmp: Path) -> dict[str, str]:
    """Without variables of a git that calls these tests from a hook; with this Python first, and this code."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    who = {f"GIT_{role}_{what}": "nobody@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    more = {
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "DVC_SITE_CACHE_DIR": str(tmp / "site"),
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    return clean | who | more


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    """A repository whose data DVC itself has put into the store, with the hook switched on."""
    tmp = tmp_path_factory.mktemp("store")
    root = tmp / "repository"
    for name, content in FILES.items():
        (root / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "data" / name).write_text(content)
    (root / ".gitignore").write_text("/results/\n/studies/\n/data\n")
    (root / "dvc-store").mkdir()
    shutil.copytree(ROOT / ".githooks", root / ".githooks")
    dvc = [sys.executable, "-m", "dvc"]
    for command in (
        ["git", "init", "--quiet"], [*dvc, "init", "--quiet"],
        [*dvc, "remote", "add", "--quiet", "--default", "embedded", "dvc-store"],
        [*dvc, "add", "--quiet", "data"], [*dvc, "push", "--quiet", "data.dvc"], ["git", "add", "."],
        ["git", "commit", "--quiet", "-m", "data"], ["git", "config", "core.hooksPath", ".githooks"],
    ):  # fmt: skip
        subprocess.run(command, cwd=root, env=environment(tmp), check=True, capture_output=True)
    return root


@pytest.fixture
def repository(template, tmp_path, monkeypatch) -> Path:
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    return Path(shutil.copytree(template, tmp_path / "repository"))


def git(root: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)


def commit(root: Path, *paths: str) -> subprocess.CompletedProcess:
    """Stage these files, ignored ones too, and commit through the real hook."""
    assert git(root, "add", "--force", "--", *paths).returncode == 0
    return git(root, "commit", "--quiet", "-m", "more")


def put(root: Path, name: str, content: str | bytes) -> str:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def stored(root: Path, content: bytes) -> str:
    return put(root, object_path(md5(content).hexdigest()), content)


# --- the store --------------------------------------------------------------------------------------------------------


def test_what_dvc_pushed_is_exactly_what_is_expected_in_tree_and_index(repository):
    assert len([path for path in (repository / "dvc-store").rglob("*") if path.is_file()]) == len(FILES) + 1
    assert differences(repository) == staged_differences(repository) == []


def test_the_projects_own_store_is_exactly_that_of_its_data():
    assert differences(ROOT) == []


def test_an_extra_object_is_named(repository):
    name = stored(repository, b"captures of patients")
    said = [f"{name}: extra, it is nothing of data.dvc: remove it (`git rm --cached {name}` if it is tracked)"]
    assert differences(repository) == said and staged_differences(repository) == []
    git(repository, "add", name)
    assert staged_differences(repository) == said


@pytest.mark.parametrize("name", ["dvc-store/grids.npy", "dvc-store/files/md5/x", "dvc-store/runs/ab/cd", "dvc-store/.hidden"])
def test_a_file_anywhere_in_the_store_is_extra(repository, name):
    put(repository, name, b"x")
    assert [line.split(": ")[:2] for line in differences(repository)] == [[name, "extra, it is nothing of data.dvc"]]


def test_a_missing_object_is_named_with_what_it_is(repository):
    name = object_path(md5(FILES["images/one.png"].encode()).hexdigest())
    (repository / name).unlink()
    assert differences(repository) == [
        f"{name}: missing, it is data/images/one.png: restore it (`dvc push data.dvc`, or `git checkout dvc-store`)"
    ]


def test_wrong_bytes_and_links_are_named(repository):
    one, two = (object_path(md5(FILES[f"images/{name}.png"].encode()).hexdigest()) for name in ("one", "two"))
    (repository / one).chmod(0o644)
    (repository / one).write_text("a radiograph")
    (repository / two).unlink()
    (repository / two).symlink_to(repository / "data/images/two.png")
    found = dict(line.split(": wrong bytes ") for line in differences(repository))
    assert found.keys() == {one, two}
    assert found[one].startswith(f"(MD5 {md5(b'a radiograph').hexdigest()}), it should be data/images/one.png")
    assert found[two].startswith("(MD5 none, it is a link), it should be data/images/two.png")
    git(repository, "add", "dvc-store")
    assert {line.split(": ")[0] for line in staged_differences(repository)} == {one, two}


def test_a_damaged_list_of_files_is_said_instead_of_naming_all_files_extra(repository):
    (out,) = yaml.safe_load((repository / "data.dvc").read_text())["outs"]
    listing = repository / object_path(out["md5"])
    assert {entry["relpath"] for entry in json.loads(listing.read_text())} == set(FILES)
    listing.unlink()
    (line,) = differences(repository)
    assert line.startswith(f"{object_path(out['md5'])}: the list of data's files is absent or damaged")


def test_the_index_counts_not_the_working_tree(repository):
    name = stored(repository, b"captures of patients")
    git(repository, "add", name)
    (repository / name).unlink()
    assert differences(repository) == [] and len(staged_differences(repository)) == 1


def test_a_store_without_data_dvc_is_an_error(repository):
    (repository / "data.dvc").unlink()
    with pytest.raises(InputError, match="run this from the repository's root"):
        differences(repository)
    git(repository, "rm", "--cached", "--quiet", "data.dvc")
    assert staged_differences(repository) == ["data.dvc: not tracked, but dvc-store/ is: `git add data.dvc`"]


def test_the_command_exits_with_1_if_the_store_differs(repository):
    def check() -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "medattn", "store", "check"], cwd=repository, capture_output=True, text=True
        )

    assert (check().returncode, check().stdout) == (0, "dvc-store: exactly the objects of data.dvc, each with its bytes\n")
    name = stored(repository, b"more")
    assert check().returncode == 1 and name in check().stdout


# --- the hook, called by git itself -----------------------------------------------------------------------------------


def test_a_clean_commit_passes_the_hook(repository):
    done = commit(
        repository,
        put(repository, "notes.md", "nothing special"),
        put(repository, "reference/x.csv", "finding,n\neffusion,7\n"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert git(repository, "status", "--porcelain").stdout == ""


def test_the_first_commit_of_a_repository_is_checked_too(repository):
    shutil.rmtree(repository / ".git")
    git(repository, "init", "--quiet")
    git(repository, "config", "core.hooksPath", ".githooks")
    git(repository, "add", ".")
    assert git(repository, "commit", "--quiet", "-m", "all").returncode == 0
    shutil.rmtree(repository / ".git")
    git(repository, "init", "--quiet")
    git(repository, "config", "core.hooksPath", ".githooks")
    git(repository, "add", ".")
    done = commit(repository, put(repository, "results/manifest.csv", "sample_id\n"))
    assert done.returncode == 1 and "results/manifest.csv: lies in results/" in done.stderr


def test_the_hook_refuses_an_extra_object_in_the_store(repository):
    name = stored(repository, b"captures of patients")
    done = commit(repository, name)
    assert done.returncode == 1 and f"{name}: extra, it is nothing of data.dvc" in done.stderr
    assert done.stderr.endswith(
        "The commit was refused (docs/data-use.md). `git restore --staged FILE` takes a file out of it.\n"
    )
    git(repository, "restore", "--staged", name)
    assert commit(repository, put(repository, "notes.md", "x")).returncode == 0


def test_the_hook_sees_what_commit_a_and_a_named_file_would_commit(repository):
    assert commit(repository, put(repository, "cohort.md", "finding\n")).returncode == 0
    put(repository, "cohort.md", f"finding\n{IMAGE}\n")
    for arguments in (["-a"], ["cohort.md"]):
        done = git(repository, "commit", "--quiet", "-m", "more", *arguments)
        assert done.returncode == 1 and "cohort.md: line 2: holds" in done.stderr


def test_what_was_committed_past_the_hook_is_refused_at_the_next_commit(repository):
    git(repository, "add", "--force", put(repository, "results/answers.csv", "x"))
    assert git(repository, "commit", "--quiet", "--no-verify", "-m", "past").returncode == 0
    done = commit(repository, put(repository, "notes.md", "x"))
    assert done.returncode == 1 and done.stderr.startswith("results/answers.csv: lies in results/")
    git(repository, "rm", "--cached", "--quiet", "results/answers.csv")
    assert git(repository, "commit", "--quiet", "-m", "out").returncode == 0


def test_without_its_packages_the_hook_refuses_rather_than_passes(repository, tmp_path):
    fake = tmp_path / "bin/python3"
    put(tmp_path, "bin/python3", "#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    path = f"{fake.parent}{os.pathsep}{os.environ['PATH']}"
    put(repository, "notes.md", "x")
    git(repository, "add", "notes.md")
    done = subprocess.run(
        ["git", "commit", "-m", "x"], cwd=repository, env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 1 and "lacks medattn's packages, so the commit cannot be checked" in done.stderr


def test_both_ways_to_switch_the_hook_on_call_the_same_script():
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hook = next(hook for hook in repo["hooks"] if hook["id"] == "nothing-restricted")
    assert (repo["repo"], hook["entry"]) == ("local", ".githooks/pre-commit")
    assert {hook["language"] for hook in repo["hooks"]} == {"system"}  # nothing is fetched
    assert hook["always_run"] and not hook["pass_filenames"] and os.access(ROOT / hook["entry"], os.X_OK)
