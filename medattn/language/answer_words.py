"""The words of answers, as tables: how an answer names a finding, and how it affirms, denies, hedges or says nothing.

Whole words, lower case, in the plain text that `plain_text` makes. Another way to say something is another row.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from medattn.language.findings import LEXICON, NAMES, any_of, named
from medattn.language.places import ANY_PLACE
from medattn.language.question_forms import SEVERITY, TIME

# Finding of the lexicon -> what answers call it besides the lexicon's names (regular expressions).
SPOKEN: dict[str, str] = {
    "atelectasis": r"atelectas[ie]s|atelectatic",
    "blunting of the costophrenic angle": r"blunting|costophrenic (?:angles?|sulcus|sulci) (?:\w+ ){0,3}?blunted",
    "cardiomegaly": r"cardiac enlargement|enlargement of the heart|(?:heart|cardiac silhouette|heart size|cardiac size)"
    r" (?:\w+ ){0,3}?(?:enlarged|increased)",
    "consolidation": r"consolidations?|consolidative",
    "edema": r"o?edemas?|o?edematous|pulmonary congestion",
    "emphysema": r"(?<!surgical )(?<!soft tissue )emphysema|emphysematous",
    "enlarged cardiac silhouette": r"(?:heart|cardiac silhouette) (?:\w+ ){0,3}?(?:enlarged|increased)",
    "enlarged cardiomediastinum": r"(?:enlarged|widened) (?:cardio)?mediastinum|mediastinal widening"
    r"|(?:cardio)?mediastinum (?:\w+ ){0,2}?(?:enlarged|widened)",
    "fracture": r"fractures?|fractured",
    "lung lesion": r"lesions?|tumou?rs?",
    "lung mass": r"mass(?:es)?",
    "lung opacity": r"opacit(?:y|ies)|opacification|infiltrates?",
    "nodule": r"nodules?|nodular",
    "pleural effusion": r"(?<!pericardial )effusions?|hydrothora(?:x|ces)|hydropneumothora(?:x|ces)",
    "pleural other": r"pleural (?:plaques?|scarring|scars?|fibrosis)",
    "pleural thickening": r"thickening|pleura (?:\w+ ){0,2}?thickened",
    "pneumonia": r"pneumonias?",
    "pneumothorax": r"pneumothora(?:x|xes|ces)|hydropneumothora(?:x|ces)",
    "rib fracture": r"fractures?|fractured",
    "scoliosis": r"scoliotic",
    "subcutaneous emphysema": r"(?:surgical|soft tissue) emphysema",
    "support devices": r"devices?|tubes?|catheters?|pacemakers?|(?:central|venous|picc) lines?",
    "tortuous aorta": r"aorta (?:\w+ ){0,3}?tortuous",
    "vascular congestion": r"congestion",
}
# Finding -> findings that are kinds of it: seen, it is there; denied, only that kind is.
KINDS: dict[str, tuple[str, ...]] = {
    "cardiomegaly": ("enlarged cardiac silhouette",),
    "enlarged cardiac silhouette": ("cardiomegaly",),
    "fracture": ("rib fracture",),
    "lung lesion": ("lung mass", "nodule"),
    "pleural other": ("pleural thickening",),
}
_CLEAR_LUNGS = r"lungs (?:are|appear) (?:\w+ly )?clear|clear lungs"
_NORMAL_HEART = (
    r"(?:heart|cardiac(?: silhouette)?)(?: size)? (?:(?:is|appears|remains|looks) )?(?:\w+ly )?(?:within normal"
    r"|normal|unremarkable|not enlarged)|normal (?:heart|cardiac)"
)
# Finding -> descriptions that mean it is absent.
NORMAL: dict[str, str] = {
    "cardiomegaly": _NORMAL_HEART,
    "enlarged cardiac silhouette": _NORMAL_HEART,
    "pleural effusion": r"costophrenic (?:angles|sulci) (?:are|appear) (?:\w+ly )?(?:clear|sharp)",
} | dict.fromkeys(("consolidation", "lung lesion", "lung mass", "lung opacity", "nodule"), _CLEAR_LUNGS)

VERB = r"is|are|was|were|be|has|have|can|appears?|shows?|demonstrates?|reveals?|remains?|seems?|suggests?|indicates?|asks?"
SEEN = (
    r"present|seen|visible|visualized|visualised|identified|detected|evident|observed|noted|found|apparent|shown|demonstrated"
)

# Rewritten before anything is decided.
REWRITES = tuple((re.compile(pattern), replacement) for pattern, replacement in (
    (r"(?m)^\s*(?:[-–•>+*#]+|\(?(?:\d{1,2}|[a-z])[.)])\s+", ""),  # marks of a list or a quotation
    (r"[‘’´]", "'"),
    (r"\\boxed\b|\\text\b|(?<!\w)'|'(?!\w)", " "),
    (r"[*_`#\"“”„«»{}$\\|~]+", " "),
    (r"\s+(?=[:,?])", ""),
    (r"\b(?:yep|yeah|yup)\b", "yes"),
    (r"\b(?:nope|nah)\b", "no"),
    (r"\bcan(?:'t|not)\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"n't\b", " not"),
    (r"\s*(?:[–—]|\s-+\s)\s*(?=(?:yes|no)\b)", ": "),
    (r"\s+[–—-]+\s+|[–—]", "; "),
    (r"\bcould not (?=(?:be )?(?:see|find|found|identif|detect|visuali|appreciate))", "can not "),
    (r"\bnot (?:only|just|simply|merely) (?:is|are) there\b", "there is"),
    (r"\bnot (?:only|just|simply|merely)\b", " "),
    # Two negations are none.
    (r"\b(?:not (?:\w+ly )?(?:true|correct|right|accurate|the case)|false|untrue|incorrect|wrong)"
     r" (?:that|to (?:say|state) that) (?:(?:there (?:is|are) )?no\b|there (?:is|are) not (?:an? |any )?)", "there is "),
    (r"\bnot (?:without|free (?:of|from)|(?:\w+ly )?clear of|lacking)\b", "with evidence of"),
    (r"\bno (?:absence|lack) of\b", "evidence of"),
    (r"\bnot (?:absent|negative|resolved|excluded by|ruled out by)\b", "present"),
    (r"\bnot (?:new|changed|worse|worsened|worsening|improved|larger|smaller|large|big|severe|extensive|massive|acute)\b",
     "present"),
    # Change or certainty is denied here, not the finding.
    (r"\b(?:no|without|not) (?:(?:any|significant|interval|acute|obvious) )*"
     r"(?:change|increase|decrease|improvement)s? (?:in|of|to|from)\b", "there is"),
    (r"\b(?:no|without(?: a| any)?) (?:doubt|question)\b(?: that| about it)?", " "),
    (r"\bno [\w ]{0,40}?(?:abnormality|abnormalities|findings?) (?:other than|except(?: for)?|apart from)\b", "there is"),
    # An adjective under a negation is not a hedge.
    (r"\b(no|without(?: any)?|not any) ((?:\w+ )?)(?:suspicious|questionable|concerning|suspected|possible|probable)\b",
     r"\1 \2"),
    (r"[^\S\n]+", " "),
))  # fmt: skip

HEDGE = (
    r"can not (?:be )?(?:\w+ly )?(?:exclude|excluded|rule|ruled|determine|determined|tell|say|assess|assessed|confirm|confirmed"
    r"|evaluate|evaluated|certain|sure|know|known)|(?:not|difficult|hard|impossible|unable|unclear) (?:\w+ )?(?:to|if|whether)"
    r"|not (?:\w+ly )?(?:ruled out|excluded|certain|sure|clear|possible|confirmed|conclusive|definitive)|may|might|maybe"
    r"|perhaps|could|possibly|possible|possibility|probably|probable|presumably|presumed|likely|unlikely|questionable|equivocal"
    r"|indeterminate|inconclusive|uncertain|uncertainty|unsure|unclear|ambiguous|borderline|suspected|suspicion|suspicious"
    r"|suspect|concern|concerning|suggests?|suggesting|suggestive|suggested|insufficient|inadequate|not enough"
    r"|difficult|limited evaluation|differential|versus|vs|doubt|doubtful|dubious|question of"
)
NEGATION_BEFORE = (
    r"no|not|none|without|negative|absence|absent|free of|free from|lacks?|lacking|neither|nor|never|clear of|resolved"
    r"|resolution"
)
NEGATION_AFTER = r"not|absent|none|never|negative|ruled out|excluded|resolved|unremarkable|no longer"
AFFIRMATION = (
    rf"{SEEN}|(?:is|are) there|there (?:is|are|was|were|appears? to be|seems? to be)|shows?|showing|demonstrates?|demonstrating"
    r"|reveals?|revealing"
    r"|evidence|signs?|consistent with|compatible with|indicative of|indicates?|diagnosed|confirmed|positive|has|have|contains?"
    r"|enlarged|widened|tortuous|remains?|persistent|exists?|see|sees"
)
# A clause that asks or announces rather than says.
NO_STATEMENT = (
    r"history of|whether|if|assess|evaluate|evaluating|look for|looking for|question|asks?|asked|determine|check|refers to"
    r"|defined|rule out|r/o"
)
# A clause in the word order of a question, with or without its mark.
_AUXILIARY = r"(?:is|are|was|were|do|does|did|can|could|has|have|would|will|should)"
QUESTION = (
    rf"^{_AUXILIARY} (?:there|this|that|these|those|it|you|we|i|one|an?|any|the)\b|^(?:any|what|where|which|how|why|who)\b"
    rf"|[,:] {_AUXILIARY} (?:there|this|you|we)\b"
)
# Denied with one of these, only a part is denied: "no large", "no left", "no new".
PART = r"additional|other|otherwise|further|obvious|convincing|displaced|remaining|elsewhere|sided|sides?"
# What was there is not said to be there now.
PAST = r"previous(?:ly)?|prior|earlier|history|past|old|formerly|there (?:was|were)|had"
CLEARLY = r"(?:there|it|this|the|that|i|definitely|these|those)"
BARE = re.compile(
    r"(?:(?:so|therefore|thus|hence|overall|well|ok|okay|in (?:conclusion|summary|short)"
    r"|i (?:would say|say|think|believe)):? )*"
    r"(?:(?:the |my )?(?:final |short )?(?:answer|response)(?: to (?:the|this|your) question)?(?: is| would be)?:? ?)?"
    rf"(?:(yes)\b(?! ?/| or no\b)|(no)(?=$|:| (?:yes|{CLEARLY})\b)(?! ?/))"
)
LISTED = re.compile(r"([^:]*):\s*(yes|no)")  # "Pleural effusion: no"
_HERE = r"(?: (?:in|on) (?:this|the) (?:\w+ )?(?:image|film|radiograph|x-ray|study|view))?"
# Clauses that decide without naming a finding: (pattern, answer, whether only some of it is said).
ALONE = tuple((re.compile(pattern), answer, part) for pattern, answer, part in (
    (r"(?:(?:it|this|that|the finding|the answer|one|there) )?(?:is |are )?(?:not(?: (?:\w+ly )?(?:"
     + SEEN + r"|the case|there))?|absent|none|negative|incorrect|false)" + _HERE, "no", False),
    (r"(?:there (?:is|are) )?(?:no|none)"
     r"(?: (?:such|acute|significant|obvious|definite|clear|radiographic|cardiopulmonary|visible|other|additional))*"
     r"(?: (?:evidence|signs?|indication|abnormalit(?:y|ies)|findings?|disease|process))?"
     r"(?: of(?: this| it| that| one| an?| the)?)?"
     r"(?: (?:is|are))?(?: (?:" + SEEN + r"))?(?: (?:now|today|here|currently))?", "no", True),
    (r"(?:(?:it|this|that|the finding|one) )?(?:is |are )?(?:definitely |clearly )?(?:present|visible|positive|affirmative"
     r"|correct|true|evident)" + _HERE, "yes", False),
    (r"(?:it|this|that|one) is (?:\w+ly )?(?:" + SEEN + r")", "yes", False),
    (r"there (?:is|are)(?: one)?", "yes", False),
    (r"i (?:do|can) not (?:think so|believe so|see (?:it|this|that|one|any|anything))", "no", False),
))  # fmt: skip

# Not language: yes and no run together ("NoNoYes", "evidenceYes"), words or parts of words over and over.
BROKEN = re.compile(
    r"\b\w*(?i:(?:yes|no)(?:yes|no)+)\b|(?<=[a-z])(?:Yes|No)(?![a-z])|(?<=[a-z])(?:Yes|No)(?=Yes|No)"
    r"|\b([A-Za-z]+)(?: \1\b){3,}|\b([A-Za-z]+(?: [A-Za-z]+){1,3})(?: \2\b){2,}|([A-Za-z]{3,8}?)\3{2,}"
)
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|</?[A-Za-z_]+\d*/?>")  # of a terminal; tags and special tokens
_NO_WORDS = ("Cf", "Cc", "So", "Co", "Cn")  # Unicode's categories of direction, control, symbol, private, no character
_DASHES = str.maketrans({"‐": "-", "‑": "-", "‒": "–", "−": "-", "―": "—", "\r": "\n"})


def whole_words(pattern: str) -> re.Pattern:
    return re.compile(rf"(?<![\w-])(?:{pattern})(?!\w)")


def plain_text(text: str) -> str:
    """`text` in ordinary characters: no control, direction or zero-width ones, no symbols, one form of dash and space."""
    text = unicodedata.normalize("NFKC", _ESCAPES.sub(" ", text)).translate(_DASHES)
    kinds = {ord(letter): unicodedata.category(letter) for letter in set(text) - {"\n"}}
    return text.translate({code: "" if kind == "Cf" else " " for code, kind in kinds.items() if kind in _NO_WORDS})


def _is_part(clause: str) -> bool:
    return any(words.search(clause) for words in (SEVERITY, TIME, _PLACE, _PART))


_PLACE, _PART = re.compile(ANY_PLACE), whole_words(PART)
ANY_NAME = re.compile(f"{any_of(NAMES)}|{whole_words('|'.join(SPOKEN.values())).pattern}")


@dataclass(frozen=True)
class AskedNames:
    """How answers name the finding that was asked about; without one, any finding.

    own: its names; kinds: names of findings that are kinds of it; normal: descriptions that mean it is absent.
    """

    finding: str | None
    own: re.Pattern
    kinds: re.Pattern | None
    normal: re.Pattern | None

    def find(self, clause: str) -> tuple[int, int, bool] | None:
        """(start, end, whether a kind of it) of the first name in the clause that is not part of another finding's."""
        if self.finding is None:
            found = self.own.search(clause)
            return (*found.span(), False) if found else None
        kinds = KINDS.get(self.finding, ())
        names = named(clause)
        for pattern in filter(None, (self.own, self.kinds)):
            for found in pattern.finditer(clause):
                start, end = found.span()
                longer = {of for of, low, high in names if low <= start and end <= high and end - start < high - low}
                if longer <= {self.finding, *kinds}:
                    return start, end, pattern is self.kinds or not longer.isdisjoint(kinds)
        return None

    def denied_in_part(self, clause: str, kind: bool) -> bool:
        """Whether a denial in this clause is of some of it only: of a kind, a side, a size, a change."""
        return kind or _is_part(self.own.sub(" ", clause))


@lru_cache(maxsize=1000)
def names_of(finding: str | None) -> AskedNames:
    """The names of a finding of the lexicon, or of what the question calls it. Raises ValueError for an empty one."""
    if finding is None:
        return AskedNames(None, ANY_NAME, None, None)
    key = " ".join(finding.lower().replace("_", " ").split())
    if not key:
        raise ValueError(f"finding is {finding!r}, expected a name or None")
    head = key.split()[-1]
    known = key if key in LEXICON else next((one for one, _, _ in reversed(named(key))), None)  # "left pleural effusion"
    known = known or next((one for one, words in SPOKEN.items() if whole_words(words).fullmatch(head)), None)
    if known is None:
        return AskedNames(key, whole_words(rf"{re.escape(head)}(?:s|es)?"), None, None)
    kinds = [_pattern(kind) for kind in KINDS.get(known, ())]
    normal = whole_words(NORMAL[known]) if known in NORMAL else None
    return AskedNames(known, re.compile(_pattern(known)), re.compile("|".join(kinds)) if kinds else None, normal)


def _pattern(finding: str) -> str:
    """Its names in the lexicon, a hyphen for a space allowed, and what else answers call it."""
    lexicon = any_of(name for name, (of, _) in NAMES.items() if of == finding).replace(r"\ ", "[ -]")
    spoken = SPOKEN.get(finding)
    return lexicon if spoken is None else f"{lexicon}|{whole_words(spoken).pattern}"
