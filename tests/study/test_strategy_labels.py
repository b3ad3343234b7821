"""Strategy labels in many spellings are read as the ideas they name, or refused."""

import pytest

from medattn.study.strategy_labels import CANONICAL, labels


@pytest.mark.parametrize("text, every", [
    ("phrasing", ("phrasing",)), ("Rephrasing", ("phrasing",)), ("Synonym + clause", ("synonym", "clause")),
    ("synonym substitution; passive voice", ("synonym", "voice")), ("Clause (fronted prepositional phrase)", ("clause",)),
    ("Synonym ('sign' for 'evidence') and register", ("synonym", "register")), ("lexical/syntactic", ("synonym", "clause")),
    ("Formal register with active voice", ("register", "voice")), ("phrasing, phrasing", ("phrasing",)),
    ("spelling (oedema→edema)", ("spelling",)), ("ellipsis", ("ellipsis",)), ("Passive voice using a synonym", ("voice", "synonym")),
    ("SYNONYM (a (nested, with comma) note) + Voice", ("synonym", "voice")), ("word order", ("clause",)), ("baseline", ("baseline",)),
    ("hard_positive register", ("register",)),
])  # fmt: skip
def test_a_label_is_read_as_what_it_names_first_is_primary(text, every):
    found = labels(text)
    assert found.every == every and found.primary == every[0]


@pytest.mark.parametrize("name", CANONICAL)
def test_every_canonical_name_is_itself(name):
    assert labels(name).every == (name,)


def test_brackets_and_quotes_are_kept_as_detail():
    assert labels("Synonym ('a' for 'b')").detail == "('a' for 'b')"


@pytest.mark.parametrize("text", ["", "(only a note)", "sarcasm", "synonym + sarcasm"])
def test_what_names_no_strategy_is_refused_not_guessed(text):
    with pytest.raises(ValueError, match="strategy"):
        labels(text)
