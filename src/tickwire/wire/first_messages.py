"""Subscriptions that were accepted and have brought nothing: asked for again, ever less often."""

from collections.abc import Collection

from tickwire.wire.answers import Item, Waiting


class FirstMessages:
    """What one connection has not heard of yet. Times are one clock's, in seconds.

    A first message may take *first_s*; 0 means for ever.
    """

    def __init__(self, first_s: float) -> None:
        self._first_s = first_s
        self._waiting: dict[Item, Waiting] = {}

    def waits_for(self, item: Item) -> bool:
        """Whether a first message of this one is waited for."""
        return item in self._waiting

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
            wait = self._waiting.setdefault(item, Waiting(now, now + self._first_s))
            if now >= wait.due:
                wait.ask_again(now, self._first_s)
                found.append((item, now - wait.since))
        return found
