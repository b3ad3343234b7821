"""Read a question: which finding it asks for, where, and in which form, so that the form can ask for another finding.

Only questions to be answered by yes or no, about one image, in one of the forms below; in any case and spacing. The
finding is what stands in the form's slot: as the lexicon names it, or else as the question does.
"""

import re
from dataclasses import dataclass
from typing import cast

from medattn.language.findings import NAMES, Term, capitalised, entry, fill, named, stands_alone, without_findings
from medattn.language.places import ANY_PLACE, PLACES, SPELLINGS, can_be_at, placed, synonyms

_IMAGE = (
    r"(?:this|the|that|the patient's|this patient's) (?:(?:given|displayed|current|chest|portable) )*"
    r"(?:image|picture|x-?ray|x ray|radiograph|film|cxr|scan|study|exam|examination|radiography)(?: image)?"
)
_SHOWS = r"(?:show|showing|demonstrate|reveal|display|depict|indicate|have|exhibit|contain)"
_SEEN = (
    r"(?:present|seen|visible|visuali[sz]ed|identified|detected|detectable|noted|shown|demonstrated|depicted|evident|observed|"
    r"apparent|found)"
)
_SIGNS = (
    r"(?:any )?(?:radiographic |radiological |radiologic |imaging |visible )?"
    r"(?:evidence|signs?|indications?|indicators?|presence) of "
)
_YOU = r"(?:do|can) you (?:see|find|identify|detect|observe|notice) "
_VERB = (
    r"(?:is|are|was|were|do|does|did|has|have|had|can|could|may|might|must|should|will|would|what|where|which|when|how|why|if)"
)
_SUBJECT = rf"(?:{_IMAGE}|(?:the|this) patient|\{{place\}})"
# X: the finding. Slot: how it stands there (after "of" without article). A located form needs a place behind it.
_FORMS = tuple(
    (re.compile(pattern.replace("X", "(?P<x>.+?)"), re.IGNORECASE), slot, located)
    for pattern, slot, located in (
        (rf"(?:is|are) there {_SIGNS}X(?: {_SEEN})?", "{ox}", False),
        (rf"{_YOU}{_SIGNS}X", "{ox}", False),
        (rf"do(?:es)? {_SUBJECT} {_SHOWS} {_SIGNS}X", "{ox}", False),
        (rf"(?:is|are) {_SUBJECT} showing {_SIGNS}X", "{ox}", False),
        (rf"(?:is|are) there X(?: {_SEEN})?", "{ax}", False),
        (rf"{_YOU}X", "{ax}", False),
        (rf"do(?:es)? {_SUBJECT} {_SHOWS} X", "{ax}", False),
        (rf"(?:is|are) {_SUBJECT} showing X", "{ax}", False),
        (rf"can X be {_SEEN}", "{ax}", False),
        (rf"(?:is|are) (?!there |this |that |it |these )X {_SEEN}", "{ax}", False),
        (r"(?:is|are) (?=the )X(?: located)?", "{x}", True),
        (rf"(?!{_VERB} )X present", "{{x}}", False),
        (r"(?=any )X", "{x}", False),
    )
)
_IMAGE_TAIL = re.compile(rf",? (?:(?:in|on|from|within) {_IMAGE}|here)$", re.IGNORECASE)
_PLACE_TAIL = re.compile(
    rf",? (?:(?:in|at|on|within) (?:the )?(?:{ANY_PLACE})|bilateral|bilaterally|(?:left|right)[- ]sided)$", re.IGNORECASE
)
_IMAGE_FRONT = re.compile(rf"^(?:in|on|from|within|based on|looking at|considering) {_IMAGE},? ", re.IGNORECASE)
_PLACE_FRONT = re.compile(rf"^(?:in|at|on|within) (?:the )?(?:{ANY_PLACE}),? ", re.IGNORECASE)
_PLACE_SUBJECT = re.compile(
    rf"(?<=^does )the (?:{ANY_PLACE})(?= )|(?<=^do )(?:the )?(?:{ANY_PLACE})(?= )|"
    rf"(?:(?<=^is )|(?<=^are ))(?:the )?(?:{ANY_PLACE})(?= showing )",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(r"^[, ]*(?:(?:in|at|on|within) )?(?:the )?|[, ]+$", re.IGNORECASE)
_ARTICLE = re.compile(r"(?:(an?|any|the) )?(.*)", re.IGNORECASE)
_ARE = re.compile(r"\bare(?= (?:there |the )?(?:any )?$)", re.IGNORECASE)
# Two images, or two times: no question about one image.
_COMPARISON = re.compile(
    r"\b(?:compar\w*|previous\w*|prior|than|differen\w*|since|between|chang(?:ed|ing)|changes? (?:in|from|since|of)|"
    r"(?:main|reference|past|earlier|last|first|second) (?:image|study|film|radiograph|x-?ray|exam\w*))\b",
    re.IGNORECASE,
)
# What can turn a question round; nor is a question about this asked of the finding that it names.
OPERATORS = re.compile(
    r"\b(?:no|not|none|never|neither|nor|without|absent|absence|lack|lacks|lacking|exclud\w*|rul(?:e|es|ed|ing) out|normal"
    r"|clear|free of|free from|negative|den(?:y|ies|ied)|unlikely)\b|n't\b",
    re.IGNORECASE,
)
SEVERITY = re.compile(
    r"\b(?:mild\w*|moderate\w*|severe\w*|small|large|tiny|big|huge|trace|massive|minimal|minor|major|extensive|significant\w*|"
    r"marked\w*|subtle|slight\w*|considerable|substantial|gross|diffuse|focal|multifocal|multiple|few|several|single|solitary|"
    r"loculated|tension|complete|partial|suspicious|possible|probable|likely|definite)\b",
    re.IGNORECASE,
)
TIME = re.compile(
    r"\b(?:new\w*|old|acute\w*|subacute|chronic\w*|recent\w*|previous\w*|prior|past|worse\w*|improv\w*|increas\w*|decreas\w*|"
    r"stable|unchanged|interval|persist\w*|resid\w*|resol\w*|progress\w*|develop\w*|still|again|now|yet|already|healed"
    r"|healing)\b",
    re.IGNORECASE,
)
# In a form's slot: more than one thing, more than one image, a view, or another question than whether it is there.
_NO_FINDING = re.compile(
    r"[?.,/]|\b(?:and|or|but|with|against|need\w*|only|mostly|hardly|these|those|images|pictures|x-?rays|x rays|radiographs"
    r"|films|views?|projections?|frontal|lateral|ap|pa|posteroanterior|anteroposterior)\b",
    re.IGNORECASE,
)
# "Is the tube in the left lung?" asks for its position, not for its presence.
_DEVICE = re.compile(
    r"\b(?:devices?|tubes?|lines?|catheters?|pacemakers?|leads?|wires?|drains?|clips?|stents?|valves?|tips?)\b"
)
# Free text, a semicolon for the finding: presence and nothing else, no word of change, grade or kind, no second thing.
_PRESENCE = re.compile(
    rf"(?:(?:(?:is|are) there|any|{_YOU.strip()}"
    r"|(?:do|can|could|would) (?:you|we|one) (?:see|find|say there (?:is|are)|think there (?:is|are))"
    rf"|do(?:es)? (?:{_SUBJECT}|it) (?:{_SHOWS}|suggest)) (?:{_SIGNS})?(?:(?:an?|any|the) )?;(?: {_SEEN})?"
    rf"|(?:can|could) (?:(?:an?|any|the) )?; be {_SEEN}|(?:is|are) (?:(?:an?|any|the) )?; {_SEEN})"
    rf"(?:,? (?:(?:in|on|from|within) {_IMAGE}|here))?[?. ]*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class ParsedQuestion:
    """What a question asks.

    finding: as the lexicon names it, else the question's own words, in lower case. place: a name of `PLACES`, or "".
    known: the lexicon knows the finding by exactly this name, so that the rules can reword the question.
    template: the question with a slot for the finding (see `fill`), and {place} for `at`.
    bare: the same without a place. case: "lower" or "upper" for a question without the other, else "".
    term: the finding's name in the question. before: the place or side in front of it.
    """

    finding: str
    place: str
    known: bool
    template: str
    bare: str
    case: str
    term: str
    before: str = ""
    at: str = ""

    def naming(self, term: Term) -> str:
        """The same question, about the same place, with `term` as the name of the finding."""
        return styled(fill(self.template, placed(term, self.place, self.before)).replace("{place}", self.at), self.case)

    def ask(self, finding: str) -> str:
        """The question in this template about another finding of the whole image. Raises ValueError for an unknown one."""
        return styled(fill(self.bare, entry(finding).name), self.case)


def case_of(text: str) -> str:
    return "lower" if text == text.lower() else "upper" if text == text.upper() else ""


def styled(text: str, case: str) -> str:
    """`text` in lower or upper case, or as it stands ("")."""
    return text.lower() if case == "lower" else text.upper() if case == "upper" else text


def asked_name(asked: ParsedQuestion) -> str:
    """What the questions table calls it: the finding, after the place if there is one ("left lower lobe pneumonia").

    A lung lesion in the left lung is a "left lung lesion", one on the left a "left-sided lung lesion".
    """
    first, _, rest = asked.finding.partition(" ")
    if asked.place and rest:
        if asked.place.endswith(f" {first}"):
            return f"{asked.place} {rest}"
        if f"{asked.place} {first}" in PLACES:
            return f"{PLACES[asked.place].before} {asked.finding}"
    return f"{asked.place} {asked.finding}".strip()


def about(finding: str, template: str) -> ParsedQuestion:
    """What `template` asks about a finding of the lexicon, by its name. Raises ValueError for an unknown one."""
    term = entry(finding).name
    return ParsedQuestion(finding, "", True, template, template, case_of(fill(template, term)), term.text)


def parse(question: str) -> ParsedQuestion | None:
    """What `question` asks, or None if it is not in a form known here."""
    text = " ".join(question.split())
    if "{" in text or "}" in text or _COMPARISON.search(without_findings(text)):
        return None
    body = text.rstrip("?. ")
    ways = [(front, core, tail + text[len(body) :], at) for front, core, tail, at in _places(body)]
    readings = [asked for way in ways if (asked := _reading(*way, case_of(text)))]
    return next((asked for asked in readings if asked.known), readings[0] if readings else None)


def _places(body: str) -> list[tuple[str, str, str, str]]:
    """The ways to take a question apart: (front, core, tail, at), with {place} where `at` stood; without a place last."""
    front, core = _cut_front(_IMAGE_FRONT, body)
    inner, image = _cut(_IMAGE_TAIL, core)
    ways = []
    for outer, after in ((inner, image), (core, "")):
        rest, at = _cut(_PLACE_TAIL, outer)
        if at:
            rest, before = _cut(_IMAGE_TAIL, rest) if not after else (rest, "")
            ways.append((front, rest, f"{before}{{place}}{after}", at))
    at, rest = _cut_front(_PLACE_FRONT, inner)
    if at:
        ways.append((f"{front}{{place}}", rest, image, at))
    if subject := _PLACE_SUBJECT.search(inner):
        ways.append((front, f"{inner[: subject.start()]}{{place}}{inner[subject.end() :]}", image, subject[0]))
    return [*ways, (front, inner, image, "")]


def _cut(pattern: re.Pattern, text: str) -> tuple[str, str]:
    found = pattern.search(text)
    return (text[: found.start()], found[0]) if found else (text, "")


def _cut_front(pattern: re.Pattern, text: str) -> tuple[str, str]:
    found = pattern.match(text)
    return (found[0], text[found.end() :]) if found else ("", text)


def _reading(front: str, core: str, tail: str, at: str, case: str) -> ParsedQuestion | None:
    """A question taken apart so, or None if its core is in no known form."""
    forms = ((pattern.fullmatch(core), slot, located) for pattern, slot, located in _FORMS)
    fitting = (
        (found, slot, located) for found, slot, located in forms if found and (not located or tail.startswith("{place}"))
    )
    found, slot, located = next(fitting, (None, "", False))
    if found is None:
        return None
    start, end = found.span("x")
    written, rest = cast(re.Match[str], _ARTICLE.fullmatch(found["x"])).groups()  # it fits any text
    article = (written or "").lower()
    remainder = without_findings(rest)
    if not re.search(r"[A-Za-z]", rest) or any(words.search(remainder) for words in (_NO_FINDING, OPERATORS, TIME)):
        return None
    if located and _DEVICE.search(rest.lower()):
        return None
    head, after = _ARE.sub(_singular, core[:start]), core[end:]  # `fill` makes it "are" for a plural
    bare = f"{front}{head}{slot}{after}{tail}"
    if article in ("any", "the"):
        head, slot = _ARE.sub(_singular, f"{core[:start]}{written} "), "{x}"
    if not front + head and rest[0].isupper():
        bare, slot = bare.replace(slot, "{X}"), "{X}"
    before, place, term = ("", SPELLINGS[_PREPOSITION.sub("", at).lower()], rest.lower()) if at else _before(rest.lower())
    template = f"{front}{head}{slot}{after}{tail}"
    if located or "{place}" in core or article == "the" or (article == "any" and not core[:start]):
        bare = "Is there {ax}?"  # not "the": of another finding it is not known that it is there
    elif template.startswith("{place}"):
        bare = capitalised(bare.replace("{place}", ""))
    bare = bare.replace("{place}", "")
    finding, name = (NAMES[term][0], NAMES[term][1].text) if term in NAMES else (term, term)
    known = term in NAMES and (not before or stands_alone(before, term))
    known = known and (not place or can_be_at(finding, place)) and bool(synonyms(finding, name, before))
    return ParsedQuestion(finding, place, known, template, bare, case, name, before, at)


def _singular(be: re.Match) -> str:
    return {"are": "is", "ARE": "IS"}.get(be[0], "Is")


def _before(rest: str) -> tuple[str, str, str]:
    """A place or side in front of the finding, taken off if the rest is a finding: (as written, place, finding)."""
    if rest in NAMES:
        return "", "", rest
    words = rest.split(" ")
    splits = [(" ".join(words[:count]), " ".join(words[count:])) for count in range(1, min(len(words), 6))]
    ways = [(before, SPELLINGS[before], term) for before, term in splits if before in SPELLINGS]
    known = [way for way in ways if way[2] in NAMES and stands_alone(way[0], way[2])]
    return known[0] if known else ways[-1] if ways else ("", "", rest)


def finding_in(text: str) -> str | None:
    """The finding that free text names, by name or synonym; None where it asks for more, or other, than its presence."""
    text = " ".join(text.split())
    found = named(text)
    asks = _PRESENCE.fullmatch(_cut_front(_IMAGE_FRONT, without_findings(text))[1])
    return found[0][0] if asks and len(found) == 1 else None
