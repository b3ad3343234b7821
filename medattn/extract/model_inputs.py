"""Model inputs: what is shown, as 8-bit images at the vision tower's size; made ahead of need by worker processes.

A worker does what the process itself would do, so the pixels are the same. It imports neither torch nor transformers.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medattn.base.errors import InputError
from medattn.base.processes import made_ahead
from medattn.extract.units import ShownImage, Unit, shown_in
from medattn.radiographs.bodies import Bodies
from medattn.radiographs.conditions import BLANK, blank, resized, shown
from medattn.radiographs.reader import RadiographReader
from medattn.study.schema import read_study

ModelInput = np.ndarray | InputError  # uint8 [side, side, 3], or why there is none


def model_input(radiographs: RadiographReader, one: ShownImage, side: int) -> np.ndarray:
    """uint8 [side, side, 3]: what the model is shown. Raises InputError naming the image and what is wrong with it."""
    if one.condition == BLANK:
        return blank(side)
    try:
        return resized(shown(radiographs(one.image_id), one.condition, one.strength, one.occluded, side), side)
    except ValueError as error:
        raise InputError(
            f"image {one.image_id!r}, condition {one.condition}: {error}: set conditions.{one.condition} to null"
        ) from None


@dataclass(frozen=True)
class InputRenderer:
    """Makes model inputs of a study's radiographs, `side` pixels wide and high."""

    radiographs: RadiographReader
    side: int
    needs_body: bool  # whether an image in which no body is found counts as one that cannot be read, as for later stages

    def __call__(self, images: Sequence[ShownImage]) -> list[ModelInput]:
        """A model input or an error for every image."""
        return [self._input(one) for one in images]

    def _input(self, one: ShownImage) -> ModelInput:
        try:
            if self.needs_body and one.image_id:
                self.radiographs(one.image_id).body  # noqa: B018  # raises if there is none
            return model_input(self.radiographs, one, self.side)
        except InputError as error:
            return error


def prefetch(
    batches: Iterable[Sequence[Unit]], study: Path, renderer: InputRenderer, workers: int
) -> Generator[tuple[Sequence[Unit], list[ModelInput]]]:
    """Every batch with the model inputs of `shown_in`, in order: made by `workers` processes ahead of need, or here."""
    sent: deque[Sequence[Unit]] = deque()

    def images() -> Iterator[tuple[ShownImage, ...]]:
        for batch in batches:
            sent.append(batch)
            yield shown_in(batch)

    if workers == 0:
        made = made_ahead(renderer, images(), workers)
    else:
        bodies = renderer.radiographs.bodies.directory
        made = made_ahead(_work, images(), workers, _begin, (study, bodies, renderer.side, renderer.needs_body))
    with closing(made):
        for _, inputs in made:
            yield sent.popleft(), inputs


_own: InputRenderer | None = None  # of a worker process


def _begin(study: Path, bodies: Path, side: int, needs_body: bool) -> None:
    global _own
    _own = InputRenderer(RadiographReader(read_study(study), Bodies(bodies)), side, needs_body)


def _work(images: Sequence[ShownImage]) -> list[ModelInput]:
    assert _own is not None  # _begin comes first
    return _own(images)
