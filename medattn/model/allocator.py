"""Host memory that is freed stays with the process: asking the system for the same pages again costs a fifth of a forward pass.

glibc returns every block above its mmap threshold at once, and each new one faults in page by page (mallopt(3)).
"""

import ctypes
from contextlib import suppress

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # parameters of mallopt, from malloc.h
KEPT = 2**31 - 1  # bytes at the heap's end that are not given back
LARGEST_ON_HEAP = 32 * 2**20  # bytes: more is not allowed


def keep_freed_memory() -> None:
    """For this process from now on. Does nothing where the C library has no mallopt: it is not glibc, and needs none."""
    with suppress(AttributeError):
        tune = ctypes.CDLL(None).mallopt
        tune(MMAP_THRESHOLD, LARGEST_ON_HEAP)
        tune(TRIM_THRESHOLD, KEPT)


def give_back_freed_memory() -> None:
    """What is free now returns to the system, where the C library can: so that a peak that is measured next is its own."""
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
