"""Is this the study that was published? Told from digests and counts that are safe to publish.

A hash of an identifier, of a row or of a few rows is reversible by anyone who holds the list of identifiers: it is enough
to hash every candidate. So no digest covers fewer than 5 patients. The patients of each table (variants, controls, images,
regions) are grouped by a hash of subject_id into a power of two of groups of about 20, halved until every group that is
not empty has at least 5; a table of fewer patients is published without digest or count. A group has two digests, each
over sorted lines, so that the order of rows means nothing:
- keys: which rows there are (question_id and variant_index; image_id; image_id and finding);
- content: the rows. A path is not content: where a file lies is the reader's own affair, its SHA-256 says what it is.

What can be told of a group whose digests differ, n rows here and m in the reference:
- keys the same: no row is missing or extra; at least 1, at most n are changed.
- keys differ, n = m: at least 1 missing and as many extra. Whether others are changed cannot be told.
- keys differ, n < m: at least m − n missing (and, if more, as many more extra); n > m: at least n − m extra.
- n = 0 or m = 0: exactly m missing, or n extra.
Rows in groups whose digests agree are the same. `settings` is a digest of what no patient is in: licence, default model
and prompt, variant exposure, model.json.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import ValidationError

from medattn.base.errors import InputError
from medattn.base.json_files import parse
from medattn.base.params.reading import Section
from medattn.base.pipes import refuse_pipe
from medattn.base.validation import problems
from medattn.study import attest_groups
from medattn.study.attest_groups import FEWEST, FORMAT, TABLES, Count, Digest, Table, TableName
from medattn.study.schema import read_study


class Aggregate(Section):
    """What is published of a study."""

    format: Literal[2]
    name: str
    licence: Literal["open", "credentialed"]
    digest: Digest
    settings: Digest
    counts: dict[TableName | Literal["questions", "patients"], Count | None]
    tables: dict[TableName, Table]


class Comparison(NamedTuple):
    """Whether a study is the reference, and what to print."""

    same: bool
    lines: list[str]


def aggregate(directory: Path, like: Mapping | None = None) -> dict:
    """What may be published of a study, ready for JSON; with `like`, in that aggregate's groups, to be compared with it.

    Those groups may hold fewer than 5 of this study's patients: such an aggregate has no format, so that it is not written.
    """
    study = read_study(directory)
    tables = attest_groups.rows_of(study)
    numbers = {name: len(like["tables"][name]["groups"]) if like else None for name in TABLES}
    patients = {row["subject_id"] for row in tables["images"]}
    found = Aggregate(
        format=FORMAT,
        name=study.about.name,
        licence=study.about.licence,
        digest=study.digest(),
        settings=attest_groups.settings(study),
        counts={
            "questions": attest_groups.shown([row for row in tables["variants"] if row["variant_index"] == "0"]),
            **{name: attest_groups.shown(tables[name]) for name in TABLES},
            "patients": len(patients) if len(patients) >= FEWEST else None,
        },
        tables={name: attest_groups.table(name, tables[name], numbers[name]) for name in TABLES},
    )
    return found.model_dump(mode="json") | ({"format": None} if like else {})


def json_text(found: Mapping) -> str:
    """An aggregate as the text of the file to publish. Raises InputError for a study of fewer than 5 patients."""
    if found["format"] != FORMAT:
        raise ValueError("this aggregate was made like another: its groups may hold fewer than 5 patients")
    if found["counts"]["patients"] is None:
        raise InputError(
            f"study {found['name']!r}: a digest would cover fewer than {FEWEST} patients, and whoever holds the list of"
            " identifiers could undo it: publish no digest of this study"
        )
    return json.dumps(found, indent=1, sort_keys=True) + "\n"


def describe(found: Mapping) -> str:
    """The digest on its own line, as params.yaml pins it, and what it covers."""
    counts = {name: "a few" if count is None else str(count) for name, count in found["counts"].items()}
    text = (
        f"{found['digest']}\n{counts['questions']} questions in {counts['variants']} variants, {counts['controls']} controls,"
        f" {counts['images']} images of {counts['patients']} patients, {counts['regions']} regions"
    )
    if found["counts"]["patients"] is None:
        text += f"\nfewer than {FEWEST} patients: do not publish this digest"
    return text


def read_reference(path: Path) -> dict:
    """A published aggregate. Raises InputError if it is not there, of another format, or not what it seems."""
    refuse_pipe(path)
    try:
        content = parse(path.read_bytes(), str(path), "restore it")
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path} not found: give --against the file that was published with the study") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        given = content.get("format") if isinstance(content, dict) else None
        raise InputError(f"{path}: format is {given!r}, this version reads {FORMAT}: take the version that wrote it")
    try:
        found = Aggregate.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise InputError(problems(path, error, "restore it", values=False)[0]) from None
    for name in TABLES:
        table = found.tables.get(name)
        if (
            table is None
            or len(table.groups) & (len(table.groups) - 1)
            or sum(g.rows for g in table.groups) != (table.rows or 0)
        ):
            raise InputError(f"{path}: tables.{name}: its groups are not complete: restore it")
    return found.model_dump(mode="json")


def compare(ours: Mapping, reference: Mapping) -> Comparison:
    """What can be told from two aggregates in the same groups (`aggregate(directory, like=reference)`); names no row."""
    lines, same = [], True
    for name in TABLES:
        line, equal = _compare_table(name, ours["tables"][name], reference["tables"][name])
        lines.append(line)
        same = same and equal
    if ours["settings"] != reference["settings"]:
        lines.append("settings: licence, default model or prompt, variant exposure, or model.json differ")
        same = False
    if ours["name"] != reference["name"]:
        lines.append(f"name: {ours['name']!r} here, {reference['name']!r} in the reference")
    if same and ours["digest"] != reference["digest"]:
        lines.append("digest: differs in what is not compared (order of rows, further columns, paths, title, source)")
    return Comparison(same, ["same study" if same else "different study", *lines])


def _compare_table(name: str, ours: Mapping, reference: Mapping) -> tuple[str, bool]:
    if reference["rows"] is None:
        if ours["rows"] is None:
            return f"{name}: not compared, here as in the reference a few of fewer than {FEWEST} patients", True
        return f"{name}: different, {ours['rows']} here, a few of fewer than {FEWEST} patients in the reference", False
    if len(ours["groups"]) != len(reference["groups"]):
        raise ValueError(
            f"{name} have {len(ours['groups'])} groups, the reference {len(reference['groups'])}: make them like it"
        )
    pairs = list(zip(ours["groups"], reference["groups"], strict=True))
    differing = [(here, there) for here, there in pairs if here != there]
    here, there = (sum(group["rows"] for group in groups) for groups in (ours["groups"], reference["groups"]))
    if not differing:
        return f"{name}: same, {there}", True
    bounds = {"missing": 0, "extra": 0, "changed": 0}
    exact = {"missing": True, "extra": True, "changed": True}
    for group, other in differing:
        n, m = group["rows"], other["rows"]
        if group["keys"] == other["keys"]:
            bounds["changed"] += 1
            exact["changed"] = exact["changed"] and n == 1
            continue
        swapped = 1 if n == m else 0
        bounds["missing"] += max(m - n, swapped)
        bounds["extra"] += max(n - m, swapped)
        if n and m:
            exact["missing"] = exact["extra"] = False
    differences = ", ".join(f"{'' if exact[kind] else 'at least '}{least} {kind}" for kind, least in bounds.items() if least)
    return (
        f"{name}: different, {here} here, {there} in the reference: {differences} (in {len(differing)} of {len(pairs)} groups)",
        False,
    )
