"""The processes that extract together, and what each knows of the others: how much is finished.

They are the ranks of `accelerate launch` (or torchrun), or those that `run.processes` starts here. They share no tensor,
only a key/value store of torch.distributed; what they compute goes through the file system.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed

from medattn.base.errors import InputError
from medattn.base.processes import block_sigint

CONNECT = timedelta(minutes=10)  # within which the first process must be there
LONG = timedelta(days=30)  # ranks wait for each other as long as it takes: a launcher ends them all when one dies
STARTED_BY = "MEDATTN_STARTED_BY"  # environment: the process that started this one as a rank
PAUSE = 0.2  # seconds between two looks at how far the others are
One = TypeVar("One")


class WorkerGroup:
    """This process's place among all of them. Rank 0 prepares the place, shows progress and packs the results."""

    def __init__(
        self, rank: int, count: int, store: distributed.Store | None, children: Mapping[int, subprocess.Popen]
    ) -> None:
        self.rank, self.count = rank, count
        self._store, self._children = store, children
        self._finished = 0

    def mine(self, work: Iterable[One]) -> Iterator[One]:
        """This rank's share of a list that all ranks have alike."""
        return (one for number, one in enumerate(work) if number % self.count == self.rank)

    def add(self, samples: int) -> None:
        """Say that so many more samples are finished, and can be read by every rank."""
        if self._store is None:
            self._finished += samples
        else:
            self._counted(samples)

    def finished(self) -> int:
        """Samples that all ranks together have finished. Raises InputError if a rank started here has died."""
        for rank, child in self._children.items():
            if child.poll():
                raise InputError(
                    f"process {rank} of {self.count} ended with exit code {child.returncode}; its own message stands above."
                    " What is finished is kept: fix the cause and run again"
                )
        return self._finished if self._store is None else self._counted(0)

    def _counted(self, more: int) -> int:
        assert self._store is not None
        try:
            return self._store.add("finished", more)
        except RuntimeError as error:  # the store lives in the first process, or in its launcher
            raise InputError("the first process has ended; what is finished is kept: run again") from error

    def until_finished(self, samples: int) -> Iterator[int]:
        """How many are finished, again and again until all `samples` are."""
        while (done := self.finished()) < samples:
            yield done
            time.sleep(PAUSE)
        yield done

    def begin(self) -> None:
        """Rank 0: the place is ready. The others: wait until it is."""
        if self._store is None:
            return
        if self.rank == 0:
            self._store.set("ready", "yes")
        else:
            self._store.wait(["ready"], LONG)


@contextmanager
def worker_group(processes: int) -> Iterator[WorkerGroup]:
    """The ranks that a launcher has made this process one of; else `processes` of them, of which this is the first.

    Those started here end when this process does.
    """
    if "WORLD_SIZE" in os.environ:
        rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        if STARTED_BY in os.environ:
            threading.Thread(target=_end_with, args=(int(os.environ[STARTED_BY]),), daemon=True).start()
        store = next(iter(distributed.rendezvous("env://", rank, count, timeout=CONNECT)))[0] if count > 1 else None
        yield WorkerGroup(rank, count, store, {})
        return
    if processes == 1:
        yield WorkerGroup(0, 1, None, {})
        return
    store = distributed.TCPStore("127.0.0.1", 0, processes, is_master=True, wait_for_workers=False)
    children: dict[int, subprocess.Popen] = {}
    try:
        for rank in range(1, processes):
            children[rank] = _start(rank, processes, store.port)
        torch.set_num_threads(_threads(processes))
        yield WorkerGroup(0, processes, store, children)
    finally:
        for child in children.values():
            child.terminate()
        for child in children.values():
            child.wait()


def _start(rank: int, count: int, port: int) -> subprocess.Popen:
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    place |= {STARTED_BY: os.getpid()}
    threads = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": _threads(count)}
    surroundings = {name: str(value) for name, value in (place | threads).items()}
    with block_sigint():
        return subprocess.Popen([sys.executable, "-m", "medattn", "extract"], env=os.environ | surroundings)


def _end_with(parent: int) -> None:
    """Whatever this process does or waits for, it ends when the one that started it has been killed."""
    while os.getppid() == parent:
        time.sleep(PAUSE)
    os._exit(1)


def _threads(processes: int) -> int:
    """Threads of each process: several that each take every core would wait for one another."""
    return max(1, (os.cpu_count() or 1) // processes)
