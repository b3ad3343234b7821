"""How two versions of params.yaml, dvc.yaml or dvc.lock differ."""

import pytest

from medattn.reproduce.verify.key_changes import changed_keys


@pytest.mark.parametrize(
    ("then", "now", "lines"),
    [
        (b"a: 1\nb: {c: 2}\n", b"a: 1\nb: {c: 3}\n", ["b.c: 3, was 2"]),
        (b"a: 1\n", b"a: 1\nb: 2\n", ["b: 2, was not there"]),
        (b"a: 1\nb: 2\n", b"a: 1\n", ["b: is not there, was 2"]),
        (b"a: 1\n", b"a: 1.0\n", ["a: 1.0, was 1"]),
        (b"a: [1, 2]\n", b"a: [1, 3]\n", ["a: [1, 3], was [1, 2]"]),
        (b"a: 1\n", b"a: 1 # one\n", ["only comments or layout differ"]),
        (
            b"a: [{path: x, md5: 1}]\n",
            b"a: [{path: x, md5: 2}, {path: y}]\n",
            ["a[x].md5: 2, was 1", "a[y]: {path: y}, was not there"],
        ),
    ],
)
def test_every_key_that_differs_is_named(then, now, lines):
    assert changed_keys(then, now) == lines


def test_a_file_that_is_no_yaml_is_said_to_be_none():
    assert changed_keys(b"a: 1\n", b"a: [\n")[0].startswith("as found is not valid YAML, line 2")
