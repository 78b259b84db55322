"""What the exchange carries for us, over all connections of a feed."""

import logging
from collections.abc import Collection

from tickwire.errors import SubscriptionRefused
from tickwire.exchanges.contract import Refused, Subscribed, Symbol

logger = logging.getLogger(__name__)


class Subscriptions:
    """What was acknowledged and what was refused: a refusal of one symbol leaves the others alone.

    *wanted*: how many subscriptions the feed has, one a symbol and channel. *listed*: the symbols that were found in
    the exchange's listing.
    """

    def __init__(self, exchange: str, wanted: int, *, listed: Collection[Symbol]) -> None:
        self.exchange, self._wanted, self._listed = exchange, wanted, set(listed)
        self._carried: set[Symbol] = set()  # at some time, on some channel
        self._refused: set[tuple[str, Symbol]] = set()  # now

    def change(self, more: int, *, listed: Collection[Symbol], removed: Collection[Symbol]) -> None:
        """Count with so many *more* subscriptions from now on, and forget all about symbols that are *removed*."""
        self._wanted += more
        self._listed.update(listed)
        gone = set(removed)
        self._listed -= gone
        self._carried -= gone
        self._refused = {key for key in self._refused if key[1] not in gone}

    def carried(self, answer: Subscribed) -> None:
        """Note what the exchange acknowledged."""
        self._carried.add(answer.symbol)
        self._refused.discard((answer.channel, answer.symbol))

    def refused(self, answer: Refused) -> None:
        """Note and tell what the exchange will not carry.

        Raises :exc:`~tickwire.errors.SubscriptionRefused` when nothing else is left.
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
        """Whether the exchange's last word on this subscription was no."""
        return (channel, symbol) in self._refused
