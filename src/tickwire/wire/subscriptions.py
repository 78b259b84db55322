"""Accepted and refused subscriptions, over all connections of a feed."""

import logging
from collections.abc import Collection

from tickwire.errors import SubscriptionRefused
from tickwire.exchanges.contract import Refused, Subscribed, Symbol

logger = logging.getLogger(__name__)


class Subscriptions:
    """The accepted and refused subscriptions: a refusal of one symbol does not affect the others.

    *wanted*: the number of the feed's subscriptions, one for each symbol and channel. *listed*: the symbols in the
    exchange's listing.
    """

    def __init__(self, exchange: str, wanted: int, *, listed: Collection[Symbol]) -> None:
        self.exchange, self._wanted, self._listed = exchange, wanted, set(listed)
        self._carried: set[Symbol] = set()  # at any time, on any channel
        self._refused: set[tuple[str, Symbol]] = set()  # at present

    def change(self, more: int, *, listed: Collection[Symbol], removed: Collection[Symbol]) -> None:
        """Expect *more* subscriptions, and forget *removed* symbols."""
        self._wanted += more
        self._listed.update(listed)
        gone = set(removed)
        self._listed -= gone
        self._carried -= gone
        self._refused = {key for key in self._refused if key[1] not in gone}

    def carried(self, answer: Subscribed) -> None:
        """Note an accepted subscription."""
        self._carried.add(answer.symbol)
        self._refused.discard((answer.channel, answer.symbol))

    def refused(self, answer: Refused) -> None:
        """Note and log a refused subscription.

        Raises :exc:`~tickwire.errors.SubscriptionRefused` if all subscriptions are refused.
        """
        key = (answer.channel, answer.symbol)
        if len(self._refused | {key}) >= self._wanted:
            raise SubscriptionRefused(self.exchange, answer.symbol.native, answer.channel, answer.answer)
        if key not in self._refused:
            logger.error(
                "feed.refused exchange=%s symbol=%r channel=%s answer=%r (the others go on)",
                self.exchange, answer.symbol.native, answer.channel, answer.answer,
            )  # fmt: skip
        self._refused.add(key)

    def is_known(self, symbol: Symbol) -> bool:
        """Whether the exchange has this symbol: it lists it, acknowledged it or sent data of it."""
        return symbol in self._listed or symbol in self._carried

    def is_refused(self, channel: str, symbol: Symbol) -> bool:
        """Whether this subscription is refused at present."""
        return (channel, symbol) in self._refused
