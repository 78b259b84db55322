"""The time at which a frame arrived, in a form that Kafka can index."""

import time


class ArrivalClock:
    """The wall clock in microseconds, which never goes back while this object lives.

    Kafka timestamps are made from it, and look-ups by time need them in order. Where the system's clock is set back,
    this one stands still until it is caught up.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = 0

    def now_us(self) -> int:
        """Microseconds since the epoch, at least the last answer."""
        self._last = max(self._last, time.time_ns() // 1000)
        return self._last


now_us = ArrivalClock().now_us  # one for the whole process, because feeds may share a topic
