"""Hard positives: whatever is asked, in whatever form and place, the other variants ask the same."""

import csv
import re
from itertools import groupby
from pathlib import Path

import pytest

from medattn.base.params.terms import read_terms
from medattn.base.paths import TERMS
from medattn.language.findings import LEXICON, fill
from medattn.language.invariants import INVARIANTS, UNIQUE, repeated, violations
from medattn.language.places import PLACES
from medattn.language.question_forms import about, parse
from medattn.language.strategy_labels import BASELINE, STRATEGIES
from medattn.language.variants import BASELINE_TEMPLATES, LOCATED, TEMPLATES, baseline_template, options, reword, variants
from medattn.measures.localisation import ZONES
from medattn.mimic.layout import LABELS
from medattn.phantom.anatomy import FINDINGS
from tests.test_embedded_study import entries, stored

ROOT = Path(__file__).parents[2]

# --- an oracle of its own: what may be said of each finding, written down again ---------------------------------------------

SAID = {
    "atelectasis": "atelectasis|pulmonary atelectasis|atelectatic changes?",
    "cardiomegaly": "cardiomegaly|enlarged hearts?|cardiac enlargement|enlargement of the heart|heart enlargement",
    "consolidation": "consolidations?|airspace consolidation|alveolar consolidation",
    "edema": "(?:pulmonary |lung )?o?edema",
    "enlarged cardiomediastinum": (
        "enlarged cardiomediastin(?:um|a)|cardiomediastinal enlargement|enlarged cardiomediastinal silhouettes?"
    ),
    "fracture": "(?:osseous |bone )?fractures?|fractured bones?",
    "lung lesion": "(?:lung|pulmonary) lesions?",
    "lung opacity": "(?:lung|pulmonary) opacit(?:y|ies)",
    "pleural effusion": "pleural effusions?|pleural fluid|fluid in the pleural space",
    "pleural other": "pleural thickening or scarring|thickening or scarring of the pleura|pleural scarring or thickening",
    "pneumonia": "pneumonia|pneumonic process(?:es)?|pneumonic changes?",
    "pneumothorax": "pneumothora(?:x|ces)|pleural air|air in the pleural space",
    "support devices": "(?:medical )?support devices?|supportive medical devices?",
    "nodule": "(?:lung |pulmonary )?nodules?",
    "blunting of the costophrenic angle": (
        "blunting of the costophrenic angle|costophrenic angle blunting|blunted costophrenic angles?"
    ),
    "emphysema": "(?:pulmonary )?emphysema|emphysematous changes?",
    "enlarged cardiac silhouette": (
        "enlarged cardiac silhouettes?|enlargement of the cardiac silhouette|cardiac silhouette enlargement"
    ),
    "hiatal hernia": "hiat(?:al|us) hernias?",
    "lung mass": "(?:lung|pulmonary) mass(?:es)?",
    "pleural thickening": "pleural thickening|thickening of the pleura|thickened pleurae?",
    "pneumomediastinum": "pneumomediastinum|mediastinal air|air in the mediastinum",
    "rib fracture": "rib fractures?|fractured ribs?|fractures? of (?:a rib|ribs|the ribs)",
    "scoliosis": "scoliosis of the spine|(?:spinal )?scoliosis",
    "subcutaneous emphysema": "subcutaneous (?:emphysema|air)|air in the subcutaneous tissue",
    "tortuous aorta": "tortuous aortas?|aortic tortuosity|tortuosity of the aorta",
    "vascular congestion": "(?:pulmonary )?vascular congestion|congestion of the pulmonary vessels",
}
FALSE_SYNONYMS = re.compile(r"collaps|infect|infiltrat|hazy|water|swelling|widen|density|pacemaker|opacification|shadow")
FORBIDDEN = {
    "no", "not", "none", "never", "without", "absent", "absence", "lack", "exclude", "excluded", "excluding", "ruled",
    "rule", "normal", "abnormal", "clear", "free", "negative", "unlikely", "new", "old", "acute", "chronic", "recent",
    "prior", "previous", "worsening", "worse", "improving", "stable", "unchanged", "interval", "persistent", "residual",
    "resolved", "large", "small", "mild", "moderate", "severe", "significant", "trace", "tiny", "massive", "minimal",
    "extensive", "marked", "subtle", "possible", "probable", "likely",
}  # fmt: skip
WHERE = {
    "left", "right", "bilateral", "upper", "mid", "lower", "lobe", "zone", "base", "apex", "hilar", "perihilar",
    "hemithorax", "hemidiaphragm", "costophrenic", "cardiophrenic", "clavicle", "lingula", "mediastinum",
    "retrocardiac", "silhouette", "aortic", "trachea", "carina", "spine", "abdomen", "lung",
}  # fmt: skip
SAME_WORD = {
    "both": "bilateral", "sides": "", "left-sided": "left", "right-sided": "right", "lobes": "lobe", "zones": "zone",
    "bases": "base", "apices": "apex", "lungs": "lung", "middle": "mid", "hemidiaphragms": "hemidiaphragm", "regions": "region",
}  # fmt: skip
# Templates of the question sets: L stands for " in the …", X for the finding with or without an article.
FORMS = (
    "is there evidence of {of} in this image?", "is there {a}?", "is there {a}{L}?", "is there evidence of {of}{L}?",
    "is there {a}{L} in this image?", "is there {a} in this x-ray?", "is there any evidence of {of}{L} in this chest x-ray?",
    "does the patient have {a}{L}?", "is {a} present{L}?", "does this image show {a}{L}?", "does the chest x-ray show {a}{L}?",
    "is {a} seen{L}?", "is {a} visible{L} in this radiograph?", "are there signs of {of}{L}?",
    "are there any signs of {of}{L} on this film?",
    "can {a} be seen{L}?", "do you see {a}{L}?", "in this image, is there {a}{L}?", "is there {a} present{L}?",
    "Is there evidence of {of}{L} in this image?", "Is there {a}{L} in this image?", "Does this radiograph show {a}{L}?",
    "any {x}{L}?",
)  # fmt: skip
PREDICATES = ("is the {x} bilateral?", "is the {x} on the left side?", "is the {x}{L}?", "is there bilateral {x}?",
              "is there left-sided {x}?", "is there right {x}?")  # fmt: skip


# There is one of it, at a place of its own; and what is of the lung, with the places that are not.
SINGLE = {
    "cardiomegaly", "enlarged cardiomediastinum", "enlarged cardiac silhouette", "hiatal hernia", "pneumomediastinum",
    "scoliosis", "tortuous aorta",
}  # fmt: skip
OF_THE_LUNG = {
    "atelectasis", "consolidation", "edema", "emphysema", "lung lesion", "lung mass", "lung opacity", "nodule", "pneumonia",
    "vascular congestion",
}  # fmt: skip
NOT_LUNG = {"clavicle", "mediastinum", "silhouette", "arch", "trachea", "carina", "spine", "abdomen"}


def refused(finding: str, place: str) -> bool:
    """Whether a question about the finding at the place must be left alone."""
    words = set(place.split())
    own = set(re.findall(r"[a-z]{4,}", SAID[finding])) - {"lung"}
    return bool(place) and (finding in SINGLE or (finding in OF_THE_LUNG and bool(words & NOT_LUNG)) or bool(words & own))


PLURALS = re.compile(
    r"(?:hearts|silhouettes|cardiomediastina|fractures|bones|lesions|opacities|effusions|pneumothoraces|devices|nodules"
    r"|processes|angles|hernias|masses|pleurae|ribs|aortas|consolidations|changes)$"
)


def taken_apart(text: str, finding: str) -> tuple[str, str, set[str]]:
    """The finding's name in the text, the text with § for it, and the words that say where."""
    names = re.findall(rf"\b(?:{SAID[finding]})\b", text.lower())
    assert len(names) == 1, f"{text!r} names {finding!r} so: {names}"
    rest = text.lower().replace(names[0], "§")
    words = [SAME_WORD.get(word, word) for word in re.findall(r"[a-z-]+", rest)]
    return names[0], rest, {word for word in words if word in WHERE}


def held(baseline: str, finding: str, place: str, variants: list[str]) -> None:
    """Every invariant of the facts, by the oracle's own words."""
    _, _, had = taken_apart(baseline, finding)
    assert had == {SAME_WORD.get(word, word) for word in place.split()} & WHERE, (baseline, had, place)
    lower = baseline == baseline.lower()
    for text in variants:
        name, rest, where = taken_apart(text, finding)
        assert where == had, (baseline, text)
        assert not FORBIDDEN & set(re.findall(r"[a-z]+", rest)), text
        assert not FALSE_SYNONYMS.search(text.lower()), text
        for other, names in SAID.items():
            assert other == finding or not re.search(rf"\b(?:{names})\b", rest), (text, other)
        for article, word in re.findall(r"\b(an?) ([\w-]+)", text.lower()):
            assert (article == "an") == (word[0] in "aeiou"), text
        several = PLURALS.search(name) is not None
        for verb in re.findall(
            r"\b(is|are) (?:there )?(?:(?:the|any|an?|bilateral|left|right|left-sided|right-sided) )*§", rest
        ):
            assert (verb == "are") == several, text
        assert not (several and re.search(r"\ban? (?:(?:bilateral|left|right|left-sided|right-sided) )*§", rest)), text
        assert lower == (text == text.lower()) and (lower or text[0].isupper()), text
        assert text.endswith("?") and "  " not in text and "{" not in text, text
    plain = [re.sub(r"\W+", " ", text.lower()).strip() for text in (baseline, *variants)]
    assert len(set(plain)) == len(plain), plain


def baselines(forms: tuple[str, ...], places: list[str]) -> list[tuple[str, str, str]]:
    """(question, finding, place) for these forms, all findings and these places ("" for none)."""
    made = []
    for finding, known in LEXICON.items():
        name = known.name
        for place in places:
            at = {"": "", "left": " on the left", "right": " on the right", "bilateral": " on both sides"}.get(place)
            at = f" {PLACES[place].at}" if at is None else at
            for form in forms:
                if "{L}" in form or not place:
                    made.append((form.format(of=name.after_of, a=name.with_article, x=name.text, L=at), finding, place))
    return made


def check_all(cases: list[tuple[str, str, str]]) -> int:
    """Parse and reword each case, hold every variant that can be made to the oracle; how many variants these are."""
    count = 0
    for question, finding, place in cases:
        asked = parse(question)
        assert asked is not None and (asked.finding, asked.place) == (finding, place), (question, asked)
        assert asked.known != refused(finding, place), question
        if not asked.known:
            continue
        made = [variant.text for group in options(asked, question).values() for variant in group]
        held(question, finding, place, made)
        count += len(made)
    return count


# --- everything that can be made ------------------------------------------------------------------------------------------


def test_the_findings_are_chexperts_the_phantoms_and_a_few_more_each_with_a_synonym():
    assert set(LABELS.values()) | {"nodule"} <= set(LEXICON) and set(SAID) == set(LEXICON)
    assert set(list(LEXICON)[:5]) == set(FINDINGS)
    assert all(entry.synonyms for entry in LEXICON.values())
    assert len(BASELINE_TEMPLATES) + sum(map(len, TEMPLATES.values())) >= 12 and sum(map(len, LOCATED.values())) >= 12


def test_every_form_of_every_finding_without_and_with_a_side_keeps_every_invariant():
    count = check_all(baselines(FORMS, ["", "left", "right", "bilateral", "left lower lobe"]))
    assert count > 30_000, count


def test_every_place_of_every_finding_keeps_every_invariant():
    assert check_all(baselines(("is there {a}{L}?",), list(PLACES))) > 14_000


def test_every_way_to_say_a_side_keeps_it():
    for finding, known in LEXICON.items():
        for form, place in zip(
            PREDICATES, ("bilateral", "left", "right lower lobe", "bilateral", "left", "right"), strict=True
        ):
            if finding != "support devices" or not form.startswith("is the "):  # asks for its position
                check_all([(form.format(x=known.name.text, L=" in the right lower lobe"), finding, place)])


@pytest.mark.parametrize(
    "before", ["left", "right-sided", "bilateral", "left lower lobe", "right upper lung", "left lung", "bibasilar"]
)
def test_a_place_in_front_of_the_finding_stays_with_it(before):
    """No "left upper nodule", no "left lower lobe air in the pleural space", no "left lung pulmonary edema"."""
    reworded = 0
    for finding, known in LEXICON.items():
        question = f"is there {before} {known.name.text}?"
        asked = parse(question)
        if asked is None or not asked.known:
            continue
        assert not refused(finding, asked.place), question
        for group in options(asked, question).values():
            for variant in group:
                reworded += 1
                if " of " not in question:
                    assert not re.search(rf"{before} [\w ]+ (?:in the pleural|in the sub|of the|of a|of ribs)", variant.text), (
                        question,
                        variant.text,
                    )
                assert not re.search(r"upper (?:nodule|lesion|mass|opacity)|lung (?:pulmonary|lung)", variant.text), (
                    question,
                    variant.text,
                )
    assert reworded > 60


def test_every_synonym_and_plural_in_the_baseline_is_kept_by_the_other_strategies():
    for finding, known in LEXICON.items():
        for term in (*known.terms, *known.spellings):
            for name in {term.text, term.in_plural.text}:
                question = f"is there evidence of {name} in this image?"
                check_all([(question, finding, "")])
                for strategy, made in options(parse(question), question).items():
                    kept = [re.search(rf"(?<![\w-]){name}(?![\w-])", variant.text) is not None for variant in made]
                    assert all(kept) or strategy == "synonym", (question, made)


@pytest.mark.parametrize("finding", FINDINGS)
def test_the_phantoms_templates_keep_every_invariant(finding):
    for template in BASELINE_TEMPLATES:
        baseline = fill(template, LEXICON[finding].name)
        held(
            baseline,
            finding,
            "",
            [variant.text for group in options(about(finding, template), baseline).values() for variant in group],
        )


# --- choosing -------------------------------------------------------------------------------------------------------------


def test_the_embedded_studys_questions_are_made_again_byte_for_byte():
    (md5,) = (entry["md5"] for entry in entries() if entry["relpath"] == "questions.csv")
    rows = list(csv.DictReader(stored(md5).read_text().splitlines()))
    study = [row for row in rows if row["role"] == "study"]
    assert len(study) == 600
    for question_id, group in groupby(study, key=lambda row: row["question_id"]):
        group = list(group)
        asked = group[0]["baseline_question"]
        made = variants(question_id, group[0]["finding"], baseline_template(group[0]["image_id"]))
        expected = [(row["strategy"], row["question"]) for row in group]
        assert [(variant.strategy, variant.text) for variant in made] == expected
        assert [(variant.strategy, variant.text) for variant in reword(question_id, asked, parse(asked))] == expected
    for row in rows:
        if row["role"] == "control":
            assert row["question"] == variants(row["question_id"], row["finding"], baseline_template(row["image_id"]))[0].text


def test_a_question_has_its_baseline_as_it_stands_and_one_variant_per_strategy_decided_by_its_id():
    question = "IS there  Evidence of pneumonia in the LEFT lung ?"
    made = reword("q1", question, parse(question))
    assert made[0].text == question and [variant.strategy for variant in made] == [BASELINE, *STRATEGIES]
    assert made == reword("q1", question, parse(question))
    assert len({tuple(reword(f"q{index}", question, parse(question))) for index in range(200)}) > 50


def test_every_template_and_synonym_is_used_somewhere():
    made = {variant.text for index in range(200) for variant in variants(f"q{index}", "nodule", BASELINE_TEMPLATES[0])}
    entry = LEXICON["nodule"]
    expected = {fill(template, entry.name) for templates in TEMPLATES.values() for template in templates}
    expected |= {fill(BASELINE_TEMPLATES[0], term) for term in entry.terms}
    assert made == expected


def test_a_variant_that_is_the_baselines_own_is_not_chosen():
    for question in (
        "does this image show pneumonia?",
        "Pneumonia present?",
        "can pneumonia be seen in this image?",
        "any pneumonia here?",
    ):
        for index in range(30):
            made = [variant.text.lower() for variant in reword(f"q{index}", question, parse(question))]
            assert len(set(made)) == 6


def test_an_image_has_one_baseline_template():
    assert baseline_template("i1") == baseline_template("i1")
    assert {baseline_template(f"i{index}") for index in range(50)} == set(BASELINE_TEMPLATES)


# --- planted violations ---------------------------------------------------------------------------------------------------

ASKED = "is there a nodule in the left upper lobe?"


@pytest.mark.parametrize(
    ("variant", "rule", "what"),
    [
        ("is there no nodule in the left upper lobe?", "same polarity", "found 'no', the baseline has none"),
        ("can a nodule in the left upper lobe be excluded?", "same polarity", "found 'excluded', the baseline has none"),
        ("is the left upper lobe free of a nodule?", "same polarity", "found 'free of', the baseline has none"),
        ("can a nodule be ruled out in the left upper lobe?", "same polarity", "found 'ruled out', the baseline has none"),
        ("is a nodule absent in the left upper lobe?", "same polarity", "found 'absent', the baseline has none"),
        ("isn't there a nodule in the left upper lobe?", "same polarity", "found \"n't\", the baseline has none"),
        ("is there a nodule in the right upper lobe?", "same laterality", "found 'right', the baseline has 'left'"),
        ("is there a nodule in both upper lobes?", "same laterality", "found 'bilateral', the baseline has 'left'"),
        ("is there a nodule in the left lower lobe?", "same place", "found 'left lower lobe', asked about 'left upper lobe'"),
        ("is there a nodule in this image?", "same place", "found none, asked about 'left upper lobe'"),
        ("is there a mass in the left upper lobe?", "same finding", "found none, asked about 'nodule'"),
        ("is there a nodule or a fracture in the left upper lobe?", "same finding",
         "found 'fracture', 'nodule', asked about 'nodule'"),
        ("is there a large nodule in the left upper lobe?", "same severity", "found 'large', the baseline has none"),
        ("is there a significant nodule in the left upper lobe?", "same severity",
         "found 'significant', the baseline has none"),
        ("is there a new nodule in the left upper lobe?", "same time", "found 'new', the baseline has none"),
        ("is there a worsening nodule in the left upper lobe?", "same time", "found 'worsening', the baseline has none"),
        ("Is there  a nodule in the left upper lobe", "differs from the baseline",
         "'Is there  a nodule in the left upper lobe'"),
        ("is there an nodule in the left upper lobe?", "a/an agrees with the next word", "found 'an nodule'"),
        ("is a upper nodule seen in the left upper lobe?", "a/an agrees with the next word", "found 'a upper'"),
        ("Any nodule in the left upper lobe?", "lower case where the baseline is", "'Any nodule in the left upper lobe?'"),
    ],
)  # fmt: skip
def test_a_broken_invariant_is_found_and_named(variant, rule, what):
    found = violations(parse(ASKED), ASKED, variant)
    assert f"{rule}: {what}" in found and rule in INVARIANTS


def test_every_invariant_has_a_planted_violation_above():
    marks = test_a_broken_invariant_is_found_and_named.pytestmark
    assert {case[1] for case in marks[0].args[1]} == set(INVARIANTS)


def test_a_lost_negation_breaks_the_polarity_too():
    asked = about("nodule", "Is there no {x}?")
    assert violations(asked, "Is there no nodule?", "Any nodule here?")[0] == "same polarity: found none, the baseline has 'no'"


def test_a_variant_twice_in_a_group_is_found_and_named():
    assert repeated(["is there edema?", "any edema?", "Any edema"]) == [f"{UNIQUE}: 'Any edema'"]
    assert repeated(["is there edema?", "any edema?"]) == []


def test_a_planted_template_stops_the_question_and_the_message_names_the_rule(monkeypatch):
    monkeypatch.setitem(TEMPLATES, "voice", ("Can {ax} be excluded?",))
    options.cache_clear()
    with pytest.raises(ValueError, match="breaks same polarity") as error:
        reword("q7", "is there edema?", parse("is there edema?"))
    options.cache_clear()
    assert str(error.value) == (
        "question q7: variant 'can edema be excluded?' of 'is there edema?' breaks same polarity: found 'excluded', the"
        " baseline has none"
    )


def test_a_template_planted_twice_stops_the_question(monkeypatch):
    monkeypatch.setitem(TEMPLATES, "voice", TEMPLATES["register"])
    options.cache_clear()
    with pytest.raises(
        ValueError, match="question q7: variants of 'is there edema\\?' break unique in its group: 'edema present\\?'"
    ):
        reword("q7", "is there edema?", parse("is there edema?"))
    options.cache_clear()


def test_what_the_rules_do_not_know_they_do_not_touch():
    question = "is there a large pleural effusion?"
    with pytest.raises(ValueError, match="the rules cannot reword") as error:
        reword("q1", question, parse(question))
    assert str(error.value) == (
        "question q1: the rules cannot reword 'is there a large pleural effusion?': 'large pleural effusion' is not a finding"
        " of the lexicon"
    )


def test_a_question_that_was_read_as_another_is_refused():
    with pytest.raises(ValueError, match="is not what was asked, same place: found 'left', asked about none"):
        reword("q1", "is there edema on the left?", parse("is there edema?"))


def test_an_unknown_finding_is_an_error():
    with pytest.raises(ValueError, match="unknown finding 'mass'"):
        variants("q1", "mass", BASELINE_TEMPLATES[0])


def test_the_phantoms_findings_have_names_and_a_zone():
    assert set(FINDINGS) <= set(LEXICON) and set(FINDINGS) <= set(ZONES)


def test_every_name_of_a_finding_is_a_term_that_gates():
    terms = set(read_terms(ROOT / TERMS))
    names = {term.text for entry in LEXICON.values() for term in (*entry.terms, *entry.spellings) if not term.plural}
    assert sorted(names - terms) == []
