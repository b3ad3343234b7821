"""Every chart of the study: what it draws, and what its caption tells a reader to look for."""

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from medattn.disclosure.suppression import WITHHELD
from medattn.figures.charts import (
    accuracy_by_strategy,
    correct_incorrect,
    flips_margins,
    image_reliance,
    js_contrast,
    layer_head,
    localisation,
    metric_distributions,
    occlusion,
    robustness,
    sinks,
)
from medattn.figures.inputs import Results


@dataclass(frozen=True)
class Chart:
    """A figure made of tables. caption: how to read it; alt: what it is, for who cannot see it.

    private_caption, private_alt: of a credentialed study, where the chart is another one.
    """

    name: str
    title: str
    caption: str
    alt: str
    draw: Callable[[Results], Figure]
    private_caption: str = ""
    private_alt: str = ""


def _told_apart(results: Results) -> set[str]:
    """Metrics for which the numbers of right and of wrong answers are published."""
    table = results.tables["correct_incorrect"]
    return set(table.metric[(table.n_correct != WITHHELD) & (table.n_incorrect != WITHHELD)])


HEXAGONS = " A hexagon stands for at least 5 patients."
MERGED = (
    " Neighbouring bars are merged until each stands for at least 5 patients; its area is what it counts, and the outermost"
    " bars hold whatever lies beyond."
)

CHARTS = (
    Chart(
        "accuracy_by_strategy",
        "Accuracy, flips and attention by wording strategy",
        "The first row is the baseline wording, each other row a rewording. Left: share of right answers; dashed is guessing,"
        " dotted the accuracy without the image, where answers that are neither yes nor no count as wrong. Middle: answers that"
        " turn from yes to no or back against the baseline wording. Right: how far attention moves (Jensen–Shannon divergence)."
        " Bars are 95 % intervals over patients.",
        "Three dot plots with intervals: accuracy, flip rate and divergence of attention for every wording strategy.",
        lambda results: accuracy_by_strategy.draw(results.tables["by_strategy"], results.tables["robustness"]),
    ),
    Chart(
        "flips_margins",
        "Margins, and when another wording tips the answer",
        "The margin is the logit of yes minus that of no at the first answer token. (a) Baseline wording, by truth: a model"
        " that knows puts the two apart. (b) One point per other wording: on the dotted line the wording changes nothing;"
        " orange points have crossed to the other answer.",
        "Left: histogram of answer margins by truth. Right: scatter of other wordings' margins against the baseline wording's.",
        lambda results: flips_margins.draw(results.clean(), results.in_private,
                                     WITHHELD not in set(results.tables["by_finding"].positives)),
        "The margin is the logit of yes minus that of no at the first answer token. (a) Baseline wording, by truth where both"
        " may be shown: a model that knows puts the two apart." + MERGED + " (b) Every other wording against its baseline"
        " wording: on the dotted line the wording changes nothing; left of or below one dashed line only, the answer has"
        " crossed to the other." + HEXAGONS,
        "Left: histogram of answer margins by truth. Right: hexagons of other wordings' margins against the baseline"
        " wording's.",
    ),
    Chart(
        "robustness",
        "What is done to the image, and what it does to answers and attention",
        "Each row is a condition and its strength, compared with the clean image of the same question. A robust model changes"
        " little under noise, and much when the true region is hidden. For a shuffled image the truth is that of the image"
        " shown. Units of the strengths: docs/metrics.md. Dotted at the right: how far attention moves when another finding is"
        " asked about, as a scale.",
        "Four dot plots with intervals: change of accuracy, flip rate, change of margin, divergence of attention per"
        " condition.",
        lambda results: robustness.draw(results.tables["robustness"]),
    ),
    Chart(
        "js_contrast",
        "Does the question direct attention?",
        "(a) One point per image. Above the dashed line, asking about another finding moves attention more than asking the same"
        " in other words. (b) The two distributions, dotted at their medians.",
        "Scatter and histograms of the divergence between attention maps: other finding against other wording.",
        lambda results: js_contrast.draw(results.contrast, results.in_private),
        "(a) Images in hexagons. Above the dashed line, asking about another finding moves attention more than asking the same"
        " in other words." + HEXAGONS + " (b) The two distributions, dotted at their medians." + MERGED,
        "Hexagons and histograms of the divergence between attention maps: other finding against other wording.",
    ),
    Chart(
        "image_reliance",
        "Image reliance: do the answers need the image?",
        "(a) One point per question: consistency of all its wordings, reliance of the baseline wording. To the right, the image"
        " speaks for the answer; at the dashed line it changes nothing. High and far"
        " right is what one hopes for; high at the line is an answer that is consistent without looking. Ringed: all wordings"
        " agree, and so do all answers without the image (consistent but blind). Points of equal consistency are spread"
        " vertically. (b) Means per finding.",
        "Scatter of consistency against image reliance per question, and mean image reliance per finding with intervals.",
        lambda results: image_reliance.draw(results.groups["reliance"], results.tables["image_reliance"], results.in_private),
        "(a) Questions in hexagons: consistency of all wordings, reliance of the baseline wording. To the right, the image"
        " speaks for the answer; at the dashed line it changes nothing. High and far right is what one hopes for; high at the"
        " line is an answer that is consistent without looking." + HEXAGONS + " (b) Means per finding.",
        "Hexagons of consistency against image reliance, and mean image reliance per finding with intervals.",
    ),
    Chart(
        "localisation",
        "Attention to the finding beside maps that know less",
        "Attention mass ÷ area share, on a logarithmic axis; dashed is chance. (a) In the part of the body where the finding is"
        " looked for, present or not. (b) In the true region of findings that are there. Only being to the right of the blue"
        " diamond (the same image asked about another finding) can show that the question directs attention, if the interval of"
        " the ratio lies above 1. In brackets: questions; with a region. Ratios are of patients' means, so not quotients of"
        " these values.",
        "Two dot plots: enrichment of the model's attention and of five reference maps per finding, in zone and true region.",
        lambda results: localisation.draw(results.tables["localisation"]),
    ),
    Chart(
        "layer_head",
        "Attention in the true region by layer and head",
        "Attention in the true region ÷ its area for every layer and query head at the last prompt token; 1 is chance. Dots"
        " mark the layers that the grids are made of, on which the hypotheses are decided. This alone does not show that the"
        " question sends attention there: see other_finding_enrichment in the table. Descriptive: no head was picked and tested"
        " on the same data.",
        "Heat map of enrichment in the true region by layer and query head.",
        lambda results: layer_head.draw(results.tables["layer_head"], results.tables["profiles"]),
    ),
    Chart(
        "occlusion",
        "Does hiding the finding change the answer?",
        "(a) How far the margin drops when the true region is filled with its surroundings' mean, against as large an area"
        " elsewhere in the body. Zero: hiding it does not matter; an arrow: the interval goes on. (b) One point per question:"
        " does hiding the region cost more where it had more attention? Findings differ in area, so the correlation over all is"
        " not one within a finding.",
        "Left: drop of the margin per finding, region against elsewhere. Right: effect of each question against its region's"
        " attention.",
        lambda results: occlusion.draw(results.tables["occlusion"], results.groups["occlusion"], results.in_private),
        "(a) How far the margin drops when the true region is filled with its surroundings' mean, against as large an area"
        " elsewhere in the body. Zero: hiding it does not matter; an arrow: the interval goes on. (b) Questions in hexagons:"
        " does hiding the region cost more where it had more attention? Findings differ in area, so the correlation over all is"
        " not one within a finding." + HEXAGONS,
        "Left: drop of the margin per finding, region against elsewhere. Right: hexagons of effect against the region's"
        " attention.",
    ),
    Chart(
        "correct_incorrect",
        "Right against wrong answers of the same patients",
        "Cliff's delta of each metric between a patient's right and wrong answers, each truth apart; k patients gave both."
        " Zero: no difference. p tests the mean difference, not delta. Where one wording is mostly wrong, this also compares"
        " wordings: the table has the difference within the same wording. p-values are of sign-flip tests, adjusted over the"
        " metrics (Holm).",
        "Dot plot of Cliff's delta with intervals for eight metrics, right against wrong answers.",
        lambda results: correct_incorrect.draw(results.tables["correct_incorrect"]),
    ),
    Chart(
        "metric_distributions",
        "Distributions of the attention metrics",
        "One histogram per metric over clean wordings, right answers apart from wrong ones; dotted are medians, dashed is what"
        " a uniform map would give.",
        "Eight histograms of attention metrics, right and wrong answers in two colours.",
        lambda results: metric_distributions.draw(results.clean(), results.in_private, _told_apart(results)),
        "One histogram per metric over clean wordings, right answers apart from wrong ones where both may be shown, else"
        " together in grey; dotted are medians of at least 10 patients, dashed is what a uniform map would give." + MERGED,
    ),
    Chart(
        "sinks",
        "Attention sinks, and the metrics without them",
        "A sink is a cell that draws attention whatever is asked about the image. (a) How many an image has; sinks of position"
        " are there on a blank image too. (b) How much each metric changes when they are zeroed.",
        "Left: histogram of the number of sink cells per image. Right: relative change of seven metrics without sinks.",
        lambda results: sinks.draw(results.groups["sinks"], results.tables["sinks"], results.in_private),
        "A sink is a cell that draws attention whatever is asked about the image. (a) How many an image has." + MERGED
        + " (b) How much each"
        " metric changes when they are zeroed.",
    ),
)  # fmt: skip
# Drawn with a radiograph, so a credentialed study keeps it out of reports/.
EXAMPLE_TITLE = "One question, and where the model looks"
EXAMPLE_CAPTION = (
    "(a) The radiograph, body mask dashed, true region outlined. (b) Attention of the last prompt token on the 16 × 16 image"
    " tokens, as a multiple of an even spread. (c) What exceeds an even spread, over the radiograph. The patient's left is on"
    " the right."
)
EXAMPLE_ALT = "A chest radiograph with body mask and true region, its attention map, and both overlaid."
