"""Trouble of one producer's machine: its clock is set, its disk is full. For what an actor is see ``actors.py``."""

import time
from functools import partial
from random import Random
from threading import Event

from faults.programs import Exchange, Program
from faults.wall_clock import WallClock
from soak.actors import Actor, all_books_valid, pause, wait_for
from soak.recovery import Recovery

# By how much a clock is set, at least and at most: less than 10 minutes back are waited for, more than an hour ahead is
# not taken by Kafka.
STEP_S = (900, 2400)
AHEAD_S = 3 * 3600  # Kafka takes no time of more than an hour ahead: all that this producer has waits on its disk
DISK_BYTES = 65_536  # what it may hold: the least that can be set

_HAPPENS_S, _RECOVERS_S = 120.0, 180.0
_FLOWS = 300  # records that have to be acknowledged at the new time
_WHOLE_S = 3.0  # without a record that is dropped: every change of a book that has not begun again is


class Still:
    """Tells whether a number has been the same for so many *seconds*."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._last, self._since = seconds, -1.0, 0.0

    def see(self, number: float, now: float) -> bool:
        """Look at it."""
        if number != self._last:
            self._last, self._since = number, now
        return now - self._since >= self._seconds


def _acknowledged(producer: Program) -> float:
    return producer.metric("kafka_messages_published_total")


def _has_acknowledged(producer: Program, count: float) -> bool:
    return _acknowledged(producer) > count


def _dropped(producer: Program) -> float:
    return producer.metric("kafka_records_total", outcome="dropped")


def step_clock(
    clock: WallClock, producer: Program, rest_s: float, random: Random, done: list[Recovery], stop: Event
) -> Actor:
    """Set the clock some minutes forth or back, and right again, until *stop*; it ends right."""
    while True:
        yield from pause(rest_s * random.uniform(0.5, 1.5))
        if stop.is_set():
            return
        ahead = random.choice((-1, 1)) * random.randint(*STEP_S)
        for seconds, what in ((ahead, "forth" if ahead > 0 else "back"), (0, "right again")):
            wanted, since = _acknowledged(producer) + _FLOWS, time.monotonic()
            clock.set(seconds)
            goes_on = partial(_has_acknowledged, producer, wanted)
            yield from wait_for(producer, goes_on, f"it goes on at {seconds:+} s", _RECOVERS_S)
            done.append(Recovery("clock", what, time.monotonic() - since))


def fill_disk(
    clock: WallClock,
    producer: Program,
    exchange: Exchange,
    rest_s: float,
    random: Random,
    done: list[Recovery],
    stop: Event,
) -> Actor:
    """Hold publishing up until the disk is full, then let it go, until *stop*; it ends well."""
    while True:
        yield from pause(rest_s * random.uniform(0.5, 1.5))
        if stop.is_set():
            return
        dropped = _dropped(producer)
        clock.set(AHEAD_S)
        yield from wait_for(producer, lambda: _dropped(producer) > dropped + 100, "a full disk", _HAPPENS_S)  # noqa: B023
        clock.set(0)
        since, drops = time.monotonic(), Still(_WHOLE_S)

        def recovered() -> bool:
            drained = producer.metric("kafka_spill_records") == 0
            return drops.see(_dropped(producer), time.monotonic()) and drained and all_books_valid(producer, exchange)  # noqa: B023

        yield from wait_for(producer, recovered, "all books after a full disk", _RECOVERS_S)
        done.append(Recovery("disk", "full", time.monotonic() - since - _WHOLE_S))
