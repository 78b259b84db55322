"""Subscriptions that wait for an answer: noticed, told, and asked for again, ever less often."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from tickwire.errors import ConnectionLost
from tickwire.exchanges.contract import Channel, Symbol

logger = logging.getLogger(__name__)

_RAREST = 32  # times the time that an answer may take: between two questions about the same subscription

Item = tuple[Channel, Symbol]


@dataclass(slots=True)
class Waiting:
    """A subscription that is waited for, and when it is to be asked for again: each time after twice as long."""

    since: float
    due: float
    asked_again: int = 0

    def ask_again(self, now: float, timeout_s: float) -> None:
        """Note that it is asked for again *now*; the first time it was waited for *timeout_s*."""
        self.asked_again += 1
        self.due = now + timeout_s * min(2**self.asked_again, _RAREST)


class Answers:
    """The answers that one connection owes us. Times are the monotonic clock's, in seconds."""

    def __init__(self, exchange: str, timeout_s: float) -> None:
        self._exchange, self._timeout_s = exchange, timeout_s
        self._waiting: dict[Item, Waiting] = {}
        self.any = False  # the exchange has answered something on this connection

    def forgive(self) -> None:
        """Start all measuring again."""
        self._waiting.clear()

    def overdue(self, pending: Iterable[Item], now: float, delay_s: float) -> bool:
        """Whether to ask again for what is *pending*. *delay_s*: until all that is to be sent has been sent.

        Raises :exc:`~tickwire.errors.ConnectionLost` where the exchange has answered nothing at all.
        """
        pending = list(pending)
        self._forget(pending, now)
        latest = now + delay_s + self._timeout_s
        waiting = [(item, self._waiting.setdefault(item, Waiting(now, latest))) for item in pending]
        late = [(item, wait) for item, wait in waiting if now >= wait.due]
        if not late:
            return False
        (channel, symbol), first = late[0]
        if not self.any:
            raise ConnectionLost("subscribe", f"no answer about {symbol.native} on {channel}")
        logger.warning(
            "feed.no_answer exchange=%s subscriptions=%d first=%r channel=%s seconds=%.1f (asked again)",
            self._exchange, len(late), symbol.native, channel, now - first.since,
        )  # fmt: skip
        for _, wait in waiting:
            wait.ask_again(now + delay_s, self._timeout_s)
        return True

    def _forget(self, pending: list[Item], now: float) -> None:
        """Tell what was asked for again and is answered now."""
        answered = [(item, self._waiting.pop(item)) for item in self._waiting.keys() - set(pending)]
        late = [(item, wait) for item, wait in answered if wait.asked_again]
        if late:
            (channel, symbol), first = late[0]
            logger.warning(
                "feed.answered exchange=%s subscriptions=%d first=%r channel=%s seconds=%.1f (late)",
                self._exchange, len(late), symbol.native, channel, now - first.since,
            )  # fmt: skip
