"""The crate holds hashes of all other outputs, so its bytes differ wherever theirs do: it is as good as what it hashes."""

import json
from collections.abc import Iterable
from typing import Any

from medattn.reproduce.crate import stage
from medattn.reproduce.verify.deviation import Comparison, Verdict

CRATE = stage.CRATE.as_posix()
OUTPUTS = ("reports/", "#results/")  # how the entities of outputs are named
HASHES = ("sha256", "identifier")


def without_hashes(text: str) -> str:
    """The crate without the hashes of outputs; what is left must be the same."""
    content = json.loads(text)
    return json.dumps(content | {"@graph": [_without(entity) for entity in content["@graph"]]})


def _without(entity: dict[str, Any]) -> dict[str, Any]:
    if not entity["@id"].startswith(OUTPUTS):
        return entity
    return {name: value for name, value in entity.items() if name not in HASHES}


def as_good_as(rest: Comparison, others: Iterable[Comparison]) -> Comparison:
    """The crate's own comparison. rest: of what is not a hash of an output. others: of all other outputs."""
    if rest.verdict is not Verdict.EQUIVALENT:
        return rest
    worst = max((one.verdict for one in others), default=Verdict.IDENTICAL)
    if worst is Verdict.IDENTICAL:
        return Comparison(Verdict.DIFFERENT, why=("holds other hashes, though every other output is the same",))
    if worst is Verdict.EQUIVALENT:
        return rest
    return Comparison(worst, why=(f"holds the hashes of outputs that are {worst}",))
