"""Our numbers beside published ones, for the study that they are about, each with why it is comparable or is not."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from medattn.base.errors import InputError
from medattn.base.tables import Row, read_table

COLUMNS = ("quantity", "unit", "published", "ours", "difference", "comparable", "reason", "source")
SOURCE_COLUMNS = ("quantity", "study", "published", "unit", "source", "comparable", "reason", "ours")
MEANS = ("focus", "inside_body_ratio", "entropy")  # of the profile `original`
TRANSITIONS = {
    "js_distance_yes_no": "yes→no",
    "js_distance_no_yes": "no→yes",
    "js_distance_yes_yes": "yes→yes",
    "js_distance_no_no": "no→no",
}


def published(path: Path, study: str, tables: Mapping[str, Sequence[Row]]) -> list[Row]:
    """COLUMNS for the rows of reference/published.csv whose study is the one that is run; none for any other.

    tables: the aggregate tables by name, as they are published. difference: ours − published, only where comparable.
    """
    ours, table = our_numbers(tables), []
    for number, row in enumerate(read_table(path, SOURCE_COLUMNS), start=2):
        if row["ours"] and row["ours"] not in ours:
            raise InputError(
                f"{path}, row {number}: ours is {row['ours']!r}, expected one of {', '.join(sorted(ours))}: fix it"
            )
        if row["study"] != study:
            continue
        value, known = ours.get(row["ours"]), float(row["published"])
        comparable = row["comparable"] == "yes"
        table.append(
            {
                **{name: row[name] for name in ("quantity", "unit", "reason", "source")},
                "published": known,
                "ours": value,
                "difference": value - known if comparable and value is not None else None,
                "comparable": comparable,
            }
        )
    return table


def our_numbers(tables: Mapping[str, Sequence[Row]]) -> dict[str, float | None]:
    """What a row of reference/published.csv may name in its column `ours`."""
    asked = next((row for row in tables["consistency"] if row["grouping"] == "question" and row["condition"] == "clean"), {})
    text = next((row for row in tables["consistency"] if row["grouping"] == "text"), {})
    flips = {row["answers"]: row for row in tables["flips"]}
    reliance = next((row for row in tables["image_reliance"] if row["finding"] == "all"), {})
    (headline,) = tables["headline"]
    means = {row["metric"]: row["mean"] for row in tables["metric_summary"] if row["profile"] == "original"}
    numbers = {name: headline[name] for name in ("accuracy_all", "accuracy_baseline", "flip_rate")}
    numbers |= {f"any_flip_{k}": asked.get(f"any_flip_{k}") for k in (3, 4, 5)}
    numbers |= {name: flips.get(kind, {}).get("js_distance_to_baseline") for name, kind in TRANSITIONS.items()}
    numbers |= {name: means.get(name) for name in MEANS}
    consistent = text.get("fully_consistent")
    return numbers | {
        "consistency_by_text": text.get("consistency"),
        "fully_consistent_by_text": None if consistent is None else consistent * text["n"],
        "text_only_agreement": reliance.get("text_only_agreement"),
    }
