"""JSON that somebody brings is read in one way or refused in one line."""

import pytest

from medattn.base.errors import InputError
from medattn.base.json_files import parse

REFUSED = {
    b'{"a": 1, "a": 2}': "x.json is not JSON: key 'a' stands twice in one object: restore it",
    b'[{"b": {"c": 1, "d": 2, "c": 1}}]': "x.json is not JSON: key 'c' stands twice in one object: restore it",
    b'{"a": NaN}': "x.json is not JSON: NaN is no finite number: restore it",
    b"[-Infinity]": "x.json is not JSON: -Infinity is no finite number: restore it",
    b"[" * 200_000: "x.json is not JSON that can be read: it nests too deeply: restore it",
    b'"\xff"': "x.json is not UTF-8 (byte 1): restore it",
    b"": "x.json is not JSON: Expecting value: line 1 column 1 (char 0): restore it",
    b"1" * 5000: "x.json is not JSON: Exceeds the limit",
}


@pytest.mark.parametrize("content", REFUSED, ids=lambda content: repr(content[:20]))
def test_what_cannot_be_read_in_one_way_is_refused_in_one_line(content):
    with pytest.raises(InputError) as error:
        parse(content, "x.json", "restore it")
    assert str(error.value).startswith(REFUSED[content]) and "\n" not in str(error.value)


def test_json_is_read_with_and_without_a_byte_order_mark():
    for start in (b"", b"\xef\xbb\xbf"):
        assert parse(start + b'{"a": [1, 2.5, null, {"a": true}]}', "x", "fix it") == {"a": [1, 2.5, None, {"a": True}]}
