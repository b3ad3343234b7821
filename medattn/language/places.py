"""Places of the chest that questions name: the closed table of locations and sides. Sides are the patient's."""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

from medattn.language.findings import LUNGS, NAMES, UNPLACED, Term, any_of, entry, stands_alone

SIDES = ("left", "right")
_LEVELS = ("upper", "mid", "lower")
_ZONE = ("", " lung zone", " zone", " lung field", " lung")  # "" as in "left lower lung opacity": left lower + lung opacity
_ZONES = ("", " lung zones", " zones", " lung fields", " lung")


@dataclass(frozen=True)
class Place:
    """at: how a question says where ("in the left lung"), or before: what it puts before the finding ("left-sided").

    lung: whether a lung finding can be there.
    """

    name: str
    at: str = ""
    before: str = ""
    spellings: tuple[str, ...] = ()
    lung: bool = True


def _one_side(side: str) -> list[Place]:
    def place(noun: str, *others: str, at: str = "in") -> Place:
        return Place(f"{side} {noun}", f"{at} the {side} {noun}", spellings=tuple(f"{side} {other}" for other in others))

    places = [
        Place(side, before=f"{side}-sided", spellings=(f"{side} sided", f"{side} side", f"{side} side of the chest")),
        place("lung"),
        place("lung base", "base", "basal region", "basilar region", "basal zone", "basal", "basilar", "lower base", at="at"),
        place("lung apex", "apex", "apical region", "apical zone", "apical", at="at"),
        place("hilar region", "hilum", "hilus", "hilar structures", "hilar area", "hilar"),
        place("perihilar region", "perihilar area", "perihilar zone", "perihilar"),
        place("hemithorax"),
        place("hemidiaphragm", "diaphragm", at="at"),
        place("costophrenic angle", "costophrenic sulcus", "costophrenic recess", at="at"),
        place("cardiophrenic angle", at="at"),
        replace(place("clavicle"), lung=False),
    ]
    for level in _LEVELS:
        names = ("mid", "middle") if level == "mid" else (level,)
        zones = [f"{name}{noun}" for name, noun in product(names, _ZONE)]
        mine = place(f"{level} lung zone", *zones, *(f"{level}-{noun}" for noun in ("lung zone", "zone", "lung")))
        turned = tuple(f"{name} {side}{noun}" for name, noun in product(names, _ZONE))
        places.append(Place(mine.name, mine.at, spellings=(*mine.spellings, *turned)))
        if (side, level) != ("left", "mid"):  # the left lung has two lobes
            lobe = place(f"{'middle' if level == 'mid' else level} lobe", *(f"{name} lobe" for name in names))
            places.append(replace(lobe, spellings=(*lobe.spellings, *(f"{name} {side} lobe" for name in names))))
    return places


def _both_sides() -> list[Place]:
    def place(nouns: str, *others: str, at: str = "in") -> Place:
        spellings = [f"both {nouns}"]
        spellings += [spelling for other in others for spelling in (f"bilateral {other}", f"both {other}")]
        return Place(f"bilateral {nouns}", f"{at} both {nouns}", spellings=tuple(spellings))

    places = [
        Place("bilateral", before="bilateral", spellings=("both sides", "bilaterally")),
        Place("bilateral lungs", "in both lungs", spellings=("both lungs",)),
        place("lung bases", "bases", at="at"),
        place("lung apices", "apices", at="at"),
        place("hilar regions", "hila", "hilar structures"),
        place("perihilar regions"),
        place("hemidiaphragms", "diaphragms", at="at"),
        place("costophrenic angles", "costophrenic sulci", at="at"),
    ]
    for level in _LEVELS:
        zones = [f"{name}{noun}" for name in (("mid", "middle") if level == "mid" else (level,)) for noun in _ZONES]
        places.append(place(f"{level} lung zones", *zones))
        if level != "mid":
            places.append(place(f"{level} lobes"))
    return places


_MIDLINE = [
    Place("lungs", "in the lungs"),
    Place("lung bases", "at the lung bases", spellings=("bases", "basilar", "basal")),
    Place("lung apices", "at the lung apices", spellings=("apices", "apical")),
    Place("lingula", "in the lingula", spellings=("lingular",)),
    Place("mediastinum", "in the mediastinum", lung=False),
    Place("upper mediastinum", "in the upper mediastinum", spellings=("superior mediastinum",), lung=False),
    Place("retrocardiac region", "in the retrocardiac region", spellings=("retrocardiac area", "retrocardiac")),
    Place("cardiac silhouette", "in the cardiac silhouette", lung=False),
    Place("aortic arch", "in the aortic arch", lung=False),
    Place("trachea", "in the trachea", lung=False),
    Place("carina", "at the carina", lung=False),
    Place("spine", "in the spine", lung=False),
    Place("abdomen", "in the abdomen", lung=False),
]
PLACES: dict[str, Place] = {place.name: place for place in (*_one_side("left"), *_one_side("right"), *_both_sides(), *_MIDLINE)}
SPELLINGS: dict[str, str] = {
    spelling: place.name for place in PLACES.values() for spelling in (*place.spellings, place.before) if spelling
}
SPELLINGS |= {"bibasilar": "bilateral lung bases", "bibasal": "bilateral lung bases", "biapical": "bilateral lung apices"}
SPELLINGS |= {name: name for name in PLACES}
ANY_PLACE = any_of(SPELLINGS)
_PLACES = re.compile(ANY_PLACE, re.IGNORECASE)
_LEVEL = re.compile(r"(?:^|[ -])(?:upper|mid|middle|lower)$")
_OF_THE_LUNG = ("lung ", "pulmonary ")


@lru_cache(maxsize=100_000)
def places_in(text: str) -> frozenset[str]:
    """The places that a text names; of overlapping names the first and longest."""
    return frozenset(SPELLINGS[found.lower()] for found in _PLACES.findall(text))


def placed(term: Term, place: str, before: str) -> Term:
    """The term as it stands in a question about `place`, with `before` in front: one thing is not in two places."""
    return term.sided(before) if before else term.on_both_sides if place.startswith("bilateral") else term


@lru_cache(maxsize=100_000)
def synonyms(finding: str, name: str, before: str) -> tuple[Term, ...]:
    """The finding's names other than `name`, in its number, that can stand behind the place or side in front of it."""
    own = NAMES[name][1]
    terms = [term.in_plural if own.plural else term for term in entry(finding).terms]
    return tuple(term for term in terms if term.text != own.text and (not before or _behind(before, own.text, term.text)))


def _behind(before: str, own: str, name: str) -> bool:
    """Whether `name` can stand where `own` stands.

    Not where it becomes another name (left lung + nodule), says its own place (left + air in the pleural space), says lung
    twice (left lung + pulmonary edema), or takes the noun off a level (left upper + lung nodule, left upper + nodule).
    """
    if not stands_alone(before, name) or " in the " in name or " of " in name:
        return False
    if name.startswith(_OF_THE_LUNG):
        return "lung" not in before
    return not (_LEVEL.search(before) and own.startswith(_OF_THE_LUNG))


@lru_cache(maxsize=100_000)
def can_be_at(finding: str, place: str) -> bool:
    """Whether the finding, by each of its names, can be asked about at the place; also not where it names the place itself."""
    known = entry(finding)
    if known.where == UNPLACED or (known.where == LUNGS and not PLACES[place].lung):
        return False
    words = {word for term in known.terms for word in term.text.split()} - {"lung"}
    return not words & set(place.split())
