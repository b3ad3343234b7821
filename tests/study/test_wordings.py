"""Hard positives: every template, finding and synonym keeps the invariants."""

from pathlib import Path

import pytest

from medattn import params
from medattn.measures.localisation import ZONES
from medattn.study.anatomy import FINDINGS
from medattn.study.wordings import (
    BASELINE, BASELINE_TEMPLATES, LEXICON, STRATEGIES, TEMPLATES, baseline_template, fill, violations, wordings,
)  # fmt: skip

ROOT = Path(__file__).parents[2]
CASES = [(finding, baseline) for finding in LEXICON for baseline in BASELINE_TEMPLATES]


@pytest.mark.parametrize(("finding", "baseline"), CASES)
def test_every_template_and_synonym_keeps_polarity_finding_and_grammar(finding, baseline):
    entry = LEXICON[finding]
    asked = fill(baseline, entry.name)
    variants = [fill(template, entry.name) for templates in TEMPLATES.values() for template in templates]
    variants += [fill(baseline, synonym) for synonym in entry.synonyms]
    assert {variant: violations(finding, asked, variant) for variant in variants} == dict.fromkeys(variants, [])
    assert len(set(variants) | {asked}) == len(variants) + 1


@pytest.mark.parametrize(("finding", "baseline"), CASES)
def test_a_question_has_its_baseline_and_one_wording_per_strategy(finding, baseline):
    made = wordings("q1", finding, baseline)
    assert [wording.strategy for wording in made] == [BASELINE, *STRATEGIES]
    assert made == wordings("q1", finding, baseline)


def test_every_template_and_synonym_is_used_somewhere():
    made = {wording.text for index in range(200) for wording in wordings(f"q{index}", "nodule", BASELINE_TEMPLATES[0])}
    entry = LEXICON["nodule"]
    expected = {fill(template, entry.name) for templates in TEMPLATES.values() for template in templates}
    expected |= {fill(BASELINE_TEMPLATES[0], term) for term in (entry.name, *entry.synonyms)}
    assert made == expected


def test_an_image_has_one_baseline_template():
    assert baseline_template("i1") == baseline_template("i1")
    assert {baseline_template(f"i{index}") for index in range(50)} == set(BASELINE_TEMPLATES)


@pytest.mark.parametrize(
    ("variant", "broken"),
    [
        ("Is there no nodule in this image?", "polarity"),
        ("Can a nodule be excluded?", "polarity"),
        ("Is there a left nodule?", "laterality"),
        ("Is there a new nodule?", "time"),
        ("Is there a mass in this image?", "same finding"),
        ("Is there an nodule in this image?", "a/an"),
        ("is there a nodule in this image?", "differs from the baseline"),
    ],
)
def test_a_wording_that_breaks_an_invariant_is_found(variant, broken):
    assert any(broken in violation for violation in violations("nodule", "Is there a nodule in this image?", variant))


def test_an_unknown_finding_is_an_error():
    with pytest.raises(ValueError, match="unknown finding 'mass'"):
        wordings("q1", "mass", BASELINE_TEMPLATES[0])


def test_every_finding_has_names_and_a_zone():
    assert set(LEXICON) == set(FINDINGS) and set(FINDINGS) <= set(ZONES)


def test_every_name_of_a_finding_is_a_term_that_gates():
    terms = set(params.load(ROOT / "params.yaml").aggregate.terms)
    names = {term.text for entry in LEXICON.values() for term in (entry.name, *entry.synonyms)}
    assert names <= terms
