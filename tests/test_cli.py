"""The command line: every command answers, and a user's mistake is one message and exit code 2."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from medattn.base.errors import InputError
from medattn.base.params import whole as params
from medattn.base.params.aggregate import AggregateParams
from medattn.base.params.extract import ExtractParams
from medattn.base.params.reading import load_sections
from medattn.base.params.terms import terms_of
from medattn.cli import COMMANDS, group
from tests.import_closure import ROOT


def medattn(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "medattn", *arguments], cwd=cwd, capture_output=True, text=True)


def changed(tmp_path: Path, **changes) -> Path:
    """A copy of params.yaml with these dotted keys set (`_` for `.`)."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    for key, value in changes.items():
        *path, last = key.split("__")
        section = content
        for name in path:
            section = section[name]
        section[last] = value
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name):
    result = CliRunner().invoke(group, [name, "--help"])
    assert result.exit_code == 0 and "Usage" in result.output


def test_the_committed_parameters_are_valid():
    assert params.load(ROOT / "params.yaml").study == "data"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"aggregate__gatting": True}, ["aggregate.gatting", "Extra inputs are not permitted"]),
        ({"nonsense": 1}, ["nonsense", "not 1"]),
        ({"limit": "20"}, ["limit", "not '20'"]),
        ({"limit": 0}, ["limit", "greater than or equal to 1"]),
        ({"extract__generated_rows": -1}, ["extract.generated_rows"]),
        ({"aggregate__profiles__decision__gqa": "median"}, ["aggregate.profiles.decision.gqa", "'median'"]),
        ({"aggregate__profiles__decision__rows": []}, ["aggregate.profiles.decision.rows"]),
        ({"aggregate__profiles__decision__layers": [1, 1]}, ["names an entry twice"]),
        ({"aggregate__terms": ["Nodule"]}, ["aggregate.terms", "lower case"]),
        ({"aggregate__terms": ["nodule", "nodule"]}, ["aggregate.terms", "a term is duplicated"]),
        ({"conditions__sepia": {"variants": "all"}}, ["conditions.sepia"]),
        ({"conditions": {"no_image": {"variants": "all"}}}, ["conditions.clean", "Field required"]),
        ({"conditions__clean": {"variants": "baseline"}}, ["conditions.clean", "everything else is compared with it"]),
        ({"conditions__contrast__strengths": [1.5]}, ["conditions.contrast.strengths.0", "less than or equal to 1"]),
        ({"conditions__brightness__strengths": [0.0]}, ["conditions.brightness.strengths", "is the clean image"]),
        ({"conditions__blur__strengths": []}, ["conditions.blur.strengths"]),
        ({"conditions__contrast": {"variants": "baseline"}}, ["conditions.contrast.strengths", "Field required"]),
        ({"conditions__blur__strengths": [0.5, 0.5]}, ["conditions.blur.strengths", "is duplicated"]),
        ({"conditions__blank": {"variants": "all", "strengths": [1]}}, ["conditions.blank.strengths"]),
        ({"model__dtype": "float16"}, ["model.dtype", "'float16'"]),
        ({"prompt__order": "sideways"}, ["prompt.order", "'sideways'"]),
        ({"prompt__template": "Answer!"}, ["prompt.template", "{question} exactly once"]),
        ({"extract__generated_rows": 3}, ["aggregate.profiles.original.rows", "extract.generated_rows is 3"]),
        ({"figures__examples": [{"per": "finding", "pick": "prettiest", "n": 1}]}, ["figures.examples.0.pick"]),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value_and_remedy(tmp_path, changes, named):
    path = changed(tmp_path, **changes)
    with pytest.raises(InputError) as error:
        params.load(path)
    for part in [str(path), *named, f"git checkout {path}"]:
        assert part in str(error.value)


def test_a_stage_validates_its_own_sections_and_no_others(tmp_path):
    path = changed(tmp_path, nonsense=1, figures__dpi=1, aggregate__gatting=True)
    assert load_sections(ExtractParams, path).extract.generated_rows == 5
    with pytest.raises(InputError, match=r"params.yaml: aggregate.gatting: Extra inputs are not permitted, not True\n"):
        load_sections(AggregateParams, path)


def test_a_missing_section_is_named(tmp_path):
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    del content["metrics"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=r"metrics: Field required"):
        params.load(tmp_path / "params.yaml")


def test_a_key_given_twice_or_a_directory_in_place_of_params_yaml_is_one_line_and_exit_code_2(tmp_path):
    text = (ROOT / "params.yaml").read_text() + "allow_unpinned: true\n"
    (tmp_path / "params.yaml").write_text(text)
    done = medattn("params", "check", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        r"medattn: params\.yaml, line \d+: key 'allow_unpinned' is on line \d+, too: remove one of them\n", done.stderr
    )
    (tmp_path / "params.yaml").unlink()
    (tmp_path / "params.yaml").mkdir()
    done = medattn("params", "check", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "medattn: params.yaml cannot be read (Is a directory): fix it, or undo it with `git checkout params.yaml`\n"
    )


def test_a_mistake_is_one_message_and_exit_code_2(tmp_path):
    changed(tmp_path, nonsense=1)
    done = medattn("params", "check", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("medattn: params.yaml: nonsense: ") and "Traceback" not in done.stderr


@pytest.mark.parametrize("place", ["params.yaml/study", "/proc/study", "/dev/null/study"])
def test_a_place_that_cannot_be_written_is_one_message_and_exit_code_2(tmp_path, place):
    (tmp_path / "params.yaml").write_text("a file")
    for command in (("study", "fake-mimic", "--out", place), ("study", "template", f"{place}.csv")):
        done = medattn(*command, cwd=tmp_path)
        assert done.returncode == 2 and done.stdout == ""
        assert re.fullmatch(r"medattn: .+ cannot be read or written \(.+\): choose another place, or make it so\n", done.stderr)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "# terms\nnodule\nLung Mass  # so\n",
            "medical_terms.txt, line 3: term 'Lung Mass' is not in lower case: write 'lung mass'",
        ),
        ("nodule\n\n  nodule\n", "medical_terms.txt, line 3: term 'nodule' is on line 1, too: remove one of them"),
        ("# nothing\n", "medical_terms.txt holds no term: add one a line"),
        (None, "medical_terms.txt not found: it lists the medical terms; restore it (`git checkout medical_terms.txt`)"),
    ],
)
def test_a_wrong_medical_term_is_named_with_its_line_and_remedy(tmp_path, text, said):
    changed(tmp_path)
    if text is not None:
        (tmp_path / "medical_terms.txt").write_text(text)
    done = medattn("params", "check", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith(f"medattn: {said}")


def test_the_medical_terms_are_those_of_the_file_unless_params_yaml_lists_others(tmp_path):
    (tmp_path / "medical_terms.txt").write_text("# of the lung\nlung mass # a\n\nnodule\n")
    assert terms_of(params.load(ROOT / "params.yaml").aggregate, tmp_path) == ["lung mass", "nodule"]
    assert terms_of(params.load(changed(tmp_path, aggregate__terms=["effusion"])).aggregate, tmp_path) == ["effusion"]
    assert medattn("params", "check", cwd=tmp_path).stdout == "params.yaml: ok\n"


def test_without_params_yaml_the_message_says_where_to_go(tmp_path):
    done = medattn("params", "check", cwd=tmp_path)
    assert done.returncode == 2 and "params.yaml not found: run this from the repository's root" in done.stderr


@pytest.mark.parametrize("stage", ["prepare", "extract", "aggregate", "metrics", "figures"])
def test_a_stage_refuses_to_run_code_that_is_not_under_the_working_directory(tmp_path, stage):
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    done = medattn(stage, cwd=tmp_path)
    assert done.returncode == 2 and "the code that runs is in" in done.stderr


def test_outside_a_checkout_a_stage_says_so(tmp_path):
    done = medattn("prepare", cwd=tmp_path)
    assert done.returncode == 2 and "has no dvc.yaml: run this from the repository's root" in done.stderr


def test_who_stands_in_a_repository_is_warned_that_the_code_of_another_runs(tmp_path):
    other = tmp_path / "other"
    (other / "medattn").mkdir(parents=True)
    (other / "medattn/cli.py").touch()
    (other / "dvc.yaml").touch()
    (other / "docs").mkdir()
    said = f"medattn: warning: this runs {ROOT / 'medattn'}, not {other}'s: `python -m medattn …` from {other} runs that\n"
    script = [
        sys.executable,
        "-P",
        "-c",
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from medattn.cli import main; main()",
    ]
    for place in (other, other / "docs"):
        done = subprocess.run([*script, "--help"], cwd=place, capture_output=True, text=True)
        assert done.returncode == 0 and done.stderr == said
    for place in (ROOT, ROOT / "docs", tmp_path):
        done = subprocess.run([*script, "--help"], cwd=place, capture_output=True, text=True)
        assert done.returncode == 0 and done.stderr == ""
