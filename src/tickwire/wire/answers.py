"""Subscriptions without an answer: logged, and requested again at growing intervals."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from tickwire.errors import ConnectionLost
from tickwire.exchanges.contract import Channel, Symbol

logger = logging.getLogger(__name__)

_RAREST = 32  # longest interval between two requests for a subscription, in multiples of the time-out

Item = tuple[Channel, Symbol]


@dataclass(slots=True)
class Waiting:
    """A subscription without an answer, and when it is requested again: each interval is twice the last."""

    since: float
    due: float
    asked_again: int = 0

    def ask_again(self, now: float, timeout_s: float) -> None:
        """Note a repeated request *now*; the first one came after *timeout_s*."""
        self.asked_again += 1
        self.due = now + timeout_s * min(2**self.asked_again, _RAREST)


class Answers:
    """The answers that one connection still owes us. Times are monotonic, in seconds."""

    def __init__(self, exchange: str, timeout_s: float) -> None:
        self._exchange, self._timeout_s = exchange, timeout_s
        self._waiting: dict[Item, Waiting] = {}
        self.any = False  # the exchange has answered something on this connection

    def forgive(self) -> None:
        """Restart all time-outs."""
        self._waiting.clear()

    def overdue(self, pending: Iterable[Item], now: float, delay_s: float) -> bool:
        """Whether to request the *pending* ones again. *delay_s*: until all queued messages have been sent.

        Raises :exc:`~tickwire.errors.ConnectionLost` if the exchange has answered nothing at all.
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
        """Log late answers to repeated requests."""
        answered = [(item, self._waiting.pop(item)) for item in self._waiting.keys() - set(pending)]
        late = [(item, wait) for item, wait in answered if wait.asked_again]
        if late:
            (channel, symbol), first = late[0]
            logger.warning(
                "feed.answered exchange=%s subscriptions=%d first=%r channel=%s seconds=%.1f (late)",
                self._exchange, len(late), symbol.native, channel, now - first.since,
            )  # fmt: skip
