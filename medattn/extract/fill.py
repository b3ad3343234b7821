"""Compute every unit that is not finished yet, batch by batch; this process's share of them."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass

import click
from tqdm import tqdm

from medattn.attention import captures
from medattn.base.errors import InputError
from medattn.extract.extractor import Extractor, Result, answer_row, capture_of
from medattn.extract.keys import Keys
from medattn.extract.model_inputs import InputRenderer, prefetch
from medattn.extract.ranks import WorkerGroup
from medattn.extract.unit_cache import UnitCache
from medattn.extract.units import Unit
from medattn.study.schema import Study

FAILED = "-failed"  # ending of an entry with a sample that could not be computed: tried again by the next run
BEHIND = 2  # results that may wait to be rounded and written while the next are computed


@dataclass(frozen=True)
class UnitRunner:
    """Where units come from and where finished ones go."""

    study: Study
    keys: Keys
    cache: UnitCache
    group: WorkerGroup
    record: bool  # whether a sample that cannot be computed is recorded; else it ends the run
    image_workers: int

    def missing(self, batch: Sequence[Unit]) -> tuple[Unit, ...]:
        """What of a batch must be computed: the units that are not there; where a batch counts, all or none."""
        absent = tuple(unit for unit, key in zip(batch, self.keys(batch), strict=True) if self.cache.read(key) is None)
        return absent if self.keys.batch_invariant or not absent else tuple(batch)

    def run(self, extractor: Extractor, work: Sequence[Sequence[Unit]]) -> None:
        """Finish this rank's share of `work`; rank 0 returns when all of it is finished.

        Raises InputError naming the sample that cannot be computed, unless that is to be recorded. What was computed
        before an error or an interruption is kept.
        """
        try:
            self._run(extractor, work)
        except KeyboardInterrupt:
            if self.group.rank == 0:
                kept = "are kept: run again to go on" if self.cache.durable else "are lost, as the unit cache is off"
                click.echo(f"extract: interrupted; the {self.group.finished()} samples that are finished {kept}", err=True)
            raise

    def _run(self, extractor: Extractor, work: Sequence[Sequence[Unit]]) -> None:
        samples = _samples(unit for batch in work for unit in batch)
        renderer = InputRenderer(extractor.radiographs, extractor.loaded.image_side, self.record)
        waiting: list[Future] = []
        quiet = self.group.rank > 0
        with (
            tqdm(total=samples, desc="extract", unit="sample", smoothing=0.05, disable=quiet) as progress,
            ThreadPoolExecutor(1, "finish") as writer,
            ExitStack() as stack,
        ):
            made = prefetch(self._open(work), self.study.directory, renderer, self.image_workers)
            for batch, inputs in stack.enter_context(closing(made)):
                results = extractor.compute(batch, inputs)
                self._refuse(results)
                waiting.append(writer.submit(self._finish, results))
                while len(waiting) > BEHIND:
                    waiting.pop(0).result()
                progress.update(self.group.finished() - progress.n)
            for future in waiting:
                future.result()
            if self.group.rank == 0:
                for done in self.group.until_finished(samples):
                    progress.update(done - progress.n)

    def _open(self, work: Sequence[Sequence[Unit]]) -> Iterator[tuple[Unit, ...]]:
        """The parts of this rank's batches that are not finished."""
        for batch in self.group.mine(work):
            missing = self.missing(batch)
            self.group.add(_samples(batch) - _samples(missing))
            if missing:
                yield missing

    def _refuse(self, results: Sequence[Result]) -> None:
        failed = [(result.unit.question_samples[text], reason) for result in results for text, reason in result.failed.items()]
        if failed and not self.record:
            (sample_id, *_), reason = min(failed)
            raise InputError(f"sample {sample_id!r}: {reason} (run.on_error: record would list it and go on)")

    def _finish(self, results: Sequence[Result]) -> None:
        """Round and store, each capture under its question; then, and not before, the samples count as finished."""
        for result, key in zip(results, self.keys([result.unit for result in results]), strict=True):
            stored = [capture_of(*one) for one in result.decoded]
            about = {
                "answers": {question: answer_row(prompt, answer) for question, prompt, answer in result.decoded},
                "failed": {question: self._anywhere(reason) for question, reason in result.failed.items()},
                "fewer_rows": result.fewer_rows and not self.keys.batch_invariant,
            }
            self.cache.write(key + FAILED * bool(result.failed), captures.encode(stored, about))
        self.group.add(_samples(result.unit for result in results))

    def _anywhere(self, reason: str) -> str:
        """A reason without the place of the images on this machine, so that a list of failures is the same on every one."""
        return reason.replace(f"{self.study.image_root}/", "")


def _samples(units: Iterable[Unit]) -> int:
    return sum(unit.sample_count for unit in units)
