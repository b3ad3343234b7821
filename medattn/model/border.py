"""Where files of others meet the library: whatever it raises about them becomes one message with a remedy."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from medattn.base.errors import InputError

MOST_LETTERS = 300  # of what the library says


@contextmanager
def border(what: str, remedy: str) -> Iterator[None]:
    """Turn any error raised inside into an InputError "{what}: {its first line}: {remedy}".

    BaseException, because the tokenizers' and the weight reader's panics are not Exceptions.
    """
    try:
        yield
    except (InputError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        raise InputError(f"{what}: {in_one_line(error)}: {remedy}") from error


def in_one_line(error: BaseException) -> str:
    """What an error says, without line breaks and control characters, and not longer than a reader bears."""
    said = " ".join("".join(letter if letter.isprintable() else " " for letter in str(error)).split())
    return f"{said[:MOST_LETTERS]} …" if len(said) > MOST_LETTERS else said or type(error).__name__


@contextmanager
def time_limit(seconds: float, told: str) -> Iterator[None]:
    """Raise InputError(told) inside after `seconds`; only the main thread can be interrupted, others go on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise InputError(told)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
