"""The published tables, and how a reader sees them: in which section of the page, which columns, in LaTeX or not.

metrics computes them and never reads this: a caption makes no number stale.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medattn.disclosure.suppression import SUPPRESSED

Rows = Sequence[Mapping[str, str]]  # a table's cells as they stand in its CSV
FEW, DASH = "†", "—"
SUPPRESSED_NOTE = "Suppressed, or —: fewer than 5 patients, or what would give such a number away."


@dataclass(frozen=True)
class Column:
    """One column: what of the CSV it shows, with an interval if its bounds are named."""

    title: str
    name: str
    kind: str = "text"  # text | count | share | points (percentage points) | number | p
    low: str | None = None
    high: str | None = None


@dataclass(frozen=True)
class Layout:
    """Which columns of a CSV a reader sees, which of its columns name a row, and where it stands."""

    keys: tuple[str, ...]
    columns: tuple[Column, ...]
    caption: str
    section: str  # key of a heading of the page (medattn/figures/outline.py)
    rank: int = 0  # among the tables of its section: the lowest first, then as they stand here
    title: str = ""  # else its name
    only: tuple[str, str] | None = None  # column and value of the rows that are kept
    without: tuple[str, str] | None = None  # column and value of the rows that are not
    only_filled: bool = False  # left out where it has no row
    in_latex: bool = True


def _share(title: str, name: str, short: str | None = None) -> Column:
    return Column(title, name, "share", *((f"{short}_low", f"{short}_high") if short else (None, None)))


def _number(title: str, name: str, short: str | None = None) -> Column:
    return Column(title, name, "number", *((f"{short}_low", f"{short}_high") if short else (None, None)))


# Every table that is published; None: as a CSV alone.
TABLES: dict[str, Layout | None] = {
    "by_strategy": Layout(
        ("strategy",),
        (
            Column("Strategy", "strategy"), Column("n", "n", "count"), _share("Accuracy", "accuracy", "accuracy"),
            _share("Flips", "flip_rate", "flip"), _share("Contradictory", "contradictory_rate"),
            _share("Margin agrees", "margin_agreement"),
            _number("JS (bits)", "js_to_baseline", "js"), Column("adj. p", "p_adjusted", "p"),
        ),
        "Answers and attention by strategy, clean images; margin agrees: of the valid margins, those with the sign of"
        " the answer; p: accuracy against the baseline variant.",
        "words",
    ),
    "answer_classes": Layout(
        ("reading",),
        (
            Column("Reading", "reading"), Column("n", "n", "count"),
            _share("Yes", "yes_share"), _share("No", "no_share"), _share("Uncertain", "uncertain_share"),
            _share("Contradictory", "contradictory_share"), _share("Unparsed", "unparsed_share"),
            _share("Accuracy", "accuracy", "accuracy"), _share("Flips", "flip_rate", "flip"),
        ),
        "What the answers say, clean images, all variants: a contradictory answer says yes and no about the same (“Yes, there"
        " is no evidence of pneumothorax.”) and is wrong; first word: what the numbers would be if its first word counted.",
        "words",
        rank=1,
    ),
    "by_finding": Layout(
        ("finding",),
        (
            Column("Finding", "finding"), Column("n", "n", "count"), _share("Accuracy", "accuracy", "accuracy"),
            _share("Flips", "flip_rate", "flip"), _number("Region enrichment", "region_enrichment", "region_enrichment"),
        ),
        "Answers and attention by finding, clean images, all variants.",
        "look",
        rank=1,
    ),
    "robustness": Layout(
        ("condition", "strength", "variants"),
        (
            Column("Condition", "condition"), Column("Strength", "strength"), Column("Variants", "variants"),
            Column("n", "n", "count"), _share("Accuracy", "accuracy", "accuracy"), _share("Flips", "flip_rate", "flip"),
            _number("Margin change", "margin_change", "margin"), _number("JS to clean", "js_to_clean", "js"),
        ),
        "Robustness to what is done to the image; changes are against the clean image; n: answers.",
        "robust",
    ),
    "consistency": Layout(
        ("grouping", "condition", "strength"),
        (
            Column("Grouping", "grouping"), Column("Condition", "condition"), Column("n", "n", "count"),
            _share("Consistency", "consistency", "consistency"), _share("Expected", "expected_consistency"),
            _share("Fully consistent", "fully_consistent", "fully"), _share("Any flip", "any_flip", "any"),
        ),
        "Consistency: share of a question's variants that give its majority answer; expected: if variants drew their answers at"
        " random; grouping text: questions grouped by their text alone, which merges patients.",
        "words",
    ),
    "flips": Layout(
        ("answers",),
        (
            Column("Answers", "answers"), Column("n", "n", "count"), _number("JS (bits)", "js_to_baseline", "js"),
            _number("Margin shift", "margin_shift"),
        ),
        "Attention against the baseline variant's, by what became of the answer; margin shift: mean absolute change (nats); n:"
        " answers.",
        "words",
    ),
    "correct_incorrect": Layout(
        ("metric",),
        (
            Column("Metric", "metric"), Column("k", "informative_patients", "count"),
            _number("Difference", "difference", "difference"), _number("Cliff's delta", "cliffs_delta", "delta"),
            _number("Same strategy", "same_strategy_difference", "same_strategy"),
            Column("adj. p", "p_adjusted", "p"), Column("Verdict", "verdict"),
        ),
        "Right against wrong answers inside the k patients who gave both; same strategy: the difference within one"
        " strategy.",
        "correct",
    ),
    "image_reliance": Layout(
        ("finding",),
        (
            Column("Finding", "finding"), Column("n", "n", "count"), _number("Reliance", "reliance_no_image", "no_image"),
            _share("Text-only agreement", "text_only_agreement", "agreement"),
            _share("Consistent but blind", "consistent_but_blind", "blind"),
        ),
        "How much the answers need the image: margin with − without it (nats), signed by the answer, baseline variant.",
        "image",
    ),
    "localisation": Layout(
        ("finding", "map"),
        (
            Column("Finding", "finding"), Column("Map", "map"), _number("Zone", "zone_enrichment"),
            _number("Region", "region_enrichment"), _number("AUROC", "region_auroc"),
            _number("Model ÷ map, region", "region_ratio", "region_ratio"),
        ),
        "Relative attention (mass ÷ area) in zone and true region beside baseline maps; AUROC of the map for the"
        " region's cells.",
        "look",
        only=("sinks", "keep"),
    ),
    "occlusion": Layout(
        ("finding",),
        (
            Column("Finding", "finding"), Column("n", "n", "count"), _number("Drop, region", "drop_region", "region"),
            _number("Drop, elsewhere", "drop_elsewhere", "elsewhere"), _number("Effect", "effect", "effect"),
        ),
        "Drop of the margin when the true region, or as much elsewhere, is hidden (nats).",
        "image",
    ),
    "hypotheses": Layout(
        ("hypothesis",),
        (
            Column("Hypothesis", "hypothesis"), Column("Claim", "claim"), _number("Effect", "effect"), _number("Low", "low"),
            _number("High", "high"), _number("Minimum", "minimum_effect"), Column("adj. p", "p_adjusted", "p"),
            Column("Verdict", "verdict"),
        ),
        "Hypotheses, decided by the rules stated before looking; low and high: 95 % interval, by patient for H1 and H2.",
        "expected",
    ),
    "exposure_order": Layout(
        ("less_exposed", "more_exposed"),
        (
            Column("less exposed", "less_exposed"), Column("more exposed", "more_exposed"),
            Column("flip difference", "flip_difference", "points"), Column("difference low", "difference_low", "points"),
            Column("difference high", "difference_high", "points"), Column("verdict", "verdict"),
        ),
        "Difference in flip rates between a strategy seen less in training and one seen more, in percentage points, with its"
        " 95 % interval; none where patients are too alike.",
        "words",
        title="Order of exposure",
        without=("less_exposed", "all"),
        only_filled=True,
        in_latex=False,
    ),
    "published": Layout(
        ("quantity",),
        (
            Column("quantity", "quantity"), Column("unit", "unit"), Column("published", "published", "number"),
            Column("ours", "ours", "number"), Column("comparable", "comparable"), Column("reason", "reason"),
            Column("source", "source"),
        ),
        "Numbers that others have published about this kind of question, and whether they can be compared.",
        "published",
        title="Published numbers",
        only_filled=True,
        in_latex=False,
    ),
    "layer_head": None,
    "sinks": None,
    "profiles": None,
    "metric_summary": None,
    "js_distribution": None,
}  # fmt: skip
LAYOUTS = {name: layout for name, layout in TABLES.items() if layout}  # on the page
LATEX = {name: layout for name, layout in LAYOUTS.items() if layout.in_latex}


def caption(layout: Layout, rows: Rows, note: str) -> str:
    """The layout's caption, with what brackets and marks mean in these rows, and the run's note."""
    brackets = " In brackets: 95 % intervals by patient." if any(column.low for column in layout.columns) else ""
    few = f" {FEW} fewer than 20 patients." if any(row.get("few_patients") == "true" for row in rows) else ""
    kept_back = f" {SUPPRESSED_NOTE}" if any(suppresses(row) for row in rows) else ""
    return layout.caption + brackets + few + kept_back + (f" {note[0].upper()}{note[1:]}." if note else "")


def suppresses(row: Mapping[str, str]) -> bool:
    """Whether something of the row is suppressed: its empty cells are then shown as a dash."""
    return SUPPRESSED in row.values()


def mark(row: Mapping[str, str], column: Column, layout: Layout) -> str:
    """FEW behind the first cell of a row of few patients."""
    return f" {FEW}" if column is layout.columns[0] and row.get("few_patients") == "true" else ""


def three_digits(value: float) -> str:
    """A number to three significant digits, as text: 0.00123, 1.2e-05."""
    return f"{value:.3g}"


def kept(rows: Rows, layout: Layout) -> Rows:
    """The rows that the layout keeps."""
    rows = [row for row in rows if layout.only is None or row[layout.only[0]] == layout.only[1]]
    return [row for row in rows if layout.without is None or row[layout.without[0]] != layout.without[1]]
