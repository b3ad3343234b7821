"""What dvc.lock, dvc.yaml and params.yaml say, and how two of them differ."""

from hashlib import md5

import pytest

from medattn.base.errors import InputError
from medattn.reproduce.verify.key_changes import changed_keys
from medattn.reproduce.verify.lock import Entry, Ignored, directory_hash, hash_directory, read_listing, read_lock, read_pipeline
from medattn.reproduce.verify.tolerance import TOLERANCES, tolerance

LOCK = b"""\
schema: '2.0'
stages:
  one:
    cmd: python -m medattn one
    deps:
    - {path: medattn/a.py, hash: md5, md5: aaaa, size: 3}
    params:
      params.yaml: {limit: 4}
    outs:
    - {path: results/b, hash: md5, md5: bbbb.dir, size: 9, nfiles: 2}
"""


def test_the_lock_says_what_every_stage_read_and_wrote():
    stage = read_lock(LOCK)["one"]
    assert stage.command == "python -m medattn one" and stage.params == {"params.yaml": {"limit": 4}}
    assert stage.deps == {"medattn/a.py": Entry("medattn/a.py", "aaaa", 3, None)}
    assert stage.outs["results/b"].is_directory and stage.outs["results/b"].files == 2


@pytest.mark.parametrize(
    "content", [b"", b"stages: 3", b"a: [", b"stages: {one: {cmd: x}}", b"stages: {one: {cmd: x, outs: [{path: y}]}}"]
)
def test_anything_else_is_no_lock(content):
    with pytest.raises(InputError, match="is not DVC's"):
        read_lock(content)


def test_the_pipeline_is_read_with_its_parameters_filled_in():
    plan = read_pipeline(
        b"""\
stages:
  one:
    cmd: run ${study} ${model.id}
    deps: ["${study}/", a.py]
    params: [limit, {params.yaml: [model]}]
    outs: [{results/b: {push: false}}, results/c]
    metrics: [{reports/m.json: {cache: false}}]
  two:
    cmd: run
    params: [{params.yaml: }]
    outs: [d]
""",
        {"study": "studies/x", "model": {"id": "m"}},
    )
    assert plan["one"].command == "run studies/x m" and plan["one"].deps == ("studies/x", "a.py")
    assert plan["one"].params == {"params.yaml": ("limit", "model")} and plan["two"].params == {"params.yaml": None}
    assert plan["one"].outs == ("results/b", "results/c", "reports/m.json")


def test_a_directory_is_hashed_as_dvc_does_without_what_dvc_ignores(tmp_path):
    for name in ("b.txt", "a/c.txt", "__pycache__/x.pyc", ".cache/unit", ".git/HEAD"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    files = hash_directory(tmp_path, Ignored(b"# names\n__pycache__/\n*.pyc\n.cache/\n"))
    assert list(files) == ["a/c.txt", "b.txt"]
    object = b'[{"md5": "%s", "relpath": "a/c.txt"}, {"md5": "%s", "relpath": "b.txt"}]' % tuple(
        md5(name).hexdigest().encode() for name in (b"a/c.txt", b"b.txt")
    )
    assert directory_hash(files) == md5(object).hexdigest() + ".dir"
    assert read_listing(object, directory_hash(files)) == files
    assert read_listing(object + b" ", directory_hash(files)) is None


@pytest.mark.parametrize("pattern", [b"results/run", b"!keep.txt"])
def test_a_pattern_of_dvcignore_that_is_more_than_a_name_is_refused(pattern):
    with pytest.raises(InputError, match="not one of names alone"):
        Ignored(pattern)


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
    assert changed_keys(b"a: 1\n", b"a: [\n")[0].startswith("is not valid YAML")


def test_an_own_bound_takes_the_place_of_the_arithmetics():
    assert tolerance("float64") == TOLERANCES["float64"]
    assert tolerance("float32", absolute=0.5).absolute == tolerance("float32", absolute=0.5).floor == 0.5
    assert tolerance("bfloat16", relative=0.0, pixels=1.0).relative == 0
    for wrong in ({"absolute": -1.0}, {"relative": float("nan")}, {"pixels": -0.1}):
        with pytest.raises(InputError, match="give 0 or more"):
            tolerance("float64", **wrong)


def test_coarser_arithmetic_has_wider_bounds():
    one, two, three = (TOLERANCES[name] for name in ("float64", "float32", "bfloat16"))
    for name in ("absolute", "relative", "floor", "share"):
        assert getattr(one, name) < getattr(two, name) < getattr(three, name)
