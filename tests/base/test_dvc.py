"""What dvc.lock and dvc.yaml say, and the hashes that DVC gives to what lies here."""

from hashlib import md5

import pytest
import yaml

from medattn.base.dvc import Entry, IgnoreRules, directory_hash, hash_files, read_listing, read_lock, read_pipeline, read_run
from medattn.base.errors import InputError

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
    with pytest.raises(InputError, match=r"is not (DVC's|valid YAML)"):
        read_lock(content)


def test_the_pipeline_is_read_with_its_parameters_filled_in():
    plan = read_pipeline(
        b"""\
stages:
  one:
    desc: Runs.
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
    assert (plan["one"].says, plan["two"].says) == ("Runs.", "")
    assert plan["one"].command == "run studies/x m" and plan["one"].deps == ("studies/x", "a.py")
    assert plan["one"].params == {"params.yaml": ("limit", "model")} and plan["two"].params == {"params.yaml": None}
    assert plan["one"].outs == ("results/b", "results/c", "reports/m.json")


def test_a_directory_is_hashed_as_dvc_does_without_what_dvc_ignores(tmp_path):
    for name in ("b.txt", "a/c.txt", "__pycache__/x.pyc", ".cache/unit", ".git/HEAD"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    files = hash_files(tmp_path, IgnoreRules(b"# names\n__pycache__/\n*.pyc\n.cache/\n"))
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
        IgnoreRules(pattern)


def test_a_run_is_read_as_its_entry_of_the_lock_and_anything_else_is_none():
    entry = {"cmd": "run", "deps": [{"path": "a.py", "hash": "md5", "md5": "aaaa"}], "outs": [{"path": "b", "md5": "bbbb"}]}
    run = read_run(yaml.safe_dump(entry).encode(), "one", "runs/x")
    assert run == read_lock(yaml.safe_dump({"stages": {"one": entry}}).encode())["one"]
    for content in (b"\xff", b"a: [", b"3", b"cmd: run"):
        with pytest.raises(InputError, match=r"runs/x is not (DVC's|valid YAML|UTF-8)"):
            read_run(content, "one", "runs/x")
