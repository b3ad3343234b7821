"""A pipe in a file's place is named at once, by every reader of what a person brings."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from medattn.base import json_files, tables, yaml_files
from medattn.base.errors import InputError
from medattn.mimic import archive, csv_files, question_sets
from medattn.study import attest

READERS: dict[str, Callable[[Path], object]] = {
    "x.yaml": lambda path: yaml_files.read(path, "make it", "fix it"),
    "x.csv": lambda path: tables.read_table(path, ("a",)),
    "y.csv": csv_files.header_of,
    "x.json": lambda path: list(question_sets.read(path)),
    "reference.json": attest.read_reference,
    "SHA256SUMS.txt": lambda path: list(archive._lines(path)),
}


@pytest.mark.parametrize("name", READERS)
def test_a_pipe_or_a_device_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=rf"{re.escape(name)} is a pipe or a device, expected a file"):
        READERS[name](tmp_path / name)
    with pytest.raises(InputError, match="/dev/zero"):
        tables.read_table(Path("/dev/zero"), ("a",))


def test_an_object_of_json_is_read_from_files_only(tmp_path):
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(InputError, match=r"config\.json is not a file: restore it"):
        json_files.read_object(tmp_path / "config.json")
