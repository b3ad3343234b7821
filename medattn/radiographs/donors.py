"""Whose image is shown under shuffled_image: another patient's, same view, of the opposite truth where one is known."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import overload

import numpy as np

from medattn.base.rows import QuestionRow
from medattn.base.seeding import choose


class Donors:
    """The images of a study, grouped once by view, finding and truth, so that a choice takes no longer in a larger study."""

    def __init__(self, images: Mapping[str, Mapping[str, str]], questions: Sequence[QuestionRow]) -> None:
        """images: image_id -> its row of images.csv."""
        self._images = images
        self._truth = {(row["image_id"], row["finding"]): row["answer"] for row in questions}
        self._views: dict[str, _View] = defaultdict(_View)
        ordered = sorted(images.items())
        place = {image_id: self._views[row["view"]].add(image_id, row["subject_id"]) for image_id, row in ordered}
        for (image_id, finding), answer in self._truth.items():
            if answer:
                self._views[images[image_id]["view"]].known[finding][answer].append(place[image_id])

    def of(self, question: QuestionRow) -> dict[str, str] | None:
        """The manifest's columns that say what is shown: the donor, and its truth ("" if nobody asked about it).

        All variants of a question see the same donor. None if the study has no other patient in that view.
        """
        own, finding, answer = self._images[question["image_id"]], question["finding"], question["answer"]
        view = self._views[own["view"]]
        for truths in (tuple(sorted({"yes", "no"} - {answer})), ("",), (answer,)):
            if fitting := _Others(view, view.group(finding, truths), own["subject_id"]):
                break
        else:
            return None
        donor = choose(fitting, "shuffled_image", question["question_id"])
        image = self._images[donor]
        return {
            "shown_image_id": donor,
            "image_path": image["path"],
            "image_sha256": image["sha256"],
            "answer": self._truth.get((donor, finding), ""),
            **{name: image[name] for name in ("width", "height", "view", "split")},
        }


class _View:
    """The images seen in one view, in order of image_id."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.of_patient: dict[str, list[int]] = defaultdict(list)  # subject_id -> places in `ids`
        self.known: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))  # finding -> truth -> places
        self._groups: dict[tuple[str, tuple[str, ...]], np.ndarray] = {}

    def add(self, image_id: str, subject_id: str) -> int:
        """Put an image behind the others; its place."""
        self.of_patient[subject_id].append(len(self.ids))
        self.ids.append(image_id)
        return len(self.ids) - 1

    def group(self, finding: str, truths: tuple[str, ...]) -> np.ndarray:
        """Places of the images of which one of these is true ("": nobody knows), int32 [image], rising."""
        if (finding, truths) not in self._groups:
            known = self.known[finding]
            wanted = np.full(len(self.ids), "" in truths)
            for truth, places in known.items():
                wanted[places] = truth in truths
            self._groups[finding, truths] = np.flatnonzero(wanted).astype(np.int32)
        return self._groups[finding, truths]


class _Others(Sequence[str]):
    """The image_ids of a group without those of one patient."""

    def __init__(self, view: _View, group: np.ndarray, subject_id: str) -> None:
        self._view, self._group = view, group
        own = np.array(view.of_patient[subject_id])
        found = np.searchsorted(group, own)
        self._left_out = [int(at) for at, place in zip(found, own, strict=True) if at < len(group) and group[at] == place]

    def __len__(self) -> int:
        return len(self._group) - len(self._left_out)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        for at in self._left_out:
            index += at <= index
        return self._view.ids[self._group[index]]
