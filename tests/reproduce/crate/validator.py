"""The public validator of RO-Crates without the network: the one context that a crate names is at hand.

The rocrate package ships the context of RO-Crate 1.3, which has all that a crate of 1.1 uses, some of it under another name.
"""

import json
from importlib.resources import files
from io import BytesIO
from pathlib import Path

from requests import Request
from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from rocrate_validator.models import ValidationSettings
from rocrate_validator.services import validate
from urllib3 import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
IN_1_1 = {"ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow"}  # 1.3: …/terms/ComputationalWorkflow


def context() -> bytes:
    """What the address of the context answers, as far as our crate uses it."""
    shipped = json.loads(files("rocrate").joinpath("data/ro-crate.jsonld").read_text(encoding="utf-8"))
    return json.dumps({"@context": shipped["@context"] | IN_1_1}).encode()


def issues(crate: Path, answers: Path, severity: str = "REQUIRED") -> list[str]:
    """What the validator finds against profile ro-crate-1.1 in the directory `crate`, as "identifier: message" lines.

    answers: a file to be made, for what the network would answer; it holds the context, and nothing else is asked for.
    """
    raw = HTTPResponse(BytesIO(context()), {"Content-Type": "application/ld+json"}, 200, preload_content=False)
    with CachedSession(str(answers), backend="sqlite") as session:
        session.cache.save_response(HTTPAdapter().build_response(Request("GET", CONTEXT).prepare(), raw))
    settings = ValidationSettings(
        rocrate_uri=crate, profile_identifier="ro-crate-1.1", requirement_severity=severity, offline=True, cache_path=answers
    )
    return sorted(f"{issue.check.identifier}: {issue.message}" for issue in validate(settings).get_issues())
