"""Strategy labels in many spellings are read as the ideas they name; what names none is kept and counted, never guessed."""

import csv
import io

import pytest

from medattn.language.strategy_labels import BASELINE, CANONICAL, OTHER, STRATEGIES, labels, note_unknown, unknown_labels

P, S, C, R, V = STRATEGIES
SPELLINGS = {
    # phrasing
    "phrasing": (P,), "Phrasing": (P,), "PHRASING": (P,), "Rephrasing": (P,), "re-phrasing": (P,), "paraphrase": (P,),
    "Paraphrasing": (P,),
    "phrasing_variation": (P,), "phrasing-change": (P,), "reworded question": (P,), "alternative wording": (P,),
    "question form": (P,),
    "Yes/no question rephrase": (P,), "yes or no rephrasing": (P,), "phrase change": (P,), "interactive phrasing": (P,),
    "Rephrased ('Is there' → 'Do you see')": (P,), "phrasing, phrasing": (P,), "phrase_level": (P,),
    "interrogative change": (P,),
    # synonym
    "synonym": (S,), "Synonyms": (S,), "SYNONYM SUBSTITUTION": (S,), "synonym_swap": (S,), "Lexical substitution": (S,),
    "lexical-variation": (S,),
    "vocabulary change": (S,), "medical terminology": (S,), "word choice": (S,), "Synonym ('a' for 'b')": (S,),
    "synonym (evidence→signs)": (S,),
    "synonym [x-ray, radiograph; film + image]": (S,), "synonymous term (‘heart’ with ‘cardiac’)": (S,),
    "Synonym — “signs” and “evidence”": (S,),
    "synonym ('patient's lung' for 'lung')": (S,), "synonym 'patient's lung and heart'": (S,),
    "substitution": (S,), "Substitution of terms": (S,), "medical-term substitution": (S,),
    # clause
    "clause": (C,), "Clause reordering": (C,), "clause_fronting": (C,), "Fronted prepositional phrase": (C,),
    "prepositional fronting": (C,),
    "Clause (fronted prepositional phrase)": (C,), "word order": (C,), "word-order change": (C,),
    "syntactic restructuring": (C,), "cleft": (C,),
    "SYNTAX": (C,), "clausal restructure (moved 'in this image', with comma)": (C,),
    "question inversion": (C,), "Nominalization": (C,), "nominalisation": (C,), "preposition substitution": (C,),
    "fronted noun phrase": (C,),
    # register
    "register": (R,), "Formal register": (R,), "register_shift": (R,), "informal": (R,), "more formal": (R,), "Tone": (R,),
    "colloquial": (R,),
    "technical register": (R,), "lay language": (R,), "hard_positive register": (R,), "register shift (formal; clinical)": (R,),
    "Conversational style": (R,), "register-appropriate": (R,), "question formality": (R,),
    # voice
    "voice": (V,), "Passive voice": (V,), "PASSIVE": (V,), "active_voice": (V,), "Active-to-passive": (V,),
    "voice change (active → passive)": (V,),
    "passivization": (V,), "Voice.": (V,), "- voice -": (V,), "passive voice construction ('can be seen')": (V,),
    # several
    "Synonym + clause": (S, C), "synonym; passive voice": (S, V), "lexical/syntactic": (S, C), "phrasing, register": (P, R),
    "Synonym ('sign' for 'evidence') and register": (S, R), "Formal register with active voice": (R, V),
    "Passive voice using a synonym": (V, S),
    "SYNONYM (a (nested, with comma) note) + Voice": (S, V), "voice AND Register WITH synonym": (V, R, S),
    "clause plus synonym & voice": (C, S, V),
    "phrasing+synonym+clause+register+voice": (P, S, C, R, V), "Synonym (and register": (S,), "clause | voice": (C, V),
    "synonym–clause": (S, C), "synonym — clause": (S, C), "clause - synonym": (C, S), "synonym -> clause": (S, C),
    "Synonym→voice": (S, V), "synonym then clause": (S, C), "Active → passive": (V,),
    # several in one part
    "Formal synonym": (R, S), "Lay synonym": (R, S), "Clausal ellipsis": (C, "ellipsis"), "formal phrasing": (R, P),
    "Rephrased in the passive": (P, V), "Synonym in a synonymous clause": (S, C),
    # the others
    "spelling (oedema→edema)": ("spelling",), "Typo": ("spelling",), "ellipsis": ("ellipsis",),
    "elliptical question": ("ellipsis",),
    "Hyphenation": ("spelling",), "Case change": ("spelling",), "lower-case": ("spelling",),
    "Dropping of function words": ("ellipsis",),
    "Headline style": ("ellipsis",), "original phrasing": (BASELINE,), "Baseline text": (BASELINE,),
    "original form": (BASELINE,), "Original version": (BASELINE,), "original question wording": (BASELINE,),
    "telegraphic + register": ("ellipsis", R), "baseline": (BASELINE,), "Original": (BASELINE,),
    "original question": (BASELINE,),
}  # fmt: skip


@pytest.mark.parametrize("text, every", SPELLINGS.items())
def test_a_label_is_read_as_what_it_names_first_is_primary(text, every):
    found = labels(text)
    assert found.every == every and found.primary == every[0] and found.unknown == () and found.joined == "+".join(every)


def test_the_spellings_above_are_many_of_each_idea():
    assert all(sum(name in every for every in SPELLINGS.values()) >= 10 for name in STRATEGIES)


@pytest.mark.parametrize("name", CANONICAL)
def test_every_canonical_name_is_itself(name):
    assert labels(name).every == (name,)


def test_brackets_and_quotes_are_kept_as_detail():
    assert labels("Synonym ('a' for 'b')").detail == "('a' for 'b')"


@pytest.mark.parametrize("text, primary, joined, unknown", [
    ("sarcasm", OTHER, "sarcasm", ("sarcasm",)), ("synonym + Sarcasm", "synonym", "synonym+Sarcasm", ("Sarcasm",)),
    ("emoji_style; irony", OTHER, "emoji_style+irony", ("emoji_style", "irony")),
    ("irony, voice, irony", "voice", "voice+irony", ("irony",)),
    ("(only a synonym, with a note)", OTHER, "(only a synonym with a note)", ("(only a synonym with a note)",)),
    ("", OTHER, OTHER, ()), (" - ; + ", OTHER, OTHER, ()),
    ("information added", OTHER, "information added", ("information added",)),
    ("play", OTHER, "play", ("play",)), ("invoiced", OTHER, "invoiced", ("invoiced",)),
    ("negation", OTHER, "negation", ("negation",)), ("other", OTHER, "other", ("other",)),
    # negated, or the contrary of a strategy
    ("no synonym", OTHER, "no synonym", ("no synonym",)), ("not passive", OTHER, "not passive", ("not passive",)),
    ("non-clausal", OTHER, "non-clausal", ("non-clausal",)),
    ("without synonyms", OTHER, "without synonyms", ("without synonyms",)),
    ("voice, no synonym", "voice", "voice+no synonym", ("no synonym",)), ("yes/no", OTHER, "yes/no", ("yes/no",)),
    ("antonym substitution", OTHER, "antonym substitution", ("antonym substitution",)),
    ("lexical hyponym", OTHER, "lexical hyponym", ("lexical hyponym",)),
    ("Hypernym word choice", OTHER, "Hypernym word choice", ("Hypernym word choice",)),
    ("negated paraphrase", OTHER, "negated paraphrase", ("negated paraphrase",)),
    # words that a strategy's keyword has in common with something else
    ("noun phrase substitution", OTHER, "noun phrase substitution", ("noun phrase substitution",)),
    ("verb phrase", OTHER, "verb phrase", ("verb phrase",)),
    ("pronoun substitution", OTHER, "pronoun substitution", ("pronoun substitution",)),
    ("voice-to-text", OTHER, "voice-to-text", ("voice-to-text",)),
    ("abbreviation", OTHER, "abbreviation", ("abbreviation",)),
    ("inverted meaning", OTHER, "inverted meaning", ("inverted meaning",)),
])  # fmt: skip
def test_what_names_no_strategy_is_kept_as_it_is_not_guessed(text, primary, joined, unknown):
    found = labels(text)
    assert (found.primary, found.joined, found.unknown) == (primary, joined, unknown)


def test_unknown_parts_are_safe_in_a_cell_and_in_a_list():
    for text in ('"a+b" , (c+d)\n;\te "f" + g', "x\r\ny+z", "('+', ',')"):
        for part in labels(text).unknown:
            assert not set(part) & set('+,;"\n\r\t')
        (row,) = csv.reader(io.StringIO(labels(text).joined))
        assert row == [labels(text).joined]


def test_unknown_labels_are_counted_and_reported():
    counts = unknown_labels(["synonym", "emoji style", "emoji style + voice", "irony", "voice", "irony/irony"])
    assert counts == {"emoji style": 2, "irony": 2}
    assert (
        note_unknown({"emoji style": 12, "irony": 1})
        == "; strategy labels not known, kept as they are: 'emoji style' (12), 'irony' (1)"
    )
    assert note_unknown(unknown_labels(["voice", ""])) == ""
