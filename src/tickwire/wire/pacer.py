"""Sends no faster than an exchange allows."""

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic

from tickwire.errors import ConnectionLost

_MOST_WAITING = 10_000  # messages; a server that makes us queue more misbehaves


class Pacer:
    """Messages to one connection, at least *interval_s* apart, in order."""

    def __init__(self, interval_s: float, write: Callable[[bytes], None]) -> None:
        self._interval_s, self._write = interval_s, write
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes] = deque()
        self._next = float("-inf")  # earliest time of the next message
        self._timer: asyncio.TimerHandle | None = None
        self._later: set[asyncio.TimerHandle] = set()

    @property
    def delay_s(self) -> float:
        """Seconds until all queued messages have been sent."""
        if not self._waiting:
            return 0.0
        return max(0.0, self._next - monotonic()) + (len(self._waiting) - 1) * self._interval_s

    def put(self, message: bytes, delay_s: float = 0.0) -> None:
        """Queue *message* after *delay_s* seconds; it is sent when its turn comes.

        Raises :exc:`~tickwire.errors.ConnectionLost`.
        """
        if len(self._waiting) + len(self._later) >= _MOST_WAITING:
            raise ConnectionLost("protocol", f"the server makes us send more than {_MOST_WAITING} messages at once")
        if delay_s:
            timer: asyncio.TimerHandle = self._loop.call_later(delay_s, lambda: self._take(message, timer))
            self._later.add(timer)
        else:
            self._line_up(message)

    def send_now(self, message: bytes) -> None:
        """Send *message* before all queued ones, which are delayed accordingly."""
        self._write(message)
        self.note()

    def note(self) -> None:
        """Account for a message that was sent without the queue, such as a ping."""
        self._next = monotonic() + self._interval_s

    def clear(self) -> None:
        """Discard queued messages."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for timer in self._later:
            timer.cancel()
        self._later.clear()

    def _take(self, message: bytes, timer: asyncio.TimerHandle) -> None:
        self._later.remove(timer)
        self._line_up(message)

    def _line_up(self, message: bytes) -> None:
        self._waiting.append(message)
        if self._timer is None:
            self._pump()

    def _pump(self) -> None:
        self._timer = None
        while self._waiting:
            wait = self._next - monotonic()
            if wait > 0:
                self._timer = self._loop.call_later(wait, self._pump)
                return
            self._write(self._waiting.popleft())
            self.note()
