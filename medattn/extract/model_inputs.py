"""Model inputs: what is shown, as 8-bit images at the vision tower's size; made ahead of need by worker processes.

A worker does what the process itself would do, so the pixels are the same. It imports neither torch nor transformers.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medattn.base.errors import InputError
from medattn.base.processes import made_ahead
from medattn.extract.units import Unit
from medattn.radiographs.bodies import Bodies
from medattn.radiographs.conditions import resized, shown
from medattn.radiographs.reader import RadiographReader
from medattn.study.schema import read_study

ModelInput = np.ndarray | InputError  # uint8 [side, side, 3], or why there is none


def model_input(radiographs: RadiographReader, unit: Unit, side: int) -> np.ndarray:
    """uint8 [side, side, 3]: what the model is shown. Raises InputError naming the image and what is wrong with it."""
    try:
        return resized(shown(radiographs(unit.shown), unit.condition, unit.strength, unit.occluded, side), side)
    except ValueError as error:
        raise InputError(
            f"image {unit.shown!r}, condition {unit.condition}: {error}: set conditions.{unit.condition} to null"
        ) from None


@dataclass(frozen=True)
class InputRenderer:
    """Makes model inputs of a study's radiographs, `side` pixels wide and high."""

    radiographs: RadiographReader
    side: int
    needs_body: bool  # whether an image in which no body is found counts as one that cannot be read, as for later stages

    def __call__(self, batch: Sequence[Unit]) -> list[ModelInput]:
        """A model input or an error for every unit of a batch whose units all show an image; [] if none does."""
        return [self._input(unit) for unit in batch if unit.shown]

    def _input(self, unit: Unit) -> ModelInput:
        try:
            if self.needs_body:
                self.radiographs(unit.shown).body  # noqa: B018  # raises if there is none
            return model_input(self.radiographs, unit, self.side)
        except InputError as error:
            return error


def prefetch(
    batches: Iterable[Sequence[Unit]], study: Path, renderer: InputRenderer, workers: int
) -> Generator[tuple[Sequence[Unit], list[ModelInput]]]:
    """Every batch with its model inputs, in order: made by `workers` processes ahead of need, or here if there are none."""
    if workers == 0:
        return made_ahead(renderer, batches, workers)
    bodies = renderer.radiographs.bodies.directory
    return made_ahead(_work, batches, workers, _begin, (study, bodies, renderer.side, renderer.needs_body))


_own: InputRenderer | None = None  # of a worker process


def _begin(study: Path, bodies: Path, side: int, needs_body: bool) -> None:
    global _own
    _own = InputRenderer(RadiographReader(read_study(study), Bodies(bodies)), side, needs_body)


def _work(batch: Sequence[Unit]) -> list[ModelInput]:
    assert _own is not None  # _begin comes first
    return _own(batch)
