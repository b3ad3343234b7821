"""What the report says: the tables of a run, in the order of the questions a reader would ask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from medattn.report.page import Figure, Number, Section, Table
from medattn.report.tables import DASH, LAYOUTS, Column, Rows, caption, kept, mark, suppresses, three_digits
from medattn.study.schema import About

Frames = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Heading:
    """Of a section of the page. key: what layouts call it; text: what it is about."""

    key: str
    title: str
    text: str = ""


HEADLINE = {
    "accuracy_baseline": ("share", "of the baseline variants answered right"),
    "accuracy_no_image": ("share", "right without the image; what is neither yes nor no is wrong"),
    "flip_rate": ("share", "of the other variants flip the answer"),
    "any_flip_rate": ("share", "of the questions have variants that contradict each other"),
    "consistency": ("share", "of a question's variants give its majority answer, on average"),
    "region_enrichment": ("number", "times its area share: attention in the true region, all variants"),
    "js_other_finding": ("number", "bits of JS divergence (0 same, 1 disjoint) when another finding is asked about, mean"),
    "js_other_variant": ("number", "bits when the same is asked in other words, mean"),
}


def headline(numbers: Mapping[str, float | None], localisation: pd.DataFrame) -> list[Number]:
    """The numbers at the top of the page, attention to the region beside the best baseline map; empty ones left out."""
    maps = [row for row in rows_of(localisation) if (row["finding"], row["sinks"]) == ("all", "keep") and row["map"] != "model"]
    best = max((row for row in maps if row["region_enrichment"]), key=lambda row: float(row["region_enrichment"]), default=None)
    beside = (
        f"; best of the baseline maps: {best['map'].replace('_', ' ')}, {cell(best['region_enrichment'], 'number')}"
        if best
        else ""
    )
    return [
        Number(
            cell(str(numbers[name]), kind) + (" %" if kind == "share" else ""),
            meaning + (beside if name == "region_enrichment" else ""),
        )
        for name, (kind, meaning) in HEADLINE.items()
        if numbers[name] is not None
    ]


def cell(text: str, kind: str) -> str:
    """A cell as the page shows it: shares and percentage points times 100, numbers to three digits."""
    if text == "" or kind == "count":
        return text
    if kind == "text":
        return text.replace("_", " ")
    value = float(text)
    if kind == "p":
        return "< 0.001" if value < 0.001 else f"{value:.3f}"
    return (f"{100 * value:.1f}" if kind in ("share", "points") else three_digits(value)).replace("-", "−")


def _cell(row: Mapping[str, str], column: Column) -> str:
    text = cell(row[column.name], column.kind)
    if not text and suppresses(row) and column.kind != "text":
        return DASH
    if text and column.low and column.high and row[column.low]:
        text += f" [{cell(row[column.low], column.kind)}, {cell(row[column.high], column.kind)}]"
    return text


def rows_of(frame: pd.DataFrame) -> Rows:
    """The cells of a table read as text."""
    return frame.to_dict("records")


def table(name: str, frames: Frames, note: str) -> Table:
    """One of the LAYOUTS as the page shows it, with the run's note; the file is the whole CSV."""
    layout = LAYOUTS[name]
    rows = kept(rows_of(frames[name]), layout)
    return Table(
        name=name,
        title=layout.title or name.replace("_", " ").capitalize(),
        caption=caption(layout, rows, note),
        columns=tuple(column.title + (" (%)" if column.kind == "share" else "") for column in layout.columns),
        rows=tuple(tuple(_cell(row, column) + mark(row, column, layout) for column in layout.columns) for row in rows),
        file=f"tables/{name}.csv",
    )


def sections(parts: Sequence[tuple[Heading, Sequence[Figure]]], frames: Frames, note: str) -> list[Section]:
    """Each heading with its figures, and the tables whose layouts name it. A heading without either is left out.

    Raises ValueError for a table below a heading that is none of these.
    """
    known = {heading.key for heading, _ in parts}
    if lost := sorted(name for name, layout in LAYOUTS.items() if layout.section not in known):
        raise ValueError(f"table {lost[0]}: no section of the page is called {LAYOUTS[lost[0]].section!r}")
    made = []
    for heading, figures in parts:
        names = [
            name for name, layout in sorted(LAYOUTS.items(), key=lambda one: one[1].rank)
            if layout.section == heading.key and (len(frames[name]) or not layout.only_filled)
        ]  # fmt: skip
        if figures or names:
            sentences = [sentence for name in names if name in REMARKS for sentence in REMARKS[name](frames[name])]
            text = (heading.text, *sentences) if heading.text else tuple(sentences)
            made.append(Section(heading.title, text, tuple(figures), tuple(table(name, frames, note) for name in names)))
    return made


def _hypotheses(table: pd.DataFrame) -> list[str]:
    """How each was decided."""
    return [
        f"{row['hypothesis']}: {row['statistic']}" + (f". {row['note'][0].upper()}{row['note'][1:]}." if row["note"] else ".")
        for row in rows_of(table)
    ]


def _exposure(table: pd.DataFrame) -> list[str]:
    """Whether the known order of exposure was recovered."""
    pairs, recovered = table.iloc[:-1], table.verdict.iloc[-1] == "recovered"
    counts = ", ".join(
        f"{number} {verdict}"
        for verdict in ("as exposed", "undecided", "contradicts")
        if (number := (pairs.verdict == verdict).sum())
    )
    return [
        "This model's training is known: it saw some strategies less than others, and should flip more on those."
        f" The order was {'recovered: no pair of strategies contradicts it' if recovered else 'not recovered'} ({counts};"
        " by the 95 % interval of the difference in flip rates)."
    ]


REMARKS = {"hypotheses": _hypotheses, "exposure_order": _exposure}  # table -> what the page says of it


def about(study: About, numbers: Mapping[str, float | None], model: str) -> list[str]:
    """Where everything comes from, and what bounds the numbers."""
    return [
        f"Study: {study.title} ({study.source}). Model: {'the study’s own' if '/' not in model else model}."
        f" {numbers['n_samples']:,} samples, of which {'a few' if numbers['n_failed'] is None else numbers['n_failed']} could"
        " not be computed.",
        *(
            ["The model was trained for this study, on drawings like its images: nothing here is about a clinical model."]
            if study.strategy_exposure
            else []
        ),
        "Labels are the study's own (questions.csv). Where labels can be wrong, a right answer counts as wrong: label noise"
        " bounds every accuracy below. Controls, which ask about another finding of the same image, count in no accuracy and no"
        " flip.",
        "Intervals resample patients, tests flip the signs of patients (docs/statistics.md); every number is defined in"
        " docs/metrics.md.",
    ]


def doubtful_masks(masks: pd.DataFrame, least: int) -> list[str]:
    """How many body masks may be wrong, no number where it, or how many are not, would stand for fewer than `least` patients.

    masks: subject_id and doubt of every image. Nothing where none is doubtful.
    """
    doubtful = masks.doubt != ""
    if not doubtful.any():
        return []
    groups = [set(masks.subject_id[some]) for some in (doubtful, ~doubtful)]
    told = all(len(patients) >= least for patients in groups if patients)
    return [
        f"Body masks: {f'{doubtful.sum():,} of {len(masks):,}' if told else 'some'} are doubtful, as they cover nearly all or"
        " little of the image, or leave out where lungs usually lie; what is said of attention in the body is less sure there."
        " `medattn prepare` lists them."
    ]
