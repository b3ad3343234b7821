"""Identifiers and texts are found in any spelling, and nothing else is taken for one."""

import time

import pytest

from medattn.release.scan import FEWEST_WORDS, RestrictedContent, make, of_forms, of_study
from tests.release.conftest import IMAGE, SUBJECT


def found(text: str, **known) -> list[str]:
    return [what for _, what in of_study(text, make(**({"identifiers": (), "texts": ()} | known)))]


@pytest.mark.parametrize("text", ["yes", "No.", "left lung", "no evidence of it", "  Left, lower LOBE "])
def test_short_answers_are_nobodys_own(text):
    words = len(text.split())
    assert bool(found(f"x {text} y", texts=[text])) == (words >= FEWEST_WORDS)


def test_a_text_that_is_a_findings_name_is_published_with_its_table():
    assert found("left lower lobe pneumonia", texts=["Left lower lobe pneumonia"], harmless=["left lower lobe pneumonia"]) == []


@pytest.mark.parametrize(
    "text", ["a12-0007x", "xa12-0007", "a12-00071", "123450031", "1.2345e3", f"{'0a' * 8}{SUBJECT}{'0a' * 4}"]
)
def test_a_longer_word_another_number_or_what_a_digest_happens_to_hold_is_no_identifier(text):
    assert found(text, identifiers=["a12-0007", SUBJECT]) == []


@pytest.mark.parametrize(
    "text",
    [
        "A12-0007",
        "x-a12-0007-y",
        "a12_0007.png",
        "dir/a12-0007",
        "(a12-0007)",
        "a12-0007,5",
        "id=a12-0007;",
        "a120007",
        "a12 0007",
    ],
)
def test_an_identifier_is_found_in_any_spelling_and_inside_longer_names(text):
    assert found(text, identifiers=["a12-0007"]) == ["'a120007', an identifier of the study"]


def test_identifiers_that_cannot_be_told_from_numbers_are_counted():
    assert make(["12", "abcdef", "abc-1", "p-12345", ""], ()).too_short == 3


def test_only_the_published_forms_count_as_mimics():
    for text in ("p0234500", "p223450030", "s12345003", IMAGE[:-1], f"x{IMAGE}", IMAGE.replace("-", " ")):
        assert not list(of_forms(text, RestrictedContent())), text


def test_thousands_of_identifiers_cost_no_more_than_one():
    known = make(
        (f"1{number:07d}" for number in range(5000)), (f"is there a very small thing number {number}" for number in range(5000))
    )
    text = "accuracy,0.803333,0.752321,n,600,patients,64\n" * 40_000
    start = time.perf_counter()
    assert not list(of_study(text, known))
    assert time.perf_counter() - start < 10
