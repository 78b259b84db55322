"""Whether the resident memory of a process grows, and its open files, from samples taken while it works. Pure.

The first quarter of a life, and at least three minutes, is warm-up: caches, pools and the first outage's queue reach
their size in it, and the largest messages come before the first sample. The rest is cut in four. Memory is **flat**
when the median of the last part is at most :data:`ALLOWED_KIB` above that of the first. Medians, because records that
wait in an outage are memory in use, not a leak, and are gone from most samples of a part; 2 MiB, because the allocator
keeps some pages more or less for the same work. In a run of 10 minutes this finds a growth of 390 KiB a minute.

Open files are **flat** when that is so within :data:`ALLOWED_FILES`: a connection to each of three nodes, to the
exchange, and to whoever asks for metrics may be there or not.
"""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

ALLOWED_KIB = 2048
ALLOWED_FILES = 8
WARM_UP, WARM_UP_S = 0.25, 180.0  # of the time, and at least
LONG_S = 300.0  # a shorter life says nothing: a member that is killed every minute or two reads what it missed
MARKS_S = 600.0  # between the figures that are shown of a life
_FEWEST = 40  # samples after the warm-up; fewer say nothing


class Sample(NamedTuple):
    """Resident memory and open files at a time."""

    at: float  # seconds
    kib: int
    files: int = 0


class Curve(NamedTuple):
    """What is shown of a process's memory: medians of the four parts, and the slope through all samples of them."""

    start: int  # of the first sample, in the warm-up
    parts: tuple[int, int, int, int]
    end: int
    slope: float  # KiB a minute
    files: tuple[int, int, int, int]

    @property
    def flat(self) -> bool:
        """Whether its memory does not grow."""
        return self.parts[3] - self.parts[0] <= ALLOWED_KIB

    @property
    def files_flat(self) -> bool:
        """Whether its open files do not become more."""
        return self.files[3] - self.files[0] <= ALLOWED_FILES


def curve(samples: Sequence[Sample]) -> Curve | None:
    """Sum up the samples of one process; None if they are too few, or its life too short, to say anything."""
    if not samples or samples[-1].at - samples[0].at < LONG_S:
        return None
    first, last = samples[0].at, samples[-1].at
    begin = first + max(WARM_UP * (last - first), WARM_UP_S)
    kept = [sample for sample in samples if sample.at >= begin]
    if len(kept) < _FEWEST:
        return None
    width = len(kept) / 4
    parts = [kept[round(i * width) : round((i + 1) * width)] for i in range(4)]
    memory = _medians([[sample.kib for sample in part] for part in parts])
    files = _medians([[sample.files for sample in part] for part in parts])
    return Curve(samples[0].kib, memory, samples[-1].kib, _slope(kept), files)


def marks(samples: Sequence[Sample]) -> list[Sample]:
    """Pick the samples at every ten minutes, or every tenth of a shorter life, the first and the last among them."""
    begun = samples[0].at
    step = min(MARKS_S, (samples[-1].at - begun) / 10)
    picked = [samples[0]]
    for sample in samples[1:-1]:
        if sample.at >= begun + len(picked) * step:
            picked.append(sample)
    return [*picked, samples[-1]]


def _medians(parts: Sequence[Sequence[int]]) -> tuple[int, int, int, int]:
    one, two, three, four = (int(median(part)) for part in parts)
    return one, two, three, four


def _slope(samples: Sequence[Sample]) -> float:
    """The median of the slopes between samples half the time apart (Theil-Sen, thinned), in KiB a minute."""
    half = len(samples) // 2
    pairs = zip(samples[:half], samples[half:], strict=False)
    return median((later.kib - sooner.kib) / (later.at - sooner.at) for sooner, later in pairs) * 60
