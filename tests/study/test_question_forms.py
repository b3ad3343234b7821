"""Questions of the question sets are read for what they ask, and others are left alone."""

import pytest

from medattn.study.findings import LEXICON, NAMES, named, stands_alone
from medattn.study.mimic.layout import LABELS
from medattn.study.places import PLACES, SPELLINGS, places_in
from medattn.study.question_forms import asked_name, finding_in, parse

KNOWN = [
    # question, name, the same about support devices, the same about edema in the same place
    ("is there evidence of pneumonia in this image?", "pneumonia", "is there evidence of a support device in this image?"),
    ("is there pleural effusion?", "pleural effusion", "is there a support device?"),
    ("is there pneumonia in the left lower lobe?", "left lower lobe pneumonia", "is there a support device?"),
    ("is the pleural effusion bilateral?", "bilateral pleural effusion", "is there a support device?"),
    ("is the pneumonia located in the right lung?", "right lung pneumonia", "is there a support device?"),
    ("are the nodules on the left side?", "left nodule", "is there a support device?"),
    ("is there nodule in this x-ray?", "nodule", "is there a support device in this x-ray?"),
    ("is there a fracture in this radiograph?", "fracture", "is there a support device in this radiograph?"),
    ("is there edema in this film", "edema", "is there a support device in this film"),
    ("is there evidence of atelectasis in the right base?", "right lung base atelectasis", "is there evidence of a support device?"),
    ("does the patient have an enlarged heart?", "cardiomegaly", "does the patient have a support device?"),
    ("are there nodules?", "nodule", "is there a support device?"),
    ("are there any lung lesions?", "lung lesion", "is there any support device?"),
    ("Is there evidence of a nodule in this image?", "nodule", "Is there evidence of a support device in this image?"),
    ("Is there cardiomegaly in this image?", "cardiomegaly", "Is there a support device in this image?"),
    ("is edema present in the left lung?", "left lung edema", "is a support device present?"),
    ("is pneumonia present?", "pneumonia", "is a support device present?"),
    ("is there any evidence of lung opacity in the bilateral lower lung zones?", "bilateral lower lung zones lung opacity",
     "is there any evidence of a support device?"),
    ("does this image show support devices?", "support devices", "does this image show a support device?"),
    ("does the chest x-ray show a fracture?", "fracture", "does the chest x-ray show a support device?"),
    ("is consolidation seen in the left mid lung zone?", "left mid lung zone consolidation", "is a support device seen?"),
    ("is emphysema visible in the lungs?", "lungs emphysema", "is a support device visible?"),
    ("is atelectasis identified at the lung bases?", "lung bases atelectasis", "is a support device identified?"),
    ("are there signs of pneumonia?", "pneumonia", "are there signs of a support device?"),
    ("are there any signs of pneumonia on this radiograph?", "pneumonia", "are there any signs of a support device on this radiograph?"),
    ("in this image, is there pneumonia?", "pneumonia", "in this image, is there a support device?"),
    ("In the left lung, is there pneumonia?", "left lung pneumonia", "Is there a support device?"),
    ("is there left lower lobe pneumonia?", "left lower lobe pneumonia", "is there a support device?"),
    ("is there a left-sided pleural effusion?", "left pleural effusion", "is there a support device?"),
    ("are there bilateral pleural effusions?", "bilateral pleural effusion", "is there a support device?"),
    ("is there bibasilar atelectasis?", "bilateral lung bases atelectasis", "is there a support device?"),
    ("is there a left upper lung nodule?", "left upper lung zone nodule", "is there a support device?"),
    ("is there left lower lung opacity?", "left lower lung zone lung opacity", "is there a support device?"),
    ("is there pneumonia bilaterally?", "bilateral pneumonia", "is there a support device?"),
    ("is there pneumonia in this image in the left lung?", "left lung pneumonia", "is there a support device in this image?"),
    ("is there air in the mediastinum?", "pneumomediastinum", "is there a support device?"),
    ("is there pleural other?", "pleural other", "is there a support device?"),
    ("does the left lung show signs of pneumonia?", "left lung pneumonia", "is there a support device?"),
    ("is the left lung showing any signs of atelectasis?", "left lung atelectasis", "is there a support device?"),
    ("Pneumonia present?", "pneumonia", "Support device present?"),
    ("any nodules?", "nodule", "any support device?"),
    ("can you see any evidence of edema on this film?", "edema", "can you see any evidence of a support device on this film?"),
    ("Can a nodule be seen in this image?", "nodule", "Can a support device be seen in this image?"),
    ("is there pulmonary oedema?", "edema", "is there a support device?"),
    ("is there enlargement of the cardiac silhouette?", "enlarged cardiac silhouette", "is there a support device?"),
    ("is there atelectatic change in the left lung?", "left lung atelectasis", "is there a support device?"),
]  # fmt: skip


@pytest.mark.parametrize("question, name, other", KNOWN)
def test_a_question_is_read_in_any_case_and_spacing_and_its_form_asks_about_another_finding(question, name, other):
    asked = parse(question)
    assert asked.known and asked_name(asked) == name and asked.ask("support devices") == other
    for spelled in (question.upper(), f"  {question.replace(' ', '   ')} ", question.replace("?", " ?"), question.rstrip("?"), question.title()):
        again = parse(spelled)
        assert (again.finding, again.place, again.known) == (asked.finding, asked.place, True), spelled


@pytest.mark.parametrize("finding", LABELS.values())
def test_a_form_asks_about_every_finding_and_the_question_is_read_again(finding):
    for question, _, _ in KNOWN:
        other = parse(question).ask(finding)
        again = parse(other)
        assert (again.finding, again.place, again.known) == (finding, "", True), other
        assert (question == question.lower()) == (other == other.lower())


def test_a_plural_keeps_its_verb_in_any_case():
    for question in ("are there nodules?", "ARE THERE NODULES?", "Are There Nodules?"):
        asked = parse(question)
        made = asked.naming(NAMES["lung nodules"][1])
        assert made.lower() == "are there lung nodules?" and (made == made.upper()) == (question == question.upper())


def test_the_name_of_another_finding_takes_the_article_it_needs():
    asked = parse("is there a nodule in this image?")
    assert asked.ask("enlarged cardiomediastinum") == "is there an enlarged cardiomediastinum in this image?"
    assert asked.ask("pneumonia") == "is there pneumonia in this image?"
    with pytest.raises(ValueError, match="unknown finding 'gout'"):
        asked.ask("gout")


@pytest.mark.parametrize("question, name", [
    ("is there mild edema?", "mild edema"), ("is there a new nodule in this image?", "new nodule"),
    ("is there a large left pleural effusion?", "large left pleural effusion"),
    ("is there worsening pneumonia in the left lung?", "left lung worsening pneumonia"),
    ("is there evidence of acute pneumonia in this image?", "acute pneumonia"), ("is there infection?", "infection"),
    ("is there lung collapse?", "lung collapse"), ("is there a collapsed lung?", "collapsed lung"), ("is there opacity?", "opacity"),
    ("is there pneumonia or edema?", "pneumonia or edema"), ("is there no pneumonia?", "no pneumonia"),
    ("are there any signs of abnormalities in the left lung?", "left lung abnormalities"), ("is the lung mass cavity bilateral?", "bilateral lung mass cavity"),
    ("is there evidence of pulmonary edema/hazy opacity in the carina?", "carina pulmonary edema/hazy opacity"),
    ("is there pneumonia in the left toe?", "pneumonia in the left toe"), ("is there effusion?", "effusion"),
    ("is there a left pleural effusion in the right lung?", "right lung left pleural effusion"),
])  # fmt: skip
def test_what_the_lexicon_does_not_know_by_exactly_this_name_is_named_but_not_known(question, name):
    asked = parse(question)
    assert asked_name(asked) == name and not asked.known
    assert parse(asked.ask("edema")).finding == "edema"


@pytest.mark.parametrize("question", [
    "which view is this image taken?", "where is the pneumonia?", "what abnormalities are seen in this image?", "how large is the effusion?",
    "has the pneumonia improved compared to the previous image?", "is there pneumonia compared to previous?",
    "is there any change in the pleural effusion?", "is the pneumonia new since the last study?", "is there a difference in the lungs?",
    "is this a pa view?", "is the heart enlarged?", "is the heart size normal?", "can pneumonia be excluded?", "", "?", "is there?", "pneumonia",
    "are the lungs clear?", "is the pleural effusion larger than before?", "is there {ax}?", "is pneumonia not present or absent in the lung?",
])  # fmt: skip
def test_other_questions_are_not_read(question):
    assert parse(question) is None


def test_questions_about_different_places_are_different_findings():
    questions = [f"is there edema {place.at}?" if place.at else f"is there {place.before} edema?" for place in PLACES.values()]
    assert [asked_name(parse(question)) for question in questions] == [f"{name} edema" for name in PLACES]


def test_every_spelling_of_a_place_is_read_as_that_place_and_of_the_same_side():
    for spelling, name in SPELLINGS.items():
        assert parse(f"is there edema in the {spelling}?").place == name, spelling
        assert places_in(f"is there edema in the {spelling}?") == {name}, spelling
        words = set(spelling.replace("-", " ").replace("both", "bilateral").split())
        for side in ("left", "right"):
            assert (side in words) == (side in name.split()), spelling
        assert ("bilateral" in name) == (not {"bilateral", "bilaterally", "bibasilar", "bibasal", "biapical"}.isdisjoint(words)), spelling


def test_overlapping_names_are_read_as_the_longest():
    assert [finding for finding, _, _ in named("a rib fracture, a fracture, Pleural Thickening or Scarring")] == [
        "rib fracture", "fracture", "pleural other",
    ]  # fmt: skip
    assert not stands_alone("left lung", "nodule") and stands_alone("left lung", "pulmonary nodule")


@pytest.mark.parametrize("text, finding", [
    ("Please tell me whether the film suggests a Pleural  Effusion.", "pleural effusion"), ("Lung nodules, anywhere?", "nodule"),
    ("Would you say the enlarged heart is real?", "cardiomegaly"), ("Edema, or rather fluid in the pleural space?", "pleural effusion"),
    ("Is it pleural thickening or scarring?", "pleural other"), ("Anything to worry about?", None), ("pneumonias and others", None),
    ("Are the lungs clear of consolidation?", None), ("Can pneumonia be ruled out?", None), ("Is the edema worse than before?", None),
    ("", None),
])  # fmt: skip
def test_free_text_is_searched_for_the_longest_name_unless_a_word_turns_it_round(text, finding):
    assert finding_in(text) == finding


def test_every_finding_is_found_by_every_name():
    for finding, entry in LEXICON.items():
        assert {finding_in(f"Look for {term.text} here") for term in (*entry.terms, *entry.spellings)} == {finding}
