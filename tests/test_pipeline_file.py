"""dvc.yaml says the truth: each stage lists exactly the code, parameters and files it reads."""

import importlib.util
import json
from pathlib import Path

import pytest
import yaml

from medattn.base.params.aggregate import AggregateParams
from medattn.base.params.extract import ExtractParams
from medattn.base.params.figures import FiguresParams
from medattn.base.params.metrics import MetricsParams
from medattn.cli import COMMANDS
from medattn.extract.unit_cache import code_and_libraries
from medattn.reproduce.locks import LOCKS
from requirements import modules
from tests.import_closure import ROOT, imported

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = PIPELINE["stages"]
PARAMETERS = yaml.safe_load((ROOT / "params.yaml").read_text())
TEMPLATES = "medattn/report/templates"  # read by the stage that imports medattn.report
NOT_RESULTS = {"run"}  # sections that cannot change a result
STUDY = ("prepare", "extract", "aggregate", "metrics", "figures")  # the stages that study something
CRATE = "ro-crate-metadata.json"


def outputs(stage: dict) -> list[str]:
    entries = [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def test_the_flow_is_prepare_extract_aggregate_metrics_figures_and_a_description_of_them():
    assert list(STAGES) == [*STUDY, "describe"]
    for name, stage in STAGES.items():
        assert stage["cmd"] == f"python -m medattn {name}" and stage["desc"].endswith(".")


def test_the_committed_description_is_of_this_pipeline():
    """DVC takes no dvc.yaml for a dependency, so it would not notice."""
    graph = {entity["@id"]: entity for entity in json.loads((ROOT / CRATE).read_text())["@graph"]}
    steps = [graph[step["@id"]] for step in graph["dvc.yaml"]["step"]]
    assert [(step["name"], step["description"]) for step in steps] == [(name, stage["desc"]) for name, stage in STAGES.items()]
    for name in STUDY:
        results = graph[f"#run-{name}"]["result"]
        made = [one["@id"].strip("#/") for one in (results if isinstance(results, list) else [results])]
        assert made == outputs(STAGES[name])


def test_the_description_is_made_anew_whenever_anything_that_it_hashes_has_changed():
    made = [path for name in STUDY for path in outputs(STAGES[name])]
    hashed = ["${study}", "params.yaml", "medical_terms.txt", "CITATION.cff", "LICENSE", *(path.as_posix() for path in LOCKS)]
    assert {dep for dep in STAGES["describe"]["deps"] if not dep.startswith("medattn/")} == {*made, *hashed}
    assert (
        outputs(STAGES["describe"]) == [CRATE] and "params" not in STAGES["describe"]
    )  # all of params.yaml, comments included


def code_of(stage: str) -> set[str]:
    """The modules that dvc.yaml lists for a stage."""
    return {dep for dep in STAGES[stage]["deps"] if dep.startswith("medattn/") and dep != TEMPLATES}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_lists_every_module_that_python_imports_for_it_and_no_other(name):
    assert code_of(name) == imported("medattn.cli", COMMANDS[name][0]) | {"medattn/__main__.py"}


def test_the_lists_of_modules_are_as_make_deps_writes_them(tmp_path, capsys):
    assert modules.main(ROOT, check=True) == 0 and not capsys.readouterr().out
    (tmp_path / "medattn").symlink_to(ROOT / "medattn")
    written = (ROOT / "dvc.yaml").read_text()
    start, end = modules.section_of("aggregate", written)
    section = written[start:end].replace("medattn/attention/gating.py", "medattn/attention/nowhere.py")
    (tmp_path / "dvc.yaml").write_text(written[:start] + section + written[end:])
    assert modules.main(tmp_path, check=True) == 1
    assert capsys.readouterr().out.splitlines() == [
        "dvc.yaml: stage aggregate lacks medattn/attention/gating.py: run `make deps`",
        "dvc.yaml: stage aggregate need not list medattn/attention/nowhere.py: run `make deps`",
    ]
    assert modules.main(tmp_path, check=False) == 0 and (tmp_path / "dvc.yaml").read_text() == written


@pytest.mark.parametrize("name", STAGES)
def test_the_stage_that_makes_pages_depends_on_their_templates_and_no_other_does(name):
    makes_pages = "medattn/report/__init__.py" in code_of(name)
    assert (TEMPLATES in STAGES[name]["deps"]) == makes_pages == (name == "figures")


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_lists_only_parameters_that_exist(name):
    assert "requirements/locked.txt" in STAGES[name]["deps"]
    if name not in ("prepare", "describe"):
        assert set(STAGES[name]["params"]) <= set(PARAMETERS)


@pytest.mark.parametrize(
    ("name", "read"),
    [("extract", ExtractParams), ("aggregate", AggregateParams), ("metrics", MetricsParams), ("figures", FiguresParams)],
)
def test_a_stage_lists_the_parameters_that_it_loads_and_no_other(name, read):
    assert set(STAGES[name]["params"]) == set(read.model_fields) - NOT_RESULTS


def test_the_parameters_of_another_stage_are_no_code_of_extract():
    of_params = {Path(path).stem for path in code_of("extract") if path.startswith("medattn/base/params/")}
    assert of_params == {"__init__", "reading", "model", "extract", "run"}


def test_prepare_sees_every_parameter_so_that_a_wrong_one_ends_the_run_before_any_result_is_touched():
    assert STAGES["prepare"]["params"] == [{"params.yaml": None}]
    assert next(iter(STAGES["prepare"]["outs"][0].values()))["persist"] is True


def test_the_medical_terms_are_read_by_prepare_which_checks_them_by_aggregate_and_by_the_description():
    readers = [name for name, stage in STAGES.items() if "medical_terms.txt" in stage["deps"]]
    assert readers == ["prepare", "aggregate", "describe"]


def test_extract_reads_no_parameter_that_aggregate_decides():
    assert STAGES["extract"]["params"] == ["study", "model", "prompt", "extract"]


def test_every_parameter_but_those_of_prepare_is_read_by_a_later_stage():
    later = {name for stage in STUDY[1:] for name in STAGES[stage]["params"]}
    assert set(PARAMETERS) - later == NOT_RESULTS | {"study_digests", "allow_unpinned", "conditions"}


def test_the_unit_caches_key_holds_the_source_of_every_module_that_extract_imports():
    starts_it = {"medattn/__main__.py", "medattn/cli.py"}
    assert code_and_libraries()["code"].keys() == code_of("extract") - starts_it


def test_no_two_stages_share_a_directory_and_none_writes_another_stages_input():
    paths = [Path(path) for stage in STAGES.values() for path in outputs(stage)]
    assert len(set(paths)) == len(paths)
    for one in paths:
        assert not any(one in other.parents for other in paths)


def test_the_model_is_not_read_after_extract():
    for name in ("aggregate", "metrics", "figures", "describe"):
        assert not any(dep.startswith("medattn/model/") for dep in STAGES[name]["deps"])


def test_restricted_results_are_never_pushed_and_reports_are_left_to_git():
    for stage in STAGES.values():
        for entry in [*stage.get("outs", []), *stage.get("metrics", [])]:
            path, options = next(iter(entry.items()))
            assert options.get("push") is False if path.startswith("results/") else options.get("cache") is False, path


def test_every_command_is_a_module_that_exists():

    for module, _, _ in COMMANDS.values():
        assert importlib.util.find_spec(module) is not None, module
