"""Keeps the memory of long-running commands as small as what they use."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
# The client library takes up to 1.3 MiB to compress a batch. If that came from the system each time, every 4 KiB would
# cost a page fault: 10 to 25 % of a producer's processor time at the highest rate (docs/decisions/0012).
_MMAP_BYTES = 2 << 20
_TRIM_BYTES = 4 << 20
_ARENAS = 2


def give_memory_back() -> None:
    """Let the C library return freed memory to the system; call it before there are threads.

    glibc raises its thresholds to the largest block ever freed, and keeps a heap for each thread: after a few messages
    of 64 MiB, or an outage, a process stays large. Fixed values switch that off
    (https://man7.org/linux/man-pages/man3/mallopt.3.html). In a soak of ten minutes a producer ended with 75 MiB
    instead of 119. With C libraries without this call nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)
        mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        mallopt(_M_ARENA_MAX, _ARENAS)
