"""Answers of the model, read sentence by sentence."""

import math

import pytest

from medattn.language.answers import ANSWERS, answer_margin, margin_valid, parse_answer

E, X, C, H, N = "pleural effusion", "pneumothorax", "consolidation", "cardiomegaly", "nodule"

SENTENCES = [
    # bare answers
    ("Yes", E, "yes"),
    ("No", E, "no"),
    ("No.", E, "no"),
    (" yes\n", E, "yes"),
    ("NO", None, "no"),
    ("**Yes**", E, "yes"),
    ("Answer: No", E, "no"),
    ("The answer is yes.", E, "yes"),
    ("Yes, there is a pleural effusion.", E, "yes"),
    ("Yes, the heart is enlarged.", H, "yes"),
    ("No, there is no evidence of pneumothorax.", X, "no"),
    ("No there is no effusion", E, "no"),
    ("No — the lungs are clear.", C, "no"),
    ("Based on the image, yes.", E, "yes"),
    ("Yes and there is a nodule.", E, "yes"),
    ("Yes, there is no evidence of pneumothorax.", X, "contradictory"),
    ("No, there is a nodule.", N, "contradictory"),
    # what the first deciding clause is about, and what only sounds like an answer
    ("There is no obvious fracture present, but the study is limited.", "fracture", "no"),
    ("No evidence of effusion, but a nodule is present.", E, "no"),
    ("No evidence of effusion, but a nodule is present.", N, "yes"),
    ("No focal consolidation. Small right effusion.", E, "yes"),
    ("As noted above, the lungs are abnormal.", C, "unparsed"),
    ("Noted.", N, "unparsed"),
    ("Normal chest radiograph.", X, "unparsed"),
    ("The absence of pneumothorax is noted.", X, "no"),
    ("The patient has a history of pneumothorax, but none is seen today.", X, "no"),
    ("Not only is there an effusion, there is also a nodule.", E, "yes"),
    ("Neither consolidation nor effusion is seen.", E, "no"),
    ("Both lungs are clear without consolidation, effusion, or pneumothorax.", X, "no"),
    ("Interval resolution of the previously seen pneumothorax.", X, "no"),
    ("There is no significant change in the small pleural effusion.", E, "yes"),
    ("There are no pleural effusions and no pneumothorax. There is consolidation.", C, "yes"),
    ("An endotracheal tube is present. No pneumothorax.", "support devices", "yes"),
    ("The mediastinum is widened.", "enlarged cardiomediastinum", "yes"),
    ("The question asks whether there is a pneumothorax. There is one.", X, "yes"),
    ("It is difficult to determine whether there is a pneumothorax.", X, "uncertain"),
    ("Unlikely to be pneumonia.", "pneumonia", "uncertain"),
    ("No, but there is a possible consolidation.", X, "no"),
    # negation
    ("There is no pleural effusion.", E, "no"),
    ("there is no obvious fracture present", None, "no"),
    ("there is no obvious fracture present", "fracture", "no"),
    ("There is no evidence of consolidation in this image.", C, "no"),
    ("Pleural effusion is not present.", E, "no"),
    ("A pneumothorax isn't seen.", X, "no"),
    ("I can't see a nodule.", N, "no"),
    ("I cannot see an effusion.", E, "no"),
    ("The lungs are free of consolidation.", C, "no"),
    ("Absence of pleural effusion.", E, "no"),
    ("Negative for pneumothorax.", X, "no"),
    ("Pneumothorax is absent.", X, "no"),
    ("Pneumothorax has been ruled out.", X, "no"),
    ("Without effusion.", E, "no"),
    ("Neither effusion nor pneumothorax is seen.", X, "no"),
    ("No effusion, pneumothorax or consolidation is seen.", C, "no"),
    ("No evidence of an effusion, a nodule, or a pneumothorax is seen.", N, "no"),
    ("No suspicious nodule.", N, "no"),
    ("The heart size is normal.", H, "no"),
    ("The heart is not enlarged.", H, "no"),
    ("It is not present.", E, "no"),
    ("None.", E, "no"),
    ("No acute cardiopulmonary abnormality.", X, "no"),
    # affirmation
    ("There is a small left pleural effusion.", E, "yes"),
    ("Small left pleural effusion.", E, "yes"),
    ("Cardiomegaly is noted.", H, "yes"),
    ("The cardiac silhouette is moderately enlarged.", H, "yes"),
    ("Bilateral effusions are present.", E, "yes"),
    ("Not only a nodule but also an effusion is present.", N, "yes"),
    ("There is no significant change in the pleural effusion.", E, "yes"),
    ("The radiograph demonstrates a right pneumothorax.", X, "yes"),
    ("Left rib fracture.", "rib fracture", "yes"),
    ("It is present.", E, "yes"),
    # more than one finding
    ("no evidence of effusion, but a nodule is present", E, "no"),
    ("no evidence of effusion, but a nodule is present", N, "yes"),
    ("There is an effusion and no pneumothorax.", E, "yes"),
    ("There is an effusion and no pneumothorax.", X, "no"),
    ("No effusion and a nodule is present.", N, "yes"),
    ("No effusion, a nodule is present.", N, "yes"),
    ("No effusion, a nodule is present.", E, "no"),
    ("Cardiomegaly without effusion.", H, "yes"),
    ("Cardiomegaly without effusion.", E, "no"),
    ("There is no pneumothorax. There is a moderate effusion.", E, "yes"),
    ("There is consolidation; however, no effusion is seen.", E, "no"),
    ("There is a possible nodule, no effusion.", E, "no"),
    ("There is a possible nodule, no effusion.", N, "uncertain"),
    ("No abnormality other than a nodule.", N, "yes"),
    ("There is an effusion and a nodule.", N, "yes"),
    ("There is a nodule.", E, "unparsed"),
    ("No pneumothorax.", E, "unparsed"),
    # hedges
    ("Pleural effusion cannot be excluded.", E, "uncertain"),
    ("A pneumothorax can't be ruled out.", X, "uncertain"),
    ("Possible consolidation.", C, "uncertain"),
    ("There may be a small effusion.", E, "uncertain"),
    ("It is difficult to say.", E, "uncertain"),
    ("I am not sure.", E, "uncertain"),
    ("Findings are suspicious for a nodule.", N, "uncertain"),
    ("There is not enough information to determine this.", E, "uncertain"),
    ("It is not possible to determine whether an effusion is present.", E, "uncertain"),
    ("An effusion is unlikely.", E, "uncertain"),
    ("Possibly yes", E, "uncertain"),
    ("Maybe.", E, "uncertain"),
    ("Uncertain", E, "uncertain"),
    ("Small effusion with possible consolidation.", E, "yes"),
    ("Small effusion with possible consolidation.", C, "uncertain"),
    ("There is blunting of the left costophrenic angle, suggesting an effusion.", E, "uncertain"),
    ("This could be an older film. There is a pleural effusion.", E, "yes"),
    # lists and turns of phrase
    ("Pleural effusion: No", E, "no"),
    ("Pleural effusion: yes", E, "yes"),
    ("Pleural effusion - no", E, "no"),
    ("Pleural effusion: not seen.\nNodule: present.", E, "no"),
    ("Pleural effusion: not seen.\nNodule: present.", N, "yes"),
    ("Pneumothorax: yes\nNodule: no", N, "no"),
    ("Yes/No", E, "unparsed"),
    ("The answer is: no.", E, "no"),
    ("Here is the answer: No.", E, "no"),
    ("Yes effusion present", E, "yes"),
    ("I don't see any pneumothorax.", X, "no"),
    ("I do not think so.", X, "no"),
    ("There isn't.", X, "no"),
    ("There's no effusion.", E, "no"),
    ("There's a nodule.", N, "yes"),
    ("The image does not show a nodule.", N, "no"),
    ("We could not identify a nodule.", N, "no"),
    ("The heart does not appear enlarged.", H, "no"),
    ("There is free pleural fluid.", E, "yes"),
    ("The lungs are clear.", C, "no"),
    ("The patient has a large right pneumothorax.", X, "yes"),
    ("Evidence of cardiomegaly.", H, "yes"),
    ("There is a small nodule in the right upper lobe, measuring 3.5 mm.", N, "yes"),
    # words that only look like answers
    ("normal", E, "unparsed"),
    ("The chest appears normal.", E, "unparsed"),
    ("noted", E, "unparsed"),
    ("Abnormal.", E, "unparsed"),
    ("known", None, "unparsed"),
    ("Eyes", None, "unparsed"),
    ("Nodular", X, "unparsed"),
    ("nonsense", None, "unparsed"),
    ("Is there a pleural effusion?", E, "unparsed"),
    ("Is there a pleural effusion? No.", E, "no"),
    ("The image is assessed for pleural effusion", E, "unparsed"),
    ("This is a chest radiograph.", E, "unparsed"),
    ("The image shows a chest X-ray.", E, "unparsed"),
    ("I am not a doctor.", E, "unparsed"),
    # nothing, and thoughts
    ("", E, "unparsed"),
    ("   \n", None, "unparsed"),
    ("...", None, "unparsed"),
    ("<unused94>thought\nIs there no effusion? Yes<unused95>No.", E, "no"),
    ("<unused94>thought\nThe user asks about effusion. No", E, "unparsed"),
    ("<unused94>thought No<unused95>", E, "unparsed"),
    ("<unused94>a<unused95><unused94>No, none", E, "unparsed"),
    ("<unused94>a<unused95>Yes, there is an effusion.<unused94>No", E, "yes"),
    ("<unused94>x<unused95>Yes, a nodule.<end_of_turn>", N, "yes"),
]


@pytest.mark.parametrize("text, finding, answer", SENTENCES)
def test_a_sentence_is_read_as_a_radiologist_would(text, finding, answer):
    assert parse_answer(text, finding) == answer


def test_a_finding_may_be_written_with_underscores_and_capitals():
    assert parse_answer("No effusion.", "Pleural_Effusion") == "no"


def test_every_answer_is_one_of_the_five():
    assert {answer for _, _, answer in SENTENCES} == set(ANSWERS)


@pytest.mark.parametrize("text", [None, 3, float("nan")])
def test_what_is_not_text_is_refused(text):
    with pytest.raises(ValueError, match="text is"):
        parse_answer(text)


def test_an_empty_finding_is_refused():
    with pytest.raises(ValueError, match="finding is"):
        parse_answer("Yes", "  ")


def test_the_margin_is_the_log_odds_of_the_forms():
    yes, no = [1.0, 2.0, -3.0], [0.5, 0.25]
    odds = sum(map(math.exp, yes)) / sum(map(math.exp, no))
    assert answer_margin(yes, no) == pytest.approx(math.log(odds), abs=1e-12)
    assert answer_margin(no, yes) == pytest.approx(-math.log(odds), abs=1e-12)
    assert answer_margin([1000.0], [998.0]) == 2.0


@pytest.mark.parametrize("yes, no", [([], [1.0]), ([1.0], [math.nan]), ([math.inf], [1.0]), ([[1.0]], [1.0])])
def test_a_margin_of_missing_logits_is_refused(yes, no):
    with pytest.raises(ValueError, match=r"logits of the (yes|no) forms"):
        answer_margin(yes, no)


def test_the_margin_is_valid_from_half_the_probability_on():
    assert margin_valid(0.5) and margin_valid(1.0) and not margin_valid(0.499999) and not margin_valid(0.0)
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="probability"):
            margin_valid(wrong)
