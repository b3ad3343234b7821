"""One reader for every YAML file: what it takes, and what it refuses in one line with its line and remedy."""

import random
import re
from pathlib import Path

import pytest
import yaml
from ruamel.yaml import YAML

from medattn.base.errors import InputError
from medattn.base.yaml_files import DEEPEST, DIGITS, LARGEST, dumped, parse, read
from tests.clones import ROOT

EXPLODING = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n".encode() for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
REFUSED = {
    b"licence: credentialed\ntitle: x\nlicence: open\n": "line 3: key 'licence' is on line 1, too: remove one of them",
    b"a: {b: 1, 'b': 2}": "line 1: key 'b' is on line 1, too",
    EXPLODING: "line 2: *a repeats what an anchor names: write it out",
    b"a: &a\n  b: *a\n": "line 2: *a repeats",
    b"a: 1\n<<: {b: 1}\n": "line 2: << merges",
    b"[" * 5000 + b"]" * 5000: "line 1: more than 24 levels",
    b"{a: " * 5000: "line 1: more than 24 levels",
    b"- " * 5000 + b"x": "line 1: more than 24 levels",
    b"a: !!python/object/apply:os.system [ls]": "line 1: tag 'tag:yaml.org,2002:python/object/apply:os.system' is not read",
    b"a: !!binary aGVsbG8=": "tag 'tag:yaml.org,2002:binary' is not read",
    b"a: !secret x": "tag '!secret' is not read",
    b"5: x": "line 1: a key is no text: write it in quotes",
    b"a: 1\ntrue: x": "line 2: a key is no text",
    b"? [a]\n: x": "a key is no text",
    b"a: .nan": "line 1: .nan is no finite number",
    b"a: -.Inf": "-.Inf is no finite number",
    b"a: 1e999": "1e999 is no finite number",
    b"a: " + b"9" * 5000: f"a whole number of more than {DIGITS} digits",
    b"a: 010": "010 is read in different ways: write a number in decimal digits, text in quotes",
    b"a: 0x1F": "0x1F is read in different ways",
    b"a: 1_000": "1_000 is read in different ways",
    b"a: \x00": "is not valid YAML: unacceptable character #x0000",
    b"a: 'x\xff'": "is not UTF-8 (byte 5): save it as UTF-8, or fix it",
    "a: é".encode("utf-16"): "is not UTF-8 (byte 0)",
    b"a: [1": "is not valid YAML, line 1: expected ',' or ']', but got '<stream end>'; fix it",
    b"a: 1\n---\na: 2": "is not valid YAML, line 2",
    b"a:\tb\n\tc: d": "is not valid YAML, line ",
    b" " * (LARGEST + 1): "is larger than 16 MiB",
}


@pytest.mark.parametrize("content", REFUSED, ids=lambda content: repr(content[:24]))
def test_what_cannot_be_read_in_one_way_is_refused_in_one_short_line(content):
    with pytest.raises(InputError) as error:
        parse(content, "study.yaml", "fix it")
    said = str(error.value)
    assert said.startswith("study.yaml") and REFUSED[content] in said
    assert "\n" not in said and said.isprintable() and len(said) < 200


@pytest.mark.parametrize(
    "text, value",
    [
        *((word, word) for word in ("no", "yes", "on", "OFF", "y", "1:30", "2024-01-01", "=", "1.2.3", "e5", "1e", ".", "+")),
        *(("'010'", "010"), ('"1_000"', "1_000"), ("'no'", "no"), ("'<<'", "<<"), ("'null'", "null")),
        *(("010.5", 10.5), ("1e-3", 0.001), ("1E3", 1000.0), ("+.5", 0.5), ("-7", -7), ("+7", 7), ("0", 0), ("2.", 2.0)),
        *(("~", None), ("null", None), ("", None), ("true", True), ("False", False), ("[1, [no]]", [1, ["no"]])),
    ],
)
def test_an_unquoted_word_is_what_dvc_reads_too(text, value):
    found = parse(f"a: {text}".encode(), "x", "fix it")["a"]
    assert found == value and type(found) is type(value)
    if text not in ("2024-01-01", "="):  # a date to DVC, which writes it into a command as it stands; and one it cannot read
        assert YAML(typ="safe", pure=True).load(f"a: {text}")["a"] == value


def test_an_empty_file_is_none_and_a_byte_order_mark_is_left_out():
    assert parse(b"", "x", "fix it") is None and parse(b"# nothing\n", "x", "fix it") is None
    assert parse(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "x", "fix it") == {"a": 1, "b": 2}


def test_as_many_levels_as_are_allowed_are_read():
    assert parse(b"[" * DEEPEST + b"]" * DEEPEST, "x", "fix it") is not None


def test_the_projects_own_files_are_what_pyyaml_reads():
    for name in ("params.yaml", "dvc.yaml", "dvc.lock", "data.dvc"):
        content = (ROOT / name).read_bytes()
        assert parse(content, name, "restore it") == yaml.safe_load(content), name


def test_what_is_written_is_read_as_the_same_by_this_reader_by_pyyaml_and_by_dvc():
    words = ["1e5", "yes", "010", "0o10", "1:30", "1_0", "~", "a: b", "2024-01-01", "null", "é", "1.", ".inf", "<<", "=", "",
             "0b1", "x\ny", "- a", "#", "'", '"', "tab\there", "12345678901234567890"]  # fmt: skip
    generator = random.Random(0)
    other = ["".join(generator.choices("0123456789eE+-._:xob ~nyt", k=generator.randint(1, 6))) for _ in range(2000)]
    value = {"words": words, "other": other, "same": [words, words], "numbers": [1, 1.5, 1e-7, 1e300, None, True]}
    text = dumped(value)
    assert parse(text.encode(), "x", "fix it") == value
    assert yaml.safe_load(text) == value
    assert YAML(typ="safe", pure=True).load(dumped(words)) == words


def test_what_is_not_a_file_is_one_line(tmp_path):
    for path, said in (
        (tmp_path / "absent.yaml", "not found: make it"),
        (tmp_path / "a\0b.yaml", "not found: make it"),
        (tmp_path, "cannot be read (Is a directory): fix it"),
    ):
        with pytest.raises(InputError, match=re.escape(f"{path} {said}".replace("\0", r"\x00"))):
            read(path, "make it", "fix it")


def test_no_other_module_parses_yaml():
    calls = re.compile(r"yaml\.(safe_|full_|unsafe_)?load|import yaml_load|ruamel")
    users = [path for path in (ROOT / "medattn").rglob("*.py") if calls.search(path.read_text(encoding="utf-8"))]
    assert users == [], [str(Path(path).relative_to(ROOT)) for path in users]
