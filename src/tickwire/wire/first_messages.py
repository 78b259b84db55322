"""Subscriptions that were accepted and have brought nothing: asked for again, ever less often."""

from collections.abc import Collection
from dataclasses import dataclass

from tickwire.exchanges.contract import Channel, Symbol

_RAREST = 32  # times the time that a first message may take: between two questions about the same subscription

Item = tuple[Channel, Symbol]


@dataclass(slots=True)
class _Waiting:
    since: float
    due: float
    asked_again: int = 0


class FirstMessages:
    """What one connection has not heard of yet. Times are one clock's, in seconds.

    A first message may take *first_s*; 0 means for ever.
    """

    def __init__(self, first_s: float) -> None:
        self._first_s = first_s
        self._waiting: dict[Item, _Waiting] = {}

    def forgive(self) -> None:
        """Start all measuring again."""
        self._waiting.clear()

    def late(self, unheard: Collection[Item], pending: Collection[Item], now: float) -> list[tuple[Item, float]]:
        """Name what is to be asked for again, and for how long it was waited for.

        *unheard*: what the exchange accepted and has not spoken of; *pending*: what it has not accepted yet, once more
        perhaps.
        """
        if not self._first_s:
            return []
        for item in self._waiting.keys() - {*unheard, *pending}:
            del self._waiting[item]
        found = list[tuple[Item, float]]()
        for item in unheard:
            wait = self._waiting.setdefault(item, _Waiting(now, now + self._first_s))
            if now >= wait.due:
                wait.asked_again += 1
                wait.due = now + self._first_s * min(2**wait.asked_again, _RAREST)
                found.append((item, now - wait.since))
        return found
