"""The page from top to bottom: its sections, and which charts stand in each. What is named here is drawn.

A table names its section itself (medattn/report/tables.py).
"""

from medattn.figures.charts import (
    accuracy_by_strategy,
    correct_incorrect,
    example,
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
from medattn.figures.declarations import Chart
from medattn.report.sections import Heading

OUTLINE: tuple[tuple[Heading, tuple[Chart, ...]], ...] = (
    (Heading(
        "expected", "What was expected, and what was found",
        "The rules were stated before looking (docs/hypotheses.md): supported needs an adjusted p of at most 0.05 and an"
        " effect of at least the minimum; not supported, an interval wholly below the minimum. Not supported can go with a"
        " small p: an effect is there, but below the minimum.",
    ), ()),
    (Heading(
        "look", "Where does the model look?",
        "Attention is read at the last prompt token, before a word of the answer is chosen. Relative attention (the columns"
        " named enrichment) is attention ÷ area: 1 is chance. Because many maps fall on the middle of a chest, each number"
        " stands beside those of baseline maps: uniform, a centre prior, a body prior, other patients, another finding.",
    ), (example.CHART, localisation.CHART, layer_head.CHART)),
    (Heading(
        "words", "Do other words change the answer, or where it looks?",
        "Every question is asked in several variants, paraphrases that mean the same. A flip is a yes that becomes a no, or the"
        " reverse, against the baseline variant.",
    ), (accuracy_by_strategy.CHART, flips_margins.CHART, js_contrast.CHART)),
    (Heading(
        "image", "Does the answer need the image?",
        "The same questions are asked without the image, with a blank one, with another patient's, and with the finding's"
        " true region hidden.",
    ), (image_reliance.CHART, occlusion.CHART)),
    (Heading(
        "robust", "How robust are answers and attention?",
        "The baseline variant is asked again about images under controlled perturbations.",
    ), (robustness.CHART,)),
    (Heading(
        "correct", "Does attention tell right answers from wrong ones?",
        "Right and wrong answers are compared inside the same patients, so that easy patients do not count as a"
        " difference.",
    ), (correct_incorrect.CHART, metric_distributions.CHART)),
    (Heading(
        "sinks", "How much do attention sinks matter?",
        "Some cells draw attention whatever is asked. Every metric is reported with them; here is what it would be"
        " without.",
    ), (sinks.CHART,)),
    (Heading("published", "Beside published numbers"), ()),
)  # fmt: skip
CHARTS = tuple(chart for _, some in OUTLINE for chart in some)


def charts(licence: str) -> set[str]:
    """Names of the figures that a study of this licence may publish: no radiograph of a credentialed one."""
    return {chart.name for chart in CHARTS if chart.is_public or licence == "open"}
