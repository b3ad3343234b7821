"""The guides for people name what is there."""

import re
import tomllib

import pytest

from tests.import_closure import ROOT

GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:medattn|tests|docs|container|requirements)/[^`<> ]*|[\w.-]+\.(?:ya?ml|toml|md))`", GUIDE)))


def test_every_page_of_the_documentation_is_in_its_index():
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    missing = [page.name for page in (ROOT / "docs").glob("*.md") if page.name != "README.md" and f"({page.name})" not in index]
    assert not missing


@pytest.mark.parametrize("name", NAMED)
def test_every_file_that_the_contributors_guide_names_is_there(name):
    assert (ROOT / name).exists() or (ROOT / ".github/workflows" / name).exists()


def test_the_table_of_rooms_is_the_contract_of_layers_from_the_top_down():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"][0]
    table = GUIDE.split("| room | what is in it |\n|---|---|\n")[1].split("\n\n")[0]
    rooms = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table.splitlines()]
    assert rooms == [re.findall(r"\w+", layer) for layer in contract["layers"]]
