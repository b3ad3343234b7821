"""What pydantic finds wrong names file, key, value and remedy."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from medattn.base.params.reading import Section
from medattn.base.validation import problems


class Inner(Section):
    count: int


class Outer(Section):
    name: str
    parts: list[Inner]


def error_of(content: object) -> ValidationError:
    with pytest.raises(ValidationError) as error:
        Outer.model_validate(content)
    return error.value


def test_every_problem_is_a_line_with_its_key_and_value():
    error = error_of({"parts": [{"count": 1}, {"count": "2"}], "more": 3})
    assert problems(Path("a.yaml"), error, "fix it") == [
        "a.yaml: name: Field required: fix it",
        "a.yaml: parts.1.count: Input should be a valid integer, not '2': fix it",
        "a.yaml: more: Extra inputs are not permitted, not 3: fix it",
    ]


def test_values_can_be_left_out_and_so_can_the_remedy():
    assert problems(Path("a.yaml"), error_of({"name": 1, "parts": []}), values=False) == [
        "a.yaml: name: Input should be a valid string"
    ]
    assert problems(Path("a.yaml"), error_of(None))[0].startswith("a.yaml: (top level): Input should be a valid dictionary")
