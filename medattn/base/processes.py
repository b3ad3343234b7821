"""Work done ahead of need by other processes of this machine, and Ctrl-C, which reaches all of them."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

PREFETCHED = 2  # items that each process may be ahead
Item = TypeVar("Item")
Made = TypeVar("Made")


@contextmanager
def block_sigint() -> Iterator[None]:
    """Processes that are started inside never hear Ctrl-C; this one does, behind the block: it decides for all."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def nothing() -> None:
    """What a process does first that needs no preparation."""


def made_ahead(
    make: Callable[[Item], Made],
    items: Iterable[Item],
    workers: int,
    begin: Callable[..., None] = nothing,
    given: tuple[Any, ...] = (),
) -> Generator[tuple[Item, Made]]:
    """Every item with what `make` makes of it, in order: by `workers` processes ahead of need, or here if there are none.

    Each process first calls begin(*given). `make` and its items are sent to it, so that the module that holds `make` is all
    it imports.
    """
    if workers == 0:
        yield from ((item, make(item)) for item in items)
        return
    # Forking a process that runs threads, and perhaps CUDA, is not safe.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(begin, given))
    waiting: deque[tuple[Item, Future[Made]]] = deque()
    try:
        for item in items:
            with block_sigint():  # the pool starts its processes when it gets work
                waiting.append((item, pool.submit(make, item)))
            if len(waiting) > PREFETCHED * workers:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(begin: Callable[..., None], given: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    begin(*given)


def _end_with_parent() -> None:
    """A main process that was killed takes nothing with it: without this its workers would wait for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
