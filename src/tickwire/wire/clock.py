"""The time at which a frame arrived, in a form that Kafka can index."""

import time

from tickwire.events.running import Number


class ArrivalClock(Number):
    """The wall clock in microseconds, which never goes back while this object lives.

    Kafka timestamps are made from it, and look-ups by time need them in order. Where the system's clock is set back,
    this one stands still until it is caught up. ``value`` is the last answer.
    """

    __slots__ = ()

    def now_us(self) -> int:
        """Microseconds since the epoch, at least the last answer."""
        self.value = now = max(self.value, time.time_ns() // 1000)
        return now


clock = ArrivalClock()  # one for the whole process, because feeds may share a topic
now_us = clock.now_us
