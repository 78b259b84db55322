"""What all connections of a feed have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tickwire.events.types import Ticker
from tickwire.exchanges.contract import Exchange, Reading
from tickwire.wire.books import Books
from tickwire.wire.hearing import Hearings
from tickwire.wire.rest import Rest
from tickwire.wire.subscriptions import Subscriptions
from tickwire.wire.tally import Tally
from tickwire.wire.trades import Trades


@dataclass(frozen=True, slots=True)
class FeedContext:
    """What all connections of a feed have in common."""

    exchange: Exchange
    address: Callable[[str], Reading[str]]  # the address to connect to in place of the plan's
    rest: Rest
    books: Books
    ticker: Callable[[Ticker], None]
    trades: Trades
    hearings: Hearings
    subscriptions: Subscriptions
    tally: Tally
    random: Random
    first_message_s: float = 0.0  # after which an accepted subscription without messages is requested again; 0: never
    # The publisher's short way, and the function to call when that raises:
    direct: Any = None
    failed: Callable[[Exception], None] | None = None
