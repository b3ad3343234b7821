"""Is a trained phantom model as difficult as it was designed to be? Asked on a development seed, before it is frozen.

The bands leave a study enough to find: enough right answers, and enough flips and errors, in enough patients.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from medattn.language.answers import read_answer
from medattn.language.strategy_labels import BASELINE, STRATEGIES
from medattn.language.variants import baseline_template, variants
from medattn.model.decode import decode
from medattn.model.load import load
from medattn.model.prompt import PromptSettings
from medattn.model.vision import image_features
from medattn.phantom.cases import make_case
from medattn.phantom.study import design

DEVELOPMENT_SEED, DEVELOPMENT_IMAGES = 7777, 200
NEW_TOKENS = 12


@dataclass(frozen=True)
class AssessedAnswer:
    """One variant of one question, and the answer to it."""

    question: str
    subject: str
    finding: str
    strategy: str
    truth: str  # yes | no
    answer: str  # yes | no | uncertain | unparsed: what a contradictory answer counts as by its first word


@dataclass(frozen=True)
class Band:
    """A number and where it has to lie."""

    name: str
    value: float
    low: float
    high: float = float("inf")

    @property
    def holds(self) -> bool:
        return self.low <= self.value <= self.high


def answer(directory: Path, images: int, seed: int) -> list[AssessedAnswer]:
    """Ask the model in `directory` every variant about `images` radiographs of world `seed`, designed as a study's are."""
    loaded = load(directory, "float32", "cpu")
    prompter = loaded.prompter(PromptSettings("", "{question}", "question_first"))
    answers = []
    for radiograph in tqdm(design(images, seed), desc="asking", unit="image"):
        case = make_case(seed, radiograph.subject, radiograph.number, fixed={radiograph.finding: radiograph.present})
        features = image_features(loaded, [Image.fromarray(case.radiograph.image).convert("RGB")])
        question = f"{radiograph.image_id}-{radiograph.finding.replace(' ', '-')}"
        asked = variants(question, radiograph.finding, baseline_template(radiograph.image_id))
        replies = decode(loaded, [prompter(variant.text) for variant in asked], features, NEW_TOKENS, 0)
        answers += [
            AssessedAnswer(
                question, radiograph.subject_id, radiograph.finding, variant.strategy, "yes" if radiograph.present else "no",
                read_answer(reply.text, radiograph.finding).first,
            )
            for variant, reply in zip(asked, replies, strict=True)
        ]  # fmt: skip
    return answers


def accuracy(answers: Sequence[AssessedAnswer]) -> float:
    """Share of right answers; what is neither yes nor no is wrong."""
    return sum(one.answer == one.truth for one in answers) / len(answers)


def flips(answers: Sequence[AssessedAnswer]) -> list[tuple[AssessedAnswer, str]]:
    """Answers that are yes where the baseline variant's is no, or no where it is yes, with the baseline's answer."""
    first = {one.question: one.answer for one in answers if one.strategy == BASELINE}
    return [(one, first[one.question]) for one in answers if {one.answer, first[one.question]} == {"yes", "no"}]


def bands(answers: Sequence[AssessedAnswer]) -> list[Band]:
    """The numbers that a frozen model must show on the development seed."""
    baseline = [one for one in answers if one.strategy == BASELINE]
    flipped = flips(answers)
    return [
        Band("accuracy, baseline variant", accuracy(baseline), 0.85, 0.93),
        Band("flip rate, other variants", len(flipped) / (len(answers) - len(baseline)), 0.08, 0.20),
        Band("flips", len(flipped), 30),
        Band("flips to yes", sum(before == "no" for _, before in flipped), 1),
        Band("flips to no", sum(before == "yes" for _, before in flipped), 1),
        Band("patients with a flip", len({one.subject for one, _ in flipped}), 20),
        Band("patients with an error", len({one.subject for one in answers if one.answer != one.truth}), 20),
    ]


def report(answers: Sequence[AssessedAnswer]) -> str:
    """Accuracy and flips by strategy, accuracy by finding, and the bands, as text."""
    flipped = [one for one, _ in flips(answers)]
    lines = []
    for strategy in (BASELINE, *STRATEGIES):
        some = [one for one in answers if one.strategy == strategy]
        rate = sum(one.strategy == strategy for one in flipped) / len(some)
        lines.append(f"{strategy:20} accuracy {accuracy(some):.3f}  flips {rate:.3f}")
    for finding in sorted({one.finding for one in answers}):
        some = [one for one in answers if one.finding == finding and one.strategy == BASELINE]
        yes, no = ([one for one in some if one.truth == truth] for truth in ("yes", "no"))
        lines.append(f"{finding:20} sensitivity {accuracy(yes):.2f}  specificity {accuracy(no):.2f}")
    for band in bands(answers):
        lines.append(f"{band.name:28} {band.value:8.3f}  in [{band.low:g}, {band.high:g}]: {'yes' if band.holds else 'NO'}")
    return "\n".join(lines)
