"""The commands as they are called: an empty table to fill in, and what it becomes."""

import csv

import pytest
from click.testing import CliRunner

from medattn.base.errors import InputError
from medattn.mimic import question_sets
from medattn.mimic.commands import mimic_cxr, template

from .conftest import PA


def call(command, *arguments) -> str:
    return CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False).output


def test_the_template_is_an_empty_table_that_is_read_once_filled_in(root, tmp_path):
    path = tmp_path / "mine.csv"
    assert "dicom_id, question, answer, finding" in call(template, path)
    assert path.read_text() == "dicom_id,question,answer,finding\n"
    assert question_sets.format_of(path) == question_sets.OWN
    with path.open("a", newline="") as file:
        csv.writer(file).writerow([PA, "Is there a pleural effusion?", "yes", ""])
    said = call(mimic_cxr, "--root", root, "--questions", path, "--out", tmp_path / "study", "--variants", "rules")
    assert "1 questions in 6 variants" in said and "rows used: 1 of 1" in said


def test_a_table_that_is_there_already_is_kept(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("mine")
    with pytest.raises(InputError, match=r"mine\.csv is there already"):
        call(template, path)
    assert path.read_text() == "mine"
