"""Questions of the question sets are read for what they ask, and others are left alone."""

import pytest

from medattn.language.findings import LEXICON, NAMES, named, stands_alone
from medattn.language.places import PLACES, SPELLINGS, places_in
from medattn.language.question_forms import asked_name, finding_in, parse
from medattn.mimic.layout import LABELS

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
    ("is there evidence of atelectasis in the right base?", "right lung base atelectasis",
     "is there evidence of a support device?"),
    ("does the patient have an enlarged heart?", "cardiomegaly", "does the patient have a support device?"),
    ("are there nodules?", "nodule", "is there a support device?"),
    ("are there any lung lesions?", "lung lesion", "is there a support device?"),
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
    ("are there any signs of pneumonia on this radiograph?", "pneumonia",
     "are there any signs of a support device on this radiograph?"),
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
    ("any nodules?", "nodule", "is there a support device?"),
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
    for spelled in (
        question.upper(),
        f"  {question.replace(' ', '   ')} ",
        question.replace("?", " ?"),
        question.rstrip("?"),
        question.title(),
    ):
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
    ("is there mild edema?", "mild edema"),
    ("is there a large left pleural effusion?", "large left pleural effusion"),
    ("is there infection?", "infection"),
    ("is there lung collapse?", "lung collapse"), ("is there a collapsed lung?", "collapsed lung"),
    ("is there opacity?", "opacity"),
    ("are there any signs of abnormalities in the left lung?", "left lung abnormalities"),
    ("is the lung mass cavity bilateral?", "bilateral lung mass cavity"),
    ("is there pneumonia in the left toe?", "pneumonia in the left toe"), ("is there effusion?", "effusion"),
    ("is there a left pleural effusion in the right lung?", "right lung left pleural effusion"),
])  # fmt: skip
def test_what_the_lexicon_does_not_know_by_exactly_this_name_is_named_but_not_known(question, name):
    asked = parse(question)
    assert asked_name(asked) == name and not asked.known
    assert parse(asked.ask("edema")).finding == "edema"


@pytest.mark.parametrize("question", [
    "which view is this image taken?", "where is the pneumonia?", "what abnormalities are seen in this image?",
    "how large is the effusion?",
    "has the pneumonia improved compared to the previous image?", "is there pneumonia compared to previous?",
    "is there any change in the pleural effusion?", "is the pneumonia new since the last study?",
    "is there a difference in the lungs?",
    "is this a pa view?", "is the heart enlarged?", "is the heart size normal?", "can pneumonia be excluded?", "", "?",
    "is there?", "pneumonia",
    "are the lungs clear?", "is the pleural effusion larger than before?", "is there {ax}?",
    "is pneumonia not present or absent in the lung?",
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
        assert ("bilateral" in name) == (
            not {"bilateral", "bilaterally", "bibasilar", "bibasal", "biapical"}.isdisjoint(words)
        ), spelling


def test_overlapping_names_are_read_as_the_longest():
    assert [finding for finding, _, _ in named("a rib fracture, a fracture, Pleural Thickening or Scarring")] == [
        "rib fracture", "fracture", "pleural other",
    ]  # fmt: skip
    assert not stands_alone("left lung", "nodule") and stands_alone("left lung", "pulmonary nodule")


@pytest.mark.parametrize("text, finding", [
    ("Do we see a Pleural  Effusion here?", "pleural effusion"), ("Any lung nodule?", "nodule"),
    ("Can one see an enlarged heart?", "cardiomegaly"),
    ("Does it show evidence of pleural thickening or scarring?", "pleural other"),
    ("Is the enlarged heart visible on this film?", "cardiomegaly"),
    ("Does this film suggest pneumonia?", "pneumonia"), ("Anything to worry about?", None), ("pneumonias and others", None),
    ("", None),
    # change, grade, kind, position, more than one finding, a place: not whether it is there
    ("Are the lungs clear of consolidation?", None), ("Can pneumonia be ruled out?", None),
    ("Is the edema worse than before?", None),
    ("Is the pneumothorax resolved?", None), ("Has the edema improved?", None), ("Did the pneumothorax disappear?", None),
    ("Is the pleural effusion larger?", None), ("Is the cardiomegaly mild?", None),
    ("Is the pleural effusion small or moderate?", None),
    ("Is the pneumonia viral?", None), ("Is the nodule seen calcified?", None), ("Was there a pneumothorax?", None),
    ("Should pneumonia be considered?", None), ("Does the patient need a chest tube for pneumothorax?", None),
    ("Is the support device in the right position?", None), ("Is the opacity due to pneumonia or pleural effusion?", None),
    ("Are pneumonia and edema both in the film?", None),
    ("Is lung opacity present in both the left lung and the right lung?", None),
    ("Would you say the enlarged heart is real?", None), ("Edema, or rather fluid in the pleural space?", None),
])  # fmt: skip
def test_free_text_names_a_finding_only_where_it_asks_for_its_presence_and_nothing_else(text, finding):
    assert finding_in(text) == finding


@pytest.mark.parametrize("question", [
    "is there a new nodule in this image?", "is there worsening pneumonia in the left lung?", "is there no pneumonia?",
    "is there pneumonia or edema?",
    "is there evidence of pulmonary edema/hazy opacity in the carina?", "is there pneumonia? yes or no",
    "is there evidence against pneumonia?",
    "is there a nodule in the lateral image?", "is there a pneumothorax on the ap film?", "is there a nodule in these images?",
    "is the support device in the right lung?", "is the support device at the carina?", "does this image present pneumonia?",
])  # fmt: skip
def test_a_change_a_second_finding_a_view_or_a_position_is_not_read_as_presence(question):
    assert parse(question) is None


@pytest.mark.parametrize("question", [
    "is there bilateral cardiomegaly?", "is the cardiomegaly bilateral?", "is there cardiomegaly in the left lung?",
    "is there scoliosis in the spine?",
    "is there emphysema in the mediastinum?", "is there edema in the abdomen?",
    "is there an enlarged cardiac silhouette in the cardiac silhouette?",
    "is there blunting of the costophrenic angle in the left costophrenic angle?",
    "is there pneumonia in the left middle lobe?",
])  # fmt: skip
def test_a_finding_where_it_cannot_be_asked_about_is_not_reworded(question):
    asked = parse(question)
    assert asked is None or not asked.known


@pytest.mark.parametrize("question, control", [
    ("is the nodule seen?", "is there a support device?"), ("is the pneumonia present?", "is there a support device?"),
    ("are there any nodules in this image?", "is there a support device in this image?"),
])  # fmt: skip
def test_a_control_does_not_presuppose_its_finding(question, control):
    assert parse(question).ask("support devices").lower() == control


def test_different_questions_have_different_names():
    assert asked_name(parse("is there a lung lesion in the left lung?")) == "left lung lesion"
    assert asked_name(parse("is there a left lung lesion?")) != ""
    names = {asked_name(about_place): about_place for about_place in map(parse, (
        "is there a lung lesion in the left lung?", "is there a left-sided lung lesion?", "is there a lung lesion?",
        "is there a lung lesion in both lungs?",
    ))}  # fmt: skip
    assert len(names) == 4


def test_every_finding_is_found_by_every_name():
    for finding, entry in LEXICON.items():
        assert {finding_in(f"Is there {term.text} here?") for term in (*entry.terms, *entry.spellings)} == {finding}
