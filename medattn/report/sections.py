"""What the report says: the tables of a run, in the order of the questions a reader would ask."""

from collections.abc import Mapping, Sequence

import pandas as pd

from medattn.report.layouts import DASH, LAYOUTS, Column, Rows, caption, kept, mark, three_digits, withholds
from medattn.report.page import Figure, Number, Section, Table
from medattn.study.schema import About

Frames = Mapping[str, pd.DataFrame]

# section -> (what it is about, charts, tables)
SECTIONS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "Where does the model look?": (
        "Attention is read at the last prompt token, before a word of the answer is chosen. Enrichment is attention ÷ area: 1"
        " is chance. Because many maps fall on the middle of a chest, each number stands beside those of maps that know less.",
        ("example", "localisation", "layer_head"),
        ("localisation", "by_finding"),
    ),
    "Do other words change the answer, or where it looks?": (
        "Every question is asked in several wordings that mean the same. A flip is a yes that becomes a no, or the reverse,"
        " against the baseline wording.",
        ("accuracy_by_strategy", "flips_margins", "js_contrast"),
        ("by_strategy", "consistency", "flips"),
    ),
    "Does the answer need the image?": (
        "The same questions are asked without the image, with a blank one, with another patient's, and with the finding's true"
        " region hidden.",
        ("image_reliance", "occlusion"),
        ("image_reliance", "occlusion"),
    ),
    "How robust are answers and attention?": (
        "The baseline wording is asked again about images that were changed in a controlled way.",
        ("robustness",),
        ("robustness",),
    ),
    "Does attention tell right answers from wrong ones?": (
        "Right and wrong answers are compared inside the same patients, so that easy patients do not count as a difference.",
        ("correct_incorrect", "metric_distributions"),
        ("correct_incorrect",),
    ),
    "How much do attention sinks matter?": (
        "Some cells draw attention whatever is asked. Every metric is reported with them; here is what it would be without.",
        ("sinks",),
        (),
    ),
}  # fmt: skip
HEADLINE = {
    "accuracy_baseline": ("share", "of the baseline wordings answered right"),
    "accuracy_no_image": ("share", "right without the image; what is neither yes nor no is wrong"),
    "flip_rate": ("share", "of the other wordings flip the answer"),
    "any_flip_rate": ("share", "of the questions have wordings that contradict each other"),
    "consistency": ("share", "of a question's wordings give its majority answer, on average"),
    "region_enrichment": ("number", "times its area share: attention in the true region, all wordings"),
    "js_other_finding": ("number", "bits of JS divergence (0 same, 1 disjoint) when another finding is asked about, mean"),
    "js_other_wording": ("number", "bits when the same is asked in other words, mean"),
}


def headline(numbers: Mapping[str, float | None], localisation: pd.DataFrame) -> list[Number]:
    """The numbers at the top of the page, attention to the region beside the best map that knows less; empty ones left out."""
    maps = [row for row in rows_of(localisation) if (row["finding"], row["sinks"]) == ("all", "keep") and row["map"] != "model"]
    best = max((row for row in maps if row["region_enrichment"]), key=lambda row: float(row["region_enrichment"]), default=None)
    beside = (
        f"; best of the maps that know less: {best['map'].replace('_', ' ')}, {cell(best['region_enrichment'], 'number')}"
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
    """A cell as the page shows it: shares in per cent, numbers to three digits."""
    if text == "" or kind == "count":
        return text
    if kind == "text":
        return text.replace("_", " ")
    value = float(text)
    if kind == "p":
        return "< 0.001" if value < 0.001 else f"{value:.3f}"
    return (f"{100 * value:.1f}" if kind == "share" else three_digits(value)).replace("-", "−")


def _cell(row: Mapping[str, str], column: Column) -> str:
    text = cell(row[column.name], column.kind)
    if not text and withholds(row) and column.kind != "text":
        return DASH
    if text and column.low and column.high and row[column.low]:
        text += f" [{cell(row[column.low], column.kind)}, {cell(row[column.high], column.kind)}]"
    return text


def rows_of(frame: pd.DataFrame) -> Rows:
    """The cells of a table read as text."""
    return frame.to_dict("records")


def table(name: str, frames: Frames) -> Table:
    """One of the LAYOUTS as the page shows it; the file is the whole CSV."""
    layout = LAYOUTS[name]
    rows = kept(rows_of(frames[name]), layout)
    return Table(
        name=name,
        title=name.replace("_", " ").capitalize(),
        caption=caption(layout, rows),
        columns=tuple(column.title + (" (%)" if column.kind == "share" else "") for column in layout.columns),
        rows=tuple(tuple(_cell(row, column) + mark(row, column, layout) for column in layout.columns) for row in rows),
        file=f"tables/{name}.csv",
    )


def _plain(name: str, title: str, caption: str, frame: pd.DataFrame, kinds: Mapping[str, str]) -> Table:
    return Table(
        name=name, title=title, caption=caption, columns=tuple(column.replace("_", " ") for column in kinds),
        rows=tuple(tuple(cell(row[column], kind) for column, kind in kinds.items()) for row in rows_of(frame)),
        file=f"tables/{name}.csv",
    )  # fmt: skip


def exposure(frame: pd.DataFrame) -> tuple[list[str], list[Table]]:
    """Whether the known order of exposure was recovered: a sentence and its table; nothing where it is not known."""
    if not len(frame):
        return [], []
    pairs, recovered = frame.iloc[:-1], frame.verdict.iloc[-1] == "recovered"
    counts = ", ".join(
        f"{number} {verdict}"
        for verdict in ("as exposed", "undecided", "contradicts")
        if (number := (pairs.verdict == verdict).sum())
    )
    sentence = (
        "This model's training is known: it saw some wording strategies less than others, and should flip more on those."
        f" The order was {'recovered: no pair of strategies contradicts it' if recovered else 'not recovered'} ({counts};"
        " by the 95 % interval of the difference in flip rates)."
    )
    kinds = {"less_exposed": "text", "more_exposed": "text", "flip_difference": "share", "difference_low": "share",
             "difference_high": "share", "verdict": "text"}  # fmt: skip
    explained = (
        "Difference in flip rates between a strategy seen less in training and one seen more, in percentage points, with its"
        " 95 % interval; none where patients are too alike."
    )
    return [sentence], [_plain("exposure_order", "Order of exposure", explained, pairs, kinds)]


def sections(figures: Sequence[Figure], frames: Frames) -> list[Section]:
    """Hypotheses first, then SECTIONS, then published numbers where they are about this study."""
    by_name = {figure.name: figure for figure in figures}
    rule = (
        "The rules were stated before looking (docs/hypotheses.md): supported needs an adjusted p of at most 0.05 and an effect"
        " of at least the minimum; not supported, an interval wholly below the minimum. Not supported can go with a small p: an"
        " effect is there, but below the minimum."
    )
    made = [
        Section(
            "What was expected, and what was found", (rule, *_notes(frames["hypotheses"])), (), (table("hypotheses", frames),)
        )
    ]
    for title, (text, charts, tables) in SECTIONS.items():
        sentences, more = exposure(frames["exposure_order"]) if "by_strategy" in tables else ([], [])
        made.append(
            Section(
                title,
                (text, *sentences),
                tuple(by_name[name] for name in charts if name in by_name),
                (*(table(name, frames) for name in tables), *more),
            )
        )
    if len(frames["published"]):
        kinds = {"quantity": "text", "unit": "text", "published": "number", "ours": "number", "comparable": "text",
                 "reason": "text", "source": "text"}  # fmt: skip
        explained = "Numbers that others have published about this kind of question, and whether they can be compared."
        made.append(
            Section(
                "Beside published numbers",
                (),
                (),
                (_plain("published", "Published numbers", explained, frames["published"], kinds),),
            )
        )
    return made


def _notes(hypotheses: pd.DataFrame) -> list[str]:
    return [
        f"{row['hypothesis']}: {row['statistic']}" + (f". {row['note'][0].upper()}{row['note'][1:]}." if row["note"] else ".")
        for row in rows_of(hypotheses)
    ]


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
