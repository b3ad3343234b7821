"""How much the answers need the image: margins with it against margins without it."""

from collections import Counter
from collections.abc import Sequence

from medattn.base import paths
from medattn.base.params.metrics import Metrics
from medattn.base.tables import AnyRow, Row
from medattn.language.answers import NO_POSITION
from medattn.metrics.columnar import ColumnRow
from medattn.metrics.intervals import Intervals
from medattn.metrics.samples import per_finding
from medattn.metrics.table import Table, of_findings
from medattn.metrics.tables.groups import by_question
from medattn.metrics.values import average, count_of_patients, mean_of

RELIANCE = (
    "question_id", "image_id", "subject_id", "finding", "ground_truth", "variants", "consistency", "reliance_no_image",
    "reliance_blank", "reliance_all_variants", "text_only_agreement", "consistent_but_blind",
)  # fmt: skip
IMAGE_RELIANCE = (
    "finding", "n", "patients", "reliance_no_image", "no_image_low", "no_image_high", "no_image_method",
    "reliance_blank", "blank_low", "blank_high", "blank_method", "reliance_all_variants", "all_variants_low",
    "all_variants_high", "all_variants_method", "consistency", "text_only_agreement",
    "agreement_low", "agreement_high", "agreement_method", "consistent_but_blind", "blind_low", "blind_high",
    "blind_method", "few_patients",
)  # fmt: skip
SIGN = {"yes": 1.0, "no": -1.0}


def reliance_rows(rows: Sequence[ColumnRow], questions: Sequence[AnyRow]) -> list[Row]:
    """RELIANCE, one row per study question on its clean image.

    reliance: margin with the image − margin without it (or with a blank one), signed by the clean answer; of the
    baseline variant, or the mean over all variants without the image; where it was asked both ways, answered yes or no,
    and both margins are valid; in nats, > 0: the image speaks for the answer. text_only_agreement: share of variants
    whose answer without the image is their clean one. Consistent but blind: all variants agree, and all text-only answers
    agree with them.
    """
    groups = by_question(rows)
    agreed = {row["question_id"]: row for row in questions if row["condition"] == "clean"}
    table = []
    for (question_id, condition, _), variants in groups.items():
        if condition != "clean":
            continue
        first, without = variants[0], _by_variant(groups.get((question_id, "no_image", ""), ()))
        blank = _by_variant(groups.get((question_id, "blank", ""), ()))
        same = [
            float(row["parsed_answer"] == without[row["variant_index"]]["parsed_answer"] not in NO_POSITION)
            for row in variants
            if row["variant_index"] in without
        ]
        baseline = [row for row in variants if row.is_baseline]
        answers = Counter(row["parsed_answer"] for row in variants)
        alike = len(answers) == 1 and NO_POSITION.isdisjoint(answers) and len(variants) > 1
        table.append(
            {
                **{name: first[name] for name in ("question_id", "image_id", "subject_id", "finding", "ground_truth")},
                "variants": len(variants),
                "consistency": agreed[question_id]["consistency"],
                "reliance_no_image": _reliance(baseline, without),
                "reliance_blank": _reliance(baseline, blank),
                "reliance_all_variants": _reliance(variants, without),
                "text_only_agreement": average(same) if same else None,
                "consistent_but_blind": (alike and all(same)) if len(same) == len(variants) else None,
            }
        )
    return table


def _by_variant(rows: Sequence[ColumnRow]) -> dict[int, ColumnRow]:
    return {row["variant_index"]: row for row in rows}


def _reliance(variants: Sequence[ColumnRow], without: dict[int, ColumnRow]) -> float | None:
    values = [
        SIGN[row["parsed_answer"]] * (row["margin"] - other["margin"])
        for row in variants
        if (other := without.get(row["variant_index"])) is not None
        and row["parsed_answer"] in SIGN and row["margin_valid"] and other["margin_valid"]
    ]  # fmt: skip
    return average(values) if values else None


def image_reliance(table: Sequence[AnyRow], params: Metrics) -> list[Row]:
    """IMAGE_RELIANCE, per finding and for all."""
    intervals, out = Intervals(params, "image_reliance"), []
    for finding, some in per_finding(table):
        out.append(
            {
                "finding": finding,
                **count_of_patients(some),
                **intervals.mean(some, "reliance_no_image", finding, "reliance_no_image", "no_image"),
                **intervals.mean(some, "reliance_blank", finding, "reliance_blank", "blank"),
                **intervals.mean(some, "reliance_all_variants", finding, "reliance_all_variants", "all_variants"),
                "consistency": mean_of(some, "consistency"),
                **intervals.mean(some, "text_only_agreement", finding, "text_only_agreement", "agreement"),
                **intervals.share(some, "consistent_but_blind", finding, "consistent_but_blind", "blind"),
            }
        )
    return out


TABLES = (
    Table("reliance", RELIANCE, lambda of: of.reliance, paths.GROUPS),
    Table(
        "image_reliance",
        IMAGE_RELIANCE,
        lambda of: image_reliance(of.reliance, of.settings),
        keys=("finding",),
        parts=of_findings,
    ),
)
