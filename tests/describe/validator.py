"""The public validator of RO-Crates without the network: the one context that a crate names is at hand.

ro-crate-1.1-context.jsonld is what https://w3id.org/ro/crate/1.1/context answers (CC0), unchanged.
"""

from io import BytesIO
from pathlib import Path

from requests import Request
from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from rocrate_validator.models import ValidationSettings
from rocrate_validator.services import validate
from urllib3 import HTTPResponse

CONTEXT, FILE = "https://w3id.org/ro/crate/1.1/context", Path(__file__).with_name("ro-crate-1.1-context.jsonld")


def issues(crate: Path, answers: Path, severity: str = "REQUIRED") -> list[str]:
    """What the validator finds against profile ro-crate-1.1 in the directory `crate`, as "identifier: message" lines.

    answers: a file to be made, for what the network would answer; it holds the context, and nothing else is asked for.
    """
    raw = HTTPResponse(BytesIO(FILE.read_bytes()), {"Content-Type": "application/ld+json"}, 200, preload_content=False)
    with CachedSession(str(answers), backend="sqlite") as session:
        session.cache.save_response(HTTPAdapter().build_response(Request("GET", CONTEXT).prepare(), raw))
    settings = ValidationSettings(
        rocrate_uri=crate, profile_identifier="ro-crate-1.1", requirement_severity=severity, offline=True, cache_path=answers
    )
    return sorted(f"{issue.check.identifier}: {issue.message}" for issue in validate(settings).get_issues())
