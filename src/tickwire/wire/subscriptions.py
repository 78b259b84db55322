"""What the exchange carries for us, over all connections of a feed."""

import logging

from tickwire.errors import SubscriptionRefused
from tickwire.exchanges.contract import Refused, Subscribed, Symbol

logger = logging.getLogger(__name__)


class Subscriptions:
    """Tells a wrong symbol, which is an error, from one that the exchange stopped to carry.

    *wanted*: how many subscriptions the feed has, one a symbol and channel.
    """

    def __init__(self, exchange: str, wanted: int) -> None:
        self._exchange, self._wanted = exchange, wanted
        self._carried: set[tuple[str, Symbol]] = set()  # at some time
        self._refused: set[tuple[str, Symbol]] = set()  # now

    def carried(self, answer: Subscribed) -> None:
        """Note what the exchange acknowledged."""
        self._carried.add((answer.channel, answer.symbol))
        self._refused.discard((answer.channel, answer.symbol))

    def refused(self, answer: Refused) -> None:
        """Note what the exchange will not carry.

        Raises :exc:`~tickwire.errors.SubscriptionRefused` when it never did, or when nothing else is left.
        """
        key = (answer.channel, answer.symbol)
        self._refused.add(key)
        if key not in self._carried or len(self._refused) >= self._wanted:
            raise SubscriptionRefused(self._exchange, answer.symbol.native, answer.channel, answer.answer)
        logger.error(
            "feed.refused exchange=%s symbol=%r channel=%s answer=%r",
            self._exchange, answer.symbol.native, answer.channel, answer.answer,
        )  # fmt: skip

    def is_refused(self, channel: str, symbol: Symbol) -> bool:
        """Whether the exchange's last word on this subscription was no."""
        return (channel, symbol) in self._refused
