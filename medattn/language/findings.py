"""Findings and their names: the closed table that questions are read and reworded by.

Synonyms keep finding, severity and time. Near misses that radiology tells apart (opacity and consolidation, infection and
pneumonia, edema and effusion, atelectasis or pneumothorax and collapse) are left out on purpose.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache


@dataclass(frozen=True)
class Term:
    """A name of a finding, the article it takes ("" where English uses none), and whether it keeps it after "of".

    many: its plural where that is not regular. plural: the text is a plural itself.
    """

    text: str
    article: str = ""
    countable: bool = False
    many: str = ""
    plural: bool = False

    @property
    def with_article(self) -> str:
        return f"{self.article} {self.text}".strip()

    @property
    def after_of(self) -> str:
        return self.with_article if self.countable else self.text

    @property
    def in_plural(self) -> "Term":
        """Its plural; what English does not count ("cardiomegaly") stays as it is."""
        if self.plural or not self.article:
            return self
        return Term(self.many or _plural(self.text), countable=True, plural=True)

    @property
    def on_both_sides(self) -> "Term":
        """As it stands for one on each side: several of what is counted, else without an article."""
        return self.in_plural if self.countable else replace(self, article="")

    def sided(self, before: str) -> "Term":
        """The term with `before` in front: "left-sided nodule"; "bilateral" makes several of what is counted."""
        if not before:
            return self
        both = before.startswith(("bi", "both"))
        term = self.on_both_sides if both else self
        article = "" if both or not term.article else "an" if before[0] in "aeiou" else "a"
        return replace(term, text=f"{before} {term.text}", article=article)


def _plural(text: str) -> str:
    if re.search(r"[^aeiou]y$", text):
        return f"{text[:-1]}ies"
    if text.endswith("thorax"):
        return f"{text[:-1]}ces"
    if text.endswith("um"):
        return f"{text[:-2]}a"
    return f"{text}es" if text.endswith(("s", "sh", "x")) else f"{text}s"


ANYWHERE, LUNGS, UNPLACED = "anywhere", "lungs", "unplaced"


@dataclass(frozen=True)
class Finding:
    """Its name in questions, the names that may stand for it, and other spellings that are understood but never chosen.

    where: which places a question can be reworded with. LUNGS, since a synonym says "pulmonary"; UNPLACED: there is one of
    it, at its own place, so no side and no other place.
    """

    name: Term
    synonyms: tuple[Term, ...]
    spellings: tuple[Term, ...] = ()
    where: str = ANYWHERE

    @property
    def terms(self) -> tuple[Term, ...]:
        return (self.name, *self.synonyms)


def _one(text: str, many: str = "") -> Term:
    return Term(text, "an" if text[0] in "aeiou" else "a", countable=True, many=many)


# The order of synonyms decides which one a question gets.
LEXICON: dict[str, Finding] = {
    # the phantom's
    "pleural effusion": Finding(
        Term("pleural effusion", "a"), (Term("pleural fluid"), Term("fluid in the pleural space"))
    ),
    "pneumothorax": Finding(
        Term("pneumothorax", "a"), (Term("pleural air"), Term("air in the pleural space"))
    ),
    "consolidation": Finding(
        Term("consolidation"), (Term("airspace consolidation"), Term("alveolar consolidation")),
        (Term("consolidations", plural=True),), LUNGS,
    ),
    "cardiomegaly": Finding(
        Term("cardiomegaly"), (_one("enlarged heart"), Term("cardiac enlargement")),
        (Term("enlargement of the heart"), Term("heart enlargement")), UNPLACED,
    ),
    "nodule": Finding(_one("nodule"), (_one("pulmonary nodule"), _one("lung nodule")), where=LUNGS),
    # the other findings of CheXpert
    "atelectasis": Finding(
        Term("atelectasis"), (Term("pulmonary atelectasis"), Term("atelectatic changes", plural=True)),
        (Term("atelectatic change"),), LUNGS,
    ),
    "edema": Finding(
        Term("edema"), (Term("pulmonary edema"), Term("lung edema")),
        (Term("oedema"), Term("pulmonary oedema"), Term("lung oedema")), LUNGS,
    ),
    "enlarged cardiomediastinum": Finding(
        _one("enlarged cardiomediastinum"),
        (Term("cardiomediastinal enlargement"), _one("enlarged cardiomediastinal silhouette")), where=UNPLACED,
    ),
    "fracture": Finding(_one("fracture"), (_one("osseous fracture"),), (_one("bone fracture"), _one("fractured bone"))),
    "lung lesion": Finding(_one("lung lesion"), (_one("pulmonary lesion"),), where=LUNGS),
    "lung opacity": Finding(Term("lung opacity", "a"), (Term("pulmonary opacity", "a"),), where=LUNGS),
    # What CheXpert's labeller takes for it: pleural thickening, scars and fibrosis.
    # https://github.com/stanfordmlgroup/chexpert-labeler, phrases/mention/pleural_other.txt
    "pleural other": Finding(
        Term("pleural thickening or scarring"),
        (Term("thickening or scarring of the pleura"), Term("pleural scarring or thickening")),
    ),
    "pneumonia": Finding(
        Term("pneumonia"), (Term("pneumonic process", "a"), Term("pneumonic changes", plural=True)),
        (Term("pneumonic change"),), LUNGS
    ),
    "support devices": Finding(_one("support device"), (_one("medical support device"),), (_one("supportive medical device"),)),
    # what question sets ask about besides
    "blunting of the costophrenic angle": Finding(
        Term("blunting of the costophrenic angle"), (Term("costophrenic angle blunting"), _one("blunted costophrenic angle"))
    ),
    "emphysema": Finding(
        Term("emphysema"), (Term("pulmonary emphysema"), Term("emphysematous changes", plural=True)),
        (Term("emphysematous change"),), LUNGS,
    ),
    "enlarged cardiac silhouette": Finding(
        _one("enlarged cardiac silhouette"),
        (Term("enlargement of the cardiac silhouette"), Term("cardiac silhouette enlargement")), where=UNPLACED,
    ),
    "hiatal hernia": Finding(_one("hiatal hernia"), (_one("hiatus hernia"),), where=UNPLACED),
    "lung mass": Finding(_one("lung mass"), (_one("pulmonary mass"),), where=LUNGS),
    "pleural thickening": Finding(
        Term("pleural thickening"), (Term("thickening of the pleura"), Term("thickened pleura")),
        (Term("thickened pleurae", plural=True),)
    ),
    "pneumomediastinum": Finding(
        Term("pneumomediastinum"), (Term("mediastinal air"), Term("air in the mediastinum")), where=UNPLACED
    ),
    "rib fracture": Finding(
        _one("rib fracture"), (_one("fractured rib"), _one("fracture of a rib", "fractures of the ribs")),
        (Term("fractures of ribs", plural=True),),
    ),
    "scoliosis": Finding(Term("scoliosis"), (Term("spinal scoliosis"), Term("scoliosis of the spine")), where=UNPLACED),
    "subcutaneous emphysema": Finding(
        Term("subcutaneous emphysema"), (Term("subcutaneous air"), Term("air in the subcutaneous tissue"))
    ),
    "tortuous aorta": Finding(_one("tortuous aorta"), (Term("aortic tortuosity"), Term("tortuosity of the aorta")),
                              where=UNPLACED),
    "vascular congestion": Finding(
        Term("vascular congestion"), (Term("pulmonary vascular congestion"), Term("congestion of the pulmonary vessels")),
        where=LUNGS,
    ),
}  # fmt: skip


def _names() -> dict[str, tuple[str, Term]]:
    """Every name, its plural too: text -> finding and term. A finding's own key that is not a name reads as its name."""
    names: dict[str, tuple[str, Term]] = {}
    for key, finding in LEXICON.items():
        for term in (*finding.terms, *finding.spellings):
            for one in (term, term.in_plural):
                if names.setdefault(one.text, (key, one)) != (key, one):
                    raise ValueError(f"{one.text!r} is a name of {names[one.text][0]!r} and of {key!r}")
        names.setdefault(key, (key, finding.name))
    return names


def any_of(texts: Iterable[str]) -> str:
    """A pattern for any of `texts` as whole words, the longest first; by first word, since hundreds one by one are slow."""
    groups: dict[str, list[str]] = {}
    for text in sorted(texts, key=len, reverse=True):
        first, space, rest = text.partition(" ")
        groups.setdefault(first, []).append(re.escape(space + rest))
    words = [f"{re.escape(first)}(?:{'|'.join(rests)})" for first, rests in sorted(groups.items())]
    return rf"(?<![\w-])(?:{'|'.join(words)})(?![\w-])"


NAMES = _names()
_NAMES = re.compile(any_of(NAMES), re.IGNORECASE)
_IS = re.compile(r"\b(i)s(?= (?:there |the )?(?:any )?\{[ao]?x\})", re.IGNORECASE)


def entry(finding: str) -> Finding:
    """The finding's names. Raises ValueError for one that the lexicon does not hold."""
    try:
        return LEXICON[finding]
    except KeyError:
        raise ValueError(f"unknown finding {finding!r}; known: {', '.join(LEXICON)}") from None


@lru_cache(maxsize=100_000)
def named(text: str) -> tuple[tuple[str, int, int], ...]:
    """The findings that a text names, in order: (finding, start, end), of overlapping names the first and longest."""
    return tuple((NAMES[found[0].lower()][0], *found.span()) for found in _NAMES.finditer(text))


def stands_alone(before: str, name: str) -> bool:
    """Whether `name` after `before` is still that name, and nothing else is named: not so for "left lung" + "nodule"."""
    whole = f"{before} {name}".strip()
    return [whole[start:end] for _, start, end in named(whole)] == [name]


@lru_cache(maxsize=100_000)
def without_findings(text: str) -> str:
    """The text with a semicolon for every finding that it names."""
    for _, start, end in reversed(named(text)):
        text = f"{text[:start]};{text[end:]}"
    return text


def capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def fill(template: str, term: Term, at: str = "") -> str:
    """The question that `template` asks about `term`, and where (`at`: "in the left lung").

    {x}: the finding's name; {X}: capitalised; {ax}: with its article; {ox}: as it stands after "of"; {at}, {At}: where.
    """
    if term.plural:
        template = _IS.sub(lambda found: "Are" if found[1] == "I" else "are", template)
    text = template.replace("{ax}", term.with_article).replace("{ox}", term.after_of).replace("{x}", term.text)
    return text.replace("{X}", capitalised(term.text)).replace("{at}", at).replace("{At}", capitalised(at))
