"""The lock files and the image say the same, and hold no address; no network is asked (make lock-check does)."""

import re
import tomllib
from itertools import chain

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from medattn.reproduce.locks import LOCKS as RUN_LOCKS
from tests.import_closure import ROOT

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def entries(name: str) -> dict[str, tuple[str, int]]:
    """Package -> its version and number of hashes."""
    found = {}
    for block in re.split(r"\n(?=\S)", (ROOT / "requirements" / name).read_text().strip()):
        requirement = Requirement(block.split("\\")[0].split("--hash")[0])
        found[requirement.name] = (str(requirement.specifier).removeprefix("=="), block.count("--hash=sha256:"))
    return found


def test_there_is_a_lock_for_building_for_both_builds_of_torch_for_tests_and_for_the_rest():
    assert [path.name for path in LOCKS] == ["build.txt", "dev.txt", "locked.txt", "torch-cpu.txt", "torch-cuda.txt"]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_package_is_pinned_with_a_hash_and_no_address_is_named(path):
    assert all(version and hashes for version, hashes in entries(path.name).values())
    assert "://" not in path.read_text() and "index-url" not in path.read_text()


def test_every_dependency_is_locked_at_a_version_that_the_project_allows():
    run, extras = entries("locked.txt") | entries("torch-cuda.txt"), PROJECT["optional-dependencies"]
    for locked, wanted in (
        (run, [*PROJECT["dependencies"], *extras["dicom"]]),
        (run | entries("dev.txt"), chain.from_iterable(extras.values())),
    ):
        for requirement in map(Requirement, wanted):
            if requirement.name != "medattn":
                version = locked[requirement.name.lower().replace("_", "-")][0]
                assert requirement.specifier.contains(Version(version)), requirement


def test_what_only_tests_and_lint_need_is_in_no_lock_that_a_stage_depends_on():
    of_a_run = {name for lock in RUN_LOCKS for name in entries(lock.name)}
    assert not of_a_run & entries("dev.txt").keys() and not of_a_run & {"pytest", "ruff", "mypy", "vulture", "playwright"}
    for stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values():
        assert {dep for dep in stage["deps"] if dep.startswith("requirements/")} <= {lock.as_posix() for lock in RUN_LOCKS}


def test_both_builds_of_torch_are_of_one_version_and_only_cuda_brings_nvidias_packages():
    cuda, cpu, rest = entries("torch-cuda.txt"), entries("torch-cpu.txt"), entries("locked.txt")
    assert cpu.keys() == {"torch"} and cpu["torch"][0] == cuda["torch"][0]
    assert len([name for name in cuda if name.startswith("nvidia-")]) >= 12
    assert not (cuda.keys() & rest.keys()) and not any(name.startswith(("nvidia-", "cuda-", "triton")) for name in rest)


def test_make_installs_the_version_of_torch_that_is_locked():
    assert f"torch=={entries('torch-cuda.txt')['torch'][0]} " in (ROOT / "Makefile").read_text()


DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_the_image_adds_only_git_and_make_to_a_base_that_is_pinned_by_digest():
    assert re.search(r"^ARG BASE_IMAGE=\S+@sha256:[0-9a-f]{64}$", DOCKERFILE, re.M)
    assert re.findall(r"apt-get install (.*?) \\?\n", DOCKERFILE) == ["-qq -y --no-install-recommends git make"]
    assert DOCKERFILE.count(re.search(r"sha256:[0-9a-f]{64}", DOCKERFILE)[0]) == 2  # and in the label


def test_every_package_of_the_image_comes_from_a_lock_and_nothing_is_resolved_while_it_is_built():
    script = DOCKERFILE.replace("\\\n", " ")
    options = re.search(r'install="/opt/venv/bin/pip install ([^"]+)"', script)[1].split()
    assert {"--require-hashes", "--no-deps", "--no-build-isolation"} <= set(options)
    assert re.findall(r"\$install .*?-r (\S+)", script) == [
        "/opt/medattn/requirements/build.txt",
        '"/opt/medattn/requirements/torch-$TORCH.txt"',
        "/opt/medattn/requirements/locked.txt",
        "/opt/medattn/requirements/dev.txt",
    ]
    others = re.findall(r"pip install ([^\n\"]+?--editable \S+)", script)
    assert script.count("pip install") == 2 and len(others) == 1
    assert {"--no-deps", "--no-build-isolation"} <= set(others[0].split())
    assert "://" not in script.replace("file:///context", "")


def test_the_image_and_the_citation_name_the_version_of_the_project():
    assert f'org.opencontainers.image.version="{PROJECT["version"]}"' in DOCKERFILE
    assert f"\nversion: {PROJECT['version']}\n" in (ROOT / "CITATION.cff").read_text()
