"""Sentences put together from parts whose meaning is known: the class follows from how they were made."""

import itertools
import time

import pytest

from medattn.language.answers import parse_answer, read_answer
from medattn.language.findings import LEXICON, Term, fill
from medattn.language.variants import BASELINE_TEMPLATES, LOCATED, TEMPLATES

YES = (
    "There is {ax}", "The image shows {ax}", "I can see {ax} on this film", "The radiograph demonstrates {ax}",
    "Findings are consistent with {ox}", "There is evidence of {ox}", "There appears to be {ax}", "{X} is present",
    "It is not true that there is no {x}", "There is no doubt that there is {ax}", "This study is not without {ox}",
    "There is no absence of {ox}", "There is no significant change in the {x}",
)  # fmt: skip
NO = (
    "There is no {x}", "No {x} is seen", "There is no evidence of {ox}", "I do not see {ax}", "I don't see any {x}",
    "The image does not show {ax}", "{X} is absent", "{X} has been ruled out", "Negative for {ox}", "The chest is free of {ox}",
    "Neither {x} nor anything else is seen", "There isn't {ax}", "I cannot identify {ax}", "The {x} has resolved",
    "It is not true that there is {ax}", "No suspicious {x}", "The {x} is no longer seen", "Without {ox}",
)  # fmt: skip
HEDGED = (
    "There may be {ax}", "Possible {x}", "{X} cannot be excluded", "It is difficult to say whether there is {ax}",
    "There is a suspicion of {ox}", "{X} is unlikely", "{X} can't be ruled out", "I doubt that there is {ax}",
    "It is not possible to determine whether there is {ax}", "Findings suggest {ax}", "Perhaps there is {ax}",
)  # fmt: skip
ASKING = (
    *BASELINE_TEMPLATES, *itertools.chain(*TEMPLATES.values()),
    *(one.replace("{at}", "in the left lung").replace("{At}", "In the left lung") for one in sum(LOCATED.values(), ())),
)  # fmt: skip
STATEMENTS = [(frame, "yes") for frame in YES] + [(frame, "no") for frame in NO] + [(frame, "uncertain") for frame in HEDGED]
# The phantom's findings, and names with a preposition, a plural, a conjunction, or that are part of another's name.
TERMS = [
    (name, term)
    for name in ("pleural effusion", "pneumothorax", "consolidation", "cardiomegaly", "nodule", "edema", "emphysema",
                 "pleural other")
    for term in LEXICON[name].terms[-2:]
]  # fmt: skip
EVERY_TERM = [(name, term) for name, finding in LEXICON.items() for term in (*finding.terms, *finding.spellings)]
OTHER = {name: "scoliosis" if name != "scoliosis" else "hiatal hernia" for name in LEXICON}
# What may stand around an answer without changing what it says.
DRESSES = {
    "upper case": str.upper,
    "lower case": str.lower,
    "bold": lambda text: f"**{text}**",
    "a heading": lambda text: f"## Answer\n{text}",
    "a list": lambda text: f"- {text}",
    "a numbered list": lambda text: f"1. {text}",
    "a quotation": lambda text: f"> {text}",
    "quotes": lambda text: f"“{text}”",
    "guillemets": lambda text: f"«{text}»",
    "single quotes": lambda text: f"'{text}'",
    "code": lambda text: f"```\n{text}\n```",
    "JSON": lambda text: f'{{"answer" : "{text}"}}',
    "HTML": lambda text: f"<b>{text}</b>",
    "a thought": lambda text: f"<unused94>thought\nNo. Yes. Is there one? Possibly.<unused95>{text}",
    "another thought": lambda text: f"<think>Perhaps not, no. Yes!</think>\n\n{text}",
    "a thought behind it": lambda text: f"{text}<unused94>No! Yes!",
    "an end of turn": lambda text: f"{text}<end_of_turn>",
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "zero-width spaces": lambda text: f"\u200b{text}\u200b",
    "a mark of direction": lambda text: f"\u202e{text}\u202c",
    "soft hyphens": lambda text: text.replace("th", "t\u00adh"),
    "typographic apostrophes": lambda text: text.replace("'", "’"),
    "colours of a terminal": lambda text: f"\x1b[31m{text}\x1b[0m",
    "control characters": lambda text: f"\x00{text}\x07",
    "a symbol": lambda text: f"✅ {text}",
    "line ends of Windows": lambda text: f"\r\n{text}\r\n",
    "full width": lambda text: "".join(chr(ord(c) + 0xFEE0) if c.isalpha() and c.isascii() else c for c in text),
    "an announcement": lambda text: f"Final answer: {text}",
    "a remark before it": lambda text: f"This is a frontal chest radiograph.\n{text}",
    "a remark after it": lambda text: f"{text}. Please consult a radiologist.",
    "it twice": lambda text: f"{text}.\n{text}.",
}  # fmt: skip


def made(frame: str, term: Term) -> str:
    """The sentence without its end."""
    return fill(frame, term)


@pytest.mark.parametrize("name, term", EVERY_TERM)
def test_every_name_of_every_finding_is_affirmed_denied_and_hedged(name, term):
    for frame, answer in STATEMENTS:
        sentence = f"{made(frame, term)}."
        assert (sentence, parse_answer(sentence, name)) == (sentence, answer)


@pytest.mark.parametrize("name, term", EVERY_TERM)
def test_a_statement_about_another_finding_decides_nothing(name, term):
    for frame, _ in STATEMENTS:
        sentence = f"{made(frame, term)}."
        assert (sentence, parse_answer(sentence, OTHER[name])) == (sentence, "unparsed")


@pytest.mark.parametrize("name, term", EVERY_TERM)
def test_a_question_decides_nothing_with_or_without_its_mark(name, term):
    """Also where the asked question is not given, unless its form could be a statement ("Nodule present")."""
    for frame in ASKING:
        question = made(frame, term)
        for text in (question, question.removesuffix("?"), question.upper(), f"{question} {question}"):
            assert (text, parse_answer(text, name, question)) == (text, "unparsed")
        if not frame.startswith("{X}"):
            assert (question, parse_answer(question.removesuffix("?"), name)) == (question, "unparsed")


@pytest.mark.parametrize("name, term", TERMS)
def test_the_beginning_of_the_asked_question_decides_nothing(name, term):
    for frame in ASKING:
        question = made(frame, term)
        for end in range(1, len(question)):
            assert (question[:end], parse_answer(question[:end], name, question)) == (question[:end], "unparsed")


@pytest.mark.parametrize("name, term", TERMS)
def test_an_answer_behind_the_repeated_question_counts(name, term):
    for frame, (said, answer) in itertools.product(ASKING, [("Yes", "yes"), ("No.", "no"), *STATEMENTS[::4]]):
        question = made(frame, term)
        for link in (" ", "\n"):
            text = f"{question}{link}{made(said, term)}"
            assert (text, parse_answer(text, name, question)) == (text, answer)


@pytest.mark.parametrize("name, term", TERMS)
@pytest.mark.parametrize("link", [", ", ". ", "; ", " — ", ": ", " - ", "\n", "! ", "… ", "... ", " – "])
def test_the_first_word_and_the_statement_agree_or_the_answer_is_contradictory(name, term, link):
    for word, (frame, said) in itertools.product(("Yes", "No", "YES", "**No**"), STATEMENTS):
        first = "yes" if "y" in word.lower() else "no"
        text = f"{word}{link}{made(frame, term)[0].lower()}{made(frame, term)[1:]}."
        expected = first if said in (first, "uncertain") else "contradictory"
        assert (text, parse_answer(text, name)) == (text, expected)
        assert read_answer(text, name).first == first


@pytest.mark.parametrize("name, term", TERMS)
def test_a_first_word_beside_a_statement_about_another_finding_counts_alone(name, term):
    about = LEXICON[OTHER[name]].name
    for word, (frame, _), link in itertools.product(("Yes", "No"), STATEMENTS, (", ", ". ", ", but ", " However, ")):
        text = f"{word}{link}{made(frame, about)[0].lower()}{made(frame, about)[1:]}."
        assert (text, parse_answer(text, name)) == (text, word.lower())


@pytest.mark.parametrize("name, term", TERMS)
def test_two_statements_are_read_by_the_finding_that_was_asked_about(name, term):
    other = LEXICON[OTHER[name]].name
    for (frame, answer), (about, _), link in itertools.product(STATEMENTS, STATEMENTS[::3], (". ", "\n", "; ")):
        for text in (f"{made(about, other)}{link}{made(frame, term)}", f"{made(frame, term)}{link}{made(about, other)}"):
            assert (text, parse_answer(text, name)) == (text, answer)


@pytest.mark.parametrize("name, term", TERMS)
def test_a_statement_and_its_opposite_contradict_each_other(name, term):
    for yes, no in itertools.product(YES[:6], NO[:6]):
        for text in (f"{made(yes, term)}. {made(no, term)}.", f"{made(no, term)}. {made(yes, term)}."):
            assert (text, parse_answer(text, name)) == (text, "contradictory")


@pytest.mark.parametrize("dress", DRESSES)
def test_what_stands_around_an_answer_does_not_change_it(dress):
    bare = [("Yes", "yes"), ("No", "no"), ("Yes, there is no {x}", "contradictory"), ("No, there is {ax}", "contradictory")]
    for name, (frame, answer) in itertools.product(("pneumothorax", "pleural effusion", "nodule"), bare + STATEMENTS):
        text = DRESSES[dress](made(frame, LEXICON[name].name))
        assert (text, parse_answer(text, name)) == (text, answer)


@pytest.mark.parametrize(
    "text, asked, answer",
    [
        ("Yes and no.", "nodule", "contradictory"),
        ("No and yes", "nodule", "contradictory"),
        ("Yes. No.", "nodule", "contradictory"),
        ("No. Yes, there is a nodule.", "nodule", "contradictory"),
        ("Yes or no?", "nodule", "unparsed"),
        ("Yes or no", "nodule", "unparsed"),
        ("Please answer yes or no.", "nodule", "unparsed"),
        ("No/Yes", "nodule", "unparsed"),
        ("No, it is present.", "nodule", "contradictory"),
        ("Yes, it is absent.", "nodule", "contradictory"),
        ("Yes, there is no evidence of", "nodule", "contradictory"),
        ("No, the heart is enlarged.", "cardiomegaly", "contradictory"),
        ("Yes, the heart size is normal.", "cardiomegaly", "contradictory"),
        ("Yes, the lungs are clear.", "consolidation", "contradictory"),
        ("No, but there is a nodule.", "pneumothorax", "no"),
        ("No, but there is a nodule.", "nodule", "contradictory"),
        ("Yes, there is an effusion. No, there is no nodule.", "pleural effusion", "yes"),
        ("Is there an effusion? No. Is there a nodule? Yes.", "nodule", "yes"),
        ("Is there an effusion? No. Is there a nodule? Yes.", "pleural effusion", "no"),
        # of a part only
        ("There is no large effusion, but a small effusion is present.", "pleural effusion", "yes"),
        ("There is no left effusion. There is a right effusion.", "pleural effusion", "yes"),
        ("Yes, there is a right pneumothorax. There is no pneumothorax on the left.", "pneumothorax", "yes"),
        ("There is a moderate effusion. No additional effusion is seen.", "pleural effusion", "yes"),
        ("There is a nodule. Otherwise, the lungs are clear.", "nodule", "yes"),
        ("There is no lung mass. There is a nodule.", "lung lesion", "yes"),
        ("No rib fracture. There is a fracture of the clavicle.", "fracture", "yes"),
        ("No large effusion.", "pleural effusion", "no"),
        ("There was a pneumothorax. No pneumothorax is seen now.", "pneumothorax", "no"),
        # other things with a name like it
        ("There is subcutaneous emphysema.", "emphysema", "unparsed"),
        ("No pericardial effusion. There is a pleural effusion.", "pleural effusion", "yes"),
        ("There is a hydropneumothorax.", "pneumothorax", "yes"),
        ("There is a hydropneumothorax.", "pleural effusion", "yes"),
        ("There is surgical emphysema.", "subcutaneous emphysema", "yes"),
        # spelling, number, hyphens
        ("There is pulmonary oedema.", "edema", "yes"),
        ("No tumour is visualised.", "lung lesion", "no"),
        ("Pneumothoraces are present.", "pneumothorax", "yes"),
        ("No pneumothoraces.", "pneumothorax", "no"),
        ("Bilateral effusions; no nodules.", "nodule", "no"),
        ("A left\u2010sided pleural\u2011effusion is seen.", "pleural effusion", "yes"),
        ("The X\u2011ray shows no nodule.", "nodule", "no"),
        ("Pleural effusion \u2212 no", "pleural effusion", "no"),
        ("PLEURAL_EFFUSION: NO", "pleural effusion", "no"),
        # lists and forms
        ("Findings:\n- pneumothorax: no\n- nodule: yes", "nodule", "yes"),
        ("Findings:\n- pneumothorax: no\n- nodule: yes", "pneumothorax", "no"),
        ("1. No pneumothorax.\n2. Small nodule.", "pneumothorax", "no"),
        ("| finding | present |\n| nodule: | no |", "nodule", "no"),
        (r"$\boxed{\text{No}}$", "nodule", "no"),
        ("Therefore, the answer is no.", "nodule", "no"),
        ("I would say yes.", "nodule", "yes"),
        ("Nope.", "nodule", "no"),
        ("The pneumothorax is not new.", "pneumothorax", "yes"),
        ("Rule out pneumonia.", "pneumonia", "unparsed"),
        ("You asked about a nodule.", "nodule", "unparsed"),
        # not English: nothing that is known here
        ("Ja, es gibt einen Pneumothorax.", "nodule", "unparsed"),
        ("Nein.", "nodule", "unparsed"),
        ("Sí, hay un nódulo.", "nodule", "unparsed"),
        ("Non, il n'y a pas d'épanchement.", "pleural effusion", "unparsed"),
        ("没有气胸。", "pneumothorax", "unparsed"),
        ("нет", "nodule", "unparsed"),
        # no language at all
        ("NoNoNoYes", "nodule", "unparsed"),
        ("YesNo, there no evidence of cardiomegaly.", "cardiomegaly", "unparsed"),
        ("No, there no evidenceYesYesYes a nodule.", "nodule", "unparsed"),
        ("nonoyes", "nodule", "unparsed"),
        ("Yes nodule nodule nodule nodule", "nodule", "unparsed"),
        ("Yes, there is no evidence no evidence no evidence no evidence", "nodule", "unparsed"),
        ("Yes, there is consolidationationationation.", "consolidation", "unparsed"),
        ("No, there is no nodule. consolid consolid consolid consolid", "nodule", "no"),
        ("thought\nThe user asks about a nodule. Yes", "nodule", "unparsed"),
        ("<think>Yes, there is a nodule", "nodule", "unparsed"),
        ("\u200b\u202e", "nodule", "unparsed"),
    ],
)  # fmt: skip
def test_turns_of_phrase(text, asked, answer):
    assert parse_answer(text, asked) == answer


def test_a_contradictory_answer_counts_by_its_first_word_where_that_is_asked_for():
    found = read_answer("Yes, there is no evidence of a nodule.", "nodule")
    assert (found.answer, found.first) == ("contradictory", "yes")
    found = read_answer("There is no nodule. There is a nodule.", "nodule")
    assert (found.answer, found.first) == ("contradictory", "no")
    for text in ("Yes", "There is no nodule.", "Maybe", "Noted"):
        found = read_answer(text, "nodule")
        assert found.answer == found.first


def test_without_a_finding_the_first_word_and_the_first_statement_count():
    assert parse_answer("Yes, there is no evidence of pneumothorax.") == "contradictory"
    assert parse_answer("No, but there is a nodule.") == "no"
    assert parse_answer("There is an effusion. There is no nodule.") == "yes"


@pytest.mark.parametrize(
    "text",
    ["no " * 50_000, "a" * 200_000, "There is no, and, " * 10_000, "(" * 100_000, "no evidence of " * 20_000, "Yes" * 60_000,
     "there is " * 30_000, "-\n" * 60_000, "is there a nodule? " * 10_000, "no change " * 20_000],
)  # fmt: skip
def test_a_very_long_answer_is_read_at_once(text):
    start = time.process_time()
    parse_answer(text, "nodule", "Is there a nodule in this image?")
    assert time.process_time() - start < 3
