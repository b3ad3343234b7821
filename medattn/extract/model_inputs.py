"""Model inputs: what is shown, as 8-bit images at the vision tower's size; made ahead of need by worker processes.

A worker does what the process itself would do, so the pixels are the same. It imports neither torch nor transformers.
"""

import os
import threading
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path

import numpy as np

from medattn.base.errors import InputError
from medattn.extract.interrupts import block_sigint
from medattn.extract.units import ShownImage, Unit, shown_in
from medattn.radiographs.conditions import BLANK, blank, resized, shown
from medattn.radiographs.reader import RadiographReader
from medattn.study.schema import read_study

PREFETCHED = 2  # batches that each worker may be ahead
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
    if workers == 0:
        yield from ((batch, renderer(shown_in(batch))) for batch in batches)
        return
    # Forking a process that runs threads, and perhaps CUDA, is not safe.
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(study, renderer.side, renderer.needs_body)
    )
    waiting: deque[tuple[Sequence[Unit], Future]] = deque()
    try:
        for batch in batches:
            with block_sigint():  # the pool starts its processes when it gets work
                waiting.append((batch, pool.submit(_work, shown_in(batch))))
            if len(waiting) > PREFETCHED * workers:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


_own: InputRenderer | None = None  # of a worker process


def _begin(study: Path, side: int, needs_body: bool) -> None:
    global _own
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _own = InputRenderer(RadiographReader(read_study(study)), side, needs_body)


def _end_with_parent() -> None:
    """A main process that was killed takes nothing with it: without this its workers would wait for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(images: Sequence[ShownImage]) -> list[ModelInput]:
    assert _own is not None  # _begin comes first
    return _own(images)
