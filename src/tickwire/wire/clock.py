"""The time at which a frame arrived, in a form that Kafka can index."""

import logging
import time

from tickwire.events.numbers import Number
from tickwire.records.codec import SMALL_STEP_MS

logger = logging.getLogger(__name__)


class ArrivalClock(Number):
    """The wall clock in microseconds, which never goes back by less than ten minutes while this object lives.

    Kafka timestamps are made from it, and look-ups by time need them in order: if the system's clock is set back a
    little, this one stands still until that has caught up. If it is set back far, it was ahead before. Kafka refuses
    times too far in the future, so the new time is used and the step logged. ``value`` is the last answer.
    """

    __slots__ = ()

    def now_us(self) -> int:
        """Microseconds since the epoch; less than the last answer only after a large step back."""
        now, last = time.time_ns() // 1000, self.value
        if now < last:
            if last - now < SMALL_STEP_MS * 1000:  # as native/short_way_receiver.c has it
                return last
            logger.warning("clock.set_back seconds=%.0f (the time was ahead; the new one counts)", (last - now) / 1e6)
        self.value = now
        return now


clock = ArrivalClock()  # one for the whole process, because feeds may share a topic
now_us = clock.now_us
