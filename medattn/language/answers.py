"""What a generated answer says about a finding, and how far the model leans to yes or no.

The text is cut into clauses; the first clause that decides about the asked finding gives the answer. A clause is read
with the tables below, always by whole words, in this order: a bare yes or no, then hedges, negation, affirmation.
Another way to say something is another row in a table.
"""

import math
import re
from collections.abc import Sequence

import numpy as np
from scipy import special

ANSWERS = ("yes", "no", "uncertain", "unparsed")
LEAST_PROBABILITY = 0.5  # of the yes and no forms together, for the margin to mean anything

THOUGHT_START, THOUGHT_END = "<unused94>", "<unused95>"  # MedGemma 1.5 thinks before it answers

# Finding -> how an answer may name it (regular expressions, whole words). A finding not listed is known by its last word.
NAMES: dict[str, str] = {
    "atelectasis": r"atelectas[ie]s|atelectatic",
    "cardiomegaly": r"cardiomegaly|enlarged (?:heart|cardiac silhouette)|cardiac enlargement|enlargement of the (?:heart"
    r"|cardiac silhouette)|(?:heart|cardiac silhouette|heart size|cardiac size) (?:\w+ ){0,3}?(?:enlarged|increased)",
    "consolidation": r"consolidations?|consolidative",
    "edema": r"o?edemas?|pulmonary congestion",
    "enlarged cardiomediastinum": r"(?:enlarged|widened) (?:cardio)?mediastinum|mediastinal widening"
    r"|(?:cardio)?mediastinum (?:\w+ ){0,2}?(?:enlarged|widened)",
    "fracture": r"fractures?|fractured",
    "lung lesion": r"lesions?|mass(?:es)?|nodules?|tumou?rs?",
    "lung opacity": r"opacit(?:y|ies)|opacification|infiltrates?",
    "nodule": r"nodules?|nodular",
    "pleural effusion": r"effusions?|pleural fluid|hydrothora(?:x|ces)",
    "pleural other": r"pleural (?:thickening|plaques?|scarring)",
    "pneumonia": r"pneumonias?",
    "pneumothorax": r"pneumothora(?:x|xes|ces)",
    "support devices": r"(?:support )?devices?|tubes?|catheters?|pacemakers?|(?:central|venous|picc) lines?",
}
# Finding -> descriptions that mean it is absent.
NORMAL: dict[str, str] = {
    "cardiomegaly": r"(?:heart|cardiac(?: silhouette)?)(?: size)? (?:(?:is|appears|remains|looks) )?(?:\w+ly )?(?:within normal"
    r"|normal|unremarkable|not enlarged)|normal (?:heart|cardiac)",
    "consolidation": r"lungs (?:are|appear) (?:\w+ly )?clear|clear lungs",
    "lung lesion": r"lungs (?:are|appear) (?:\w+ly )?clear|clear lungs",
    "lung opacity": r"lungs (?:are|appear) (?:\w+ly )?clear|clear lungs",
    "nodule": r"lungs (?:are|appear) (?:\w+ly )?clear|clear lungs",
    "pleural effusion": r"costophrenic (?:angles|sulci) (?:are|appear) (?:\w+ly )?(?:clear|sharp)",
}

VERB = r"is|are|was|were|be|has|have|can|appears?|shows?|demonstrates?|reveals?|remains?|seems?|suggests?|indicates?|asks?"
SEEN = (
    r"present|seen|visible|visualized|visualised|identified|detected|evident|observed|noted|found|apparent|shown|demonstrated"
)

# Rewritten before anything is decided.
REWRITES = (
    (r"[‘’]", "'"),
    (r"[*_`#\"“”]+", " "),
    (r"\bcan(?:'t|not)\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"n't\b", " not"),
    (r"\s*(?:[–—]|\s-+\s)\s*(?=(?:yes|no)\b)", ": "),
    (r"\s+[–—-]+\s+|[–—]", "; "),
    (r"\bcould not (?=(?:be )?(?:see|find|found|identif|detect|visuali|appreciate))", "can not "),
    (r"\bnot (?:only|just|simply|merely)\b", " "),
    # Change or certainty is denied here, not the finding.
    (r"\b(?:no|without|not) (?:(?:any|significant|interval|acute|obvious) )*"
     r"(?:change|increase|decrease|improvement)s? (?:in|of|to|from)\b", "there is"),
    (r"\b(?:no|without(?: a| any)?) (?:doubt|question)\b(?: that)?", " "),
    (r"\bno [\w ]{0,40}?(?:abnormality|abnormalities|findings?) (?:other than|except(?: for)?|apart from)\b", "there is"),
    # An adjective under a negation is not a hedge.
    (r"\b(no|without(?: any)?|not any) ((?:\w+ )?)(?:suspicious|questionable|concerning|suspected|possible|probable)\b",
     r"\1 \2"),
)  # fmt: skip

HEDGE = (
    r"can not (?:be )?(?:\w+ly )?(?:exclude|excluded|rule|ruled|determine|determined|tell|say|assess|assessed|confirm|confirmed"
    r"|evaluate|evaluated|certain|sure|know|known)|(?:not|difficult|hard|impossible|unable|unclear) (?:\w+ )?(?:to|if|whether)"
    r"|not (?:\w+ly )?(?:ruled out|excluded|certain|sure|clear|possible|confirmed|conclusive|definitive)|may|might|maybe"
    r"|perhaps|could|possibly|possible|possibility|probably|probable|presumably|presumed|likely|unlikely|questionable|equivocal"
    r"|indeterminate|inconclusive|uncertain|uncertainty|unsure|unclear|ambiguous|borderline|suspected|suspicion|suspicious"
    r"|suspect|concern|concerning|suggests?|suggesting|suggestive|suggested|insufficient|inadequate|not enough"
    r"|difficult|limited evaluation|differential|versus|vs"
)
NEGATION_BEFORE = (
    r"no|not|none|without|negative|absence|absent|free of|free from|lacks?|lacking|neither|nor|never|clear of|resolved"
    r"|resolution"
)
NEGATION_AFTER = r"not|absent|none|never|negative|ruled out|excluded|resolved|unremarkable"
AFFIRMATION = (
    rf"{SEEN}|(?:is|are) there|there (?:is|are|appears? to be|seems? to be)|shows?|showing|demonstrates?|demonstrating|reveals?"
    rf"|revealing"
    r"|evidence|signs?|consistent with|compatible with|indicative of|indicates?|diagnosed|confirmed|positive|has|have|contains?"
    r"|enlarged|widened|remains?|persistent|exists?"
)
# A clause that asks or announces rather than says.
NO_STATEMENT = (
    r"history of|whether|if|assess|evaluate|evaluating|look for|looking for|question|asks?|asked|determine|check|refers to"
    r"|defined"
)

BARE = re.compile(
    r"(?:(?:the |my )?(?:final |short )?(?:answer|response)(?: to (?:the|this|your) question)?(?: is| would be)?:? ?)?"
    r"(?:(yes)\b(?! ?/| or no\b)|(no)(?=$|:| (?:there|it|this|the|that|i|definitely|these|those)\b))"
)
LISTED = re.compile(r"(.*):\s*(yes|no)")  # "Pleural effusion: no"
# Clauses that decide without naming a finding.
ALONE = (
    (r"(?:(?:it|this|that|the finding|the answer|one|there) )?(?:is |are )?(?:not(?: (?:\w+ly )?(?:"
     + SEEN + r"|the case|there))?|absent|none|negative|incorrect|false)"
     r"(?: (?:in|on) (?:this|the) (?:\w+ )?(?:image|film|radiograph|x-ray|study|view))?", "no"),
    (r"(?:there (?:is|are) )?(?:no|none)"
     r"(?: (?:such|acute|significant|obvious|definite|clear|radiographic|cardiopulmonary|visible))*"
     r"(?: (?:evidence|signs?|indication|abnormalit(?:y|ies)|findings?|disease|process))?(?: of (?:this|it|that|one))?"
     r"(?: (?:is|are))?(?: (?:" + SEEN + r"))?(?: (?:now|today|here|currently))?", "no"),
    (r"(?:(?:it|this|that|the finding|one) )?(?:is |are )?(?:definitely |clearly )?(?:present|visible|positive|affirmative"
     r"|correct|true|evident)(?: (?:in|on) (?:this|the) (?:\w+ )?(?:image|film|radiograph|x-ray|study|view))?", "yes"),
    (r"(?:it|this|that|one) is (?:\w+ly )?(?:" + SEEN + r")", "yes"),
    (r"there (?:is|are)(?: one)?", "yes"),
    (r"i (?:do|can) not (?:think so|believe so|see (?:it|this|that|one|any|anything))", "no"),
)  # fmt: skip

SENTENCE_END = re.compile(r"(?<=\?)\s*|[.!](?=\s|$|[a-z])|[;\n()\[\]]+")
CONTRAST = re.compile(
    r"\b(?:but|however|although|though|while|whereas|yet|except(?: for)?|other than|apart from|nevertheless|instead"
    r"|with(?= (?:no|possible|probable|suspected|questionable|likely)\b))\b"
)
# After a comma or "and" a new statement begins only with one of these; anything else continues the list before it.
OPERATOR_START = re.compile(r"(?:yes|no|without|not|neither|none|possible|possibly|probable|suspected|questionable)\b")
SUBJECT_START = re.compile(r"(?:a|an|the|there|it|this|that|these|i|we|both|his|her)\b")


def _words(pattern: str) -> re.Pattern:
    return re.compile(rf"(?<![\w-])(?:{pattern})(?![\w])")


_NAMES = {finding: _words(pattern) for finding, pattern in NAMES.items()}
_NORMAL = {finding: _words(pattern) for finding, pattern in NORMAL.items()}
_ANY_NAME = _words("|".join(NAMES.values()))
_VERB, _HEDGE, _AFFIRMATION, _NO_STATEMENT = map(_words, (VERB, HEDGE, AFFIRMATION, NO_STATEMENT))
_BEFORE, _AFTER = _words(NEGATION_BEFORE), _words(NEGATION_AFTER)
_EXISTS = _words(r"there (?:is|are)|evidence of|signs? of")
_ALONE = tuple((re.compile(pattern), answer) for pattern, answer in ALONE)


def _finding_names(finding: str | None) -> tuple[re.Pattern, re.Pattern | None]:
    """(how the finding is named, descriptions that mean it is absent); without a finding, any of them."""
    if finding is None:
        return _ANY_NAME, None
    key = " ".join(finding.lower().replace("_", " ").split())
    if not key:
        raise ValueError(f"finding is {finding!r}, expected a name or None")
    if key in _NAMES:
        return _NAMES[key], _NORMAL.get(key)
    head = key.split()[-1]
    for known, names in _NAMES.items():  # "left pleural effusion", "rib fracture"
        if known.split()[-1] == head or names.search(head):
            return names, _NORMAL.get(known)
    return _words(rf"{re.escape(head)}(?:s|es)?"), None


def _clauses(text: str) -> list[str]:
    clauses = []
    for sentence in SENTENCE_END.split(text):
        for part in CONTRAST.split(sentence):
            current = ""
            for link, piece in re.findall(r"(^|,\s*(?:and\s+)?|\band\s+)((?:(?!,|\band\b).)+)", part):
                piece = piece.strip()
                starts = OPERATOR_START.match(piece) or (SUBJECT_START.match(piece) and _VERB.search(piece))
                if current and (starts or BARE.match(current)):
                    clauses.append(current)
                    current = piece
                else:
                    current = f"{current}{', ' if ',' in link else ' and '}{piece}" if current else piece
            clauses.append(current)
    return [clause.strip(" ,") for clause in clauses if clause.strip(" ,")]


def _decide(clause: str, names: re.Pattern, normal: re.Pattern | None, finding_given: bool) -> str | None:
    """The answer this clause gives, or None."""
    bare = BARE.match(clause)
    if bare:
        return bare[1] or bare[2]
    listed = LISTED.fullmatch(clause)
    if listed and (names.search(listed[1]) or not _ANY_NAME.search(listed[1])):
        return listed[2]
    if clause.endswith("?"):
        return None
    for pattern, answer in _ALONE:
        if pattern.fullmatch(clause):
            return answer
    if normal is not None and (found := normal.search(clause)):
        return "yes" if re.search(r"\bnot (?:\w+ )?normal\b", found[0]) else "no"
    named = names.search(clause) or (None if finding_given else _EXISTS.search(clause))
    if named is None:
        return None
    if _HEDGE.search(clause):
        return "uncertain"
    start, end = named.span()
    before, inside, after = clause[:start], clause[start:end], clause[end:]
    if _BEFORE.search(before) or _BEFORE.search(inside) or _AFTER.search(after):
        return "no"
    if not finding_given and _EXISTS.fullmatch(inside) and re.match(r"\s*(?:no|not)\b", after):
        return "no"
    if _NO_STATEMENT.search(clause):
        return None
    return "yes" if _AFFIRMATION.search(clause) or not _VERB.search(clause) else None


def parse_answer(text: str, finding: str | None = None) -> str:
    """What a generated text answers about a finding: "yes", "no", "uncertain" or "unparsed".

    The first clause that decides about the finding counts; a hedge ("cannot be excluded", "possible") is uncertain.
    A thought before the answer is dropped, also one that the token limit cut. An empty text, or one that says nothing
    about the finding, is unparsed. Without a finding, the first clause that decides about any counts. Raises ValueError for
    a text that is not a str, or an empty finding.
    """
    if not isinstance(text, str):
        raise ValueError(f"text is {text!r}, expected a str")
    names, normal = _finding_names(finding)
    if THOUGHT_END in text:
        text = text.rsplit(THOUGHT_END, 1)[1]
    text = text.split(THOUGHT_START, 1)[0]  # a thought that did not end
    text = re.sub(r"<[a-z_]+\d*>", " ", text.lower())  # other special tokens
    for pattern, replacement in REWRITES:
        text = re.sub(pattern, replacement, text)
    text = re.sub(r"[^\S\n]+", " ", text)
    clauses = _clauses(text)
    for clause in clauses:
        answer = _decide(clause, names, normal, finding is not None)
        if answer is not None:
            return answer
    # "It cannot be excluded", "I am not sure": where nothing decides, a hedge about no finding is about the asked one.
    hedged = any(_HEDGE.search(clause) and not _ANY_NAME.search(clause) for clause in clauses)
    return "uncertain" if hedged else "unparsed"


def answer_margin(logits_yes: Sequence[float], logits_no: Sequence[float]) -> float:
    """logsumexp of the yes forms' logits − that of the no forms', at the first answer position; > 0 leans to yes.

    logits [form], in nats. Raises ValueError for none, or one that is not finite.
    """
    sums = []
    for name, given in (("yes", logits_yes), ("no", logits_no)):
        logits = np.asarray(given, dtype=np.float64)
        if logits.ndim != 1 or logits.size == 0 or not np.isfinite(logits).all():
            raise ValueError(f"logits of the {name} forms are {logits!r}, expected finite numbers [forms], at least one")
        sums.append(float(special.logsumexp(logits)))
    return sums[0] - sums[1]


def margin_valid(probability_of_forms: float) -> bool:
    """True where the yes and no forms together have at least half of the first token's probability.

    Raises ValueError for a probability outside 0 to 1.
    """
    if not (math.isfinite(probability_of_forms) and 0 <= probability_of_forms <= 1 + 1e-4):
        raise ValueError(f"probability of the forms is {probability_of_forms!r}, expected a value between 0 and 1")
    return bool(round(float(probability_of_forms), 9) >= LEAST_PROBABILITY)
