"""Ctrl-C reaches every process of a terminal; the first one decides for all that it started."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def block_sigint() -> Iterator[None]:
    """Processes that are started inside never hear Ctrl-C; this one does, behind the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
