"""ro-crate-metadata.json: valid for the public validator, the same everywhere, and without a word about a patient."""

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from medattn.base.errors import InputError
from medattn.base.params.whole import load as load_params
from medattn.release.members import plain
from medattn.release.pack import problems_of
from medattn.release.scan import SAMPLE_IDS, restricted_of
from medattn.reproduce.crate.citation import read_citation
from medattn.reproduce.crate.stage import CRATE, declared_stages, run
from medattn.study.schema import read_study
from tests.import_closure import ROOT
from tests.reproduce.crate.conftest import INSIDE, SECRET, make_credentialed, set_params, set_patients, tracked_only
from tests.reproduce.crate.validator import issues

pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")  # the validator's reader


def entities(root: Path) -> dict[str, dict]:
    run(root)
    return {entity["@id"]: entity for entity in json.loads((root / CRATE).read_text())["@graph"]}


def many(value: object) -> list:
    return value if isinstance(value, list) else [value]


def ids(value: object) -> list[str]:
    return [reference["@id"] for reference in many(value)]


# --- the public validator ---------------------------------------------------------------------------------------------

RECOMMENDED = [
    "ro-crate-1.1_22.3: The `publisher` property of a `Root Data Entity` SHOULD be an `Organization`",
    "ro-crate-1.1_31.2: The organization SHOULD have a URL.",
]


@pytest.mark.parametrize("licence", ["open", "credentialed"])
def test_what_is_distributed_is_a_valid_crate_that_follows_all_advice_but_a_homepage_and_a_publisher(root, tmp_path, licence):
    if licence == "credentialed":
        make_credentialed(root)
    run(root)
    assert issues(tracked_only(root, tmp_path / "distributed"), tmp_path / "answers", "RECOMMENDED") == RECOMMENDED


def no_licence(graph: dict[str, dict]) -> None:
    del graph["./"]["license"]


def a_clock(graph: dict[str, dict]) -> None:
    graph["./"]["datePublished"] = "yesterday"


def a_file_that_is_no_part(graph: dict[str, dict]) -> None:
    graph["./"]["hasPart"] = [part for part in graph["./"]["hasPart"] if part["@id"] != "params.yaml"]


def a_term_that_nobody_knows(graph: dict[str, dict]) -> None:
    graph["./"]["favouriteColour"] = "grey"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (no_licence, "MUST have a `license`"),
        (a_clock, "valid ISO 8601 date"),
        (a_file_that_is_no_part, "RootDataEntity"),
        (a_term_that_nobody_knows, "favouriteColour"),
    ],
)
def test_a_spoilt_crate_is_refused(root, tmp_path, fault: Callable[[dict], None], said):
    run(root)
    content = json.loads((root / CRATE).read_text())
    fault({entity["@id"]: entity for entity in content["@graph"]})
    (root / CRATE).write_text(json.dumps(content))
    found = issues(tracked_only(root, tmp_path / "distributed"), tmp_path / "answers")
    assert any(said in issue for issue in found), found


def test_a_file_that_is_missing_is_found(root, tmp_path):
    run(root)
    (root / "reports/figures/sinks.pdf").unlink()
    found = issues(tracked_only(root, tmp_path / "distributed"), tmp_path / "answers")
    assert any("reports/figures/sinks.pdf" in issue for issue in found), found


# --- what it says -----------------------------------------------------------------------------------------------------


def test_every_output_of_every_stage_is_described_with_its_hash_and_by_whom_it_was_made(root):
    graph = entities(root)
    stages = declared_stages(root, load_params(root / "params.yaml"))
    assert [stage.name for stage in stages][-1] == "describe"
    for stage in stages[:-1]:
        results = ids(graph[f"#run-{stage.name}"]["result"])
        assert len(results) == len(stage.outs)
        for path, identifier in zip(stage.outs, results, strict=True):
            assert identifier.strip("#/") == path and identifier in graph
            assert {"sha256", "identifier"} & graph[identifier].keys() or graph[identifier]["hasPart"]
    assert "#model" in ids(graph["#run-extract"]["object"]) and "#study" in ids(graph["#run-prepare"]["object"])
    assert ids(graph["dvc.yaml"]["step"]) == [f"#{stage.name}" for stage in stages]


def test_hashes_are_those_of_the_bytes(root):
    graph = entities(root)
    for identifier, entity in graph.items():
        if "sha256" in entity:
            path = root / identifier.removeprefix("#")
            assert entity["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest(), identifier
    inside = root / "results/grids" / INSIDE["results/grids"]
    line = f"{inside.name} {hashlib.sha256(inside.read_bytes()).hexdigest()}\n"
    assert graph["#results/grids"]["identifier"] == f"sha256:{hashlib.sha256(line.encode()).hexdigest()}"
    assert graph["#study"]["identifier"] == f"sha256:{read_study(root / 'data').digest()}"


def test_a_run_without_pictures_is_described_and_one_without_their_directory_is_not(root):
    (root / "results/overlays" / INSIDE["results/overlays"]).unlink()
    assert entities(root)["#results/overlays"]["identifier"] == f"sha256:{hashlib.sha256(b'').hexdigest()}"
    (root / "results/overlays").rmdir()
    with pytest.raises(InputError, match=r"^results/overlays not found: run `dvc repro`$"):
        run(root)


def test_everything_that_is_distributed_and_nothing_else_is_a_part(root):
    files = {path.relative_to(root).as_posix() for path in (root / "reports").rglob("*") if path.is_file()}
    graph = entities(root)
    parts = set(ids(graph["./"]["hasPart"]))
    assert {part for part in parts if not part.endswith("/")} == files | set(plain(root)) - {CRATE.as_posix()}
    assert {part for part in parts if part.endswith("/")} == {"reports/tables/", "reports/figures/", "reports/latex/"}


def test_software_is_what_the_locks_pin(root):
    graph = entities(root)
    locked = (root / "requirements/locked.txt").read_text()
    for name in ("transformers", "numpy", "dvc"):
        version = graph[f"#{name}"]["softwareVersion"]
        assert f"\n{name}=={version} " in locked
    assert graph["#medattn"]["softwareVersion"] == read_citation(ROOT).version
    (root / "requirements/locked.txt").write_text(locked.replace("\nnumpy==", "\nnumpi=="))
    with pytest.raises(InputError, match="numpy is in none of them"):
        run(root)


def test_the_model_is_named_by_its_name_and_revision_or_as_the_studys_own(root):
    assert entities(root)["#model"]["name"] == "the model of study phantom"
    set_params(
        root,
        model={**dict.fromkeys(("dtype", "device")), "id": "google/medgemma-4b-it", "revision": "r1", "redraw_language": 7},
    )
    model = entities(root)["#model"]
    assert (model["name"], model["version"]) == ("google/medgemma-4b-it", "r1")
    assert "identifier" not in model and "not pinned" in model["description"] and "seed 7" in model["description"]


def test_title_authors_licence_and_date_are_the_citations(root):
    path = root / "CITATION.cff"
    raw = yaml.safe_load(path.read_text())
    raw["authors"] = [
        {"given-names": "A", "family-names": "B", "orcid": "https://orcid.org/0000-0000-0000-0001"},
        {"name": "C d"},
    ]
    path.write_text(yaml.safe_dump(raw))
    graph = entities(root)
    about = graph["./"]
    assert (about["name"], about["datePublished"]) == (raw["title"], str(raw["date-released"]))
    assert ids(about["author"]) == ["https://orcid.org/0000-0000-0000-0001", "#c-d"]
    assert graph["#c-d"]["@type"] == "Organization" and graph["https://orcid.org/0000-0000-0000-0001"]["name"] == "A B"
    assert ids(about["license"]) == ["https://spdx.org/licenses/Apache-2.0"]


@pytest.mark.parametrize(
    ("drawn", "limit", "said"),
    [
        (True, None, "drawn, not patients"),
        (False, 1, "first 1 questions"),
        (True, 1, "drawn, not patients; first 1 questions"),
        (False, None, ""),
    ],
)
def test_a_drawn_or_limited_study_is_described_as_one_and_so_is_every_report(root, drawn, limit, said):
    about = root / "data/study.yaml"
    about.write_text(about.read_text() + "drawn: true\n" * drawn)
    set_params(root, limit=limit)
    graph = entities(root)
    title = read_study(root / "data").about.title
    assert graph["./"]["name"].endswith(f" ({said})") == bool(said)
    assert graph["./"]["description"].endswith(f"{title} ({said})." if said else f"{title}.")
    reports = [entity for name, entity in graph.items() if name.startswith("reports/")]
    assert len(reports) > 6 and {entity.get("description", "") for entity in reports} == {said}


@pytest.mark.parametrize("key", ["title", "date-released", "authors", "license"])
def test_a_citation_that_lacks_something_is_named(root, key):
    path = root / "CITATION.cff"
    raw = yaml.safe_load(path.read_text())
    del raw[key]
    path.write_text(yaml.safe_dump(raw))
    with pytest.raises(InputError, match=rf"CITATION.cff: {key}: Field required"):
        run(root)


@pytest.mark.parametrize("path", ["reports/figures", "results/captures", "results/answers.csv", "results/manifest.csv"])
def test_an_output_that_is_not_there_is_an_error(root, path):
    shutil.rmtree(root / path) if (root / path).is_dir() else (root / path).unlink()
    with pytest.raises(InputError, match=f"{path}.*run `dvc repro`"):
        run(root)


# --- what it does not say ---------------------------------------------------------------------------------------------


def test_two_machines_write_the_same_bytes(root, tmp_path):
    run(root)
    other = Path(shutil.copytree(root, tmp_path / "elsewhere"))
    (other / CRATE).unlink()
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
    environment = os.environ | {
        "TZ": "Asia/Tokyo",
        "PYTHONHASHSEED": "7",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "LC_ALL": "C",
    }
    program = "from pathlib import Path; from medattn.reproduce.crate.stage import run; run(Path('.'))"
    subprocess.run([sys.executable, "-c", program], cwd=other, env=environment, check=True)
    assert (other / CRATE).read_bytes() == (root / CRATE).read_bytes()


def test_it_names_no_time_host_user_or_path_and_no_file_inside_results(root):
    run(root)
    text = (root / CRATE).read_text()
    assert str(root) not in text and SECRET not in text and os.uname().nodename not in re.findall(r"[\w.-]+", text)
    assert not re.search(r"(?<!\d)\d\d:\d\d", text) and not re.search(r'"/', text)
    for name in (INSIDE["results/captures"], INSIDE["results/groups"]):
        assert name not in text


@pytest.mark.parametrize(
    ("licence", "patients", "hashed", "of_few"),
    [("open", 2, True, True), ("credentialed", 5, True, False), ("credentialed", 4, False, False)],
)
def test_no_hash_stands_for_fewer_than_five_patients_of_a_credentialed_study(root, licence, patients, hashed, of_few):
    if licence == "credentialed":
        make_credentialed(root)
    set_patients(root, patients)
    graph = entities(root)
    for path in ("#study", "#results/manifest.csv", "#results/captures", "#results/gallery.html"):
        assert bool({"sha256", "identifier"} & graph[path].keys()) == hashed, path
    for path in ("#results/overlays", "#results/visualizations", "#results/failures.csv"):
        assert bool({"sha256", "identifier"} & graph[path].keys()) == of_few, path
    assert graph["#study"]["license"] == graph["#results/grids"]["license"] == {"@id": f"#{licence}"}


def test_the_crate_of_a_credentialed_study_passes_the_releases_nets(root):
    make_credentialed(root)
    set_params(root, study=str(root / "data"))  # an absolute path is refused in params.yaml, and not repeated here
    run(root)
    columns = (*SAMPLE_IDS, "question", "baseline_question", "answer", "finding", "zone")
    with (root / "results/manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows({"subject_id": row["subject_id"]} for row in read_study(root / "data").images())
    (root / "results/answers.csv").write_text("sample_id,answer_text\n")
    restricted = restricted_of(read_study(root / "data"), root)
    assert restricted.identifiers
    assert not list(problems_of(CRATE.as_posix(), (root / CRATE).read_bytes(), "credentialed", restricted, root))
