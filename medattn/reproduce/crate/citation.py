"""CITATION.cff as far as the crate repeats it: the same words, so that there is one place to change them."""

import re
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medattn.base.errors import InputError
from medattn.base.validation import problems
from medattn.base.yaml_files import read

CITATION = Path("CITATION.cff")


class Author(BaseModel):
    """A person (given and family names) or an organization (name)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str | None = None
    given_names: str | None = Field(None, alias="given-names")
    family_names: str | None = Field(None, alias="family-names")
    orcid: str | None = None

    @property
    def shown(self) -> str:
        return self.name or " ".join(part for part in (self.given_names, self.family_names) if part)

    @property
    def id(self) -> str:
        """How the crate names the author: by ORCID where there is one."""
        return self.orcid or "#" + re.sub(r"\W+", "-", self.shown.lower()).strip("-")

    @property
    def type(self) -> str:
        return "Organization" if self.name else "Person"


class Citation(BaseModel):
    """What is cited. date_released: a crate needs a date of publication, and the clock has none."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    title: str
    version: str
    licence: str = Field(alias="license")  # an SPDX identifier
    date_released: date = Field(alias="date-released")
    authors: list[Author] = Field(min_length=1)
    keywords: list[str] = []


def read_citation(root: Path) -> Citation:
    """Read CITATION.cff. Raises InputError naming key and value."""
    path = root / CITATION
    try:
        return Citation.model_validate(read(path, f"restore it (`git checkout {CITATION}`)", "fix it"))
    except ValidationError as error:
        raise InputError("\n".join(problems(path, error, "fix it", values=False))) from None
