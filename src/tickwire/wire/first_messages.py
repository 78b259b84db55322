"""Accepted subscriptions without any message: requested again at growing intervals."""

from collections.abc import Collection

from tickwire.wire.answers import Item, Waiting


class FirstMessages:
    """The subscriptions of one connection that wait for their first message. Times are monotonic, in seconds.

    A first message may take *first_s*; 0 means no limit.
    """

    def __init__(self, first_s: float) -> None:
        self._first_s = first_s
        self._waiting: dict[Item, Waiting] = {}

    def waits_for(self, item: Item) -> bool:
        """Whether this subscription waits for its first message."""
        return item in self._waiting

    def forgive(self) -> None:
        """Restart all time-outs."""
        self._waiting.clear()

    def late(self, unheard: Collection[Item], pending: Collection[Item], now: float) -> list[tuple[Item, float]]:
        """The subscriptions to request again, and how long each has waited.

        *unheard*: accepted subscriptions without a message; *pending*: those not accepted yet, perhaps after a repeated
        request.
        """
        if not self._first_s:
            return []
        for item in self._waiting.keys() - {*unheard, *pending}:
            del self._waiting[item]
        found = list[tuple[Item, float]]()
        for item in unheard:
            wait = self._waiting.setdefault(item, Waiting(now, now + self._first_s))
            if now >= wait.due:
                wait.ask_again(now, self._first_s)
                found.append((item, now - wait.since))
        return found
