"""The samples of a run: which question is asked of which image in which condition, one manifest row each."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from medattn.base.params.conditions import Condition
from medattn.base.rows import QuestionRow, SampleRow
from medattn.base.sample_tables import MANIFEST
from medattn.language.strategy_labels import labels
from medattn.radiographs.conditions import REGIONAL
from medattn.radiographs.donors import Donors

Place = tuple[str, str]  # image_id and finding


class Samples:
    """Rows of the manifest in order of sample_id, made when they are asked for: there may be more than the memory holds.

    The occlusions are asked where a true region is known.
    """

    def __init__(
        self,
        asked: Sequence[QuestionRow],
        images: Mapping[str, Mapping[str, str]],
        donors: Donors,
        regions: Iterable[Place],
        conditions: Mapping[str, Condition],
    ) -> None:
        self.asked, self._images, self._donors, self._conditions = asked, images, donors, conditions
        self._regions = set(regions)

    def __iter__(self) -> Iterator[SampleRow]:
        # A sample's id begins with "{question_id}-v": only what begins alike can stand in between.
        start, block = "", list[SampleRow]()
        for question in sorted(self.asked, key=_prefix):
            if not start or not _prefix(question).startswith(start):
                yield from sorted(block, key=lambda row: row["sample_id"])
                start, block = _prefix(question), []
            block += self._rows(question)
        yield from sorted(block, key=lambda row: row["sample_id"])

    def _rows(self, question: QuestionRow) -> Iterator[SampleRow]:
        image = self._images[question["image_id"]]
        for condition, settings in self._conditions.items():
            if not self._is_asked(question, condition):
                continue
            shown = self._donors.of(question) if condition == "shuffled_image" else {}
            for strength in settings.degrees() if shown is not None else ():
                yield manifest_row(question, image, condition, strength) | (shown or {})

    def _is_asked(self, question: QuestionRow, condition: str) -> bool:
        if condition == "clean":
            return True
        if not question.is_study or (self._conditions[condition].variants == "baseline" and not question.is_baseline):
            return False
        return condition not in REGIONAL or _place(question) in self._regions

    def shown(self) -> dict[str, str]:
        """image_id -> SHA-256 of every image that is shown, in order."""
        own = {question["image_id"] for question in self.asked}  # clean is always asked
        donors = (found["shown_image_id"] for _, found in self._shuffled() if found)
        return {image_id: self._images[image_id]["sha256"] for image_id in sorted(own.union(donors))}

    def alone(self) -> list[str]:
        """question_id of those for which there is no other patient's image in their view."""
        return sorted({question["question_id"] for question, found in self._shuffled() if found is None})

    def _shuffled(self) -> Iterator[tuple[QuestionRow, dict[str, str] | None]]:
        if "shuffled_image" in self._conditions:
            asked = (question for question in self.asked if self._is_asked(question, "shuffled_image"))
            yield from ((question, self._donors.of(question)) for question in asked)

    def occluded(self) -> dict[str, Place]:
        """question_id -> image and finding of every question that an occlusion is asked of."""
        asked = [condition for condition in REGIONAL if condition in self._conditions]
        fitting = (question for question in self.asked if any(self._is_asked(question, condition) for condition in asked))
        return {question["question_id"]: _place(question) for question in fitting}

    def leave_out(self, regions: Collection[Place]) -> None:
        """Ask no occlusion of these regions."""
        self._regions.difference_update(regions)


def _prefix(question: QuestionRow) -> str:
    return f"{question['question_id']}-v"


def _place(question: QuestionRow) -> Place:
    return question["image_id"], question["finding"]


def manifest_row(question: QuestionRow, image: Mapping[str, str], condition: str, strength: str) -> SampleRow:
    """One sample. Without an image the columns still say which image the question belongs to; shown_image_id is empty."""
    shared = {name: question[name] for name in MANIFEST if name in question}
    strategy = labels(question["strategy"])
    degree = f"-{strength.replace('-', 'm').replace('.', 'p')}" if strength else ""  # ids name files
    changed = {
        "sample_id": f"{question['question_id']}-v{question['variant_index']}-{condition}{degree}",
        "condition": condition,
        "strength": strength,
        "strategy": strategy.primary,
        "strategies": strategy.joined,
        "shown_image_id": "" if condition == "no_image" else image["image_id"],
        "image_path": image["path"],
        "image_sha256": image["sha256"],
        **{name: image[name] for name in ("width", "height", "view", "split")},
    }
    return SampleRow(shared | changed)
